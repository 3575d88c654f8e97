"""What rules may ask beside the passage and the register: where, what was weighed and washed, what was seen before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from huoyan.passage import Direction
from huoyan.records import Place, Placement


@dataclass(frozen=True, slots=True)
class Sighting:
    """An earlier passage, as far as later ones ask for it."""

    plate: str
    time: datetime
    source_id: str
    place: Place | None = None
    site: str | None = None
    """Zone id of the site whose gate it went through."""
    direction: Direction = "unknown"


@dataclass(frozen=True, slots=True)
class Limits:
    """From when on something seen counts against somebody. Below: not seen, or for a person to decide."""

    plate: float = 0.9
    """Least confidence of a whole reading (its least sure character) that M01 and M09 rest on."""
    weak: float = 0.9
    """A character below this may be any other."""
    colour: float = 0.9
    cover: float = 0.8
    dust: float = 0.8
    spill: float = 0.8
    tipping: float = 0.8
    looks: int = 3
    """Frames from which on the kind of a vehicle is believed."""
    outside: float = 0.95
    """Probability, by the error of the place, that something is outside an area."""
    margin_m: float = 30.0
    """Outlines of sites are drawn by hand: what is this near counts as inside."""
    weight_kg: float = 100.0
    """What two weighings together may be off by."""
    tare_kg: float = 500.0
    """What a registered empty weight may be off by (fuel, mud)."""
    fastest_kmh: float = 120.0
    clocks_s: float = 10.0
    """Clocks of two cameras may differ by this much."""
    trip_s: float = 12 * 3600.0
    """A trip is over after this time: what was seen before says nothing of where a load comes from."""
    exempt: frozenset[str] = frozenset({"car"})
    """Labels of vehicles that need no approval."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything but passage and register. What is not known is None: never guilty."""

    zone: ZoneInfo
    """Of the county: hours and days are local."""
    where: Literal["gate", "road"] = "road"
    site: str | None = None
    """Zone id of the gate's site."""
    gross_kg: float | None = None
    tare_kg: float | None = None
    net_kg: float | None = None
    washed: bool | None = None
    wash_needed: bool = False
    scale_expected: bool = False
    earlier: Sequence[Sighting] = ()
    """Of this plate, in any order."""
    silent: Mapping[str, str] = field(default_factory=dict)
    """Device -> why it says nothing."""
    road_m: Callable[[Placement, Placement], float | None] | None = None
    """Metres by road between two places; without it, or where it gives None, the straight line counts."""
    limits: Limits = Limits()
