"""A camera with a known pose that sees known points, with noise and blunders where wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from huoyan import config
from huoyan.georef import camera, local, plane
from huoyan.georef.points import ControlPoint
from huoyan.records import FloatArray, Point

ORIGIN = (120.9012, 29.4987)
SIZE = (1280, 720)
POSE = config.Pose(height_m=12.0, yaw_deg=35.0, pitch_deg=-18.0, roll_deg=2.0, hfov_deg=65.0)


def true_plane(pose: config.Pose = POSE, size: tuple[int, int] = SIZE) -> plane.CalibratedPlane:
    return camera.from_pose(ORIGIN, pose, size)


def spread(count: int, seed: int = 1) -> FloatArray:
    """Pixels all over the ground of the picture."""
    random = np.random.default_rng(seed)
    return np.column_stack([random.uniform(60, 1220, count), random.uniform(230, 700, count)])


def control(
    count: int,
    *,
    seed: int = 1,
    pixel_noise: float = 0.0,
    ground_noise: float = 0.0,
    k1: float = 0.0,
    checks: int = 0,
    metres: bool = False,
) -> list[ControlPoint]:
    """Points seen by `POSE`; the last `checks` of them are marked check."""
    random = np.random.default_rng(seed + 100)
    ground = true_plane()
    matrix = np.array(ground.matrix).reshape(3, 3)
    focal = SIZE[0] / 2 / np.tan(np.radians(POSE.hfov_deg / 2))
    points = []
    for index, pixel in enumerate(spread(count, seed)):
        east, north, w = matrix @ (*pixel, 1.0)
        place = np.array([east / w, north / w]) + random.normal(0, ground_noise, 2)
        x, y = (pixel - np.array(SIZE) / 2) / focal
        seen = np.array(SIZE) / 2 + focal * (1 + k1 * (x * x + y * y)) * np.array([x, y])
        seen = seen + random.normal(0, pixel_noise, 2)
        where = (float(place[0]), float(place[1])) if metres else local.to_degrees(*place.tolist(), ORIGIN)
        use = "check" if index >= count - checks else "fit"
        points.append(
            ControlPoint(f"p{index}", index + 2, (float(seen[0]), float(seen[1])), where, not metres, use)
        )
    return points


def moved(points: list[ControlPoint], index: int, by_px: Point) -> list[ControlPoint]:
    """The same points with one clicked wrongly."""
    x, y = points[index].pixel
    wrong = replace(points[index], pixel=(x + by_px[0], y + by_px[1]))
    return [*points[:index], wrong, *points[index + 1 :]]


def as_csv(points: list[ControlPoint]) -> str:
    columns = "lon,lat" if points[0].degrees else "east_m,north_m"
    rows = [f"{p.name},{p.pixel[0]},{p.pixel[1]},{p.ground[0]:.9f},{p.ground[1]:.9f},{p.use}" for p in points]
    return "\n".join([f"name,px_x,px_y,{columns},use", *rows, ""])
