"""One passage under judgement: what every rule is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from huoyan.config_vehicles import Limits
from huoyan.passage import Passage
from huoyan.records import Place, Placement
from huoyan.registry import Registry, Vehicle, plate_key
from huoyan.vehicles.context import Context, Sighting


@dataclass(frozen=True, slots=True)
class Case:
    """A passage with the approved vehicle that it is, if it is one."""

    passage: Passage
    vehicle: Vehicle | None
    registry: Registry
    context: Context

    @property
    def limits(self) -> Limits:
        return self.context.limits

    @property
    def local(self) -> datetime:
        """When it passed, in local time."""
        return self.passage.time.astimezone(self.context.zone)

    @property
    def places(self) -> list[tuple[datetime, Placement]]:
        """Where it was, in order: the track, else the one place."""
        track: list[tuple[datetime, Place | None]] = list(self.passage.track)
        points = track or [(self.passage.time, self.passage.place)]
        return [(time, place) for time, place in points if isinstance(place, Placement)]

    @property
    def sightings(self) -> list[Sighting]:
        """Where else this vehicle was seen, the latest first; a wrong province does not hide it."""
        own = plate_key(self.vehicle.plate if self.vehicle else self.passage.plate.text)
        skipped = 1 if len(self.registry.vehicles_like(own[1:])) == 1 else 0
        found = [s for s in self.context.earlier if plate_key(s.plate)[skipped:] == own[skipped:]]
        return sorted(found, key=lambda sighting: sighting.time, reverse=True)

    def site_name(self, site: str) -> str:
        return self.registry.zone_names.get(site, site)
