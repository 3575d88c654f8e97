"""Detecting things in pictures with one ONNX model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from huoyan.errors import ModelError, SourceError
from huoyan.perception import boxes, letterbox, models, nms
from huoyan.perception.boxes import Hits
from huoyan.records import Detection, Image

Thresholds = float | Mapping[str, float] | None
"""None: the card's. A number: for all classes. A mapping: for those it names, the card's for the rest."""


class Detector:
    """A detection model, loaded.

    Not bound to a thread; several may share one.

    Attributes:
        name: as registered, for `Detection.attributes["model"]`.
        classes: labels, in the order of the model's outputs.
        thresholds: the card's operating threshold of each class.
        sha256: digest of the loaded file.
        second: the detector of the second look; often the same.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        folder: Path | None = None,
        long_side: int | None = None,
        threads: int = 1,
        batch: int = 1,
        providers: tuple[str, ...] | None = None,
    ) -> None:
        """Load a model.

        Args:
            model: a registered name, or the path of an ONNX file with its card beside it.
            folder: where registered models lie; default those that come with Huoyan.
            long_side: pixels that the longer side of a picture is brought to; default the card's.
            threads: threads inside one run; 0 takes all cores.
            batch: pictures of one canvas size that run together. 1 is fastest on a CPU, where a bigger
                batch only leaves the caches; an accelerator wants more.
            providers: ONNX Runtime execution providers in order of preference; default the CPU.

        Raises:
            ModelError: there is no such model, or it does not fit its card.
        """
        self.model, self._session = models.open_for("detect", model, folder, threads, providers)
        self.card = self.model.card
        self.name = self.card.name
        self.classes = self.card.classes
        self.thresholds = {label: self.card.threshold(label) for label in self.classes}
        self.long_side = long_side or self.card.input.long_side
        self.batch = batch
        self.sha256 = self._session.sha256
        self.second = self._load_second(folder, threads, providers)

    def _load_second(self, folder: Path | None, threads: int, providers: tuple[str, ...] | None) -> Detector:
        """The model of the second look: the larger one that the card names, or this one."""
        plan = self.card.second_look
        if plan is None or plan.model is None or plan.model == self.name:
            return self
        second = Detector(
            plan.model, folder=folder or self.model.path.parent, threads=threads, providers=providers
        )
        missing = set(self.classes) - set(second.classes)
        if missing:
            raise ModelError(
                f"its second look, {plan.model}, does not know {', '.join(sorted(missing))}",
                subject=self.name,
                code="second_look",
            )
        return second

    def detect(self, images: Sequence[Image], *, thresholds: Thresholds = None) -> list[list[Detection]]:
        """Detect in whole pictures. Each answer depends on its own picture only, not on its company.

        Args:
            images: uint8 (height, width, 3), RGB, of any sizes.
            thresholds: see `Thresholds`.

        Returns:
            For each picture its detections by falling score, boxes in its own pixels.

        Raises:
            SourceError: something is not such a picture.
            ModelError: the model fails.
        """
        return [self.describe(hits) for hits in self.hits(images, thresholds=thresholds)]

    def hits(
        self, images: Sequence[Image], *, thresholds: Thresholds = None, long_side: int | None = None
    ) -> list[Hits]:
        """As `detect`, as arrays; `long_side` overrides the detector's for this call."""
        limits = self.limits(thresholds)
        plans = [letterbox.fit(picture_size(image), long_side or self.long_side) for image in images]
        by_canvas: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, plan in enumerate(plans):
            by_canvas[plan.canvas].append(index)
        found: list[Hits] = [boxes.empty()] * len(images)
        for group in by_canvas.values():
            for start in range(0, len(group), self.batch):
                chosen = group[start : start + self.batch]
                feed = letterbox.batch([images[i] for i in chosen], [plans[i] for i in chosen])
                predictions = self._session.run({"images": feed})[0]
                for index, rows in zip(chosen, predictions, strict=True):
                    found[index] = self._finish(rows, limits, plans[index])
        return found

    def _finish(
        self, rows: npt.NDArray[np.float32], limits: npt.NDArray[np.float32], plan: letterbox.Fit
    ) -> Hits:
        hits = nms.suppress(nms.candidates(rows, limits), self.card.nms_iou)
        return Hits(letterbox.back(hits.boxes, plan), hits.scores, hits.classes)

    def limits(self, thresholds: Thresholds) -> npt.NDArray[np.float32]:
        """Thresholds as an array (classes,)."""
        if isinstance(thresholds, int | float):
            return np.full(len(self.classes), thresholds, dtype=np.float32)
        named = {**self.thresholds, **(thresholds or {})}
        return np.array([named[label] for label in self.classes], dtype=np.float32)

    def describe(self, hits: Hits) -> list[Detection]:
        """Arrays as records."""
        return [
            Detection(self.classes[c], score, (x1, y1, x2, y2), attributes={"model": self.name})
            for c, score, (x1, y1, x2, y2) in zip(
                hits.classes.tolist(), hits.scores.tolist(), hits.boxes.tolist(), strict=True
            )
        ]

    def second_look_thresholds(self, labels: Collection[str]) -> dict[str, float]:
        """The low thresholds from which `labels` earn a second look; empty where the card plans none.

        To be given to `detect`; what it then finds must go through `second_look.look_again`.
        """
        plan = self.card.second_look
        if plan is None:
            return {}
        return {label: min(plan.low, self.thresholds[label]) for label in self.classes if label in labels}

    def warm_up(self, size: tuple[int, int] = (1920, 1080)) -> None:
        """Run once on a blank picture of `size` (width, height), so that the first real one is not late."""
        self.hits([np.full((size[1], size[0], 3), letterbox.GREY, dtype=np.uint8)])


def picture_size(image: Image) -> tuple[int, int]:
    """(width, height) of a picture that can be used."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.dtype}{list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
        raise SourceError(f"expected a picture as uint8 [height, width, 3], got {got}", code="not_a_picture")
    height, width = image.shape[:2]
    if not height or not width:
        raise SourceError("the picture has no pixels", code="not_a_picture")
    return width, height
