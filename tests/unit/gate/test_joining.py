"""Whose weighing, whose washing: by plate, by order, or nobody's; never another truck's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan.gate import joining
from huoyan.gate.joining import Item, Match, Reach
from huoyan.passage import Direction

START = datetime(2026, 3, 24, 2, tzinfo=UTC)
A, B = "浙D3C916", "浙D8L206"
REACH = Reach(-60, 60)
LONG_AFTER = START + timedelta(hours=1)


def item(
    key: str, second: float, plate: str = "", direction: Direction = "unknown", *, sure: bool = False
) -> Item:
    return Item(key, START + timedelta(seconds=second), plate, direction, sure)


def match(
    events: list[Item],
    readings: list[Item],
    now: datetime = START + timedelta(seconds=61),
    reach: Reach = REACH,
) -> Match:
    return joining.match(events, readings, reach, now=now)


def test_one_truck_and_one_weighing() -> None:
    assert match([item("e", 0)], [item("r", 20)]).pairs == {"r": "e"}


def test_out_of_reach_is_alone_once_nobody_can_come_for_it() -> None:
    events, readings = [item("e", 0)], [item("r", 61)]
    assert match(events, readings).alone == ()
    told = match(events, readings, LONG_AFTER)
    assert told.pairs == {} and told.alone == ("r",)


def test_nose_to_tail_by_plate_against_the_order() -> None:
    events = [item("first", 0, A), item("second", 15, B)]
    readings = [item("of second", 20, B), item("of first", 35, A)]
    assert match(events, readings).pairs == {"of second": "second", "of first": "first"}


def test_nose_to_tail_without_plates_by_order() -> None:
    """The scale behind the line: the first truck's weighing comes when the second has crossed already."""
    events = [item("first", 0), item("second", 15)]
    readings = [item("r1", 20), item("r2", 38)]
    assert match(events, readings[:1]).pairs == {}
    assert match(events, readings).pairs == {"r1": "first", "r2": "second"}


def test_one_weighing_for_two_trucks_is_nobodys() -> None:
    events, readings = [item("first", 0), item("second", 15)], [item("r", 20)]
    assert match(events, readings).doubtful == {}, "the other may still come"
    told = match(events, readings, LONG_AFTER)
    assert told.pairs == {} and told.doubtful == {"first": ("r",), "second": ("r",)}


def test_a_plate_settles_the_neighbour_too() -> None:
    events = [item("first", 0), item("second", 15, B)]
    readings = [item("r1", 20), item("r2", 38, B)]
    assert match(events, readings).pairs == {"r1": "first", "r2": "second"}


def test_nobody_overtakes_a_pair_that_is_known() -> None:
    """`r` came after the second truck's weighing, so it cannot be the first one's."""
    events = [item("first", 0), item("second", 15, B)]
    readings = [item("r2", 20, B), item("r", 40)]
    told = match(events, readings, LONG_AFTER)
    assert told.pairs == {"r2": "second"}


def test_a_misread_plate_of_the_scale_is_taken_where_there_is_no_choice() -> None:
    near = "浙D3C91G"
    assert match([item("e", 0, A)], [item("r", 5, near)]).pairs == {"r": "e"}
    fleet = [item("e", 0, "浙D3C915"), item("f", 20, "浙D3C917")]
    assert match(fleet, [item("r", 5, A)]).pairs == {}


def test_a_strangers_plate_is_not_taken() -> None:
    assert match([item("e", 0, A)], [item("r", 5, B)], LONG_AFTER).pairs == {}


def test_more_good_washes_than_trucks_wash_all() -> None:
    reach = Reach(-600, 3)
    events = [item("e", 0)]
    readings = [item("r1", -300), item("r2", -20)]
    told = joining.match(events, readings, reach, now=LONG_AFTER, any_will_do=True)
    assert set(told.pairs.values()) == {"e"}
    one_failed = [readings[0], Item("bad", readings[1].time, good=False)]
    told = joining.match(events, one_failed, reach, now=LONG_AFTER, any_will_do=True)
    assert told.pairs == {} and told.doubtful == {"e": ("r1", "bad")}


@given(
    gaps=st.lists(st.floats(8, 50), min_size=1, max_size=8),
    lag=st.floats(-20, 20),
    plates=st.lists(st.booleans(), min_size=8, max_size=8),
    lost=st.sets(st.integers(0, 7)),
    missed=st.sets(st.integers(0, 7)),
)
def test_no_truck_ever_gets_anothers_weight_by_plate(
    gaps: list[float], lag: float, plates: list[bool], lost: set[int], missed: set[int]
) -> None:
    """Trucks in a row, weighings lost, plates not read: what the scale names goes to nobody else."""
    names = [f"浙D{n}{n}{n}{n}{n}" for n in range(8)]
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    events = [item(f"e{n}", t, names[n] if n not in missed else "") for n, t in enumerate(times)]
    readings = [
        item(f"r{n}", t + lag, names[n] if plates[n] else "") for n, t in enumerate(times) if n not in lost
    ]
    told = match(events, readings, LONG_AFTER)
    assert len(set(told.pairs.values())) == len(told.pairs)
    for reading, event in told.pairs.items():
        n, m = int(reading[1:]), int(event[1:])
        if plates[n] and m not in missed:
            assert n == m


@given(gaps=st.lists(st.floats(8, 50), min_size=1, max_size=8), lag=st.floats(-50, 50))
def test_a_row_without_plates_is_never_swapped(gaps: list[float], lag: float) -> None:
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    events = [item(f"{n}", t) for n, t in enumerate(times)]
    readings = [item(f"{n}", t + lag) for n, t in enumerate(times)]
    assert match(events, readings, LONG_AFTER).pairs == {f"{n}": f"{n}" for n in range(len(times))}


@pytest.mark.parametrize(
    ("plate", "second", "direction", "found"),
    [
        (A, 2.0, "enter", "e"),
        ("", 2.0, "unknown", "e"),
        ("浙D3C91G", 2.0, "enter", "e"),
        ("浙D3C91G", 19.0, "enter", "e"),
        (B, 2.0, "enter", "e"),
        (B, 19.0, "enter", None),
        (A, 21.0, "enter", None),
        (A, 2.0, "leave", None),
    ],
)
def test_another_look_at_a_vehicle(
    plate: str, second: float, direction: Direction, found: str | None
) -> None:
    events = [item("e", 0, A, "enter")]
    assert joining.nearest(item("p", second, plate, direction), events, 20, 3) == found


def test_another_look_goes_to_the_equal_plate_before_the_nearer_one() -> None:
    events = [item("far", 0, A), item("near", 9, "浙D3C91G"), item("nearest", 10)]
    assert joining.nearest(item("p", 10, A), events, 20, 3) == "far"


def test_two_sure_plates_are_two_trucks_of_one_fleet() -> None:
    events = [item("e", 0, "浙D3C915", sure=True)]
    assert joining.nearest(item("p", 8, A, sure=True), events, 20, 3) is None
    assert joining.nearest(item("p", 8, A), events, 20, 3) == "e"


@pytest.mark.parametrize(
    ("a", "b", "far"),
    [
        ("", "", 0),
        (A, A, 0),
        (A, "浙D·3C916", 0),
        (A, "浙D3C91", 1),
        (A, "浙D3C9166", 1),
        ("", A, 7),
        (A, B, 4),
    ],
)
def test_distance(a: str, b: str, far: int) -> None:
    assert joining.distance(a, b) == joining.distance(b, a) == far
