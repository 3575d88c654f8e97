"""Brown's lens model (Brown 1971, as in OpenCV): radial k1, k2, k3 and tangential p1, p2.

Coordinates are those of the normalised image plane: ((x - cx) / fx, (y - cy) / fy).
"""

from __future__ import annotations

from typing import TypeVar

from huoyan.records import FloatArray, Point

Number = TypeVar("Number", float, FloatArray)
_MOST_STEPS = 25
_TOLERANCE = 1e-12


def distort(x: Number, y: Number, coefficients: tuple[float, ...]) -> tuple[Number, Number]:
    """Where a point of an ideal picture falls in the real one. `coefficients`: (k1, k2, p1, p2, k3)."""
    k1, k2, p1, p2, k3 = (*coefficients, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return (
        x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
        y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
    )


def undistort(x: float, y: float, coefficients: tuple[float, ...]) -> Point | None:
    """The ideal point behind a real one, by Newton's method from the point itself.

    Returns:
        None where the model folds over before it reaches the point: no ray of the lens leads there.
    """
    if not any(coefficients):
        return x, y
    u, v = x, y
    for _ in range(_MOST_STEPS):
        (xx, xy, yx, yy) = _slope(u, v, coefficients)
        determinant = xx * yy - xy * yx
        if determinant <= 0.0:
            return None
        found_x, found_y = distort(u, v, coefficients)
        miss_x, miss_y = x - found_x, y - found_y
        u += (yy * miss_x - xy * miss_y) / determinant
        v += (xx * miss_y - yx * miss_x) / determinant
        if abs(miss_x) + abs(miss_y) < _TOLERANCE:
            return u, v
    return None


def bends_back(x: float, y: float, coefficients: tuple[float, ...]) -> bool:
    """Whether the model, far outside the picture it was fitted on, folds over at this ideal point."""
    if not any(coefficients):
        return False
    # Checked along the way out from the centre: past a fold the slope may look sound again.
    for share in (0.25, 0.5, 0.75, 1.0):
        xx, xy, yx, yy = _slope(x * share, y * share, coefficients)
        if xx * yy - xy * yx <= 0.0:
            return True
    return False


def _slope(x: float, y: float, coefficients: tuple[float, ...]) -> tuple[float, float, float, float]:
    """Derivatives of `distort`: dx/dx, dx/dy, dy/dx, dy/dy."""
    k1, k2, p1, p2, k3 = (*coefficients, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    growth = 2.0 * (k1 + r2 * (2.0 * k2 + 3.0 * r2 * k3))
    cross = growth * x * y + 2.0 * p1 * x + 2.0 * p2 * y
    return (
        radial + growth * x * x + 2.0 * p1 * y + 6.0 * p2 * x,
        cross,
        cross,
        radial + growth * y * y + 6.0 * p1 * y + 2.0 * p2 * x,
    )
