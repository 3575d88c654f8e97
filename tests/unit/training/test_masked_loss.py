"""The loss for partly labelled pictures. Needs the `train` extra."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
pytest.importorskip("ultralytics", reason="needs the train extra")

from training import masked_loss  # noqa: E402

CLASSES = ["excavator", "crane", "hoarding"]


def test_exclusion_is_mutual_and_never_of_itself() -> None:
    table = masked_loss.exclusion(CLASSES, [["excavator", "hoarding"]])
    assert table.tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_what_counts_for_a_class() -> None:
    known = torch.tensor([[True, False, False]])
    targets = torch.zeros(1, 3, 3)
    targets[0, 1, 0] = 0.8  # anchor 1: an excavator
    targets[0, 2, 2] = 0.5  # anchor 2: a hoarding
    counted = masked_loss.weights(known, targets, masked_loss.exclusion(CLASSES, [["excavator", "hoarding"]]))
    assert counted[0].tolist() == [
        [1, 0, 0],  # nothing here: only excavators are known to be absent
        [1, 1, 0],  # an excavator is no crane, but this one may be called a hoarding
        [1, 1, 1],  # a positive counts although the class is not complete
    ]


def test_known_table_is_read_by_file_name(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    path.write_text(json.dumps({"set__yard_1": [0, 2]}), encoding="utf-8")
    assert masked_loss.read_known(path, 3)["set__yard_1"].tolist() == [True, False, True]


def test_an_unknown_class_gets_no_gradient_from_a_picture_without_boxes() -> None:
    torch.manual_seed(0)
    model = masked_loss.MaskedModel("yolov8n.yaml", nc=3, verbose=False)
    model.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
    model.known = {"yard_1": torch.tensor([True, False, False])}
    model.excludes = masked_loss.exclusion(CLASSES, [CLASSES])
    picture = torch.rand(1, 3, 64, 64)
    predictions = model.train()(picture)
    predictions["scores"].retain_grad()
    batch = {
        "img": picture,
        "im_file": ["folder/yard_1.jpg"],
        "batch_idx": torch.zeros(0),
        "cls": torch.zeros(0, 1),
        "bboxes": torch.zeros(0, 4),
    }
    loss, _ = model.loss(batch, predictions)
    loss.sum().backward()
    per_class = predictions["scores"].grad.abs().sum(dim=(0, 2))
    assert per_class[0] > 0
    assert per_class[1:].tolist() == [0.0, 0.0]
