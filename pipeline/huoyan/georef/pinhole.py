"""A camera on a mast as a model of the homography, with what is known of such cameras.

Eleven numbers describe the camera and its ground: yaw, pitch, roll, height, east, north, focal length,
pixel aspect, the slope of the ground both ways, and the lens's k1. They cover every homography. Most have a
wide prior (a fixed camera hangs nearly level, some metres up; ground is nearly flat), so a few control points
give a sensible camera, and many points decide for themselves. The fit is the maximum a posteriori by least squares
on pixel residuals, each weighted by the noise of the click and of the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, radians

import numpy as np
from scipy.optimize import least_squares

from huoyan.errors import GeoreferenceError
from huoyan.georef import homography, noise
from huoyan.georef.noise import Noise
from huoyan.georef.picture import world_from_camera
from huoyan.records import FloatArray

YAW, PITCH, ROLL, LOG_HEIGHT, EAST, NORTH, LOG_FOCAL, LOG_ASPECT, SLOPE_EAST, SLOPE_NORTH, K1 = range(11)
"""Places in the vector of parameters; angles in radians, LOG_FOCAL in units of the picture's longer side."""
_PRIOR_MEAN = np.array([0, radians(-20), 0, log(10), 0, 0, log(0.9), 0, 0, 0, 0])
_PRIOR_DEVIATION = np.array(
    [np.inf, radians(15), radians(3), 0.7, np.inf, np.inf, 0.4, 0.01, 0.03, 0.03, 0.1]
)
_ODD_ASPECT_DEVIATION = 0.4
_USUAL_ASPECTS = (16 / 9, 4 / 3, 5 / 4, 3 / 2, 16 / 10, 11 / 9, 1.9, 21 / 9)
"""Other shapes of picture were squeezed or cropped, so that their pixels may not be square."""
_ROUNDS = 3
_BEHIND = 1e-6
_ROUGHLY = 0.03
"""Pixel error that counts as one when a start is sought, in picture widths."""
_GOOD_ENOUGH = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A fitted camera: parameters, their covariance (both of eleven), and how noisy the points turned out."""

    parameters: FloatArray
    covariance: FloatArray
    noise: Noise
    chi2: float
    """Sum of squared residuals in units of the noise expected beforehand, those of the priors included."""


def matrix(parameters: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Homography (3, 3) from undistorted pixels to (east, north, w), w > 0 below the horizon."""
    p = parameters
    turn = world_from_camera(*np.degrees(p[[YAW, PITCH, ROLL]]))
    fx, fy, cx, cy = intrinsics(parameters, size)
    rays = turn @ np.array([[1 / fx, 0, -cx / fx], [0, 1 / fy, -cy / fy], [0, 0, 1]])
    fall = -(rays[2] - p[SLOPE_EAST] * rays[0] - p[SLOPE_NORTH] * rays[1])
    height = exp(p[LOG_HEIGHT])
    rows = [height * rays[0] + p[EAST] * fall, height * rays[1] + p[NORTH] * fall, fall]
    return np.array(rows, dtype=np.float64)


def intrinsics(parameters: FloatArray, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """(fx, fy, cx, cy) in pixels; the lens is taken to sit in the middle of the picture."""
    fx = exp(parameters[LOG_FOCAL]) * max(size)
    return fx, fx * exp(parameters[LOG_ASPECT]), size[0] / 2.0, size[1] / 2.0


def matrix_covariance(camera: Camera, size: tuple[int, int]) -> FloatArray:
    """Covariance (9, 9) of `matrix`, carried through its derivatives."""
    step = 1e-6
    slope = np.zeros((9, len(camera.parameters)))
    for index in range(len(camera.parameters)):
        moved = camera.parameters.copy()
        moved[index] += step
        ahead = matrix(moved, size)
        moved[index] -= 2 * step
        slope[:, index] = (ahead - matrix(moved, size)).ravel() / (2 * step)
    result: FloatArray = slope @ camera.covariance @ slope.T
    return result


def fit(
    pixels: FloatArray,
    ground: FloatArray,
    size: tuple[int, int],
    expected: Noise,
    *,
    lens: bool = False,
    start: FloatArray | None = None,
) -> Camera:
    """Fit the camera to control points.

    Args:
        pixels: (N, 2), N >= 4.
        ground: (N, 2) metres, east and north (not mirrored).
        size: (width, height) of the picture.
        expected: the noise of the points.
        lens: whether to fit k1.
        start: parameters near the solution, for refitting without a point.

    Raises:
        GeoreferenceError: no camera over flat ground sees the points so.
    """
    deviation = _PRIOR_DEVIATION.copy()
    if all(abs(max(size) / min(size) - usual) > 0.02 for usual in _USUAL_ASPECTS):
        deviation[LOG_ASPECT] = _ODD_ASPECT_DEVIATION
    used = np.arange(11 if lens else 10)
    parameters = _start(pixels, ground, size) if start is None else start
    factor, chi2, jacobian = 1.0, 0.0, np.zeros((0, 0))
    for _ in range(_ROUNDS):
        root = _whitener(parameters, pixels, ground, size, expected.scaled(factor))

        def miss(values: FloatArray, root: FloatArray = root, held: FloatArray = parameters) -> FloatArray:
            full = held.copy()
            full[used] = values
            off = project(full, ground, size) - pixels
            prior = ((full - _PRIOR_MEAN) / deviation)[used]
            return np.concatenate([(root @ off[:, :, None]).ravel(), prior[np.isfinite(deviation[used])]])

        found = least_squares(miss, parameters[used], method="lm", x_scale="jac", max_nfev=400)
        parameters = parameters.copy()
        parameters[used] = found.x
        jacobian = found.jac
        count = 2 * len(pixels)
        data = jacobian[:count]
        # Priors settle part of the parameters: count only what the points had to.
        taken = float(np.trace(data @ np.linalg.pinv(jacobian.T @ jacobian) @ data.T))
        points2 = float((found.fun[:count] ** 2).sum()) * factor**2
        chi2 = points2 + float((found.fun[count:] ** 2).sum())
        factor = noise.scale(points2, count - taken)
    covariance = np.zeros((11, 11))
    covariance[np.ix_(used, used)] = np.linalg.pinv(jacobian.T @ jacobian)
    result = Camera(parameters, covariance, expected.scaled(factor), chi2)
    if (_depths(parameters, pixels, size) <= 0.0).any():
        raise GeoreferenceError("no camera over flat ground sees the points so", code="no_camera")
    return result


def project(parameters: FloatArray, ground: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Pixels (N, 2), lens included, at which a camera sees places (N, 2) on its ground."""
    inverse = np.linalg.inv(matrix(parameters, size)).astype(np.float64)
    mapped = ground @ inverse[:, :2].T + inverse[:, 2]
    ideal: FloatArray = mapped[:, :2] / np.maximum(mapped[:, 2:], _BEHIND)
    if parameters[K1] == 0.0:
        return ideal
    fx, fy, cx, cy = intrinsics(parameters, size)
    x, y = (ideal[:, 0] - cx) / fx, (ideal[:, 1] - cy) / fy
    radial = 1.0 + parameters[K1] * (x * x + y * y)
    return np.column_stack([cx + fx * x * radial, cy + fy * y * radial])


def _depths(parameters: FloatArray, pixels: FloatArray, size: tuple[int, int]) -> FloatArray:
    result: FloatArray = np.column_stack([pixels, np.ones(len(pixels))]) @ matrix(parameters, size)[2]
    return result


def _whitener(
    parameters: FloatArray, pixels: FloatArray, ground: FloatArray, size: tuple[int, int], expected: Noise
) -> FloatArray:
    """Inverse square roots (N, 2, 2) of the covariance of pixel residuals, from click and map."""
    inverse = np.linalg.inv(matrix(parameters, size)).astype(np.float64)
    slope = homography.jacobian(inverse, ground)
    spread = expected.ground_m**2 * slope @ slope.transpose(0, 2, 1) + expected.pixel_px**2 * np.eye(2)
    result: FloatArray = np.linalg.inv(np.linalg.cholesky(spread))
    return result


def _start(pixels: FloatArray, ground: FloatArray, size: tuple[int, int]) -> FloatArray:
    """The best of cameras that look in likely directions, each refined roughly."""
    middle, span = ground.mean(axis=0), float(np.ptp(ground, axis=0).max())
    best: FloatArray | None = None
    least = np.inf
    finite = np.isfinite(_PRIOR_DEVIATION[:8])

    def miss(values: FloatArray) -> FloatArray:
        full = np.concatenate([values, np.zeros(3)])
        off = ((project(full, ground, size) - pixels) / (_ROUGHLY * max(size))).ravel()
        # Squared, this grows only linearly for large errors (Charbonnier): one wrong point does not lead astray.
        off = np.sign(off) * np.sqrt(2.0 * (np.sqrt(1.0 + off**2) - 1.0))
        return np.concatenate([off, ((values - _PRIOR_MEAN[:8]) / _PRIOR_DEVIATION[:8])[finite]])

    for yaw in _directions(pixels, ground):
        guess = _PRIOR_MEAN[:8].copy()
        guess[YAW] = yaw
        guess[[EAST, NORTH]] = middle - 0.8 * span * np.array([np.sin(yaw), np.cos(yaw)])
        guess[LOG_HEIGHT] = log(max(0.3 * span, 2.0))
        found = least_squares(miss, guess, method="lm", x_scale="jac", max_nfev=300)
        if found.cost < least:
            best, least = np.concatenate([found.x, np.zeros(3)]), found.cost
        if least < _GOOD_ENOUGH:
            break
    assert best is not None
    return best


def _directions(pixels: FloatArray, ground: FloatArray) -> FloatArray:
    """Yaws to try, radians: the way up the picture according to the plain homography, else all round."""
    try:
        slope = homography.jacobian(homography.fit(pixels, ground), pixels.mean(axis=0, keepdims=True))[0]
    except GeoreferenceError:
        return np.array([radians(yaw) for yaw in range(0, 360, 45)], dtype=np.float64)
    ahead = float(np.arctan2(-slope[0, 1], -slope[1, 1]))
    return np.array([ahead, ahead - radians(30.0), ahead + radians(30.0)], dtype=np.float64)
