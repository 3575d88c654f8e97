"""From control points to the model of a fixed camera: which models are tried, and which one is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from huoyan.errors import GeoreferenceError
from huoyan.georef import homography, lens, pinhole
from huoyan.georef import noise as noises
from huoyan.georef.noise import Noise
from huoyan.records import FloatArray

POINTS_FOR_PLAIN = 5
POINTS_TO_CHOOSE = 6
"""Leaving one of five points out leaves four, which fit exactly: such errors say nothing about five."""
POINTS_FOR_LENS = 8
CLEARLY = 0.8
"""The larger model is taken where its leave-one-out error falls below this share of the plain one's."""


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A solved view; `matrix` (3, 3) takes undistorted pixels to metres, w > 0 on the ground."""

    method: str
    matrix: FloatArray
    covariance: FloatArray
    """(9, 9) of the matrix, row-major."""
    noise: Noise
    chi2: float
    intrinsics: tuple[float, ...] = ()
    distortion: tuple[float, ...] = ()

    def to_ground(self, pixels: FloatArray) -> FloatArray:
        """Metres (N, 2) at pixels (N, 2) as they are in the picture; NaN where the ground is not seen."""
        if self.intrinsics:
            fx, fy, cx, cy = self.intrinsics
            ideal = [lens.undistort((x - cx) / fx, (y - cy) / fy, self.distortion) for x, y in pixels]
            nowhere = (np.nan, np.nan)
            pixels = np.array(
                [nowhere if p is None else (cx + fx * p[0], cy + fy * p[1]) for p in ideal], dtype=np.float64
            )
        depth = pixels @ self.matrix[2, :2] + self.matrix[2, 2]
        ground = homography.apply(self.matrix, pixels)
        ground[~(depth > 0.0)] = np.nan
        return ground


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The model taken, with the errors that the points show."""

    model: Model
    residuals_m: FloatArray
    left_out_m: FloatArray
    """Error at each point by the model fitted without it; infinite where the rest leaves no view of it."""
    tried: tuple[tuple[str, float], ...]
    """(method, leave-one-out error in metres) of the models compared."""


Fitter = Callable[[FloatArray, FloatArray], Model]


def solve(pixels: FloatArray, ground: FloatArray, size: tuple[int, int], expected: Noise) -> Solution:
    """Fit control points and choose the model.

    Four points fit any homography exactly, so they get the camera model, whose priors keep it sensible. From
    five on it is the plain homography unless, with six points or more, a camera model (with eight also one
    with a lens) has a clearly smaller leave-one-out error, or the points admit no homography at all.

    Args:
        pixels: (N, 2), N >= 4.
        ground: (N, 2) metres, east and north.
        size: (width, height) of the picture.
        expected: noise of the points.

    Raises:
        GeoreferenceError: no model fits, or the points lie on a line.
    """
    fitters = _fitters(pixels, ground, size, expected)
    models = {name: fitter(pixels, ground) for name, fitter in fitters.items()}
    left_out = {name: leave_one_out(fitter, pixels, ground) for name, fitter in fitters.items()}
    errors = {name: root_mean_square(values) for name, values in left_out.items()}
    chosen = next(iter(models))
    for name in models:
        if name != chosen and errors[name] < CLEARLY * errors[chosen]:
            chosen = name
    model = models[chosen]
    residuals = np.linalg.norm(model.to_ground(pixels) - ground, axis=1)
    return Solution(model, residuals, left_out[chosen], tuple(errors.items()))


def plain(pixels: FloatArray, ground: FloatArray, expected: Noise) -> Model:
    """The homography alone."""
    matrix = homography.fit(pixels, ground)
    chi2 = float((homography.whitened(matrix, pixels, ground, expected) ** 2).sum())
    found = expected.scaled(noises.scale(chi2, 2 * len(pixels) - 8))
    return Model("homography", matrix, homography.covariance(pixels, ground, found), found, chi2)


def as_model(camera: pinhole.Camera, size: tuple[int, int]) -> Model:
    """A fitted camera as a model of the ground."""
    k1 = float(camera.parameters[pinhole.K1])
    return Model(
        "camera model with lens" if k1 else "camera model",
        pinhole.matrix(camera.parameters, size),
        pinhole.matrix_covariance(camera, size),
        camera.noise,
        camera.chi2,
        pinhole.intrinsics(camera.parameters, size) if k1 else (),
        (k1, 0.0, 0.0, 0.0, 0.0) if k1 else (),
    )


def leave_one_out(fitter: Fitter, pixels: FloatArray, ground: FloatArray) -> FloatArray:
    """Error in metres at each point by a fit without it; infinite where there is none."""
    errors = np.full(len(pixels), np.inf)
    if len(pixels) <= 4:
        return errors
    for index in range(len(pixels)):
        kept = np.arange(len(pixels)) != index
        try:
            found = fitter(pixels[kept], ground[kept]).to_ground(pixels[index : index + 1])
        except GeoreferenceError:
            continue
        miss = float(np.linalg.norm(found - ground[index]))
        errors[index] = miss if np.isfinite(miss) else np.inf
    return errors


def root_mean_square(values: FloatArray) -> float:
    """Over the finite ones; infinite where there are none, or where they are fewer than half."""
    finite = values[np.isfinite(values)]
    return float(np.sqrt((finite**2).mean())) if 2 * len(finite) > len(values) else float("inf")


def mirrored(pixels: FloatArray, ground: FloatArray) -> bool:
    """Whether the points would show the ground from below: axes swapped or one of them turned round."""
    slope = homography.jacobian(homography.fit(pixels, ground), pixels)
    return bool(np.median(np.linalg.det(slope)) > 0.0)


def _fitters(
    pixels: FloatArray, ground: FloatArray, size: tuple[int, int], expected: Noise
) -> dict[str, Fitter]:
    """What to try, the simplest first."""
    try:
        homography.fit(pixels, ground)
        by_plane: Fitter | None = lambda p, g: plain(p, g, expected)  # noqa: E731
    except GeoreferenceError as error:
        if error.code == "on_a_line":
            raise
        by_plane = None
    fitters: dict[str, Fitter] = {} if by_plane is None else {"homography": by_plane}
    if by_plane is not None:
        if mirrored(pixels, ground) or POINTS_FOR_PLAIN <= len(pixels) < POINTS_TO_CHOOSE:
            return fitters
        if len(pixels) < POINTS_FOR_PLAIN:
            return _camera_fitters(pixels, ground, size, expected) or fitters
    fitters |= _camera_fitters(pixels, ground, size, expected)
    if not fitters:
        raise GeoreferenceError(
            "no camera over flat ground sees the points so",
            hint="check the points for mix-ups",
            code="no_camera",
        )
    return fitters


def _camera_fitters(
    pixels: FloatArray, ground: FloatArray, size: tuple[int, int], expected: Noise
) -> dict[str, Fitter]:
    fitters: dict[str, Fitter] = {}
    for name, with_lens in (("camera model", False), ("camera model with lens", True)):
        if with_lens and len(pixels) < POINTS_FOR_LENS:
            continue
        try:
            start = pinhole.fit(pixels, ground, size, expected, lens=with_lens).parameters
        except GeoreferenceError:
            continue
        fitters[name] = _camera_fitter(size, expected, with_lens, start)
    return fitters


def _camera_fitter(size: tuple[int, int], expected: Noise, with_lens: bool, start: FloatArray) -> Fitter:
    def fitter(pixels: FloatArray, ground: FloatArray) -> Model:
        return as_model(pinhole.fit(pixels, ground, size, expected, lens=with_lens, start=start), size)

    return fitter
