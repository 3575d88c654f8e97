"""The second look, with a detector that sees a rectangle only as strongly as it is painted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from huoyan.errors import ModelError
from huoyan.perception import second_look
from huoyan.perception.cards import Platt, SecondLook
from huoyan.perception.detector import Detector
from huoyan.records import Detection

Image = npt.NDArray[np.uint8]
PLAN = {"low": 0.2, "long_side": 160}


def scene(*rectangles: tuple[int, int, int, int, int]) -> Image:
    """A black 1600 x 900 picture with red rectangles x1, y1, x2, y2, strength."""
    image = np.zeros((900, 1600, 3), np.uint8)
    for x1, y1, x2, y2, strength in rectangles:
        image[y1:y2, x1:x2, 0] = strength
    return image


def first(score: float, box: tuple[float, float, float, float] = (800, 400, 840, 430)) -> Detection:
    return Detection("red", score, box, attributes={"model": "colours"})


def test_a_second_look_confirms(colours: Callable[..., Path]) -> None:
    detector = Detector(colours(second_look=PLAN))
    image = scene((800, 400, 840, 430, 255))
    [found] = second_look.look_again(detector, image, [first(0.3)])
    assert found.attributes["first_score"] == 0.3
    assert found.attributes["second_score"] == pytest.approx(1.0)
    assert found.score == pytest.approx(0.65)
    assert found.attributes["model"] == "colours"
    # The better look gives the box, exact to a pixel.
    assert found.box == pytest.approx((800, 400, 840, 430), abs=1.5)


@pytest.mark.parametrize(
    "rectangle",
    [
        (800, 400, 840, 430, 60),  # there, but faint
        (840, 430, 870, 460, 255),  # something else beside it
    ],
)
def test_a_second_look_refutes(
    colours: Callable[..., Path], rectangle: tuple[int, int, int, int, int]
) -> None:
    detector = Detector(colours(second_look=PLAN))
    image = scene(rectangle)
    assert second_look.look_again(detector, image, [first(0.45)]) == []
    [kept] = second_look.look_again(detector, image, [first(0.45)], drop=False)
    assert kept.score < 0.5
    assert kept.attributes["first_score"] == 0.45


@pytest.mark.parametrize(
    ("score", "labels", "looked"),
    [
        (0.3, None, True),
        (0.3, {"red"}, True),
        (0.3, {"green"}, False),
        (0.19, None, False),
        (0.5, None, False),
        (0.9, None, False),
    ],
)
def test_who_earns_one(
    colours: Callable[..., Path], score: float, labels: set[str] | None, looked: bool
) -> None:
    detector = Detector(colours(second_look=PLAN))
    [found] = second_look.look_again(detector, scene(), [first(score)], labels, drop=False)
    assert ("second_score" in found.attributes) is looked


def test_certainty_above_the_threshold(colours: Callable[..., Path]) -> None:
    detector = Detector(colours(second_look={**PLAN, "certain": 0.8}))
    # Nothing is there: what the first look took for good enough falls.
    assert second_look.look_again(detector, scene(), [first(0.6)]) == []
    assert len(second_look.look_again(detector, scene(), [first(0.85)])) == 1


def test_the_number_of_crops_is_bounded(colours: Callable[..., Path]) -> None:
    detector = Detector(colours(second_look={**PLAN, "limit": 2}))
    detections = [first(0.2 + i / 100, (100 + 100 * i, 100, 140 + 100 * i, 130)) for i in range(8)]
    found = second_look.look_again(detector, scene(), detections, drop=False)
    looked = sorted(d.attributes["first_score"] for d in found if "first_score" in d.attributes)
    assert looked == pytest.approx([0.26, 0.27])


def test_what_fills_the_picture_is_not_looked_at_again(colours: Callable[..., Path]) -> None:
    detector = Detector(colours(second_look=PLAN))
    [found] = second_look.look_again(detector, scene(), [first(0.4, (10, 10, 1500, 880))], drop=False)
    assert "second_score" not in found.attributes


@pytest.mark.parametrize("box", [(0, 0, 30, 20), (1570, 880, 1600, 900), (0, 870, 1600, 900)])
def test_boxes_at_the_edge(colours: Callable[..., Path], box: tuple[int, int, int, int]) -> None:
    detector = Detector(colours(second_look={**PLAN, "long_side": 320}))
    found = second_look.look_again(detector, scene((*box, 255)), [first(0.3, box)], drop=False)
    assert found[0].score >= 0.3


def test_without_a_plan_thresholds_still_hold(colours: Callable[..., Path]) -> None:
    detector = Detector(colours())
    assert second_look.look_again(detector, scene(), [first(0.3), first(0.7)]) == [first(0.7)]


def test_a_larger_model_is_used_and_must_fit(colours: Callable[..., Path]) -> None:
    colours("large")
    small = colours("small", second_look={**PLAN, "model": "large"})
    assert Detector(small).second.name == "large"
    colours("large", classes=["red", "grey"])
    with pytest.raises(ModelError, match="green"):
        Detector(small)


@pytest.mark.parametrize(("one", "two", "expected"), [(0.3, 0.8, 0.55), (0.4, 0.0, 0.2), (1.0, 1.0, 1.0)])
def test_plain_mean(one: float, two: float, expected: float) -> None:
    assert second_look.combine(one, two, SecondLook(low=0.1)) == pytest.approx(expected, abs=1e-5)


def test_calibrated_mean_stays_on_the_scale_of_the_first_look() -> None:
    plan = SecondLook(low=0.1, first=Platt(slope=0.8, offset=0.7), second=Platt(slope=1.2, offset=-0.4))
    same = SecondLook(low=0.1, first=plan.first, second=plan.first)
    # Two looks that say the same, calibrated alike, change nothing.
    assert second_look.combine(0.37, 0.37, same) == pytest.approx(0.37)
    assert second_look.combine(0.37, 0.37, plan) < 0.37
    rising = [second_look.combine(0.3, second / 10, plan) for second in range(11)]
    assert rising == sorted(rising)
