"""Fixed cameras: a ground plane from control points, from a saved calibration, or from a stated pose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, log, radians, tan
from pathlib import Path

import cv2
import numpy as np

from huoyan import config
from huoyan.errors import ConfigError, GeoreferenceError
from huoyan.georef import noise, outliers, pinhole, points, saved, solve
from huoyan.georef.noise import Noise
from huoyan.georef.plane import CalibratedPlane
from huoyan.georef.points import ControlPoint
from huoyan.georef.solve import Solution
from huoyan.georef.spread import CIRCULAR
from huoyan.records import FloatArray, Ground, Point, Ring, Unplaced

DETECTOR_ERROR_PX = 2.0
"""Standard deviation per axis of where a detector puts the foot of a thing, in calibrated pixels."""
GUARD_M = 500.0
_POSE_POSITION_ERROR_M = 3.0
_POSE_ERRORS = {
    pinhole.YAW: radians(2.0),
    pinhole.PITCH: radians(1.0),
    pinhole.ROLL: radians(1.0),
    pinhole.LOG_HEIGHT: 0.05,
    pinhole.LOG_FOCAL: 0.05,
    pinhole.SLOPE_EAST: 0.01,
    pinhole.SLOPE_NORTH: 0.01,
}
"""How well a pose written down by hand is known (standard deviations)."""


@dataclass(frozen=True, slots=True)
class PointResult:
    """How a control point came out."""

    point: ControlPoint
    place_m: Point
    """Metres (east, north) that the file gives."""
    found_m: Point
    """Metres (east, north) that the calibration gives for its pixel; NaN above the horizon."""
    residual_m: float
    left_out_m: float | None
    """Error of a fit without it; None for check points and where the rest does not suffice."""
    bad: bool
    suspect: bool
    """It may be the wrong one in place of a bad one."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted camera with the errors its points show, in metres; None where there is nothing to tell."""

    ground: CalibratedPlane
    points: tuple[PointResult, ...]
    fit_rms_m: float
    left_out_rms_m: float | None
    check_rms_m: float | None
    tried: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]

    @property
    def bad(self) -> tuple[PointResult, ...]:
        return tuple(result for result in self.points if result.bad)


def fit(
    control: Sequence[ControlPoint],
    size: tuple[int, int],
    origin: Point | None = None,
    *,
    horizon_guard_m: float | None = None,
) -> Calibration:
    """Fit the ground plane of a fixed camera.

    Points that contradict the others are found with all points at hand, left out of the fit and named. The
    others marked `fit` are solved (see `solve.solve`); those marked `check` only tell the error.

    Args:
        control: the control points, at least four of them marked `fit`.
        size: (width, height) of the picture they were measured on.
        origin: (lon, lat) from which metres are counted, the camera's position. By default the middle of
            points in degrees; points in metres need it to have a place on the map, and get (0, 0) without it.
        horizon_guard_m: distance from the origin beyond which nothing is placed; by default 500 m, or twice
            that of the farthest control point.

    Raises:
        GeoreferenceError: too few points are left, they lie on a line, or no view of flat ground fits them.
    """
    centre = origin or points.middle(control) or (0.0, 0.0)
    pixels = np.array([point.pixel for point in control], dtype=np.float64).reshape(-1, 2)
    metres = np.array(points.in_metres(control, centre), dtype=np.float64).reshape(-1, 2)
    _require(pixels, size)
    expected = noise.CLICKED if all(point.degrees for point in control) else noise.MEASURED
    # The noise of a click is stated for a picture 1280 px wide.
    expected = Noise(expected.pixel_px * max(size) / 1280.0, expected.ground_m)
    bad, suspect = outliers.find(pixels, metres, size, expected)
    used = [i for i, point in enumerate(control) if point.use == "fit" and i not in bad]
    if len(used) < points.LEAST_FIT_POINTS:
        named = ", ".join(_named(control[i]) for i in bad)
        raise GeoreferenceError(
            f"{len(used)} usable points are left of {len(control)}, expected 4"
            + (f"; wrong: {named}" if bad else ""),
            hint="measure more points" if not bad else "measure the wrong points again",
            code="too_few_points",
        )
    solution = solve.solve(pixels[used], metres[used], size, expected)
    ground = _plane(solution, metres[used], size, centre, horizon_guard_m)
    results = _results(control, pixels, metres, solution, (used, bad, suspect))
    notes = _notes(control, pixels[used], metres[used], bad, suspect, len(used))
    return Calibration(
        ground,
        results,
        solve.root_mean_square(solution.residuals_m),
        _finite(solve.root_mean_square(solution.left_out_m)),
        _check_error(results),
        solution.tried,
        notes,
    )


def from_pose(position: Point, pose: config.Pose, size: tuple[int, int]) -> CalibratedPlane:
    """The ground plane of a camera whose pose is known: flat ground `height_m` below it.

    Args:
        position: (lon, lat) of the camera.
        pose: height above the ground, yaw clockwise from north, pitch (negative is down), roll (positive: the
            right side dips) and horizontal field of view.
        size: (width, height) of its pictures.
    """
    parameters = np.zeros(11)
    parameters[pinhole.YAW] = radians(pose.yaw_deg)
    parameters[pinhole.PITCH] = radians(pose.pitch_deg)
    parameters[pinhole.ROLL] = radians(pose.roll_deg)
    parameters[pinhole.LOG_HEIGHT] = log(pose.height_m)
    focal = size[0] / 2.0 / tan(radians(pose.hfov_deg) / 2.0)
    parameters[pinhole.LOG_FOCAL] = log(focal / max(size))
    covariance = np.zeros((11, 11))
    for index, deviation in _POSE_ERRORS.items():
        covariance[index, index] = deviation**2
    camera = pinhole.Camera(parameters, covariance, noise.CLICKED, 0.0)
    return CalibratedPlane(
        matrix=tuple(pinhole.matrix(parameters, size).ravel().tolist()),
        origin=position,
        size=size,
        ground_error_m=_POSE_POSITION_ERROR_M,
        pixel_error_px=DETECTOR_ERROR_PX,
        horizon_guard_m=GUARD_M,
        method="pose",
        covariance=tuple(pinhole.matrix_covariance(camera, size).ravel().tolist()),
    )


def fit_configured(camera: config.Camera, path: Path, size: tuple[int, int]) -> Calibration:
    """Fit a configured camera from its file of control points.

    Args:
        camera: the camera's part of the configuration.
        path: the file of points.
        size: (width, height) of its pictures, where the configuration does not tell.

    Raises:
        ConfigError: the file of points is missing, broken, unsolvable or lacks a position.
    """
    control = points.read(path)
    if camera.position is None and points.middle(control) is None:
        raise ConfigError(
            "points in metres have no place on the map",
            subject=str(path),
            hint=f"give camera {camera.id} a position",
        )
    try:
        return fit(control, camera.size or size, camera.position)
    except GeoreferenceError as error:
        raise ConfigError(error.message, subject=str(path), hint=error.hint, code=error.code) from error


def load(camera: config.Camera, loaded: config.LoadedConfig, size: tuple[int, int]) -> Ground:
    """The ground of a configured camera: its calibration (points or saved), else its pose, else none.

    Args:
        camera: the camera's part of the configuration.
        loaded: the configuration, for relative paths.
        size: (width, height) of its pictures.

    Raises:
        ConfigError: the file of points or the calibration is missing, broken, unsolvable or lacks a position.
    """
    if camera.calibration is not None:
        path = loaded.resolve(camera.calibration)
        if path.suffix.lower() in (".yaml", ".yml"):
            return saved.load(path, camera.position)
        return fit_configured(camera, path, size).ground
    if camera.pose is not None:
        if camera.position is None:
            raise ConfigError(
                "a pose needs a position", subject=f"camera {camera.id}", hint="add position: [lon, lat]"
            )
        return from_pose(camera.position, camera.pose, size)
    return Unplaced("no calibration")


def _require(pixels: FloatArray, size: tuple[int, int]) -> None:
    """Points far outside the picture were measured on a picture of another size."""
    outside = (pixels < -0.5 * np.array(size)) | (pixels > 1.5 * np.array(size))
    if outside.any():
        worst = pixels[outside.any(axis=1)][0]
        raise GeoreferenceError(
            f"a control point at pixel ({worst[0]:.0f}, {worst[1]:.0f}) lies far outside the picture of "
            f"{size[0]} x {size[1]} px",
            hint="give the size of the picture that the points were measured on",
            code="wrong_size",
        )


def _plane(
    solution: Solution,
    ground: FloatArray,
    size: tuple[int, int],
    origin: Point,
    guard_m: float | None,
) -> CalibratedPlane:
    model = solution.model
    farthest = max(hypot(east, north) for east, north in ground.tolist())
    return CalibratedPlane(
        matrix=tuple(model.matrix.ravel().tolist()),
        origin=origin,
        size=size,
        ground_error_m=model.noise.ground_m * CIRCULAR,
        pixel_error_px=max(DETECTOR_ERROR_PX, model.noise.pixel_px),
        horizon_guard_m=guard_m or max(GUARD_M, 2.0 * farthest),
        intrinsics=model.intrinsics,
        distortion=model.distortion,
        method=model.method,
        covariance=tuple(model.covariance.ravel().tolist()),
        area=_hull(ground),
    )


def _hull(ground: FloatArray) -> Ring:
    hull = cv2.convexHull(ground.astype(np.float32))[:, 0, :]
    return tuple((float(east), float(north)) for east, north in hull)


def _results(
    control: Sequence[ControlPoint],
    pixels: FloatArray,
    metres: FloatArray,
    solution: Solution,
    roles: tuple[list[int], list[int], list[int]],
) -> tuple[PointResult, ...]:
    used, bad, suspect = roles
    found = solution.model.to_ground(pixels)
    left_out = dict(zip(used, solution.left_out_m.tolist(), strict=True))
    return tuple(
        PointResult(
            point,
            (float(metres[i, 0]), float(metres[i, 1])),
            (float(found[i, 0]), float(found[i, 1])),
            float(np.hypot(*(found[i] - metres[i]))),
            _finite(left_out[i]) if i in left_out else None,
            i in bad,
            i in suspect,
        )
        for i, point in enumerate(control)
    )


def _notes(
    control: Sequence[ControlPoint],
    pixels: FloatArray,
    metres: FloatArray,
    bad: list[int],
    suspect: list[int],
    used: int,
) -> tuple[str, ...]:
    notes = []
    if bad:
        notes.append(
            f"left out, because it contradicts the others: {', '.join(_named(control[i]) for i in bad)}"
        )
    if suspect:
        how = "one of these may be the wrong one instead" if bad else "doubtful, but kept"
        notes.append(f"{how}: {', '.join(_named(control[i]) for i in suspect)}")
    if bad or suspect:
        notes.append("measure these points again before alerts are placed with this calibration")
    if used == points.LEAST_FIT_POINTS:
        notes.append("four points fit without a remainder and cannot show a mistake: measure more")
    if solve.mirrored(pixels, metres):
        notes.append(
            "the ground appears mirrored: are two columns swapped, or does an axis point the other way?"
        )
    return tuple(notes)


def _named(point: ControlPoint) -> str:
    return f"{point.name} (row {point.row})" if point.name != f"row {point.row}" else point.name


def _check_error(results: Sequence[PointResult]) -> float | None:
    errors = [r.residual_m for r in results if r.point.use == "check" and not r.bad]
    return _finite(solve.root_mean_square(np.array(errors))) if errors else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
