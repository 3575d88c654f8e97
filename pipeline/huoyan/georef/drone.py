"""Drone pictures: a ray through the pixel, turned by the gimbal's angles, down to the ground."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import atan2, degrees, hypot, isfinite, radians

import numpy as np

from huoyan.georef import lens, local
from huoyan.georef.picture import misfit, scale, world_from_camera
from huoyan.georef.spread import CIRCULAR, radius68
from huoyan.georef.terrain import Terrain
from huoyan.records import DronePose, FloatArray, Place, Placement, Point, Unplaced

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
    rotation: FloatArray
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
    ray_camera = np.array([ideal[0], ideal[1], 1.0])
    ray = view.rotation @ ray_camera
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
    east, north = (float(ray[i] / -ray[2] * drop) for i in (0, 1))
    lon, lat = local.to_degrees(east, north, view.origin)
    pixel_error = PIXEL_ERROR_PX * factors[0]
    covariance = _covariance(pose, view, ray_camera, ray, drop, (height_error, pixel_error))
    return Placement(lon, lat, radius68(covariance), method)


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
    x, y, z = (float(value) for value in view.rotation.T @ np.array([east, north, -drop]))
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
    return _View((lon, lat), height, world_from_camera(*angles), focal, centre)


def _number(value: float | None) -> float:
    assert value is not None
    return float(value)


def _drop_to_terrain(origin: Point, ray: FloatArray, altitude: float, terrain: Terrain) -> float | Unplaced:
    """How far below the camera the ray first meets the terrain, metres."""
    below = terrain.height(*origin)
    if below is None:
        return Unplaced("no height of the ground below the drone")
    if altitude <= below:
        return Unplaced(f"not above the ground: {altitude:.0f} m, ground at {below:.0f} m above sea level")

    def clearance(drop: float) -> float | None:
        lon, lat = local.to_degrees(float(ray[0] / -ray[2] * drop), float(ray[1] / -ray[2] * drop), origin)
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
    ray_camera: FloatArray,
    ray: FloatArray,
    drop: float,
    errors: tuple[float, float],
) -> FloatArray:
    """Covariance (2, 2) on the ground, square metres, of position, height, angles, focal length and pixel.

    `errors` are those of height (m) and pixel (px). The ground point is drop * (rx, ry) / -rz of the ray r,
    so all errors but that of the position come through two derivatives.
    """
    height_error, pixel_error = errors
    lean = ray[:2] / -ray[2]
    by_ray = drop / -ray[2] * np.column_stack([np.eye(2), lean])
    angle = radians(pose.angle_error_deg)
    # A small turn about any axis moves the ray across itself, equally in all directions.
    of_angles = angle**2 * (ray @ ray * np.eye(3) - np.outer(ray, ray))
    of_pixel = (pixel_error / view.focal) ** 2 * view.rotation[:, :2] @ view.rotation[:, :2].T
    stretch = FOCAL_ERROR * view.rotation[:, :2] @ ray_camera[:2]
    of_ray = of_angles + of_pixel + np.outer(stretch, stretch)
    result: FloatArray = by_ray @ of_ray @ by_ray.T
    result += (pose.position_error_m / CIRCULAR) ** 2 * np.eye(2) + height_error**2 * np.outer(lean, lean)
    return result
