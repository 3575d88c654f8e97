"""Permits and plates: days in local time, areas, and what they can say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from huoyan.records import Observations
from huoyan.registry import Permit, Vehicle

from .conftest import NOWHERE, SHANGHAI, Court, Thing, change, frame, ground, permit

DIGGER: Thing = ("excavator", 0.8, ground(50, 30))


def local(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("when", "result"),
    [
        (local("2026-02-28", "23:59:59"), "none"),
        (local("2026-03-01", "00:00:00"), "covered"),
        (local("2026-03-31", "23:59:59"), "covered"),
        (local("2026-04-01", "00:00:00"), "lapsed"),
    ],
)
def test_a_permit_holds_from_its_first_to_its_last_local_day(
    court: Callable[..., Court], when: datetime, result: str
) -> None:
    (found,) = court([permit()]).findings(frame(DIGGER, start=when))
    assert found.permit.result == result


@pytest.mark.parametrize(
    ("granted", "place", "result"),
    [
        (permit(zone="plot"), ground(50, 30), "covered"),
        (permit(zone="tip"), ground(50, 30), "none"),
        (permit(scene="scaffolding"), ground(50, 30), "none"),
        (permit(scene="*"), ground(50, 30), "covered"),
        (permit(circle=(*(120.9 + 50 / 96_900, 29.5 + 30 / 110_850), 10.0)), ground(50, 38), "covered"),
        (permit(circle=(*(120.9 + 50 / 96_900, 29.5 + 30 / 110_850), 10.0)), ground(50, 46), "none"),
        (permit(circle=(*(120.9 + 50 / 96_900, 29.5 + 30 / 110_850), 10.0)), ground(50, 41, 8), "covered"),
        (permit(footprint="house"), ground(20, 20), "covered"),
        (permit(footprint="house"), ground(50, 30), "none"),
        (permit(valid_from=date(2026, 4, 1), valid_to=date(2026, 5, 1)), ground(50, 30), "none"),
    ],
)
def test_a_permit_covers_its_area_and_its_scenes(
    court: Callable[..., Court], granted: Permit, place: object, result: str
) -> None:
    (found,) = court([granted]).findings(frame(("excavator", 0.8, place)))
    assert found.permit.result == result


def test_a_small_permit_does_not_cover_a_large_change(court: Callable[..., Court]) -> None:
    outline = [(0, 0), (90, 0), (90, 60), (0, 60)]
    granted = permit(circle=(120.9 + 45 / 96_900, 29.5 + 30 / 110_850, 20.0))
    seen = frame(change("bare_soil", 5400, ground(45, 30, 5, outline)), kind="satellite")
    (found,) = court([granted]).findings(seen)
    assert found.permit.result == "none"


def test_a_valid_permit_wins_over_an_expired_one(court: Callable[..., Court]) -> None:
    old = permit("OLD", valid_from=date(2025, 1, 1), valid_to=date(2025, 12, 31))
    (found,) = court([old, permit("NEW")]).findings(frame(DIGGER))
    assert (found.permit.result, found.permit.permit_id) == ("covered", "NEW")
    (found,) = court([old]).findings(frame(DIGGER))
    assert (found.permit.result, found.permit.permit_id, found.permit.note) == (
        "lapsed",
        "OLD",
        "expired on 2025-12-31",
    )


def test_without_a_place_only_permits_for_the_whole_zone_count(court: Callable[..., Court]) -> None:
    seen = frame(("excavator", 0.8, NOWHERE), kind="camera", source="cam-1")
    watched = {"cam-1": ("plot",)}
    (found,) = court([permit()], watched=watched).findings(seen)
    assert found.permit.result == "covered"
    (found,) = court([permit(circle=(120.9, 29.5, 50.0))], watched=watched).findings(seen)
    assert found.permit.result == "none" and "without a place" in found.permit.note


# ------------------------------------------------------------------------------------------------- vehicles
def vehicle(
    plate: str = "浙D3C916", first: str | None = "2026-01-01", last: str | None = "2026-12-31"
) -> Vehicle:
    day = date.fromisoformat
    return Vehicle(plate, "yellow", "muck_truck", "", "ZT-1", first and day(first), last and day(last), ())


def truck(
    text: str, start: datetime = local("2026-03-10", "12:00:00"), label: str = "dump_truck"
) -> Observations:
    detection = {"text": text, "attributes": {"plate_colour": "yellow"}}
    return frame((label, 0.9, ground(220, 20), detection), kind="camera", start=start)


@pytest.mark.parametrize(
    ("text", "registered", "when", "result", "reasons"),
    [
        ("浙D5A728", [vehicle()], "2026-03-10", "none", ("M01",)),
        ("浙D·3C916", [vehicle()], "2026-03-10", "covered", ()),
        ("浙D3C916", [vehicle(last="2026-03-10")], "2026-03-10", "covered", ()),
        ("浙D3C916", [vehicle(last="2026-03-09")], "2026-03-10", "lapsed", ("M02",)),
        ("浙D3C916", [vehicle(first="2026-03-11")], "2026-03-10", "none", ("M02",)),
        ("浙D3C916", [vehicle(first=None, last=None)], "2026-03-10", "covered", ()),
        ("浙D3C916", [], "2026-03-10", "none", ("M01",)),
    ],
)
def test_a_plate_is_compared_with_the_register(
    court: Callable[..., Court],
    text: str,
    registered: list[Vehicle],
    when: str,
    result: str,
    reasons: tuple[str, ...],
) -> None:
    found = court(vehicles=registered).findings(truck(text, local(when, "23:30:00")))
    (told,) = [f for f in found if f.scene == "unapproved_vehicle"]
    assert told.permit.result == result and told.vehicle is not None
    assert told.vehicle.reasons == reasons


@pytest.mark.parametrize(
    ("seen", "registered"),
    [(truck(""), [vehicle()]), (truck("浙D5A728"), None), (truck("浙D5A728", label="car"), [vehicle()])],
    ids=["no plate was read", "no register", "not a muck truck"],
)
def test_what_gives_no_reason_to_stop_a_vehicle(
    court: Callable[..., Court], seen: Observations, registered: list[Vehicle] | None
) -> None:
    assert "unapproved_vehicle" not in court(vehicles=registered).scenes(seen)


def test_the_permit_of_the_vehicle_counts_too(court: Callable[..., Court]) -> None:
    ended = permit("ZT-1", scene="unapproved_vehicle", zone="tip", valid_to=date(2026, 3, 5))
    found = court([ended], vehicles=[vehicle()]).findings(truck("浙D3C916"))
    (told,) = [f for f in found if f.scene == "unapproved_vehicle"]
    assert told.vehicle is not None and told.vehicle.reasons == ("M02",)
    assert told.permit.note == "expired on 2026-03-05"


def test_every_truck_in_a_frame_is_looked_up(court: Callable[..., Court]) -> None:
    side_by_side: list[Thing] = [
        ("dump_truck", 0.9, ground(220, 20), {"text": text}) for text in ("浙D5A728", "浙D5A729", "")
    ]
    found = court(vehicles=[]).findings(frame(*side_by_side))
    plates = [f.vehicle.plate for f in found if f.vehicle]
    assert plates == ["浙D5A728", "浙D5A729"]


def test_the_local_day_of_a_vehicle(court: Callable[..., Court]) -> None:
    last = vehicle(last="2026-03-10")
    late = local("2026-03-10", "23:59:00")
    for when, reasons in ((late, ()), (late + timedelta(minutes=2), ("M02",))):
        found = court(vehicles=[last]).findings(truck("浙D3C916", when))
        (told,) = [f for f in found if f.scene == "unapproved_vehicle"]
        assert told.vehicle is not None and told.vehicle.reasons == reasons
