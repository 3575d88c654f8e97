"""Drone pictures: a ray through the pixel, turned by the gimbal's angles, down to the ground."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import atan2, degrees, hypot, isfinite, radians

from huoyan.georef import lens, local
from huoyan.georef.picture import misfit, scale, world_from_camera
from huoyan.georef.spread import CIRCULAR, radius68
from huoyan.georef.terrain import Terrain
from huoyan.records import DronePose, Place, Placement, Point, Unplaced

PIXEL_ERROR_PX = 2.0
FOCAL_ERROR = 0.015
"""Share by which a focal length from EXIF is off: 35 mm equivalents are rounded to whole millimetres."""
ALTITUDE_ERROR_M = 10.0
"""Added (as a square) where the height above sea level is used: it is far worse than that above take-off."""
MIN_DEPRESSION_DEG = 5.0
"""Shallower rays are refused: a degree of pitch moves them by more than a fifth of their length."""
NADIR_PITCH_DEG = -75.0
_MARCH = 400
_BISECT = 30


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A pose that is complete."""

    origin: Point
    height_m: float
    rotation: tuple[tuple[float, float, float], ...]
    """Rows for east, north, up; columns for the camera's right, down, forward."""
    focal: float
    centre: Point


def looks_down(pose: DronePose) -> bool:
    """Whether things are seen from above, so that the middle of a box is where they stand."""
    return pose.pitch_deg is not None and pose.pitch_deg <= NADIR_PITCH_DEG


def place_point(pose: DronePose, xy: Point, size: tuple[int, int], terrain: Terrain | None = None) -> Place:
    """The place on the ground seen at pixel (x, y) of a picture of `size`.

    Args:
        pose: where the camera was and how it looked.
        xy: pixel; the origin is the top left corner of the picture.
        size: (width, height) of the picture; another size than the pose's is scaled.
        terrain: heights of the ground above sea level. Used with the pose's height above sea level; without
            either, the ground is flat and as high as the take-off point.
    """
    view = _view(pose)
    if isinstance(view, Unplaced):
        return view
    factors = scale(size, pose.size)
    if factors is None:
        return Unplaced(misfit(size, pose.size, "its pose"))
    u = (xy[0] * factors[0] - view.centre[0]) / view.focal
    v = (xy[1] * factors[1] - view.centre[1]) / view.focal
    ideal = lens.undistort(u, v, pose.distortion)
    if ideal is None:
        return Unplaced("outside the picture circle of the lens")
    ray = tuple(row[0] * ideal[0] + row[1] * ideal[1] + row[2] for row in view.rotation)
    depression = degrees(atan2(-ray[2], hypot(ray[0], ray[1])))
    if depression <= 0.0:
        return Unplaced("above the horizon")
    if depression < MIN_DEPRESSION_DEG:
        return Unplaced(f"too shallow: {depression:.1f} degrees below the horizon")
    if terrain is None or pose.altitude_m is None or not isfinite(pose.altitude_m):
        drop, height_error, method = view.height_m, pose.height_error_m, "drone flat ground"
    else:
        found = _drop_to_terrain(view.origin, ray, pose.altitude_m, terrain)
        if isinstance(found, Unplaced):
            return found
        drop, height_error = found, hypot(pose.height_error_m, ALTITUDE_ERROR_M)
        method = "drone terrain"
    east, north = ray[0] / -ray[2] * drop, ray[1] / -ray[2] * drop
    lon, lat = local.to_degrees(east, north, view.origin)
    pixel_error = PIXEL_ERROR_PX * factors[0]
    error = radius68(*_covariance(pose, view, (ray, ideal), drop, (height_error, pixel_error)))
    return Placement(lon, lat, error, method)


def project(pose: DronePose, lon: float, lat: float, terrain: Terrain | None = None) -> Point | None:
    """Pixel (x, y) in a picture of the pose's size where a place on the ground is seen, inside it or not.

    Returns:
        None for a place behind the camera, one that no ray of the lens reaches, or an incomplete pose.
    """
    view = _view(pose)
    if isinstance(view, Unplaced):
        return None
    drop = view.height_m
    if terrain is not None and pose.altitude_m is not None:
        ground = terrain.height(lon, lat)
        if ground is None:
            return None
        drop = pose.altitude_m - ground
    east, north = local.to_metres(lon, lat, view.origin)
    right, down, forward = zip(*view.rotation, strict=True)
    x, y, z = (axis[0] * east + axis[1] * north - axis[2] * drop for axis in (right, down, forward))
    if z <= 0.0 or lens.bends_back(x / z, y / z, pose.distortion):
        return None
    u, v = lens.distort(x / z, y / z, pose.distortion)
    return view.centre[0] + view.focal * u, view.centre[1] + view.focal * v


@lru_cache(maxsize=4096)
def _view(pose: DronePose) -> _View | Unplaced:
    """The pose made ready, or what it lacks."""
    missing = [
        name
        for name, value in (
            ("GPS position", pose.lon),
            ("GPS position", pose.lat),
            ("height above take-off", pose.height_m),
            ("gimbal yaw", pose.yaw_deg),
            ("gimbal pitch", pose.pitch_deg),
            ("gimbal roll", pose.roll_deg),
            ("focal length", pose.focal_px),
        )
        if value is None or not isfinite(value)
    ]
    if missing:
        return Unplaced("no " + ", no ".join(dict.fromkeys(missing)))
    lon, lat, height, focal = (_number(v) for v in (pose.lon, pose.lat, pose.height_m, pose.focal_px))
    if height <= 0.0:
        return Unplaced(f"not above the ground: {height:.1f} m over take-off")
    if focal <= 0.0:
        return Unplaced("no focal length")
    angles = (_number(v) for v in (pose.yaw_deg, pose.pitch_deg, pose.roll_deg))
    centre = pose.centre or (pose.size[0] / 2.0, pose.size[1] / 2.0)
    rows = world_from_camera(*angles).tolist()
    return _View((lon, lat), height, tuple((r[0], r[1], r[2]) for r in rows), focal, centre)


def _number(value: float | None) -> float:
    assert value is not None
    return float(value)


def _drop_to_terrain(
    origin: Point, ray: tuple[float, ...], altitude: float, terrain: Terrain
) -> float | Unplaced:
    """How far below the camera the ray first meets the terrain, metres."""
    below = terrain.height(*origin)
    if below is None:
        return Unplaced("no height of the ground below the drone")
    if altitude <= below:
        return Unplaced(f"not above the ground: {altitude:.0f} m, ground at {below:.0f} m above sea level")

    def clearance(drop: float) -> float | None:
        lon, lat = local.to_degrees(ray[0] / -ray[2] * drop, ray[1] / -ray[2] * drop, origin)
        ground = terrain.height(lon, lat)
        return None if ground is None else altitude - drop - ground

    # Ground lower than below the drone lies farther along the ray: look down to twice the height.
    step = 2.0 * (altitude - below) / _MARCH
    drop = 0.0
    for _ in range(_MARCH):
        drop += step
        gap = clearance(drop)
        if gap is None:
            return Unplaced("no height of the ground there")
        if gap <= 0.0:
            return _bisect(clearance, drop - step, drop)
    return Unplaced("no ground found along the ray")


def _bisect(clearance: Callable[[float], float | None], above: float, below: float) -> float:
    for _ in range(_BISECT):
        middle = (above + below) / 2.0
        gap = clearance(middle)
        if gap is not None and gap > 0.0:
            above = middle
        else:
            below = middle
    return (above + below) / 2.0


def _covariance(
    pose: DronePose,
    view: _View,
    rays: tuple[tuple[float, ...], Point],
    drop: float,
    errors: tuple[float, float],
) -> tuple[float, float, float]:
    """Covariance (ee, en, nn) on the ground, m², of position, height, angles, focal length and pixel.

    `rays` are the ray in the world and its (x, y) in the camera, `errors` those of height (m) and pixel (px). The
    ground point is drop * (rx, ry) / -rz of the ray r. Where the ray moves by (a, b, c), the point moves by
    drop / -rz * (a + lean_x c, b + lean_y c).
    """
    (rx, ry, rz), (u, v) = rays
    height_error, pixel_error = errors
    lean_x, lean_y, reach = rx / -rz, ry / -rz, drop / -rz
    angle = radians(pose.angle_error_deg)
    length2 = rx * rx + ry * ry + rz * rz
    # The camera's own axes, as they move the ground point: right, down, and straight along (u, v).
    axes = [(row[0], row[1]) for row in view.rotation]
    right, down = (
        (reach * (axes[0][i] + lean_x * axes[2][i]), reach * (axes[1][i] + lean_y * axes[2][i]))
        for i in (0, 1)
    )
    stretch = (u * right[0] + v * down[0], u * right[1] + v * down[1])
    # A small turn about any axis moves the ray across itself, equally in all directions: |r|² I - r rᵀ. Along
    # itself the ray does not move the ground point, so the second part drops out.
    turned = angle * angle * length2 * reach * reach
    pixel = (pixel_error / view.focal) ** 2
    spot = (pose.position_error_m / CIRCULAR) ** 2
    rise = height_error * height_error

    def entry(i: int, j: int, same: float, leans: float) -> float:
        return (
            turned * (same + leans)
            + pixel * (right[i] * right[j] + down[i] * down[j])
            + FOCAL_ERROR**2 * stretch[i] * stretch[j]
            + spot * same
            + rise * leans
        )

    return (
        entry(0, 0, 1.0, lean_x * lean_x),
        entry(0, 1, 0.0, lean_x * lean_y),
        entry(1, 1, 1.0, lean_y * lean_y),
    )
