"""The registers as one object that answers: which zones, which building, which permit, which vehicle, which
corridor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from huoyan.records import Placement
from huoyan.registry.areas import circle
from huoyan.registry.corridors import CorridorMatch, Corridors
from huoyan.registry.entries import Corridor, Footprint, Permit, Vehicle, Zone, plate_key
from huoyan.registry.layer import Layer
from huoyan.registry.local import LocalPlane
from huoyan.registry.spot import Spot

SPREAD = 2.0
"""How many error radii round a place are searched: beyond it less than 1 % of its probability lies."""
FOOTPRINT_MARGIN_M = 3.0
"""A permit for a building also covers what stands against its walls."""


@dataclass(frozen=True, slots=True)
class ZoneMatch:
    """A zone near a place: the share of the place in it and the metres from the best estimate to it."""

    zone: Zone
    share: float
    distance_m: float


@dataclass(frozen=True, slots=True)
class FootprintMatch:
    """A building at a place and the share of the place that lies on it."""

    footprint: Footprint
    share: float


@dataclass(frozen=True, slots=True)
class PermitMatch:
    """A permit whose area is near a place, with the share of the place in it."""

    permit: Permit
    share: float


class Registry:
    """Zones (venues among them), permits, footprints, vehicles and corridors of a county, indexed. Read-only.

    Attributes:
        zones: by id.
        footprints: by id.
        permits: in the order of the register.
        vehicles: by plate key, or None where no register was given: then nobody can be unregistered.
    """

    def __init__(
        self,
        zones: Iterable[Zone] = (),
        permits: Iterable[Permit] = (),
        footprints: Iterable[Footprint] = (),
        vehicles: Mapping[str, Vehicle] | None = None,
        corridors: Iterable[Corridor] = (),
    ) -> None:
        self.zones = {zone.id: zone for zone in zones}
        self.footprints = {footprint.id: footprint for footprint in footprints}
        self.permits = tuple(permits)
        self.vehicles = vehicles
        geometries = [zone.geometry for zone in self.zones.values()]
        geometries += [footprint.geometry for footprint in self.footprints.values()]
        corridors = tuple(corridors)
        geometries += [corridor.geometry for corridor in corridors]
        self._plane = _plane(geometries)
        self._corridors = Corridors(corridors, self._plane)
        self._zones = Layer([self._plane.to_metres(z.geometry) for z in self.zones.values()])
        self._footprints = Layer([self._plane.to_metres(f.geometry) for f in self.footprints.values()])
        self._permits = Layer([self._permit_area(permit) for permit in self.permits])
        self._zone_list = list(self.zones.values())
        self._zone_index = {zone: index for index, zone in enumerate(self.zones)}
        self._footprint_list = list(self.footprints.values())
        self._by_tail = _by_tail(vehicles or {})
        self._permit_ids = {permit.id: permit for permit in self.permits}
        self._in_zone: dict[str, list[Permit]] = defaultdict(list)
        for permit in self.permits:
            if permit.zone:
                self._in_zone[permit.zone].append(permit)

    @property
    def zone_names(self) -> dict[str, str]:
        """Name by zone id."""
        return {zone.id: zone.name for zone in self.zones.values()}

    def spot(self, place: Placement) -> Spot:
        """A place in the registry's own plane, for the questions below."""
        x, y = self._plane.xy(place.lon, place.lat)
        if len(place.outline) < 3:
            return Spot(x, y, place.error_m)
        outline = Polygon([self._plane.xy(lon, lat) for lon, lat in place.outline])
        if not outline.is_valid:
            outline = outline.buffer(0)
        return Spot(x, y, place.error_m, outline if outline.area > 0 else None)

    def zones_near(self, spot: Spot, metres: float = 0.0) -> list[ZoneMatch]:
        """Zones within `metres`, or within reach of the place's error, by id.

        `share` is that of the zone itself; see `share_within` for a zone grown by some metres.
        """
        reach = max(metres, SPREAD * spot.error_m)
        near = self._zones.near(spot.bounds, reach)
        if not near:
            return []
        found = []
        for index in near:
            area = self._zones.areas[index]
            distance = spot.distance_m(area)
            if distance <= reach:
                found.append(ZoneMatch(self._zone_list[index], spot.share(area), distance))
        return sorted(found, key=lambda match: match.zone.id)

    def share_within(self, spot: Spot, zone_id: str, metres: float) -> float:
        """The share of a place in a zone grown by `metres`."""
        return spot.share(self._zones.grown(self._zone_index[zone_id], metres))

    def metres_to(self, spot: Spot, zone_id: str) -> float:
        """Metres from the best estimate of a place to a zone, 0 inside."""
        return spot.distance_m(self._zones.areas[self._zone_index[zone_id]])

    def footprint_at(self, spot: Spot) -> FootprintMatch | None:
        """The building that most of a place lies on."""
        matches = self._on_footprints(spot)
        return max(matches, key=lambda m: (m.share, m.footprint.id), default=None)

    def built_share(self, spot: Spot) -> float:
        """The share of a place that lies on any building."""
        return min(1.0, sum(match.share for match in self._on_footprints(spot)))

    def permits_at(self, spot: Spot, scene: str) -> list[PermitMatch]:
        """Permits about `scene` at a place, whatever their days, by falling share, then by id."""
        found = []
        for index in self._permits.near(spot.bounds, SPREAD * spot.error_m):
            permit = self.permits[index]
            if permit.allows(scene):
                share = spot.share(self._permits.areas[index])
                if share > 0:
                    found.append(PermitMatch(permit, share))
        return sorted(found, key=lambda m: (-m.share, m.permit.id))

    def permits_in_zone(self, zone_id: str, scene: str) -> list[Permit]:
        """Permits about `scene` that are given for a whole zone, by id: for things without a place."""
        return sorted((p for p in self._in_zone.get(zone_id, ()) if p.allows(scene)), key=lambda p: p.id)

    def vehicle(self, plate: str) -> Vehicle | None:
        """The registered vehicle with this plate, however it is spaced or hyphenated."""
        return (self.vehicles or {}).get(plate_key(plate))

    def vehicles_like(self, tail: str) -> Sequence[Vehicle]:
        """The registered vehicles whose plate key is any province and then `tail`, in which one `?` may stand for
        any character."""
        return self._by_tail.get(tail, ())

    @property
    def corridors(self) -> Mapping[str, Corridor]:
        """By id."""
        return self._corridors.by_id

    def on_corridors(self, spot: Spot, corridor_ids: Iterable[str]) -> list[CorridorMatch]:
        """How a place lies to corridors, in their order.

        Raises:
            KeyError: there is no such corridor.
        """
        return [self._corridors.match(spot, name) for name in corridor_ids]

    def corridors_near(self, spot: Spot, metres: float) -> list[CorridorMatch]:
        """Corridors whose middle line is within `metres` of a place, the nearest first."""
        return self._corridors.near(spot, metres)

    def permit(self, permit_id: str) -> Permit | None:
        """The permit of this id."""
        return self._permit_ids.get(permit_id)

    def _permit_area(self, permit: Permit) -> BaseGeometry:
        if permit.circle:
            return self._plane.to_metres(circle(*permit.circle))
        if permit.footprint:
            outline = self._plane.to_metres(self.footprints[permit.footprint].geometry)
            return outline.buffer(FOOTPRINT_MARGIN_M)
        if permit.zone:
            return self._plane.to_metres(self.zones[permit.zone].geometry)
        raise ValueError(f"permit {permit.id!r} names no place")

    def _on_footprints(self, spot: Spot) -> list[FootprintMatch]:
        found = []
        for index in self._footprints.near(spot.bounds, SPREAD * spot.error_m):
            share = spot.share(self._footprints.areas[index])
            if share > 0:
                found.append(FootprintMatch(self._footprint_list[index], share))
        return found


def _by_tail(vehicles: Mapping[str, Vehicle]) -> dict[str, list[Vehicle]]:
    """Vehicles by plate key without its province, and by the same with each character masked."""
    found: dict[str, list[Vehicle]] = {}
    for key, vehicle in vehicles.items():
        tail = key[1:]
        found.setdefault(tail, []).append(vehicle)
        for slot in range(len(tail)):
            found.setdefault(f"{tail[:slot]}?{tail[slot + 1 :]}", []).append(vehicle)
    return found


def _plane(geometries: Sequence[BaseGeometry]) -> LocalPlane:
    if not geometries:
        return LocalPlane(0.0, 0.0)
    west, south, east, north = shapely.total_bounds(np.array(geometries, dtype=object))
    return LocalPlane(float(west + east) / 2.0, float(south + north) / 2.0)
