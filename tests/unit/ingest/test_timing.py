"""Pauses, seats and the instants at which samples are due."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huoyan.ingest.backoff import Backoff
from huoyan.ingest.logins import LoginLimits, Logins
from huoyan.ingest.rhythm import Rhythm


def test_pauses_double_to_the_longest_and_start_again() -> None:
    backoff = Backoff(1.0, 60.0, lambda _low, high: high)
    assert [backoff.pause() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    assert backoff.pause() == 1


def test_what_people_must_mend_is_tried_at_the_longest_pause() -> None:
    backoff = Backoff(1.0, 60.0, lambda _low, high: high)
    assert [backoff.pause(fatal=True), backoff.pause(fatal=True)] == [60, 60]


def test_cameras_of_one_recorder_do_not_come_back_at_once() -> None:
    pauses = {Backoff(10.0, 60.0).pause() for _ in range(50)}
    assert len(pauses) == 50 and min(pauses) >= 6.0 and max(pauses) <= 10.0


@given(
    st.builds(LoginLimits, st.integers(1, 6), st.integers(1, 4), st.floats(0.5, 20)),
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), st.floats(0, 2), st.booleans()), max_size=80),
)
@settings(max_examples=60, deadline=None)
def test_no_host_is_asked_more_often_than_it_bears(
    limits: LoginLimits, steps: list[tuple[str, float, bool]]
) -> None:
    logins, clock = Logins(limits), 0.0
    inside: list[str] = []
    entered: dict[str, list[float]] = {}
    for host, wait, leave in steps:
        clock += wait
        if leave and inside:
            logins.leave(inside.pop())
        elif logins.enter(host, clock) and host:
            inside.append(host)
            entered.setdefault(host, []).append(clock)
        assert logins.open == len(inside) <= limits.at_once
        assert all(inside.count(name) <= limits.per_host for name in inside)
    for times in entered.values():
        assert all(later - sooner >= 1 / limits.rate - 1e-9 for sooner, later in pairwise(times))


def test_a_file_needs_no_seat() -> None:
    logins = Logins(LoginLimits(at_once=1))
    assert logins.enter("a", 0.0) and logins.enter("", 0.0) and not logins.enter("b", 0.0)
    logins.leave("a")
    assert logins.enter("b", 0.0)


def taken(every: float, keys: list[float]) -> tuple[list[float], Rhythm]:
    rhythm, found = Rhythm(0.0), []
    for clock in keys:
        rhythm.count(clock, every)
        if rhythm.wants(clock, every):
            rhythm.taken(clock, every)
            found.append(clock)
    return found, rhythm


@pytest.mark.parametrize(
    ("every", "gap", "share"),
    [
        (2.0, 2.0, 1.0),
        (2.0, 1.0, 0.5),
        (2.0, 0.5, 0.25),
        (3.0, 2.0, 2 / 3),
        (2.2, 2.0, 2 / 2.2),
        (2.7, 2.0, 2 / 2.7),
        (2.0, 4.0, 1.0),
        (60.0, 2.0, 1 / 30),
    ],
)
@given(st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_as_many_are_taken_as_are_due(every: float, gap: float, share: float, seed: int) -> None:
    chance = random.Random(seed)
    jitter = [chance.uniform(0, 0.2 * min(gap, every)) for _ in range(600)]
    found, rhythm = taken(every, [gap * n + jitter[n] for n in range(600)])
    assert len(found) == pytest.approx(600 * share, abs=2 + 0.01 * 600)
    assert rhythm.due == pytest.approx(gap * 600 / every, abs=2)


def test_a_gap_is_not_made_up_for() -> None:
    found, rhythm = taken(2.0, [0, 2, 4, *range(100, 111)])
    assert found == [0, 2, 4, 100, 102, 104, 106, 108, 110]
    assert rhythm.due == 56


def test_a_shorter_interval_does_not_wait_for_the_longer_one() -> None:
    rhythm = Rhythm(0.0)
    rhythm.taken(0.0, 60.0)
    assert not rhythm.wants(1.0, 0.5)
    rhythm.hasten(1.0, 0.5)
    assert rhythm.wants(1.5, 0.5)


def test_cameras_stay_apart_when_intervals_grow_and_shrink() -> None:
    """Otherwise all of a county's pictures come at once, and what answers to load never sees it fall."""
    # 200 cameras with a key picture every 2 s, each at a moment of its own; intervals grow in steps, as under load.
    steps = [2.0] * 10 + [2.6] * 5 + [3.4] * 5 + [4.4] * 5 + [5.7] * 5 + [7.4] * 5 + [9.6] * 5 + [16.0] * 120
    came = []
    for camera in range(200):
        rhythm, offset = Rhythm(0.0), camera / 100
        for second, every in enumerate(steps):
            rhythm.count(float(second), every)
            key = second + offset % 1
            if second % 2 == int(offset) and rhythm.wants(key, every):
                rhythm.taken(key, every)
                came.append(key)
        assert rhythm.due == pytest.approx(sum(1 / every for every in steps), abs=2)
    late = [clock for clock in came if clock >= 60]
    for begin in range(60, 150, 2):
        together = sum(begin <= clock < begin + 2 for clock in late)
        assert together <= 0.3 * 200, f"{together} of 200 come within 2 s of {begin} s"
