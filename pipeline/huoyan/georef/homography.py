"""Homography from picture to ground by the normalised DLT (Hartley and Zisserman 2004, section 4.4)."""

from __future__ import annotations

import numpy as np

from huoyan.errors import GeoreferenceError
from huoyan.georef.noise import Noise
from huoyan.records import FloatArray

_STEP = 1e-4
_THIN = 1e-3
"""Points whose spread across is less than this share of that along lie on a line."""


def fit(pixels: FloatArray, ground: FloatArray) -> FloatArray:
    """Matrix (3, 3) that maps (x, y, 1) to (east, north, w), w > 0 at the points; scaled to norm 1.

    Args:
        pixels: (N, 2), N >= 4.
        ground: (N, 2) metres.

    Raises:
        GeoreferenceError: too few points, all on one line, or on both sides of the horizon they imply.
    """
    if len(pixels) < 4:
        raise GeoreferenceError(f"expected at least 4 points, got {len(pixels)}", code="too_few_points")
    to_pixels, to_ground = _normaliser(pixels), _normaliser(ground)
    a, b = apply(to_pixels, pixels), apply(to_ground, ground)
    ones, zeros = np.ones(len(a)), np.zeros((len(a), 3))
    p = np.column_stack([a, ones])
    rows = np.vstack(
        [
            np.column_stack([p, zeros, -b[:, :1] * p]),
            np.column_stack([zeros, p, -b[:, 1:] * p]),
        ]
    )
    solution = np.linalg.svd(rows)[2][-1].reshape(3, 3)
    matrix: FloatArray = np.linalg.inv(to_ground) @ solution @ to_pixels
    depth = matrix[2] @ np.column_stack([pixels, ones]).T
    if abs(np.sign(depth).sum()) != len(depth) or abs(np.linalg.det(solution)) < 1e-12:
        raise GeoreferenceError(
            "the points do not fit any view of flat ground: some would lie above the horizon",
            hint="check the points for mix-ups",
            code="no_plane",
        )
    result: FloatArray = matrix * (np.sign(depth[0]) / np.linalg.norm(matrix))
    return result


def apply(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Map (N, 2) points through a homography."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    result: FloatArray = mapped[:, :2] / mapped[:, 2:]
    return result


def jacobian(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Derivatives (N, 2, 2) of `apply` at the points."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    depth = mapped[:, 2]
    place = mapped[:, :2] / depth[:, None]
    result: FloatArray = (matrix[None, :2, :2] - place[:, :, None] * matrix[None, 2:, :2]) / depth[
        :, None, None
    ]
    return result


def whitened(matrix: FloatArray, pixels: FloatArray, ground: FloatArray, noise: Noise) -> FloatArray:
    """Residuals (N, 2) of a homography in units of their standard deviation, to first order."""
    slope = jacobian(matrix, pixels)
    spread = noise.pixel_px**2 * slope @ slope.transpose(0, 2, 1) + noise.ground_m**2 * np.eye(2)
    miss = apply(matrix, pixels) - ground
    result: FloatArray = np.linalg.solve(np.linalg.cholesky(spread), miss[:, :, None])[:, :, 0]
    return result


def covariance(pixels: FloatArray, ground: FloatArray, noise: Noise) -> FloatArray:
    """Covariance (9, 9) of the matrix that `fit` finds, from moving each measurement a little."""
    measured = np.column_stack([pixels, ground])
    deviation = np.array([noise.pixel_px, noise.pixel_px, noise.ground_m, noise.ground_m])
    best = fit(pixels, ground)
    result = np.zeros((9, 9))
    for point in range(len(measured)):
        for column in range(4):
            moved = measured.copy()
            moved[point, column] += _STEP
            found = fit(moved[:, :2], moved[:, 2:])
            slope = (found - best).ravel() / _STEP * deviation[column]
            result += np.outer(slope, slope)
    return result


def on_a_line(points: FloatArray) -> bool:
    """Whether (N, 2) points lie on one line, as good as."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[-1] <= _THIN * spread[0])


def _normaliser(points: FloatArray) -> FloatArray:
    """Similarity (3, 3) that brings points to mean 0 and mean distance sqrt(2)."""
    if on_a_line(points):
        raise GeoreferenceError(
            "all points lie on one line", hint="spread the control points over the ground", code="on_a_line"
        )
    middle = points.mean(axis=0)
    factor = np.sqrt(2.0) / np.linalg.norm(points - middle, axis=1).mean()
    return np.array([[factor, 0.0, -factor * middle[0]], [0.0, factor, -factor * middle[1]], [0.0, 0.0, 1.0]])
