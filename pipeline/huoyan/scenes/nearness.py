"""When two places with errors may be one."""

from __future__ import annotations

from math import hypot

import shapely

from huoyan import georef
from huoyan.georef import local
from huoyan.records import Placement
from huoyan.registry.spot import SIGMA_PER_RADIUS

FLOOR_M = 15.0
CEILING_M = 300.0
"""However uncertain two places are, things further apart than this are two stories."""


def same_place_m(error_a: float, error_b: float, reach: float = 0.0) -> float:
    """Metres within which two places with these 68 % radii are one: three sigma of both combined, or `reach`."""
    return min(CEILING_M, max(FLOOR_M, reach, 3.0 * SIGMA_PER_RADIUS * hypot(error_a, error_b)))


def distance_m(a: Placement, b: Placement) -> float:
    """Metres between two places, from edge to edge where they have outlines."""
    if not a.outline and not b.outline:
        return georef.distance_m(a, b)
    origin = (a.lon, a.lat)
    return float(shapely.distance(_shape(a, origin), _shape(b, origin)))


def one_place(a: Placement, b: Placement, reach: float = 0.0) -> bool:
    """Whether two places may be one, or parts of one thing that is `reach` metres across."""
    return distance_m(a, b) <= same_place_m(a.error_m, b.error_m, reach)


def _shape(place: Placement, origin: tuple[float, float]) -> shapely.Geometry:
    if len(place.outline) < 3:
        return shapely.Point(*local.to_metres(place.lon, place.lat, origin))
    east, north = local.to_metres([p[0] for p in place.outline], [p[1] for p in place.outline], origin)
    polygon = shapely.Polygon(list(zip(east, north, strict=True)))
    return polygon if polygon.is_valid else polygon.buffer(0)
