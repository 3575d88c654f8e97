from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from huoyan.errors import ModelError, SourceError
from huoyan.perception import dust, models
from huoyan.perception.dust import DustClassifier
from huoyan.records import Detection, Image

Make = Callable[..., Path]
DUSTY, CLEAN = (200, 60, 100), (20, 60, 100)


def painted(colour: tuple[int, int, int], size: tuple[int, int] = (640, 480)) -> Image:
    return np.full((size[1], size[0], 3), colour, dtype=np.uint8)


def plume(box: tuple[float, float, float, float], score: float = 0.4) -> Detection:
    return Detection("dust_plume", score, box, attributes={"model": "street-n"})


def test_what_is_in_the_air(air: Make) -> None:
    found = DustClassifier(air()).look(painted(DUSTY))
    assert (found.dust, found.smoke, found.haze) == pytest.approx((200 / 255, 60 / 255, 100 / 255), abs=1e-4)
    assert found.dusty
    assert found.cells.shape == (3, 240 // 32 + 1, 320 // 32)
    assert not DustClassifier(air(thresholds={"default": 0.8})).look(painted(DUSTY)).dusty


@pytest.mark.parametrize("size", [(40, 30), (320, 240), (5000, 700), (700, 5000), (1, 1)])
def test_any_size_will_do(air: Make, size: tuple[int, int]) -> None:
    assert DustClassifier(air()).look(painted(DUSTY, size)).dust == pytest.approx(200 / 255, abs=1e-4)


def test_what_is_no_picture(air: Make) -> None:
    classifier = DustClassifier(air())
    wrong: list[Any] = [
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 3)),
        np.zeros((0, 40, 3), np.uint8),
        None,
    ]
    for image in wrong:
        with pytest.raises(SourceError):
            classifier.look(image)


def test_other_models_are_refused(air: Make, colours: Make) -> None:
    with pytest.raises(ModelError, match="'detect'"):
        DustClassifier(colours())
    with pytest.raises(ModelError, match="fog, smoke, haze"):
        DustClassifier(air(classes=["fog", "smoke", "haze"]))


def test_the_contract_is_verified(air: Make) -> None:
    assert models.verify(air()).problems == ()
    (problem, _) = models.verify(air(classes=["dust", "smoke"])).problems
    assert "expected [1, 2] for 2 classes, got [1, 3]" in problem


def test_a_plume_in_clean_air_is_left_out(air: Make) -> None:
    image = painted(CLEAN)
    image[:, :320] = DUSTY
    real, false = plume((60, 200, 160, 280)), plume((500, 200, 600, 280), 0.9)
    car = Detection("car", 0.95, (300, 300, 340, 330))
    kept = dust.settle(DustClassifier(air()), image, [false, car, real])
    assert [d.label for d in kept] == ["car", "dust_plume"]
    assert kept[0] is car
    assert kept[1].box == real.box
    assert kept[1].score == pytest.approx((0.4 + 200 / 255) / 2, abs=1e-3)
    assert kept[1].attributes["first_score"] == 0.4
    assert kept[1].attributes["dust"] == pytest.approx(200 / 255, abs=1e-3)
    assert kept[1].attributes["model"] == "street-n"


def test_explanations_see_what_was_doubted(air: Make) -> None:
    (doubted,) = dust.settle(DustClassifier(air()), painted(CLEAN), [plume((60, 200, 160, 280))], drop=False)
    assert doubted.attributes["uncertain"] is True
    assert doubted.attributes["haze"] == pytest.approx(100 / 255, abs=1e-3)


def test_the_doubt_is_the_cards(air: Make) -> None:
    found = [plume((60, 200, 160, 280))]
    assert dust.settle(DustClassifier(air(doubt=0.05)), painted(CLEAN), found)
    assert not dust.settle(DustClassifier(air(doubt=0.1)), painted(CLEAN), found)


def test_without_a_plume_nothing_is_looked_at(air: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = DustClassifier(air())
    monkeypatch.setattr(classifier, "look", lambda image: pytest.fail("it looked"))
    car = Detection("car", 0.95, (300, 300, 340, 330))
    assert dust.settle(classifier, painted(CLEAN), [car]) == [car]


def test_a_frame_full_of_plumes_costs_four_looks(air: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = DustClassifier(air())
    looks = []
    real = classifier.look
    monkeypatch.setattr(classifier, "look", lambda image: looks.append(1) or real(image))
    many = [plume((10 * i, 10, 10 * i + 50, 60), 0.1 + i / 100) for i in range(9)]
    assert len(dust.settle(classifier, painted(DUSTY), many)) == 9
    assert len(looks) == 4


@pytest.mark.parametrize(
    "box", [(0, 0, 10, 10), (630, 470, 640, 480), (0, 0, 640, 480), (300, 200, 320, 400), (100, 50, 600, 90)]
)
def test_the_crop_holds_the_box_and_stays_inside(box: tuple[float, float, float, float]) -> None:
    x1, y1, x2, y2 = dust.crop_window(box, painted(CLEAN), 384)
    assert 0 <= x1 <= box[0] and 0 <= y1 <= box[1]
    assert box[2] <= x2 <= 640 and box[3] <= y2 <= 480
    assert x2 - x1 >= 192 and y2 - y1 >= 134, "small things are not blown up"
