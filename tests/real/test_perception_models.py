"""The registered models on real pictures: the contract, the cost, and what they are worth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from huoyan import evaluate
from huoyan.evaluate import pictures
from huoyan.perception import letterbox, models
from huoyan.perception.detector import Detector
from huoyan.perception.models import Verification
from huoyan.records import Image


def registered(task: str) -> list[Verification]:
    return [found for found in models.list_models() if found.card and found.card.task == task]


@pytest.fixture(scope="module")
def site_pictures(shared_data: Path) -> list[Image]:
    paths = sorted((shared_data / "site" / "val" / "images").iterdir())
    return [pictures.read(path) for path in paths[:20]]


@pytest.mark.parametrize("name", [found.name for found in models.list_models()])
def test_every_model_is_what_its_card_says(name: str) -> None:
    assert models.verify(name).problems == ()


@pytest.mark.parametrize(
    ("model", "part", "least"), [("site-n", "site/val", 0.25), ("street-n", "street/val", 0.25)]
)
def test_detectors_on_held_back_pictures(shared_data: Path, model: str, part: str, least: float) -> None:
    result = evaluate.detector(model, shared_data / part)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["images"] == len(list((shared_data / part / "images").iterdir()))
    assert result["skipped"] == []
    assert result["unknown_classes"] == []
    assert result["map50"] >= least


def test_change_model_on_held_back_pairs(shared_data: Path) -> None:
    result = evaluate.change("change-s", shared_data / "change" / "test")
    assert result["n"] == 121
    assert result["f1_pooled"] >= 0.25


@pytest.mark.parametrize("name", [found.name for found in registered("detect")])
def test_answers_do_not_depend_on_the_batch(site_pictures: list[Image], name: str) -> None:
    alone = [Detector(name).detect([image], thresholds=0.1)[0] for image in site_pictures[:8]]
    together = Detector(name, batch=4).detect(site_pictures[:8], thresholds=0.1)
    for one, other in zip(alone, together, strict=True):
        assert [d.label for d in one] == [d.label for d in other]
        assert [d.score for d in one] == pytest.approx([d.score for d in other], abs=1e-5)


def test_wide_frames_cost_no_more_than_their_shape() -> None:
    assert letterbox.fit((1920, 1080), 640).canvas == (640, 384)
