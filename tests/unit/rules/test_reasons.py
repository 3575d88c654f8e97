"""Every reason M01-M11: when it holds, and what is nearly so and does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from huoyan.passage import Passage
from huoyan.records import Unplaced
from huoyan.registry import Permit, Registry, hours
from huoyan.vehicles import Context, Sighting, judge

from .conftest import (
    NIGHT,
    PLATE,
    ZONES,
    context,
    local,
    passage,
    place,
    reading,
    registry,
    road,
    told,
    truck,
)

STRANGER = "浙B7H552"
DAY = timedelta(days=1)


def unknown(seen: Passage, given: Context, known: Registry | None = None) -> str:
    return "; ".join(judge(seen, known or registry(), given).unknown)


def test_a_truck_that_keeps_to_everything_has_no_reason() -> None:
    verdict = judge(passage(), registry(), context())
    assert verdict.registered and not verdict.reasons and not verdict.review and not verdict.unknown
    assert (verdict.plate, verdict.company, verdict.permit) == (PLATE, "一公司", "ZT-1")


# ----------------------------------------------------------------------------------------------------------- M01
def test_m01_a_plate_that_is_not_registered() -> None:
    verdict = judge(passage(plate=reading(STRANGER)), registry(), context())
    assert [reason.code for reason in verdict.reasons] == ["M01"]
    assert not verdict.registered and verdict.plate == STRANGER and verdict.reasons[0].confidence == 0.99


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (passage(plate=reading("", guess=STRANGER)), "unreadable"),
        (passage(plate=reading(STRANGER, 0.6)), "0.60 only"),
        (passage(plate=reading(STRANGER), label="car"), ""),
        (passage(plate=reading("浙D·3C916")), ""),
    ],
    ids=["unreadable", "a doubtful reading", "a car", "written otherwise"],
)
def test_m01_is_not_held_against(seen: Passage, why: str) -> None:
    assert told(seen, context()) == []
    assert why in unknown(seen, context())


def test_m01_without_a_register_nobody_is_missing_from_it() -> None:
    seen, bare = passage(plate=reading(STRANGER)), Registry(ZONES)
    assert told(seen, context(), bare) == [] and "no register" in unknown(seen, context(), bare)


# ----------------------------------------------------------------------------------------------------------- M02
@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-04-30 23:59:59", []),
        ("2026-05-01 00:00:00", ["M02"]),
        ("2026-02-28 23:59:59", ["M02"]),
        ("2026-03-02 00:00:00", []),
    ],
)
def test_m02_to_the_second_of_the_local_day(when: str, expected: list[str]) -> None:
    known = registry(truck(valid_from=date(2026, 3, 1), valid_to=date(2026, 4, 30), hours=hours.parse("")))
    assert told(passage(when=local(when)), context(earlier=()), known) == expected


def test_m02_of_the_permit_behind_the_number() -> None:
    def permit(last: date) -> Permit:
        return Permit("ZT-1", frozenset(), "", "", date(2026, 1, 1), last, zone="plot-a")

    assert told(passage(), context(), registry(permits=(permit(date(2026, 3, 9)),))) == ["M02"]
    assert told(passage(), context(), registry(permits=(permit(date(2026, 3, 10)),))) == []


# ----------------------------------------------------------------------------------------------------------- M03
@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-03-10 18:59:59", ["M03"]),
        ("2026-03-10 19:00:00", []),
        ("2026-03-11 04:59:59", []),
        ("2026-03-11 05:00:00", ["M03"]),
        ("2026-03-15 04:59:59", []),
        ("2026-03-15 19:00:00", ["M03"]),
        ("2026-03-16 04:59:59", ["M03"]),
    ],
    ids=["before", "first", "last", "after", "saturday's into sunday", "sunday", "sunday's into monday"],
)
def test_m03_to_the_second_across_midnight(when: str, expected: list[str]) -> None:
    assert told(passage(when=local(when)), context(earlier=())) == expected


# ----------------------------------------------------------------------------------------------------------- M04
def left(where: str, minutes: float = 30, direction: Any = "leave", plate: str = PLATE) -> list[Sighting]:
    return [Sighting(plate, NIGHT - timedelta(minutes=minutes), "cam", None, where, direction)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"site": "tip-z"}, ["M04"]),
        ({"earlier": left("plot-b")}, ["M04"]),
        ({"earlier": left("plot-a")}, []),
        ({"earlier": left("plot-b", 60 * 4)}, []),
        ({"earlier": left("plot-b", plate=STRANGER)}, []),
        ({"earlier": left("plot-b", plate="沪D3C916")}, ["M04"]),
        ({"earlier": left("plot-b", 60) + left("plot-a", 20)}, []),
        ({"earlier": left("plot-b", 60) + left("tip-y", 20, "enter")}, []),
        ({"earlier": left("tip-y", 20)}, []),
        ({"site": "plot-a", "earlier": left("tip-x", 20)}, []),
    ],
    ids=[
        "not its site",
        "not from there",
        "its trip",
        "long ago",
        "another truck",
        "its province misread",
        "the last trip counts",
        "unloaded meanwhile",
        "empty from a tip",
        "back to load",
    ],
)
def test_m04_by_the_site_and_the_last_trip(changes: dict[str, Any], expected: list[str]) -> None:
    assert told(passage(), context(**changes)) == expected


def test_m04_an_origin_that_nobody_saw_is_unknown() -> None:
    assert told(passage(), context(earlier=())) == []
    assert "origin" in unknown(passage(), context(earlier=()))
    assert "origin" not in unknown(passage(cover="empty"), context(earlier=()))


@pytest.mark.parametrize(("spot", "expected"), [(place(5000, 3000), []), (place(9000, 3000), ["M05"])])
def test_m04_on_the_road_only_in_a_site(spot: Any, expected: list[str]) -> None:
    """tip-y is its own; far from everything it is merely off its road."""
    assert told(passage(place=spot), road()) == expected
    stranger = registry(truck(trips=(("plot-a", "tip-x"),), corridors=()))
    assert told(passage(place=place(5000, 3000)), road(), stranger) == ["M04"]
    assert told(passage(place=place(5000, 3049, 30)), road(), stranger) == []


# ----------------------------------------------------------------------------------------------------------- M05
@pytest.mark.parametrize(
    ("spot", "expected"),
    [
        (place(2500, 0), []),
        (place(2500, 29), []),
        (place(2500, 36, 10), []),
        (place(2500, 80, 10), ["M05"]),
        (place(2500, 80, 60), []),
        (place(0, 3020), []),
        (Unplaced("no calibration"), []),
    ],
    ids=["middle", "edge", "beside by its error", "off", "vague", "in its own site", "nowhere"],
)
def test_m05_by_the_error_of_the_place(spot: Any, expected: list[str]) -> None:
    assert told(passage(place=spot, direction="unknown"), road()) == expected


def test_m05_names_the_road_that_it_is_on() -> None:
    verdict = judge(passage(place=place(2500, 500)), registry(), road())
    assert verdict.reasons[0].code == "M05" and "滨河路" in verdict.reasons[0].zh
    assert "470 m off" in verdict.reasons[0].en


def test_m05_one_jump_of_a_track_is_no_detour() -> None:
    def along(*norths: float) -> Passage:
        points = [(NIGHT + timedelta(seconds=3 * i), place(2000 + 30 * i, n)) for i, n in enumerate(norths)]
        return passage(track=tuple(points), direction="unknown")

    assert told(along(0, 300, 0, 0), road()) == []
    assert told(along(0, 300, 310, 0), road()) == ["M05"]


def test_m05_is_not_asked_at_a_gate_nor_of_who_has_no_corridor() -> None:
    far = passage(place=place(2500, 900))
    assert told(far, context()) == []
    assert told(far, road(), registry(truck(corridors=()))) == []


# ----------------------------------------------------------------------------------------------------------- M06
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"net_kg": 15_101}, ["M06"]),
        ({"net_kg": 15_100}, []),
        ({"gross_kg": 28_000, "tare_kg": 12_800}, ["M06"]),
        ({"gross_kg": 28_000, "tare_kg": 13_000}, []),
        ({"gross_kg": 28_000}, []),
        ({}, []),
    ],
)
def test_m06_by_what_was_weighed(changes: dict[str, Any], expected: list[str]) -> None:
    assert told(passage(), context(**changes)) == expected


def test_m06_by_the_registered_empty_weight() -> None:
    known = registry(truck(tare_kg=12_000))
    assert told(passage(), context(gross_kg=27_400), known) == []
    assert told(passage(), context(gross_kg=27_600), known) == ["M06"]


def test_m06_a_silent_scale_is_unknown() -> None:
    given = context(scale_expected=True, silent={"scale-1": "no message"})
    assert told(passage(), given) == []
    assert unknown(passage(), given) == "weight: nobody says what it carries; scale-1: no message"
    assert told(passage(), context(net_kg=90_000), registry(truck(load_kg=None))) == []


# ------------------------------------------------------------------------------------------------------ M07, M08
def test_m07_only_where_washing_is_needed_and_surely_did_not_happen() -> None:
    assert told(passage(), context(wash_needed=True, washed=False)) == ["M07"]
    assert told(passage(), context(wash_needed=True, washed=True)) == []
    assert told(passage(), context(wash_needed=False, washed=False)) == []
    assert told(passage(), context(wash_needed=True, washed=None)) == []
    assert "wash" in unknown(passage(), context(wash_needed=True))


@pytest.mark.parametrize(
    ("cover", "sure", "expected"),
    [("uncovered", 0.8, ["M08"]), ("uncovered", 0.79, []), ("empty", 0.99, []), ("unknown", 0.99, [])],
)
def test_m08_a_load_surely_without_a_cover(cover: Any, sure: float, expected: list[str]) -> None:
    assert told(passage(cover=cover, cover_confidence=sure), context()) == expected


# ----------------------------------------------------------------------------------------------------------- M09
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"plate": reading(colour="blue")}, ["M09"]),
        ({"plate": reading(colour="blue", colour_confidence=0.8)}, []),
        ({"label": "car"}, ["M09"]),
        ({"label": "car", "looks": 2}, []),
        ({"label": "mixer_truck"}, []),
    ],
    ids=["colour", "colour in doubt", "kind", "kind at a glance", "kinds that look alike"],
)
def test_m09_plate_and_vehicle(changes: dict[str, Any], expected: list[str]) -> None:
    assert told(passage(**changes), context()) == expected


def test_m09_green_and_yellow_plates_of_new_energy_are_one() -> None:
    known = registry(truck(plate="浙D12345D", colour="yellow_green"))
    for colour in ("green", "yellow", "yellow_green"):
        assert told(passage(plate=reading("浙D12345D", colour=colour)), context(), known) == []
    assert told(passage(plate=reading("浙D12345D", colour="blue")), context(), known) == ["M09"]


@pytest.mark.parametrize(
    ("metres", "minutes", "error", "expected"),
    [
        (40_000, 10, 5, ["M09"]),
        (40_000, 30, 5, []),
        (40_000, 10, 12_000, []),
        (30, 0, 5, []),
        (3_000, 0, 5, ["M09"]),
    ],
    ids=["too fast", "possible", "a vague place", "two cameras of one crossing", "at once"],
)
def test_m09_one_plate_at_two_places(
    metres: float, minutes: float, error: float, expected: list[str]
) -> None:
    there = Sighting(PLATE, NIGHT - timedelta(minutes=minutes), "cam-9", place(4900 - metres, 0, error))
    assert told(passage(), context(earlier=[*left("plot-a"), there])) == expected


def test_m09_the_way_by_road_counts_where_it_is_known() -> None:
    there = Sighting(PLATE, NIGHT - timedelta(minutes=10), "cam-9", place(-5100, 0))
    seen = [*left("plot-a"), there]
    assert told(passage(), context(earlier=seen)) == []
    assert told(passage(), context(earlier=seen, road_m=lambda a, b: 30_000.0)) == ["M09"]
    assert told(passage(), context(earlier=seen, road_m=lambda a, b: None)) == []


# ------------------------------------------------------------------------------------------------------ M10, M11
@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"spill": 0.8}, ["M10"]), ({"dust": 0.8}, ["M10"]), ({"spill": 0.79, "dust": 0.79}, [])],
)
def test_m10_only_what_is_surely_seen(changes: dict[str, float], expected: list[str]) -> None:
    assert told(passage(**changes), context()) == expected


@pytest.mark.parametrize(
    ("spot", "sure", "expected"),
    [
        (place(5000, 300), 0.9, ["M11"]),
        (place(5000, 300), 0.7, []),
        (place(5000, 85), 0.9, []),
        (place(5000, 300, 250), 0.9, []),
        (place(5000, 10), 0.9, []),
        (Unplaced("no calibration"), 0.9, []),
    ],
    ids=["outside", "perhaps not tipping", "at the fence", "a vague place", "inside", "nowhere"],
)
def test_m11_tipping_surely_outside_every_site(spot: Any, sure: float, expected: list[str]) -> None:
    seen = passage(place=spot, tipping=sure, plate=reading(""), direction="unknown")
    assert told(seen, road()) == expected


def test_m11_needs_no_plate_but_a_drawn_site() -> None:
    seen = passage(place=place(5000, 300), tipping=0.9, plate=reading(""))
    assert "draws no site" in unknown(seen, road(), Registry(ZONES[:2], vehicles={}))


# ---------------------------------------------------------------------------------------------- all that hold
def test_all_that_hold_are_listed_the_gravest_first() -> None:
    seen = passage(when=local("2027-03-09 12:00:00"), cover="uncovered", cover_confidence=0.9, spill=0.9)
    given = context(net_kg=20_000, wash_needed=True, washed=False, earlier=left("plot-b"))
    late = replace(given, earlier=[replace(s, time=local("2027-03-09 11:30:00")) for s in given.earlier])
    assert told(seen, late) == ["M02", "M06", "M10", "M04", "M03", "M08", "M07"]


def test_every_reason_has_two_sentences_and_its_sights() -> None:
    seen = passage(when=local("2027-03-09 12:00:00"), cover="uncovered", cover_confidence=0.9, spill=0.9)
    verdict = judge(seen, registry(), context(net_kg=20_000, wash_needed=True, washed=False, site="tip-z"))
    assert len(verdict.reasons) == 7
    for reason in verdict.reasons:
        assert reason.zh and reason.en and reason.zh != reason.en and reason.roles
    by_code = {reason.code: reason for reason in verdict.reasons}
    assert "20000 kg, 5000 kg over" in by_code["M06"].en and "超5000千克" in by_code["M06"].zh
    assert "2026-12-31" in by_code["M02"].en and "12:00:00" in by_code["M03"].en
