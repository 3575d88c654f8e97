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
    special happens there: a DJI gimbal at nadir may report yaw turned by 180 with roll 180, the same turn.
    """
    yaw, pitch, roll = radians(yaw_deg), radians(pitch_deg), radians(roll_deg)
    sy, cy, sp, cp, sr, cr = sin(yaw), cos(yaw), sin(pitch), cos(pitch), sin(roll), cos(roll)
    # Without roll: right = (cy, -sy, 0), down = (sy sp, cy sp, -cp), forward = (sy cp, cy cp, sp).
    return np.array(
        [
            [cr * cy + sr * sy * sp, cr * sy * sp - sr * cy, sy * cp],
            [sr * cy * sp - cr * sy, cr * cy * sp + sr * sy, cy * cp],
            [-sr * cp, -cr * cp, sp],
        ]
    )
