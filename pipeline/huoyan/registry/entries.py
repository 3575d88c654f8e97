"""What the county's registers hold: zones, permits, footprints, vehicles, corridors and venues, checked."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from shapely.geometry.base import BaseGeometry

from huoyan.registry.hours import ALWAYS, Hours

ZONE_KINDS: Final = (
    "control",
    "storage_yard",
    "disposal_site",
    "no_stopping",
    "fire_lane",
    "venue",
    "river",
    "road",
)
PLATE_COLOURS: Final = {
    "蓝": "blue",
    "黄": "yellow",
    "绿": "green",
    "黄绿": "yellow_green",
    "白": "white",
    "黑": "black",
}
"""Names of plate colours that a register may use, with the word that Huoyan uses."""
VEHICLE_KINDS: Final = {
    "渣土车": "muck_truck",
    "自卸车": "dump_truck",
    "搅拌车": "mixer_truck",
    "洒水车": "sprinkler",
    "装载机": "loader",
    "其他": "other",
}
"""Names of kinds of vehicles that a register may use, with the word that Huoyan uses."""


@dataclass(frozen=True, slots=True)
class Zone:
    """An area with rules. `geometry` is in degrees (lon, lat), WGS 84."""

    id: str
    name: str
    kind: str
    scenes: frozenset[str]
    """Scenes that are watched here; empty means all that fit the kind."""
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class Footprint:
    """The outline of a building. `geometry` is in degrees (lon, lat), WGS 84."""

    id: str
    geometry: BaseGeometry
    storeys: int | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """What somebody is allowed to do somewhere from one day to another, both included, in local time.

    Exactly one of `zone`, `footprint` and `circle` says where.
    """

    id: str
    scenes: frozenset[str]
    """Scene ids; empty means every scene."""
    kind: str
    holder: str
    valid_from: date
    valid_to: date
    zone: str | None = None
    footprint: str | None = None
    circle: tuple[float, float, float] | None = None
    """(lon, lat, radius in metres)."""
    note: str = ""

    def allows(self, scene: str) -> bool:
        """Whether it is about `scene` at all, wherever and whenever."""
        return not self.scenes or scene in self.scenes

    def valid_on(self, day: date) -> bool:
        """Whether it is in force on the local `day`; its first and its last day count."""
        return self.valid_from <= day <= self.valid_to


@dataclass(frozen=True, slots=True)
class Corridor:
    """A road that vehicles are approved for. `geometry` is its line in degrees (lon, lat), WGS 84."""

    id: str
    name: str
    width_m: float
    """From edge to edge: half of it lies on either side of the line."""
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class Vehicle:
    """An approved vehicle. Days are local and both included; None leaves that end open.

    What a register leaves empty is not restricted: no hours, any hour; no corridors, any road.
    """

    plate: str
    colour: str
    kind: str
    company: str
    permit: str
    valid_from: date | None
    valid_to: date | None
    sites: tuple[str, ...]
    """Zones that it may load or tip at, whichever way round."""
    note: str = ""
    trips: tuple[tuple[str, str], ...] = ()
    """Zones that it may carry (from, to)."""
    corridors: tuple[str, ...] = ()
    hours: Hours = ALWAYS
    """When it may be under way, in local time."""
    load_kg: float | None = None
    """The most that it may carry."""
    tare_kg: float | None = None
    """Its weight when empty, as registered."""

    @property
    def all_sites(self) -> frozenset[str]:
        """Every zone that it may load or tip at."""
        return frozenset(self.sites).union(*self.trips)


@lru_cache(maxsize=16_384)
def plate_key(text: str) -> str:
    """A plate as it is compared: full-width forms folded, no blanks, dots or hyphens, capitals."""
    folded = unicodedata.normalize("NFKC", text).upper()
    return "".join(c for c in folded if c.isalnum())
