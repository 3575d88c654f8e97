"""A fixed camera at run time: pixel to flat ground through its homography, with an honest error radius."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import hypot

import numpy as np

from huoyan.georef import lens, local
from huoyan.georef.picture import misfit, scale
from huoyan.georef.spread import CIRCULAR, radius68
from huoyan.records import FloatArray, GroundPlane, Place, Placement, Point, Ring, Unplaced

MOST_ERROR_M = 100.0
"""A place known worse than this is no place."""
SLOPE = 0.05
"""Metres of further error for each metre outside the control points: real ground departs from flat."""
REACH = 1.5
"""How many diameters of the calibrated area a point may lie outside it."""
REACH_FLOOR_M = 30.0
_HORIZON = 1e-9


@dataclass(frozen=True, slots=True)
class CalibratedPlane(GroundPlane):
    """A ground plane that knows how well it is known.

    `covariance` (row-major 9x9) is that of the nine numbers of `matrix`, which is scaled so that w > 0 on the
    visible ground. `area` is the hull of the control points in metres from `origin`; empty without any.
    """

    covariance: tuple[float, ...] = ()
    area: Ring = ()


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    matrix: FloatArray
    inverse: FloatArray | None
    covariance: FloatArray | None
    area: FloatArray | None
    reach_m: float


def place_point(plane: GroundPlane, xy: Point, size: tuple[int, int]) -> Place:
    """The place on the ground seen at pixel (x, y) of a picture of `size`."""
    factors = scale(size, plane.size)
    if factors is None:
        return Unplaced(misfit(size, plane.size, "the calibration"))
    x, y = xy[0] * factors[0], xy[1] * factors[1]
    if plane.intrinsics and any(plane.distortion):
        fx, fy, cx, cy = plane.intrinsics
        ideal = lens.undistort((x - cx) / fx, (y - cy) / fy, plane.distortion)
        if ideal is None:
            return Unplaced("outside the picture circle of the lens")
        x, y = cx + fx * ideal[0], cy + fy * ideal[1]
    view = _view(plane)
    e, n, w = (float(value) for value in view.matrix @ (x, y, 1.0))
    if w <= _HORIZON * plane.size[1]:
        return Unplaced("above the horizon")
    east, north = e / w, n / w
    if hypot(east, north) > plane.horizon_guard_m:
        return Unplaced(f"beyond {plane.horizon_guard_m:.0f} m, too near the horizon")
    outside = 0.0 if view.area is None else distance_outside(view.area, east, north)
    if outside > view.reach_m:
        return Unplaced(f"{outside:.0f} m outside the area of the control points")
    error = radius68(_covariance(plane, view, (x, y), (east, north, w), factors[0], outside))
    if error > MOST_ERROR_M:
        return Unplaced(f"too near the horizon: known to {error:.0f} m only")
    lon, lat = local.to_degrees(east, north, plane.origin)
    return Placement(lon, lat, error, plane.method)


def project(plane: GroundPlane, lon: float, lat: float) -> Point | None:
    """Pixel (x, y) in a picture of the plane's size where a place is seen, inside it or not; None behind."""
    return pixel_at(plane, *local.to_metres(lon, lat, plane.origin))


def pixel_at(plane: GroundPlane, east: float, north: float) -> Point | None:
    """As `project`, for a place in metres from the plane's origin."""
    view = _view(plane)
    if view.inverse is None:
        return None
    x, y, w = (float(value) for value in view.inverse @ (east, north, 1.0))
    # The inverse is scaled so that w > 0 in front of the camera.
    if w <= 0.0:
        return None
    x, y = x / w, y / w
    if plane.intrinsics and any(plane.distortion):
        fx, fy, cx, cy = plane.intrinsics
        u, v = (x - cx) / fx, (y - cy) / fy
        if lens.bends_back(u, v, plane.distortion):
            return None
        u, v = lens.distort(u, v, plane.distortion)
        x, y = cx + fx * u, cy + fy * v
    return x, y


def distance_outside(ring: FloatArray, east: float, north: float) -> float:
    """How far a point lies outside a convex ring (N, 2), metres; 0 inside."""
    start = ring
    along = np.roll(ring, -1, axis=0) - start
    to = np.array([east, north]) - start
    turn = along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0]
    if (turn >= 0.0).all() or (turn <= 0.0).all():
        return 0.0
    length2 = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip((along * to).sum(axis=1) / length2, 0.0, 1.0)
    return float(np.sqrt(((to - share[:, None] * along) ** 2).sum(axis=1).min()))


@lru_cache(maxsize=1024)
def _view(plane: GroundPlane) -> _View:
    matrix = np.array(plane.matrix, dtype=np.float64).reshape(3, 3)
    covariance: FloatArray | None = None
    area: FloatArray | None = None
    reach = float("inf")
    if isinstance(plane, CalibratedPlane):
        if plane.covariance:
            covariance = np.array(plane.covariance, dtype=np.float64).reshape(9, 9)
        if len(plane.area) >= 3:
            area = np.array(plane.area, dtype=np.float64)
            reach = max(REACH_FLOOR_M, REACH * float(np.ptp(area, axis=0).max()))
    elif matrix[2] @ (plane.size[0] / 2.0, plane.size[1], 1.0) < 0.0:
        # A matrix from elsewhere may have either sign; the ground is where the bottom edge looks.
        matrix = -matrix
    # For w > 0 on the ground and (x, y, 1) = t * inverse @ (east, north, 1), t = w: the sign carries over.
    determinant = np.linalg.det(matrix)
    inverse = np.linalg.inv(matrix).astype(np.float64) if abs(determinant) > 1e-300 else None
    return _View(matrix, inverse, covariance, area, reach)


def _covariance(
    plane: GroundPlane,
    view: _View,
    xy: Point,
    ground: tuple[float, float, float],
    factor: float,
    outside: float,
) -> FloatArray:
    """Covariance (2, 2) on the ground, square metres: pixel, matrix, control and departure from flat."""
    east, north, w = ground
    rows = view.matrix
    by_pixel = (rows[:2, :2] - np.outer((east, north), rows[2, :2])) / w
    result: FloatArray = (plane.pixel_error_px * factor) ** 2 * by_pixel @ by_pixel.T
    if view.covariance is not None:
        pixel = np.array([xy[0], xy[1], 1.0]) / w
        by_matrix = np.zeros((2, 9))
        by_matrix[0, 0:3] = by_matrix[1, 3:6] = pixel
        by_matrix[0, 6:9], by_matrix[1, 6:9] = -east * pixel, -north * pixel
        result += by_matrix @ view.covariance @ by_matrix.T
    result += ((plane.ground_error_m / CIRCULAR) ** 2 + (SLOPE * outside) ** 2) * np.eye(2)
    return result
