"""YOLOv8's loss for partly labelled pictures, and a mosaic that keeps to them.

Ultralytics' loss pushes every class to 0 at every anchor that no box is assigned to. In a picture whose
source does not label, say, hoardings, that teaches the model that its unlabelled hoardings are none. Here the
classification loss counts for a class and a picture only where

- the class is labelled completely in the picture, or
- the anchor is assigned to a box of the class (a positive is true everywhere), or
- the anchor is assigned to a box of another class (an excavator is no crane), unless the two go together (a
  building may well be its scaffolding).
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import training.ultralytics_env  # noqa: F401

# isort: split
# Only now: see there.
from ultralytics.data.augment import Mosaic
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.loss import v8DetectionLoss


def read_known(path: Path, classes: int) -> dict[str, torch.Tensor]:
    """Read `known.json` of `data.write_yolo`.

    Returns:
        {file name without suffix: bool [classes], True where the class is labelled completely}.
    """
    table: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))
    known = {}
    for key, numbers in table.items():
        row = torch.zeros(classes, dtype=torch.bool)
        row[numbers] = True
        known[key] = row
    return known


def exclusion(classes: Sequence[str], compatible: Sequence[Sequence[str]]) -> torch.Tensor:
    """Which classes an object of a class cannot be as well.

    Args:
        classes: in the order of the model's outputs.
        compatible: groups of classes that one box may rightly be called at once: a building and its scaffold.

    Returns:
        bool [classes, classes]: row = class of the object, True at the classes that it is not.
    """
    index = {label: number for number, label in enumerate(classes)}
    table = ~torch.eye(len(classes), dtype=torch.bool)
    for group in compatible:
        for one in group:
            for other in group:
                table[index[one], index[other]] = False
    return table


def weights(known: torch.Tensor, target_scores: torch.Tensor, excludes: torch.Tensor) -> torch.Tensor:
    """Where the classification loss counts.

    Args:
        known: bool [n, classes], per picture.
        target_scores: [n, anchors, classes], above 0 where an anchor is assigned to a box of the class.
        excludes: see `exclusion`.

    Returns:
        float [n, anchors, classes] of 0 and 1.
    """
    positive = target_scores > 0
    excluded = (positive.float() @ excludes.to(target_scores.device).float()) > 0
    return (known[:, None, :].to(target_scores.device) | positive | excluded).float()


class MaskedDetectionLoss(v8DetectionLoss):
    """`v8DetectionLoss` whose classification part leaves out what a picture does not tell."""

    def __init__(self, model: Any, known: dict[str, torch.Tensor], excludes: torch.Tensor) -> None:
        super().__init__(model)
        self.known = known
        self.excludes = excludes
        self._rows: torch.Tensor | None = None
        self.bce = self._masked_bce
        self._plain = torch.nn.BCEWithLogitsLoss(reduction="none")

    def _masked_bce(self, logits: torch.Tensor, target_scores: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = self._plain(logits, target_scores)
        if self._rows is None:
            return loss
        return loss * weights(self._rows, target_scores, self.excludes)

    def loss(self, preds: Any, batch: dict[str, Any]) -> Any:
        # The names come in the batch; the base class calls `bce` without them.
        self._rows = torch.stack([self.known[Path(name).stem] for name in batch["im_file"]])
        return super().loss(preds, batch)


class MaskedModel(DetectionModel):
    """Detection model that trains with `MaskedDetectionLoss`; the trainer sets its two tables."""

    known: dict[str, torch.Tensor]
    excludes: torch.Tensor
    in_bfloat16: bool = False
    """Run the forward pass in bfloat16: nearly twice as fast on a CPU that computes in it (AVX512-BF16, AMX)."""

    def loss(self, batch: dict[str, Any], preds: Any = None) -> Any:
        if preds is None and self.in_bfloat16:
            with torch.autocast(batch["img"].device.type, dtype=torch.bfloat16):
                preds = self.forward(batch["img"])
            preds = _in_full(preds)
        return super().loss(batch, preds)

    def init_criterion(self) -> MaskedDetectionLoss:
        return MaskedDetectionLoss(self, self.known, self.excludes)


def _in_full(outputs: Any) -> Any:
    """Outputs of the head, however they are nested, in float32: the loss needs its digits."""
    if isinstance(outputs, torch.Tensor):
        return outputs.float()
    if isinstance(outputs, dict):
        return {key: _in_full(value) for key, value in outputs.items()}
    return type(outputs)(_in_full(value) for value in outputs)


class KnownMosaic(Mosaic):
    """Mosaic that only adds pictures which know at least the classes that the first picture knows.

    The result is treated as the first picture (it keeps its name), so no unlabelled object of a class that
    counts can come in.
    """

    def __init__(self, dataset: Any, imgsz: int, p: float, known: dict[str, torch.Tensor]) -> None:
        super().__init__(dataset, imgsz=imgsz, p=p, n=4)
        rows = torch.stack([known[Path(name).stem] for name in dataset.im_files])
        self._partners: dict[str, list[int]] = {}
        for name, row in zip(dataset.im_files, rows, strict=True):
            if name not in self._partners:
                self._partners[name] = (~(row & ~rows).any(dim=1)).nonzero().flatten().tolist()
        self._now: list[int] = []

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        self._now = self._partners[labels["im_file"]]
        result: dict[str, Any] = super().__call__(labels)
        return result

    def get_indexes(self) -> list[int]:
        return random.choices(self._now, k=self.n - 1)
