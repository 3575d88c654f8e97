"""The shipped plate models on real crops and pictures that they were not trained on."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import yaml

from huoyan import evaluate
from huoyan.perception import models
from huoyan.perception.plate_vote import vote
from huoyan.perception.plates import PlateReader
from huoyan.perception.vehicle_plates import VehiclePlates
from huoyan.records import Detection

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from training import plate_data, plate_passages, plate_render, plate_scenes  # noqa: E402

CONFIG = yaml.safe_load((ROOT / "scripts" / "configs" / "plates.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def held_back(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The crops that judge: the split of the training's configuration, as a set for `evaluate plates`."""
    folder = tmp_path_factory.mktemp("held")
    (folder / "crops").mkdir()
    rule = CONFIG["held_back_one_in"]
    rows = []
    for part in CONFIG["crops"]:
        with (shared_data / part / "labels.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if plate_data.is_held_back(row["text"], rule.get(row["type"], rule["default"])):
                    shutil.copy(shared_data / part / "crops" / row["file"], folder / "crops")
                    rows.append(row)
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("file", "text", "colour", "type"))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_held_back_crops_are_read(held_back: Path) -> None:
    result = evaluate.plates(held_back)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["n"] == 289
    assert result["exact"] >= 0.92
    assert result["by_colour"]["yellow"]["exact"] >= 0.95
    # What is told must be right: an unreadable plate is better than a wrong one.
    assert result["exact_readable"] >= 0.98
    assert result["readable"] >= 0.5
    assert result["colour"] >= 0.98


def test_the_card_says_what_is_seen(held_back: Path) -> None:
    told = models.load("plate-reader").card.figures["held_back"]["all"]
    assert told["n"] == 289
    assert evaluate.plates(held_back)["exact"] == pytest.approx(told["exact"], abs=0.01)


@pytest.fixture(scope="module")
def crops(shared_data: Path) -> list[plate_data.Labelled]:
    return [crop for crop in plate_data.collect(CONFIG, shared_data) if crop.held_back]


def told(passages: Iterable[plate_passages.Passage]) -> tuple[list[bool], float, float]:
    """Of passages through the shipped reader: which told ones are right, the share told, and the share of their views
    that are right alone."""
    reader = PlateReader()
    right, alone, count = [], [], 0
    for passage in passages:
        count += 1
        evidence = reader.evidence(passage.views)
        alone += [one.guess == passage.text for one in evidence]
        answer = vote(evidence, reader.passage_threshold)
        if answer.text:
            right.append(answer.text == passage.text)
    return right, len(right) / count, float(np.mean(alone))


def test_passages_of_held_back_crops_are_told_rightly(crops: list[plate_data.Labelled]) -> None:
    """Six spoilt views of each; the seed is none that chose the threshold."""
    some = [(crop.text, crop.kind, crop.image) for crop in crops[::6]]
    right, share, alone = told(plate_passages.of_crops(some, "high", seed=3))
    assert len(right) > 100
    assert np.mean(right) >= 0.98
    assert share >= 0.8
    assert share > alone


@pytest.mark.parametrize("kind", ["blue", "yellow_double", "green_large", "trailer"])
def test_passages_of_rendered_plates_are_told_rightly(shared_data: Path, kind: str) -> None:
    press = plate_render.Press(shared_data / CONFIG["templates"])
    right, share, _ = told(plate_passages.rendered(press, [kind], 6, "high", seed=3))
    assert share >= 0.7
    assert np.mean(right) >= 0.95


def test_a_passage_does_not_take_another_plates_crops(crops: list[plate_data.Labelled]) -> None:
    """Real reads of two plates in one track: one stray is left out, a half of each is no answer."""
    reader = PlateReader()
    blue = [crop for crop in crops if crop.kind == "blue"][:40]
    sure = [e for e in reader.evidence([crop.image for crop in blue]) if e.confidence > 0.9]
    assert len(sure) >= 10
    for own, stray in zip(sure[::2], sure[1::2], strict=False):
        if own.guess == stray.guess:
            continue
        assert vote([own, own, stray, own, own], reader.passage_threshold).text == own.guess
        assert vote([own, own, stray, stray], reader.passage_threshold).text == ""


@pytest.mark.skipif(
    "plate-corners" not in [found.name for found in models.list_models()], reason="no finder is shipped"
)
def test_plates_are_found_and_read_on_held_back_pictures(shared_data: Path) -> None:
    """Each plate on a cut that stands for its vehicle: most that are large enough are found, few are misread."""
    reading = VehiclePlates({"dump_truck"})
    scenes = [s for s in plate_scenes.collect(CONFIG["corners"], shared_data) if s.held_back]
    seen, read, wrong = 0, 0, []
    for scene in scenes:
        for quad, text in zip(scene.quads, scene.texts, strict=True):
            low, high = quad.min(axis=0), quad.max(axis=0)
            side = 4.5 * float(max(high - low))
            if high[0] - low[0] < 40 or side < 150:
                continue
            # A plate hangs in the lower half of its vehicle.
            x1, y1 = ((low + high) / 2 - np.array([0.5, 0.65]) * side).tolist()
            height, width = scene.image.shape[:2]
            box = (max(0.0, x1), max(0.0, y1), min(float(width), x1 + side), min(float(height), y1 + side))
            (found,) = reading.on(scene.image, [Detection("dump_truck", 1.0, box)])
            seen += "plate_box" in found.attributes
            read += found.text == text
            if found.text and found.text not in scene.texts:
                wrong.append((scene.name, text, found.text))
    assert seen >= 15
    assert read >= 10
    assert len(wrong) <= 1, wrong
