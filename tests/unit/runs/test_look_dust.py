"""Dust plumes of a frame are confirmed or doubted before anything else hears of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from huoyan import config
from huoyan.records import Frame, FrameRef, Image, Observations
from huoyan.runs.look import Eyes, LookSettings
from huoyan.runs.prepare import load_rules, look_settings

from ...support.county import RED, picture

Make = Callable[..., Path]
BOX = (40, 120, 100, 200)


def given(image: Image) -> Image:
    return image


def seen(air: Make, colours: Make, keep: bool = False, **card: Any) -> Observations:
    """What is told of a frame with a red thing, which the detector takes for dust."""
    detector = colours(classes=["dust_plume", "green"])
    name = air(**card).stem
    eyes = Eyes(
        LookSettings(
            ("colours",),
            None,
            frozenset({"dust_plume"}),
            models_folder=detector.parent,
            dust=name,
            keep_uncertain=keep,
        )
    )
    ref = FrameRef("f", "cam-1", "camera", datetime(2026, 3, 1, 4, tzinfo=UTC), "exif", (320, 240), "a.jpg")
    result = eyes.look(Frame(ref, partial(given, picture(((RED, BOX),), size=(320, 240)))))
    assert isinstance(result, Observations)
    return result


def test_a_confirmed_plume_is_told_with_what_confirmed_it(air: Make, colours: Make) -> None:
    (item,) = seen(air, colours, doubt=0.0).items
    assert item.detection.label == "dust_plume"
    assert item.detection.box == pytest.approx(BOX, abs=2)
    found = item.detection.attributes
    assert item.detection.score == pytest.approx((found["first_score"] + found["dust"]) / 2)
    assert "uncertain" not in found


def test_a_doubted_plume_is_only_explained(air: Make, colours: Make) -> None:
    assert seen(air, colours, doubt=1.0).items == ()
    (item,) = seen(air, colours, keep=True, doubt=1.0).items
    assert item.detection.attributes["uncertain"] is True


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ({"site": None, "street": "colours", "dust": "air"}, "air"),
        ({"site": None, "street": "colours", "dust": None}, None),
        # No detector of the county tells plumes: nothing to confirm, and no model is needed.
        ({"site": None, "street": "other", "dust": "air"}, None),
    ],
)
def test_the_model_is_loaded_where_it_is_asked_for(
    air: Make, colours: Make, tmp_path: Path, models: dict[str, str | None], expected: str | None
) -> None:
    air()
    folder = colours(classes=["dust_plume", "green"]).parent
    colours("other", classes=["garbage", "green"])
    path = tmp_path / "county.yaml"
    given = {"models": {**models, "change": None, "folder": str(folder)}}
    path.write_text(yaml.safe_dump(given), encoding="utf-8")
    loaded = config.load(path)
    assert look_settings(loaded, load_rules(loaded)).dust == expected
