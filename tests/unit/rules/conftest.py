"""A small county with sites and a road, an approved truck, and passages of it that a case changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shapely.geometry import LineString, Polygon

from huoyan.passage import Passage, PlateReading, Verdict
from huoyan.records import Placement
from huoyan.registry import Corridor, Permit, Registry, Vehicle, Zone, hours, plate_key
from huoyan.vehicles import Context, Sighting, judge

SHANGHAI = ZoneInfo("Asia/Shanghai")
PER_LON, PER_LAT = 96_900.0, 110_850.0
PLATE = "浙D3C916"


def at(east: float, north: float) -> tuple[float, float]:
    return 120.9 + east / PER_LON, 29.5 + north / PER_LAT


def place(east: float, north: float, error: float = 5.0) -> Placement:
    return Placement(*at(east, north), error, "test")


def site(name: str, kind: str, east: float, north: float) -> Zone:
    corners = [(-50, -50), (50, -50), (50, 50), (-50, 50)]
    outline = Polygon([at(east + x, north + y) for x, y in corners])
    return Zone(name, name, kind, frozenset(), outline)


ZONES = [
    site("plot-a", "control", 0, 0),
    site("plot-b", "control", 0, 3000),
    site("tip-x", "disposal_site", 5000, 0),
    site("tip-y", "disposal_site", 5000, 3000),
]
ROAD = Corridor("r-1", "环城路", 60.0, LineString([at(0, 0), at(2500, 0), at(5000, 0)]))
OTHER_ROAD = Corridor("r-2", "滨河路", 60.0, LineString([at(0, 500), at(5000, 500)]))


def truck(**changes: Any) -> Vehicle:
    """The approved truck: from plot-a to tip-x and from plot-b to tip-y, on the ring road, at night."""
    made = Vehicle(
        plate=PLATE,
        colour="yellow",
        kind="muck_truck",
        company="一公司",
        permit="ZT-1",
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 31),
        sites=(),
        trips=(("plot-a", "tip-x"), ("plot-b", "tip-y")),
        corridors=("r-1",),
        hours=hours.parse("Mo-Sa 19:00-05:00"),
        load_kg=15_000,
    )
    return replace(made, **changes)


def registry(*vehicles: Vehicle, permits: tuple[Permit, ...] = ()) -> Registry:
    known = {plate_key(v.plate): v for v in vehicles or (truck(),)}
    return Registry(ZONES, permits, (), known, [ROAD, OTHER_ROAD])


def local(text: str) -> datetime:
    """A moment in the county's time, as `2026-03-10 23:00:00` (a Tuesday)."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


NIGHT = local("2026-03-10 23:00:00")


def reading(text: str = PLATE, sure: float = 0.99, **changes: Any) -> PlateReading:
    told = PlateReading(text, text, "yellow", "", sure, (sure,) * len(text), 0.99, 6, 6)
    return replace(told, **changes)


def passage(**changes: Any) -> Passage:
    """The truck driving into tip-x on a Tuesday night, on its road."""
    when = changes.pop("when", NIGHT)
    made = Passage(
        passage_id="p",
        source_id="cam-1",
        label="dump_truck",
        first_seen=when,
        last_seen=when,
        plate=reading(),
        direction="enter",
        crossed=when,
        place=place(4900, 0),
        looks=8,
    )
    return replace(made, **changes)


def context(**changes: Any) -> Context:
    """At the gate of tip-x, after it was seen leaving plot-a."""
    left = Sighting(PLATE, local("2026-03-10 22:30:00"), "cam-a", place(0, 0), "plot-a", "leave")
    given: dict[str, Any] = {"where": "gate", "site": "tip-x", "earlier": [left]}
    return Context(SHANGHAI, **{**given, **changes})


def road(**changes: Any) -> Context:
    return Context(SHANGHAI, **{"where": "road", **changes})


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def told(seen: Passage, given: Context, known: Registry | None = None) -> list[str]:
    return codes(judge(seen, known or registry(), given))
