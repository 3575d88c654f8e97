"""The part of the configuration that says what is kept of muck trucks, and what follows from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from huoyan.config_types import Duration, Share, Strict, seconds
from huoyan.passage import Code

PriorityName = Literal["urgent", "high", "normal", "record"]


class Retention(Strict):
    """How long what is known of vehicles is kept."""

    passages: Duration = "180d"
    violations: Duration = "730d"
    pictures: Duration = "90d"


class LevelPriorities(Strict):
    """How urgent the alerts of a vehicle of each level are."""

    green: PriorityName = "normal"
    yellow: PriorityName = "high"
    red: PriorityName = "urgent"


class Levels(Strict):
    """From how many violations within a window on a vehicle is yellow, and red."""

    window: Duration = "90d"
    yellow: Annotated[float, Field(gt=0)] = 1
    red: Annotated[float, Field(gt=0)] = 3
    weights: dict[Code, Annotated[float, Field(ge=0)]] = {"M11": 3}
    """What a violation of a reason counts; 1 where it is not named. Who tips outside a site is red at once."""
    priority: LevelPriorities = LevelPriorities()

    @model_validator(mode="after")
    def _in_order(self) -> Levels:
        if self.red < self.yellow:
            raise ValueError(f"red ({self.red:g}) must be at least yellow ({self.yellow:g})")
        return self


class Trips(Strict):
    """Which passages of one truck are one trip."""

    gap: Duration = "45m"
    """A truck that nobody has seen for so long has ended its trip."""
    longest: Duration = "6h"
    slowest_kmh: Annotated[float, Field(gt=0)] = 8
    """Slower than this on the way between two cameras an unreadable truck is not taken for the same."""
    alike: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Likeness (cosine) from which two passages may show one vehicle where a plate is unreadable."""
    roads: list[tuple[str, str, Annotated[float, Field(ge=0)]]] = []
    """Metres by road between two cameras or gates; without, the straight line tells."""


class Limits(Strict):
    """From when on what is seen of a vehicle counts against it. Below: nothing, or for a person to decide."""

    plate: Share = 0.7
    """Least confidence of a reading (of its least sure character) that M01 and M09 rest on."""
    weak: Share = 0.9
    """A character below this may be any other."""
    colour: Share = 0.9
    cover: Share = 0.8
    dust: Share = 0.8
    spill: Share = 0.8
    tipping: Share = 0.8
    looks: Annotated[int, Field(ge=1)] = 3
    """Frames from which on the kind of a vehicle is believed."""
    outside: Annotated[float, Field(ge=0, lt=1)] = 0.95
    """Probability with which a place must be outside an area, by its error."""
    margin_m: Annotated[float, Field(ge=0)] = 30
    """Outlines of sites are drawn by hand: what is so near counts as inside."""
    weight_kg: Annotated[float, Field(ge=0)] = 100
    """What two weighings together may be off by."""
    tare_kg: Annotated[float, Field(ge=0)] = 500
    """What a registered empty weight may be off by (fuel, mud)."""
    fastest_kmh: Annotated[float, Field(gt=0)] = 120
    clocks: Duration = "10s"
    """The clocks of two cameras may differ by so much."""
    trip: Duration = "3h"
    """What was seen longer ago says nothing of where a load comes from."""
    exempt: frozenset[str] = frozenset({"car"})
    """Labels of vehicles that need no approval."""


class Vehicles(Strict):
    """What is kept of muck trucks, and what follows from it."""

    limits: Limits = Limits()
    retention: Retention = Retention()
    levels: Levels = Levels()
    trips: Trips = Trips()

    @model_validator(mode="after")
    def _kept_long_enough(self) -> Vehicles:
        if seconds(self.levels.window) > seconds(self.retention.violations):
            raise ValueError(
                f"levels.window ({self.levels.window}) must not be longer than violations are kept"
                f" (retention.violations, {self.retention.violations})"
            )
        return self
