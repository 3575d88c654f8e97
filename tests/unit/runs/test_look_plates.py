"""Plates in *look*: whose are read, when none are, and what a caption does to a reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from huoyan import config as configuration
from huoyan.perception.vehicle_plates import READING
from huoyan.records import Caption, Detection, Frame, FrameRef, Image, Observations
from huoyan.runs import prepare
from huoyan.runs.look import Eyes, LookSettings

from ...support.county import CODES, SCENES, write_county
from ...support.plates import write_finder, write_reader

TEXT = "浙A12345"
PLATE = (120, 260, 200, 290)
Make = Callable[..., Path]


def given(image: Image) -> Image:
    return image


def frame(*captions: Caption) -> Frame:
    """A green vehicle with a red plate low on it."""
    image = np.zeros((480, 640, 3), np.uint8)
    image[60:340, 60:360, 1] = 200
    x1, y1, x2, y2 = PLATE
    image[y1:y2, x1:x2] = (255, 0, 0)
    ref = FrameRef("f", "cam-1", "camera", datetime(2026, 3, 1, 4, tzinfo=UTC), "exif", (640, 480), "a.jpg")
    return Frame(ref, partial(given, image), captions=captions)


def eyes(folder: Path, labels: frozenset[str]) -> Eyes:
    write_reader(folder / "plate-reader.onnx", TEXT, "yellow_double")
    write_finder(folder / "plate-corners.onnx")
    settings = LookSettings(
        ("colours",),
        None,
        frozenset({"red", "green"}),
        models_folder=folder,
        plates=("plate-reader", "plate-corners"),
        plate_labels=labels,
    )
    return Eyes(settings)


def seen(looking: Eyes, one: Frame) -> dict[str, Detection]:
    result = looking.look(one)
    assert isinstance(result, Observations)
    return {item.detection.label: item.detection for item in result.items}


def test_the_plate_of_a_compared_vehicle_is_read(colours: Make) -> None:
    found = seen(eyes(colours().parent, frozenset({"green"})), frame())
    assert found["green"].text == TEXT
    assert found["green"].attributes["plate_box"] == pytest.approx(PLATE, abs=4)
    assert found["red"].text == ""


def test_the_plates_of_others_are_never_read(colours: Make) -> None:
    looking = eyes(colours().parent, frozenset())
    assert looking.plates is None
    assert seen(looking, frame())["green"].text == ""


def test_a_caption_knows_better_than_a_reading(colours: Make) -> None:
    caption = Caption("green", (60, 60, 360, 340), "浙B99999", {"plate_colour": "blue"})
    green = seen(eyes(colours().parent, frozenset({"green"})), frame(caption))["green"]
    assert green.text == "浙B99999"
    assert green.attributes["text_from"] == "caption"
    assert green.attributes["plate_colour"] == "blue"
    # How sure the model was of another text is nothing to keep; where the plate hangs still is.
    assert set(green.attributes) & set(READING) == {"text_from", "plate_colour"}
    assert green.attributes["plate_box"] == pytest.approx(PLATE, abs=4)


@pytest.mark.parametrize(
    ("registered", "models", "labels"),
    [
        (True, {}, {"red"}),
        (False, {}, set()),  # nothing to compare a plate with
        (True, {"plates": None}, None),  # switched off
    ],
)
def test_plates_are_read_where_a_register_knows_them(
    tmp_path: Path, registered: bool, models: dict[str, Any], labels: set[str] | None
) -> None:
    (scene, rule), *_ = SCENES["scenes"].items()
    watched = {
        scene: {**rule, "vehicle": True, "evidence": [{**rule["evidence"][0], "any": [{"label": "red"}]}]}
    }
    path = write_county(tmp_path)
    own = yaml.safe_load(path.read_text(encoding="utf-8"))
    own["models"] |= {"plates": "plate-reader", **models}
    if registered:
        (tmp_path / "vehicles.csv").write_text("plate\n浙A12345\n", encoding="utf-8")
        own["registry"] = {"vehicles": "vehicles.csv"}
    path.write_text(yaml.safe_dump(own, allow_unicode=True), encoding="utf-8")
    (tmp_path / "scenes.yaml").write_text(yaml.safe_dump({"version": 1, "scenes": watched}), encoding="utf-8")
    (tmp_path / "codes.yaml").write_text(yaml.safe_dump(CODES), encoding="utf-8")
    loaded = configuration.load(path)
    settings = prepare.look_settings(loaded, prepare.load_rules(loaded))
    if labels:
        assert settings.plates == ("plate-reader", "plate-corners")
        assert settings.plate_labels == labels
    else:
        assert settings.plates is None
