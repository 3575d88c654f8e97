from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from huoyan.perception.tracker import Tracker
from huoyan.records import Detection

START = datetime(2026, 5, 1, tzinfo=UTC)


def seen(x: float, y: float = 100, *, label: str = "dump_truck", score: float = 0.8) -> Detection:
    return Detection(label, score, (x, y, x + 60, y + 40))


def follow(frames: list[list[Detection]], step_s: float = 0.2) -> list[list[int | None]]:
    tracker = Tracker()
    return [
        [d.track_id for d in tracker.update(found, START + timedelta(seconds=i * step_s))]
        for i, found in enumerate(frames)
    ]


def test_one_thing_one_id() -> None:
    assert follow([[seen(10 + 8 * i)] for i in range(20)]) == [[1]] * 20


@pytest.mark.parametrize("gap", [1, 3, 6])
def test_a_short_occlusion_does_not_change_the_id(gap: int) -> None:
    # The truck drives on behind the wall: only its velocity tells where it comes out.
    frames = [[] if 10 <= i < 10 + gap else [seen(10 + 10 * i)] for i in range(30)]
    ids = {i for frame in follow(frames) for i in frame}
    assert ids == {1}


def test_after_a_long_absence_it_is_another() -> None:
    frames = [[seen(100)], *[[] for _ in range(40)], [seen(100)]]
    assert follow(frames)[-1] == [2]


def test_frames_far_apart_keep_standing_things() -> None:
    frames = [[seen(100)], [], [], [seen(102)]]
    assert follow(frames, step_s=30)[-1] == [1]


def test_two_that_cross_keep_their_ids() -> None:
    frames = [[seen(10 + 12 * i, 100), seen(400 - 12 * i, 112)] for i in range(30)]
    found = follow(frames)
    assert found[0] == [1, 2]
    assert found[-1] == [1, 2]


def test_a_weak_look_holds_the_track_but_strong_ones_choose_first() -> None:
    frames = [[seen(100)], [seen(100, score=0.2)], [seen(100, score=0.2), seen(104, score=0.9)]]
    found = follow(frames)
    assert found[1] == [1]
    assert found[2] == [2, 1]


def test_labels() -> None:
    flicker = [[seen(100)], [seen(100, label="mixer_truck")], [seen(100)]]
    assert follow(flicker) == [[1], [1], [1]]
    pair = [[seen(100), seen(100, label="person")]] * 3
    assert follow(pair) == [[1, 2]] * 3
    passer = [[seen(100)], [seen(140, label="person")]]
    assert follow(passer)[1] == [2]


def test_below_the_start_score_nothing_begins() -> None:
    assert follow([[seen(100, score=0.05)]]) == [[None]]


def test_order_and_everything_else_stay() -> None:
    found = [seen(300, score=0.4), seen(10)]
    tracked = Tracker().update(found, START)
    assert [(d.box, d.score, d.label) for d in tracked] == [(d.box, d.score, d.label) for d in found]


def test_same_footage_same_ids() -> None:
    frames = [[seen(10 + 7 * i), seen(300 - 5 * i, 90), seen(50, 105 + i)] for i in range(25)]
    assert follow(frames) == follow(frames)


def test_a_time_twice_is_no_trouble() -> None:
    tracker = Tracker()
    tracker.update([seen(10)], START)
    assert tracker.update([seen(11)], START)[0].track_id == 1


def test_a_truck_that_covers_a_parked_car_does_not_take_its_id() -> None:
    car = Detection("vehicle", 0.8, (300, 200, 360, 250))
    truck = [Detection("vehicle", 0.8, (100 + 30 * i, 100, 300 + 30 * i, 260)) for i in range(12)]
    hidden = range(3, 9)
    frames = [[one, *([] if i in hidden else [car])] for i, one in enumerate(truck)]
    found = follow(frames)
    assert {ids[0] for ids in found} == {1}
    assert found[0][1] == 2
    first, last = Tracker(), START + timedelta(seconds=0.2)
    first.update([car], START)
    # The car alone, then only the truck before it: another thing.
    assert first.update([truck[5]], last)[0].track_id == 2
