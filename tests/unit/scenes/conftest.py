"""A county with a zone of every kind, and frames in which things are seen at places in metres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import Polygon

from huoyan import scenes
from huoyan.records import (
    Detection,
    Finding,
    FrameRef,
    Kind,
    Observation,
    Observations,
    Place,
    Placement,
    Unplaced,
    frame_id,
)
from huoyan.registry import Footprint, Permit, Registry, Vehicle, Zone, plate_key
from huoyan.scenes import JudgeContext, Judgement, Memory, Rules

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
"""Noon in the county."""
PER_LON, PER_LAT = 96_900.0, 110_850.0


def at(east: float, north: float) -> tuple[float, float]:
    return 120.9 + east / PER_LON, 29.5 + north / PER_LAT


def ground(
    east: float, north: float, error: float = 2.0, outline: Sequence[tuple[float, float]] = ()
) -> Placement:
    lon, lat = at(east, north)
    return Placement(lon, lat, error, "test", tuple(at(x, y) for x, y in outline))


def area(west: float, south: float, east: float, north: float) -> Polygon:
    return Polygon([at(west, south), at(east, south), at(east, north), at(west, north)])


def zone(name: str, kind: str, *bounds: float, watches: Sequence[str] = ()) -> Zone:
    return Zone(name, name, kind, frozenset(watches), area(*bounds))


ZONES = [
    zone("plot", "control", 0, 0, 100, 100),
    zone("yard", "storage_yard", 60, 60, 100, 100),
    zone("tip", "disposal_site", 200, 0, 250, 50),
    zone("kerb", "no_stopping", 300, 0, 340, 10),
    zone("lane", "fire_lane", 300, 20, 340, 30),
    zone("stadium", "venue", 500, 0, 600, 100),
    zone("river", "river", 800, 0, 1000, 40),
    zone("road", "road", 300, 200, 500, 220),
    zone("only-dust", "control", 1200, 0, 1300, 100, watches=["dust_plume"]),
]
HOUSE = Footprint("house", area(10, 10, 30, 30), 3)


@dataclass(slots=True)
class Court:
    """Judges frames one after the other, as a run does."""

    registry: Registry
    rules: Rules
    watched: dict[str, tuple[str, ...]] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)

    def judge(self, seen: Observations, trace: bool = False) -> Judgement:
        context = JudgeContext(self.registry, self.rules, SHANGHAI, self.watched)
        return scenes.judge(seen, context, self.memory, trace=trace)

    def findings(self, *frames: Observations) -> list[Finding]:
        return [finding for frame in frames for finding in self.judge(frame).findings]

    def scenes(self, *frames: Observations) -> set[str]:
        return {finding.scene for finding in self.findings(*frames)}


Thing = tuple[str, float, Place] | tuple[str, float, Place, dict[str, Any]]


def frame(
    *things: Thing,
    kind: Kind = "drone",
    source: str = "",
    minutes: float = 0.0,
    night: bool = False,
    start: datetime = NOON,
) -> Observations:
    """A frame in which things (label, score, place, more of the detection) are seen."""
    time = start + timedelta(minutes=minutes)
    source = source or f"{kind}-1"
    ref = FrameRef(frame_id(source, time, 0), source, kind, time, "exif", (1920, 1080), f"{source}/{minutes}")
    items = []
    for index, thing in enumerate(things):
        label, score, place, *more = thing
        options = {"box": (100.0 * index, 0.0, 100.0 * index + 80, 80.0), **(more[0] if more else {})}
        items.append(Observation(ref, Detection(label, score, **options), place))
    return Observations(ref, tuple(items), night=night)


def change(kind: str, area_m2: float, place: Place) -> Thing:
    return ("change", 0.8, place, {"attributes": {"change_kind": kind, "area_m2": area_m2}})


NOWHERE = Unplaced("no calibration")


@pytest.fixture(scope="session")
def rules() -> Rules:
    return scenes.load()


@pytest.fixture
def court(rules: Rules) -> Callable[..., Court]:
    """Makes a court of the county; permits and vehicles are the case's."""

    def make(
        permits: Sequence[Permit] = (),
        vehicles: Sequence[Vehicle] | None = None,
        zones: Sequence[Zone] = ZONES,
        watched: dict[str, tuple[str, ...]] | None = None,
        laws: Rules | None = None,
    ) -> Court:
        known = None if vehicles is None else {plate_key(v.plate): v for v in vehicles}
        return Court(Registry(zones, permits, [HOUSE], known), laws or rules, watched or {})

    return make


def permit(name: str = "P", scene: str = "earthwork", **more: Any) -> Permit:
    days = {"valid_from": date(2026, 3, 1), "valid_to": date(2026, 3, 31)}
    where = {} if {"zone", "footprint", "circle"} & set(more) else {"zone": "plot"}
    allowed = frozenset() if scene == "*" else frozenset(scene.split())
    return Permit(name, allowed, more.pop("kind", "building"), "holder", **{**days, **where, **more})
