"""Pictures that wait: one a camera, the newest; everybody's turn comes."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from huoyan.records import FrameRef
from huoyan.runs.watch.slots import WEIGHTS, Slots
from huoyan.sample import Look, Picture, Reason


def look(camera: str, clock: float, reason: Reason = "motion") -> Look:
    time = datetime(2026, 3, 1, tzinfo=UTC)
    ref = FrameRef(f"{camera}-{clock}", camera, "camera", time, "stream", (2, 2), "")
    return Look(ref, Picture(bytes(6), (2, 2)), clock, reason)


def test_a_newer_picture_takes_the_place_of_the_one_that_waits_and_is_counted() -> None:
    slots = Slots()
    slots.put("a", look("a", 1.0))
    slots.put("a", look("a", 3.0))
    assert len(slots) == 1
    assert slots.dropped == {"a": 1}
    # Its place in the line is that of the first.
    slots.put("b", look("b", 2.0))
    taken = slots.take(4.0, {})
    assert taken is not None
    assert (taken[0], taken[1].clock) == ("a", 3.0)
    rest = slots.take(4.0, {})
    assert rest is not None
    assert rest[0] == "b"
    assert slots.take(4.0, {}) is None


def test_what_wants_confirmation_and_who_has_priority_goes_first() -> None:
    slots = Slots()
    slots.put("due", look("due", 0.0, "due"))
    slots.put("burst", look("burst", 0.0, "burst"))
    slots.put("high", look("high", 0.0))
    slots.put("low", look("low", 0.0))
    weights = {"high": WEIGHTS["high"], "low": WEIGHTS["low"]}
    order = [slots.take(1.0, weights) for _ in range(4)]
    assert [one[0] for one in order if one] == ["high", "burst", "due", "low"]


def test_cameras_that_are_gone_are_forgotten() -> None:
    slots = Slots()
    for camera in "ab":
        slots.put(camera, look(camera, 0.0))
        slots.put(camera, look(camera, 1.0))
    slots.keep(frozenset("b"))
    assert slots.dropped == {"b": 1}
    taken = slots.take(2.0, {})
    assert taken is not None
    assert taken[0] == "b"
    assert not len(slots)


@given(st.lists(st.sampled_from(list(WEIGHTS)), min_size=2, max_size=8), st.data())
def test_nobody_starves(priorities: list[str], data: st.DataObject) -> None:
    """Under a steady load that is twice what can be looked at, every camera is looked at again and again."""
    cameras = [f"c{index}" for index in range(len(priorities))]
    weights = {camera: WEIGHTS[priority] for camera, priority in zip(cameras, priorities, strict=True)}
    reasons = st.sampled_from(["motion", "burst", "due"])
    slots, looked = Slots(), dict.fromkeys(cameras, 0)
    for step in range(200):
        for camera in cameras:
            slots.put(camera, look(camera, float(step), data.draw(reasons) if step < 3 else "motion"))
        for _ in range(max(1, len(cameras) // 2)):
            taken = slots.take(step + 0.5, weights)
            assert taken is not None
            looked[taken[0]] += 1
    assert min(looked.values()) >= 5
