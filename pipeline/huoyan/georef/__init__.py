"""Where a pixel is on the ground: fixed cameras, drones and rasters behind one set of functions.

Every answer is a `Placement` with its 68 % error radius and method, or an `Unplaced` that says why.
"""

from __future__ import annotations

from huoyan.georef import drone, local, plane, raster
from huoyan.georef.terrain import Terrain
from huoyan.records import (
    Box,
    Detection,
    DronePose,
    Ground,
    GroundPlane,
    Place,
    Placement,
    Point,
    RasterGrid,
    Ring,
    Unplaced,
)

__all__ = ["contact_point", "distance_m", "ground_area_m2", "place", "place_point", "project"]


def place_point(ground: Ground, xy: Point, size: tuple[int, int], terrain: Terrain | None = None) -> Place:
    """The place on the ground at pixel `xy` of a picture of `size` (width, height).

    Args:
        ground: how the picture sees the ground.
        xy: pixel (x, y); the origin is the top left corner of the top left pixel.
        size: (width, height) of the picture of `xy`; a scaled copy of the one `ground` describes will do.
        terrain: heights of the ground, used for drones only.
    """
    match ground:
        case GroundPlane():
            return plane.place_point(ground, xy, size)
        case DronePose():
            return drone.place_point(ground, xy, size, terrain)
        case RasterGrid():
            return raster.place_point(ground, xy, size)
        case Unplaced():
            return ground


def place(
    ground: Ground, detection: Detection, size: tuple[int, int], terrain: Terrain | None = None
) -> Place:
    """The place of a detection: where it stands, and its outline where an area is seen from above.

    See `place_point` for the arguments and `contact_point` for the pixel that is taken.
    """
    xy = contact_point(ground, detection)
    if isinstance(ground, RasterGrid) and len(detection.polygon) >= 3:
        return raster.place_outline(ground, xy, detection.polygon, size)
    return place_point(ground, xy, size, terrain)


def contact_point(ground: Ground, detection: Detection) -> Point:
    """The pixel of a detection that lies on the ground.

    The middle of the bottom edge where the camera looks across; the middle of the box (or the centroid of the
    polygon) where it looks down: rasters, and drones with a pitch of -75 degrees or steeper.
    """
    left, top, right, bottom = detection.box
    if isinstance(ground, RasterGrid) or (isinstance(ground, DronePose) and drone.looks_down(ground)):
        if len(detection.polygon) >= 3:
            return _centroid(detection.polygon)
        return (left + right) / 2.0, (top + bottom) / 2.0
    return (left + right) / 2.0, bottom


def project(ground: Ground, lon: float, lat: float, size: tuple[int, int] | None = None) -> Point | None:
    """The pixel where a place on the ground is seen, for drawing; it may lie outside the picture.

    Args:
        ground: how the picture sees the ground.
        lon: degrees.
        lat: degrees.
        size: (width, height) of the picture to draw on; by default the one `ground` describes.

    Returns:
        (x, y), or None where the place is behind the camera or the picture has no place.
    """
    match ground:
        case GroundPlane():
            found = plane.project(ground, lon, lat)
        case DronePose():
            found = drone.project(ground, lon, lat)
        case RasterGrid():
            found = raster.project(ground, lon, lat)
        case Unplaced():
            return None
    if found is None or size is None:
        return found
    return found[0] * size[0] / ground.size[0], found[1] * size[1] / ground.size[1]


def distance_m(a: Placement | Point, b: Placement | Point) -> float:
    """Metres between two places, along the ellipsoid; right across longitude 180 and at any distance."""
    return local.geodesic_m(_lon_lat(a), _lon_lat(b))


def ground_area_m2(ground: Ground, detection: Detection, size: tuple[int, int]) -> float | None:
    """Square metres of ground that a detection covers; None where it cannot be placed.

    Seen from above: the area of its polygon, else of its box. Seen from across, a box says how wide a thing
    is, and its top edge only bounds how deep: the width times the smaller of width and depth is returned.
    """
    from_above = isinstance(ground, RasterGrid) or (
        isinstance(ground, DronePose) and drone.looks_down(ground)
    )
    if from_above or len(detection.polygon) >= 3:
        ring = _on_ground(
            ground, detection.polygon if len(detection.polygon) >= 3 else _corners(detection.box), size
        )
        return None if ring is None else _area(ring)
    left, top, right, bottom = detection.box
    feet = _on_ground(ground, ((left, bottom), (right, bottom)), size)
    if feet is None:
        return None
    width = distance_m(*feet)
    middle = (left + right) / 2.0
    depth = _on_ground(ground, ((middle, bottom), (middle, top)), size)
    return width * (width if depth is None else min(width, distance_m(*depth)))


def _on_ground(ground: Ground, pixels: Ring, size: tuple[int, int]) -> list[Point] | None:
    places = [place_point(ground, pixel, size) for pixel in pixels]
    found = [(p.lon, p.lat) for p in places if isinstance(p, Placement)]
    return found if len(found) == len(places) else None


def _area(ring: list[Point]) -> float:
    east, north = local.to_metres([p[0] for p in ring], [p[1] for p in ring], ring[0])
    return local.polygon_area_m2(list(zip(east, north, strict=True)))


def _corners(box: Box) -> Ring:
    left, top, right, bottom = box
    return (left, top), (right, top), (right, bottom), (left, bottom)


def _centroid(ring: Ring) -> Point:
    """Centroid of the area; the mean of the corners where the ring has none."""
    x0, y0 = ring[0]
    area = sum_x = sum_y = 0.0
    for (xa, ya), (xb, yb) in zip(ring, ring[1:] + ring[:1], strict=True):
        cross = (xa - x0) * (yb - y0) - (xb - x0) * (ya - y0)
        area += cross
        sum_x += cross * (xa + xb - 2.0 * x0)
        sum_y += cross * (ya + yb - 2.0 * y0)
    if abs(area) < 1e-12:
        return sum(p[0] for p in ring) / len(ring), sum(p[1] for p in ring) / len(ring)
    return x0 + sum_x / (3.0 * area), y0 + sum_y / (3.0 * area)


def _lon_lat(place: Placement | Point) -> Point:
    return (place.lon, place.lat) if isinstance(place, Placement) else place
