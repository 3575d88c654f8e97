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
    """A plane made ready for plain arithmetic: it runs for every detection, where arrays of nine cost more."""

    matrix: tuple[float, ...]
    inverse: tuple[float, ...] | None
    blocks: tuple[tuple[float, ...], ...]
    """The 3x3 blocks (00, 01, 02, 11, 12, 22) of the covariance, each as the six coefficients of the quadratic
    form in (x, y, 1): x², xy, y², x, y, 1."""
    area: Ring
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
    m = view.matrix
    w = m[6] * x + m[7] * y + m[8]
    if w <= _HORIZON * plane.size[1]:
        return Unplaced("above the horizon")
    east, north = (m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w
    if hypot(east, north) > plane.horizon_guard_m:
        return Unplaced(f"beyond {plane.horizon_guard_m:.0f} m, too near the horizon")
    outside = distance_outside(view.area, east, north) if view.area else 0.0
    if outside > view.reach_m:
        return Unplaced(f"{outside:.0f} m outside the area of the control points")
    error = radius68(*_covariance(plane, view, (x, y, w), (east, north), factors[0], outside))
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
    i = view.inverse
    w = i[6] * east + i[7] * north + i[8]
    # The inverse is scaled so that w > 0 in front of the camera.
    if w <= 0.0:
        return None
    x, y = (i[0] * east + i[1] * north + i[2]) / w, (i[3] * east + i[4] * north + i[5]) / w
    if plane.intrinsics and any(plane.distortion):
        fx, fy, cx, cy = plane.intrinsics
        u, v = (x - cx) / fx, (y - cy) / fy
        if lens.bends_back(u, v, plane.distortion):
            return None
        u, v = lens.distort(u, v, plane.distortion)
        x, y = cx + fx * u, cy + fy * v
    return x, y


def distance_outside(ring: Ring, east: float, north: float) -> float:
    """How far a point lies outside a convex ring, metres; 0 inside."""
    least = float("inf")
    left = right = False
    for (xa, ya), (xb, yb) in zip(ring, ring[1:] + ring[:1], strict=True):
        along_x, along_y, to_x, to_y = xb - xa, yb - ya, east - xa, north - ya
        turn = along_x * to_y - along_y * to_x
        left, right = left or turn > 0.0, right or turn < 0.0
        length2 = max(along_x**2 + along_y**2, 1e-12)
        share = min(max((along_x * to_x + along_y * to_y) / length2, 0.0), 1.0)
        least = min(least, hypot(to_x - share * along_x, to_y - share * along_y))
    return least if left and right else 0.0


@lru_cache(maxsize=1024)
def _view(plane: GroundPlane) -> _View:
    matrix = np.array(plane.matrix, dtype=np.float64).reshape(3, 3)
    blocks: tuple[tuple[float, ...], ...] = ()
    area: Ring = ()
    reach = float("inf")
    if isinstance(plane, CalibratedPlane):
        if plane.covariance:
            blocks = _blocks(np.array(plane.covariance, dtype=np.float64).reshape(9, 9))
        if len(plane.area) >= 3:
            area = plane.area
            reach = max(REACH_FLOOR_M, REACH * float(np.ptp(np.array(area), axis=0).max()))
    elif matrix[2] @ (plane.size[0] / 2.0, plane.size[1], 1.0) < 0.0:
        # A matrix from elsewhere may have either sign; the ground is where the bottom edge looks.
        matrix = -matrix
    # (x, y, 1) = w * inverse @ (east, north, 1): the third row of the inverse gives 1 / w, so signs carry over.
    singular = abs(np.linalg.det(matrix)) < 1e-300
    inverse = None if singular else tuple(np.linalg.inv(matrix).ravel().tolist())
    return _View(tuple(matrix.ravel().tolist()), inverse, blocks, area, reach)


def _blocks(covariance: FloatArray) -> tuple[tuple[float, ...], ...]:
    result = []
    for row, column in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
        block = covariance[3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
        both = block + block.T
        result.append(
            tuple(
                float(c) for c in (block[0, 0], both[0, 1], block[1, 1], both[0, 2], both[1, 2], block[2, 2])
            )
        )
    return tuple(result)


def _covariance(
    plane: GroundPlane,
    view: _View,
    pixel: tuple[float, float, float],
    ground: Point,
    factor: float,
    outside: float,
) -> tuple[float, float, float]:
    """Covariance (ee, en, nn) on the ground, m²: pixel, matrix, control and departure from flat.

    With p = (x, y, 1) / w, east and north move by (p, 0, -east p) and (0, p, -north p) with the three rows of
    the matrix.
    """
    x, y, w = pixel
    east, north = ground
    m = view.matrix
    e_x, e_y = (m[0] - east * m[6]) / w, (m[1] - east * m[7]) / w
    n_x, n_y = (m[3] - north * m[6]) / w, (m[4] - north * m[7]) / w
    of_pixel = (plane.pixel_error_px * factor) ** 2
    flat = (plane.ground_error_m / CIRCULAR) ** 2 + (SLOPE * outside) ** 2
    ee = of_pixel * (e_x * e_x + e_y * e_y) + flat
    en = of_pixel * (e_x * n_x + e_y * n_y)
    nn = of_pixel * (n_x * n_x + n_y * n_y) + flat
    if view.blocks:
        form = (x * x, x * y, y * y, x, y, 1.0)
        c00, c01, c02, c11, c12, c22 = (
            sum(c * f for c, f in zip(block, form, strict=True)) / (w * w) for block in view.blocks
        )
        ee += c00 - 2.0 * east * c02 + east * east * c22
        en += c01 - north * c02 - east * c12 + east * north * c22
        nn += c11 - 2.0 * north * c12 + north * north * c22
    return ee, en, nn
