"""Which passages are one trip: by plate, by look and road; when a trip ends; the same on every replay."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import cos, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan.config import seconds
from huoyan.config_vehicles import Limits, Trips
from huoyan.records import Placement, Unplaced
from huoyan.vehicles import trips
from huoyan.vehicles.trips import Leg

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
PER_LON = 96_900.0
RULE = trips.rule_of(Trips(), Limits())


def km(east: float, error: float = 5.0) -> Placement:
    return Placement(120.9 + east * 1000 / PER_LON, 29.5, error, "t")


def look(angle: float) -> tuple[float, ...]:
    """Unit vectors: alike by the cosine of the difference of their angles."""
    return (cos(angle), sin(angle))


def leg(
    minute: float, source: str = "road-1", east: float = 0.0, lasts_s: float = 10.0, **more: object
) -> Leg:
    first = START + timedelta(minutes=minute)
    values: dict[str, object] = {"plate": "", "place": km(east), "appearance": look(0.0)} | more
    return Leg(
        f"{source}@{minute:g}", source, "dump_truck", first, first + timedelta(seconds=lasts_s), **values
    )  # type: ignore[arg-type]


def follow(legs: Sequence[Leg], rule: trips.Rule = RULE) -> list[Leg]:
    """The passages one after the other, each with its trip."""
    found: list[Leg] = []
    for one in legs:
        found.append(replace(one, trip_id=trips.trip_of(one, found, rule)))
    return found


def together(legs: Sequence[Leg], rule: trips.Rule = RULE) -> list[int]:
    """The number of the trip of each passage, counted from 0 in the order of their beginning."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(one.trip_id, len(numbers)) for one in follow(legs, rule)]


A, B = "浙A12345", "浙B67890"


# ---------------------------------------------------------------------------------------------------- by plate
def test_one_truck_over_three_cameras_is_one_trip() -> None:
    route = [leg(0, "road-1", 0, plate=A), leg(6, "road-2", 5, plate=A), leg(15, "road-3", 12, plate=A)]
    assert together(route) == [0, 0, 0]
    assert follow(route)[0].trip_id == trips.new_id("road-1@0")


def test_two_plates_are_two_trips_however_alike() -> None:
    assert together([leg(0, plate=A), leg(1, plate=B), leg(2, plate=A)]) == [0, 1, 0]


def test_a_trip_ends_when_nobody_sees_the_truck() -> None:
    gap = seconds(Trips().gap) / 60
    lasts = 10 / 60
    assert together([leg(0, plate=A), leg(gap + lasts, plate=A)]) == [0, 0]
    assert together([leg(0, plate=A), leg(gap + lasts + 0.01, plate=A)]) == [0, 1]


def test_no_trip_is_longer_than_the_longest() -> None:
    every = [leg(40 * n, plate=A) for n in range(20)]
    numbers = together(every)
    assert numbers == sorted(numbers) and numbers[-1] >= 2
    assert together(every[:9]) == [0] * 9
    assert together(every[:10])[-1] == 1


def test_a_copy_of_a_plate_far_away_is_another_trip() -> None:
    """40 km in ten minutes: one of the two is a forgery, and neither may be blamed for the other's way."""
    assert together([leg(0, "road-1", 0, plate=A), leg(10, "road-9", 40, plate=A)]) == [0, 1]
    assert together([leg(0, "road-1", 0, plate=A), leg(30, "road-9", 40, plate=A)]) == [0, 0]


def test_the_road_may_be_longer_than_it_looks() -> None:
    measured = trips.rule_of(Trips(roads=[("road-1", "road-2", 30_000)]), Limits())
    both = [leg(0, "road-1", 0, plate=A), leg(10, "road-2", 5, plate=A)]
    assert together(both) == [0, 0]
    assert together(both, measured) == [0, 1]
    assert together([both[1], both[0]], measured) == [0, 1]


def test_without_places_a_plate_is_enough() -> None:
    unplaced = Unplaced("no calibration")
    route = [leg(0, "road-1", plate=A, place=unplaced), leg(6, "road-2", plate=A, place=None)]
    assert together(route) == [0, 0]


def test_what_comes_late_joins_its_trip() -> None:
    """Videos of one hour are judged one after the other."""
    route = [leg(20, "road-3", 15, plate=A), leg(0, "road-1", 0, plate=A), leg(9, "road-2", 6, plate=A)]
    assert together(route) == [0, 0, 0]


def test_what_fits_two_trips_joins_the_nearer() -> None:
    assert together([leg(0, plate=A), leg(60, plate=A), leg(40, plate=A)]) == [0, 1, 1]
    assert together([leg(0, plate=A), leg(60, plate=A), leg(20, plate=A)]) == [0, 1, 0]


# ----------------------------------------------------------------------------------------------------- gates
def test_going_in_at_a_gate_ends_a_trip_and_coming_out_begins_one() -> None:
    way = [
        leg(0, "road-1", 0, plate=A),
        leg(8, "north", 5, plate=A, site="yard", direction="enter"),
        leg(25, "north", 5, plate=A, site="yard", direction="leave"),
        leg(33, "road-1", 0, plate=A),
    ]
    assert together(way) == [0, 0, 1, 1]


def test_the_second_camera_of_a_gate_tells_the_same_crossing() -> None:
    way = [
        leg(0, "in", 5, plate=A, site="yard", direction="enter"),
        leg(1, "out", 5, plate=A, site="yard", direction="enter"),
        leg(2, "road-1", 5, plate=A),
    ]
    assert together(way) == [0, 0, 1]


# ------------------------------------------------------------------------------------------------------ by look
def test_an_unreadable_truck_is_followed_by_look_and_road() -> None:
    way = [leg(0, "road-1", 0, plate=A), leg(6, "road-2", 5), leg(15, "road-3", 12, plate=A)]
    assert together(way) == [0, 0, 0]
    # Also where the first camera could not read it.
    assert together([leg(0, "road-1", 0), leg(6, "road-2", 5, plate=A)]) == [0, 0]


@pytest.mark.parametrize(
    ("why", "other"),
    [
        ("another look", {"appearance": look(0.6)}),
        ("no look", {"appearance": ()}),
        ("another colour of the plate", {"colour": "blue"}),
        ("another kind", {"label": "mixer_truck"}),
        ("nowhere", {"place": Unplaced("no calibration")}),
    ],
)
def test_an_unreadable_truck_stays_alone_in_doubt(why: str, other: dict[str, object]) -> None:
    one = leg(0, "road-1", 0, colour="yellow")
    two = replace(leg(6, "road-2", 5, colour="yellow"), **other)  # type: ignore[arg-type]
    assert together([one, two]) == [0, 1], why
    assert together([one, leg(6, "road-2", 5, colour="yellow")]) == [0, 0]


@pytest.mark.parametrize(("minutes", "trip"), [(1, 1), (3, 0), (20, 0), (50, 0), (60, 1)])
def test_by_look_only_as_soon_as_the_road_allows(minutes: float, trip: int) -> None:
    """5 km: two minutes at 120 km/h; 7 km of road at 8 km/h and three minutes at lights are 55 minutes."""
    rule = trips.rule_of(Trips(gap="3h"), Limits())
    assert together([leg(0, "road-1", 0), leg(minutes, "road-2", 5)], rule) == [0, trip]


def test_of_two_alike_neither_is_taken() -> None:
    convoy = [leg(0, "road-1", 0, plate=A), leg(0.5, "road-1", 0, plate=B)]
    assert together([*convoy, leg(6, "road-2", 5)]) == [0, 1, 2]
    plainly = [convoy[0], replace(convoy[1], appearance=look(0.35))]
    assert together([*plainly, leg(6, "road-2", 5)]) == [0, 1, 0]


def test_two_unreadable_trucks_side_by_side_are_two() -> None:
    assert together([leg(0, lasts_s=20), replace(leg(0.1, lasts_s=20), passage_id="x")]) == [0, 1]


def test_a_truck_that_the_camera_lost_goes_on() -> None:
    assert together([leg(0), leg(1.5)]) == [0, 0]
    assert together([leg(0), leg(10)]) == [0, 1]


# -------------------------------------------------------------------------------------------------- properties
CAMERAS = {"road-1": 0.0, "road-2": 4.0, "road-3": 11.0, "road-4": 30.0}


@st.composite
def traffic(draw: st.DrawFn) -> list[Leg]:
    """Passages of a few trucks over half a day, some unreadable, in any order."""
    count = draw(st.integers(1, 14))
    found = []
    for number in range(count):
        source = draw(st.sampled_from(sorted(CAMERAS)))
        one = leg(
            draw(st.floats(0, 720)),
            source,
            CAMERAS[source],
            draw(st.floats(1, 120)),
            plate=draw(st.sampled_from(["", "", A, B, "浙C11111"])),
            colour=draw(st.sampled_from(["", "yellow"])),
            appearance=draw(st.sampled_from([(), look(0.0), look(0.2), look(0.5)])),
            site=draw(st.sampled_from([None, None, "yard"])),
            direction=draw(st.sampled_from(["unknown", "enter", "leave"])),
        )
        found.append(replace(one, passage_id=f"p{number}"))
    return found


def of_trips(legs: Sequence[Leg]) -> dict[str, list[Leg]]:
    found: dict[str, list[Leg]] = defaultdict(list)
    for one in legs:
        found[one.trip_id].append(one)
    return found


@given(traffic())
def test_a_replay_finds_the_same_trips(legs: list[Leg]) -> None:
    assert follow(legs) == follow(legs)


@given(traffic(), st.randoms())
def test_the_order_of_what_is_known_changes_nothing(legs: list[Leg], dice: random.Random) -> None:
    known = follow(legs[:-1])
    shuffled = list(known)
    dice.shuffle(shuffled)
    assert trips.trip_of(legs[-1], known, RULE) == trips.trip_of(legs[-1], shuffled, RULE)


@given(traffic())
def test_a_trip_is_one_truck_in_one_time(legs: list[Leg]) -> None:
    for name, members in of_trips(follow(legs)).items():
        assert len({one.plate for one in members if one.plate}) <= 1
        span = max(one.last_seen for one in members) - min(one.first_seen for one in members)
        assert span.total_seconds() <= max(
            seconds(Trips().longest), *((m.last_seen - m.first_seen).total_seconds() for m in members)
        )
        assert name == trips.new_id(members[0].passage_id), "its id is made of the passage that began it"


@given(traffic())
def test_no_trip_outruns_a_truck(legs: list[Leg]) -> None:
    for members in of_trips(follow(legs)).values():
        for one in members:
            for other in members:
                metres = abs(CAMERAS[one.source_id] - CAMERAS[other.source_id]) * 1000
                apart = max(
                    0.0,
                    (one.first_seen - other.last_seen).total_seconds(),
                    (other.first_seen - one.last_seen).total_seconds(),
                )
                # 33 m/s, two clocks that differ by 10 s, and the errors of two places.
                assert metres <= (apart + 10) * 120 / 3.6 + 60


@given(traffic())
def test_nothing_goes_on_behind_a_gate(legs: list[Leg]) -> None:
    for members in of_trips(follow(legs)).values():
        ordered = sorted(members, key=lambda one: (one.first_seen, one.passage_id))
        for index, one in enumerate(ordered):
            if one.site and one.direction == "enter":
                late = [m for m in ordered[index + 1 :] if m.site != one.site or m.direction != "enter"]
                assert not late


@given(traffic())
def test_plates_in_the_order_of_time_are_cut_only_for_a_reason(legs: list[Leg]) -> None:
    """Passages of one plate at one camera within the gap, no gate between, are one trip."""
    same = [replace(one, plate=A, source_id="road-1", place=km(0), site=None) for one in legs]
    same.sort(key=lambda one: (one.first_seen, one.passage_id))
    numbered = follow(same)
    for before, after in pairwise(numbered):
        gap = (after.first_seen - before.last_seen).total_seconds()
        if before.trip_id != after.trip_id:
            began = min(m.first_seen for m in numbered if m.trip_id == before.trip_id)
            too_long = (after.last_seen - began).total_seconds() > seconds(Trips().longest)
            assert gap > seconds(Trips().gap) or too_long
