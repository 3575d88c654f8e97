"""The way through the rules: every condition that failed or held, with its numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from huoyan.records import Observations
from huoyan.scenes import Memory

from .conftest import NOWHERE, Court, frame, ground, permit


@pytest.mark.parametrize(
    ("seen", "alternative", "condition", "held", "words"),
    [
        (
            frame(("excavator", 0.8, ground(50, -60))),
            "earthwork#1",
            "zone",
            False,
            "plot: 0% of 50% needed (60 m off",
        ),
        (frame(("excavator", 0.8, ground(5000, 0))), "earthwork#1", "zone", False, "in no zone that watches"),
        (frame(("excavator", 0.8, ground(50, 30))), "earthwork#1", "zone", True, "in plot (100%)"),
        (frame(("excavator", 0.8, ground(50, 30))), "earthwork#1", "permit", True, "none"),
        (frame(("excavator", 0.8, NOWHERE)), "earthwork#1", "zone", False, "not placed (no calibration)"),
        (
            frame(("change", 0.8, NOWHERE)),
            "earthwork#3",
            "sensor",
            False,
            "a drone's picture; asks for satellite",
        ),
        (
            frame(
                ("change", 0.8, ground(9, 9), {"attributes": {"change_kind": "building"}}), kind="satellite"
            ),
            "earthwork#3",
            "evidence",
            False,
            "change_kind is 'building', not bare_soil",
        ),
        (
            frame(("scaffolding", 0.8, ground(50, 30))),
            "roof_addition#1",
            "footprint",
            False,
            "on no building (0%)",
        ),
        (
            frame(("scaffolding", 0.8, NOWHERE)),
            "roof_addition#1",
            "place",
            False,
            "not placed: no calibration",
        ),
        (
            frame(("hoarding", 0.4, ground(50, 30)), kind="camera"),
            "perimeter_enclosure#1",
            "persistence",
            False,
            "1 of the last 4 frames, 2 needed",
        ),
        (frame(("dust_plume", 0.4, NOWHERE), night=True), "dust_plume#1", "guard", False, "at night"),
        (frame(("dump_truck", 0.9, NOWHERE)), "unapproved_vehicle#1", "vehicle", False, "no plate was read"),
        (frame(("flame", 0.9, NOWHERE)), "venue_fire#1", "evidence", False, "smoke not seen with it"),
        (
            frame(("dust_plume", 0.9, NOWHERE), ("water_mist", 0.9, NOWHERE, {"box": (0, 0, 80, 80)})),
            "dust_plume#1",
            "unless",
            False,
            "overlaps water_mist",
        ),
    ],
)
def test_a_step_says_what_was_compared(
    court: Callable[..., Court], seen: Observations, alternative: str, condition: str, held: bool, words: str
) -> None:
    steps = court().judge(seen, trace=True).steps
    (step,) = [s for s in steps if s.alternative == alternative and s.condition == condition]
    assert step.held is held and words in step.detail
    assert step.scene == alternative.partition("#")[0]


def test_the_permit_that_silenced_it_is_named(court: Callable[..., Court]) -> None:
    judged = court([permit("P-7")]).judge(frame(("excavator", 0.8, ground(50, 30))), trace=True)
    (step,) = [s for s in judged.steps if s.condition == "permit"]
    assert not step.held and step.detail == "covered P-7 until 2026-03-31"
    lapsed = court([permit("P-7", valid_to=date(2026, 3, 2))])
    (step,) = [
        s
        for s in lapsed.judge(frame(("excavator", 0.8, ground(50, 30))), trace=True).steps
        if s.condition == "permit"
    ]
    assert step.held and step.detail == "lapsed P-7 expired on 2026-03-02"


def test_a_label_that_no_scene_asks_for_is_named(court: Callable[..., Court]) -> None:
    (step,) = court().judge(frame(("person", 0.9, NOWHERE)), trace=True).steps
    assert (step.condition, step.detail) == ("label", "no scene asks for person")


def test_nothing_is_told_unasked(court: Callable[..., Court]) -> None:
    judged = court().judge(frame(("excavator", 0.8, ground(50, 30))))
    assert judged.steps == () and len(judged.findings) == 1


def test_asking_does_not_change_the_judgement(court: Callable[..., Court]) -> None:
    frames = [frame(("hoarding", 0.4, ground(50, 30)), kind="camera", minutes=m) for m in range(3)]
    asked, unasked = court(), court()
    for seen in frames:
        assert asked.judge(seen, trace=True).findings == unasked.judge(seen).findings


def test_a_copy_of_the_memory_can_be_tried_on(court: Callable[..., Court]) -> None:
    judge = court()
    thing = ("hoarding", 0.4, ground(50, 30))
    judge.judge(frame(thing, kind="camera"))
    before = judge.memory.copy()
    trial = court()
    trial.memory = judge.memory.copy()
    assert trial.judge(frame(thing, kind="camera", minutes=1)).findings
    assert trial.memory.take_changes()
    for key in ("perimeter_enclosure|camera-1", "#frames|camera-1"):
        assert judge.memory.get(key) == before.get(key)


def test_the_memory_says_what_has_changed() -> None:
    memory = Memory({"a": 1, "b": 2})
    memory.put("a", [1, 2])
    memory.put("b", None)
    assert memory.take_changes() == {"a": [1, 2], "b": None}
    assert memory.take_changes() == {} and memory.get("b") is None
