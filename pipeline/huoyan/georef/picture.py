"""Pictures that were scaled after they were taken, and the angles a camera looks in."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np

from huoyan.records import FloatArray, Point

_ASPECT_TOLERANCE = 0.02


def scale(size: tuple[int, int], reference: tuple[int, int]) -> Point | None:
    """Factors (x, y) from pixels of a picture of `size` to those of `reference`; None where shapes differ."""
    if size == reference:
        return 1.0, 1.0
    if min(*size, *reference) <= 0:
        return None
    sx, sy = reference[0] / size[0], reference[1] / size[1]
    return (sx, sy) if abs(sx / sy - 1.0) <= _ASPECT_TOLERANCE else None


def misfit(size: tuple[int, int], reference: tuple[int, int], of: str) -> str:
    """Why `scale` was None, as a reason for a user."""
    return (
        f"picture of {size[0]} x {size[1]} px has another shape than {of} "
        f"({reference[0]} x {reference[1]} px)"
    )


def world_from_camera(yaw_deg: float, pitch_deg: float, roll_deg: float) -> FloatArray:
    """Rotation (3, 3) from camera axes (x right, y down, z forward) to (east, north, up).

    Yaw is clockwise from north, pitch is up from the horizon, roll is clockwise as the camera sees it: its
    right side dips. Straight down (pitch -90) yaw is the direction of the top edge of the picture, so nothing
    special happens there: a DJI gimbal at nadir may report yaw turned by 180 with roll 180, the same rotation.
    """
    yaw, pitch, roll = radians(yaw_deg), radians(pitch_deg), radians(roll_deg)
    forward = np.array([sin(yaw) * cos(pitch), cos(yaw) * cos(pitch), sin(pitch)])
    level_right = np.array([cos(yaw), -sin(yaw), 0.0])
    level_down = np.cross(forward, level_right)
    right = cos(roll) * level_right + sin(roll) * level_down
    down = cos(roll) * level_down - sin(roll) * level_right
    return np.column_stack([right, down, forward])
