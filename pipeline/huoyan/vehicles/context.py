"""What rules may ask beside the passage and the register: where, what was weighed and washed, what was seen before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from huoyan.config_vehicles import Limits
from huoyan.passage import Direction
from huoyan.records import Place


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
    """Other passages, in any order; those of other plates are passed over. For a plate that may be misread those of
    the vehicle that it may be tell where a load comes from."""
    silent: Mapping[str, str] = field(default_factory=dict)
    """Device -> why it says nothing."""
    road_m: Callable[[str, str], float | None] | None = None
    """Metres by road between two sources; without it, or where it gives None, the straight line counts."""
    limits: Limits = field(default_factory=Limits)
