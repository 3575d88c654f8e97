"""The closer look at what has changed for good: what fills it, how sure that is, and where it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from huoyan.perception.detector import Detector
from huoyan.records import FrameRef, Unplaced
from huoyan.runs import closer
from huoyan.sample import ViewChange

from ...support.county import Thing, picture

SIZE = (320, 240)
CHANGE = ViewChange(((0.25, 0.5), (0.5, 0.5), (0.5, 0.75), (0.25, 0.75)), 0.06, 0.4, days=4, hours=9)
"""80 to 160 across, 120 to 180 down."""
FAINT = (110, 30, 30)
"""Scores 0.31 with the detector that sees red by its excess."""
FRAME = FrameRef("f0", "cam-1", "camera", datetime(2026, 3, 1, tzinfo=UTC), "stream", SIZE, "")


@pytest.fixture
def detector(colours: Callable[..., Path]) -> Detector:
    return Detector(colours(thresholds={"red": 0.5, "green": 0.5}))


def seen_as(detector: Detector, *things: Thing) -> dict[str, object]:
    seen = closer.observe(CHANGE, FRAME, picture(things), [detector], Unplaced("no calibration"))
    assert seen.detection.label == "lasting_change"
    return {**seen.detection.attributes, "score": seen.detection.score, "box": seen.detection.box}


def test_what_is_half_known_counts_inside_a_change(detector: Detector) -> None:
    image = picture(((FAINT, (85, 125, 155, 175)),))
    assert detector.detect([image]) == [[]], "elsewhere it would not count"
    seen = seen_as(detector, (FAINT, (85, 125, 155, 175)))
    assert seen["seen_as"] == "red"
    assert seen["seen_score"] == pytest.approx(0.31, abs=0.03)
    assert seen["score"] == pytest.approx(1 - 0.6 * 0.69, abs=0.03), "change and label are not both wrong"
    assert seen["box"] == pytest.approx((85, 125, 155, 175), abs=4)
    assert (seen["days"], seen["hours"], seen["grown"]) == (4, 9, False)


@pytest.mark.parametrize(
    ("why", "box"),
    [
        ("beside it", (170, 120, 250, 180)),
        ("a speck in it", (110, 140, 122, 152)),
        ("far larger", (0, 20, 320, 240)),
    ],
)
def test_what_does_not_fill_the_change_is_not_it(
    detector: Detector, why: str, box: tuple[int, int, int, int]
) -> None:
    seen = seen_as(detector, ((200, 20, 20), box))
    assert seen["seen_as"] == "", why
    assert seen["score"] == pytest.approx(CHANGE.strength)
    assert seen["box"] == pytest.approx((80, 120, 160, 180))


def test_what_is_less_than_half_known_is_nothing(detector: Detector) -> None:
    assert seen_as(detector, ((75, 30, 30), (85, 125, 155, 175)))["seen_as"] == ""
