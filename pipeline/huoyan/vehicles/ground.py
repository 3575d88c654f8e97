"""Where a vehicle is, as rules ask for it: by the error of its place, never by a point alone."""

from __future__ import annotations

from collections.abc import Collection
from math import hypot, log, sqrt

from huoyan.config import seconds
from huoyan.records import Placement
from huoyan.registry import Spot
from huoyan.registry.index import SPREAD
from huoyan.registry.local import LocalPlane
from huoyan.vehicles.case import Case
from huoyan.vehicles.context import Sighting

SITE_KINDS = ("disposal_site", "storage_yard")
"""Kinds of zones in which loads may be tipped."""
NEAR_M = 100.0
"""How far from a place corridors are looked for by name: half the width of a wide one."""
CROSSING_S = 300.0
"""A gate's second camera tells the same crossing again within this time."""


def reach_m(case: Case, spot: Spot) -> float:
    """How far from its best estimate a place may truly lie.

    The radius that holds it with the probability `limits.outside`, by the Rayleigh distribution of the distance. Not
    the probability of being inside an area is asked: of a vague place that is small for every small area.
    """
    return spot.sigma_m * sqrt(-2.0 * log(1.0 - case.limits.outside))


def beside_m(case: Case, spot: Spot) -> float:
    """Metres from a place to the edge of the nearest of a vehicle's corridors and sites; not above 0: on one."""
    if case.vehicle is None:
        return 0.0
    roads = case.registry.on_corridors(spot, case.vehicle.corridors)
    edges = [match.distance_m - match.corridor.width_m / 2.0 for match in roads]
    edges += [case.registry.metres_to(spot, site) - case.limits.margin_m for site in case.vehicle.all_sites]
    return min(edges, default=0.0)


def metres_off(case: Case, place: Placement) -> float | None:
    """Metres to the nearest of a vehicle's corridors and sites, where it surely is on none; else None."""
    spot = case.registry.spot(place)
    metres = beside_m(case, spot)
    return metres if metres > reach_m(case, spot) else None


def corridor_at(case: Case, place: Placement) -> str:
    """Name of the corridor that a place probably is on, whoever it is for; empty: of none."""
    near = case.registry.corridors_near(case.registry.spot(place), NEAR_M)
    return next((m.corridor.name for m in near if m.distance_m <= m.corridor.width_m / 2.0), "")


def disposal_site(case: Case) -> str | None:
    """The disposal site that a place is surely in: one of the vehicle's own, else the first by id."""
    if not isinstance(case.passage.place, Placement):
        return None
    near = case.registry.zones_near(case.registry.spot(case.passage.place))
    found = [m.zone.id for m in near if m.zone.kind == "disposal_site" and m.share >= case.limits.outside]
    own = case.vehicle.all_sites if case.vehicle else frozenset()
    return next((zone for zone in found if zone in own), found[0] if found else None)


def tipping_sites(case: Case) -> frozenset[str]:
    """Zones in which it may tip: sites of the county and its own."""
    drawn = {zone.id for zone in case.registry.zones.values() if zone.kind in SITE_KINDS}
    return frozenset(drawn | (case.vehicle.all_sites if case.vehicle else frozenset()))


def nearest_m(case: Case, spot: Spot, zones: Collection[str]) -> float:
    """Metres from a place to the nearest of some zones."""
    return min(case.registry.metres_to(spot, zone) for zone in zones)


def last_loaded(case: Case, site: str) -> str | None:
    """The site whose gate it left last before it came to `site`; None: nobody saw that."""
    here = case.passage.time
    for seen in case.sightings:
        age = (here - seen.time).total_seconds()
        if age < 0 or seen.site is None or (seen.site == site and age <= CROSSING_S):
            continue
        loads = seen.direction == "leave" and seen.site != site and age <= seconds(case.limits.trip)
        return seen.site if loads and not _tips_at(case, seen.site) else None
    return None


def expected(case: Case) -> bool:
    """Whether something speaks for it that this is the vehicle: it was on its way here, or the site or the road is
    its own."""
    vehicle, site = case.vehicle, case.context.site
    if vehicle is None:
        return False
    if site is None:
        beside = [beside_m(case, case.registry.spot(place)) for _, place in case.places]
        return bool(vehicle.corridors) and bool(beside) and max(beside) <= 0.0
    loads = [start for start, to in vehicle.trips if to == site]
    if case.passage.direction == "enter" and loads:
        return last_loaded(case, site) in loads
    return site in vehicle.all_sites


def speed_kmh(case: Case, place: Placement, seen: Sighting) -> float:
    """The least speed that takes it from an earlier sighting to this passage, errors and clocks in its favour."""
    if not isinstance(seen.place, Placement):
        return 0.0
    passage = case.passage
    by_road = case.context.road_m(seen.source_id, passage.source_id) if case.context.road_m else None
    metres = max(straight_m(seen.place, place), by_road or 0.0)
    metres -= SPREAD * (seen.place.error_m + place.error_m)
    after, before = passage.first_seen - seen.time, seen.time - passage.last_seen
    gap = max(0.0, after.total_seconds(), before.total_seconds()) + seconds(case.limits.clocks)
    return max(0.0, metres) / gap * 3.6


def straight_m(a: Placement, b: Placement) -> float:
    """Metres between two places of a county in a straight line."""
    plane = LocalPlane(a.lon, (a.lat + b.lat) / 2.0)
    (x1, y1), (x2, y2) = plane.xy(a.lon, a.lat), plane.xy(b.lon, b.lat)
    return hypot(x2 - x1, y2 - y1)


def _tips_at(case: Case, site: str) -> bool:
    """Whether loads are brought to a site: then what leaves it is empty."""
    zone = case.registry.zones.get(site)
    if case.vehicle and any(to == site for _, to in case.vehicle.trips):
        return True
    return zone is not None and zone.kind == "disposal_site"
