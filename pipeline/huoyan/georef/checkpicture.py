"""The check picture of a calibration: what a person looks at to believe it or not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from huoyan.errors import StorageError, UnreadableFile
from huoyan.georef import plane
from huoyan.georef.camera import Calibration, PointResult
from huoyan.georef.plane import CalibratedPlane
from huoyan.records import FloatArray, Image, Point

Colour = tuple[int, int, int]
_FIT, _CHECK, _BAD = (60, 220, 60), (80, 170, 255), (255, 60, 60)
_GRID, _HORIZON, _DARK = (255, 235, 130), (255, 120, 220), (20, 20, 20)
_LINES = 8
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
_SAMPLES = 60
_SUBPIXEL_BITS = 4


def read_image(path: Path) -> Image:
    """A picture as RGB.

    Raises:
        UnreadableFile: it is missing or no picture.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
        found = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error) as error:
        raise UnreadableFile(f"cannot be read: {error}", subject=str(path)) from error
    if found is None:
        raise UnreadableFile("is not a picture", subject=str(path), hint="give a JPEG or PNG")
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def write_image(image: Image, path: Path) -> None:
    """Write a picture in the format its name ends in.

    Raises:
        StorageError: the format is not known or the file cannot be written.
    """
    try:
        done, data = cv2.imencode(path.suffix or ".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if not done:
            raise StorageError("cannot be encoded", subject=str(path), hint="name it .png or .jpg")
        data.tofile(path)
    except (OSError, cv2.error) as error:
        raise StorageError(
            f"cannot be written: {error}", subject=str(path), hint="name it .png or .jpg"
        ) from error


def draw(calibration: Calibration, image: Image | None = None) -> Image:
    """Draw grid, horizon, points and their residuals.

    The grid is in metres round the control points. Each point is a ring where it was clicked; an arrow leads to
    where the calibration sees the place that the file gives for it.

    Args:
        calibration: what to show.
        image: RGB picture of the calibration's size; grey without one.
    """
    ground = calibration.ground
    width, height = ground.size
    canvas = np.full((height, width, 3), 96, np.uint8) if image is None else image.copy()
    if canvas.shape[:2] != (height, width):
        canvas = np.asarray(cv2.resize(canvas, (width, height)), dtype=np.uint8)
    # Dimmed, so that lines show on snow and on asphalt.
    canvas = (canvas * 0.75).astype(np.uint8)
    step = _draw_grid(canvas, calibration)
    _draw_horizon(canvas, ground)
    for result in calibration.points:
        _draw_point(canvas, ground, result)
    _draw_legend(canvas, calibration, step)
    return canvas


def _thickness(canvas: Image) -> int:
    height, width = canvas.shape[:2]
    return max(1, round(max(int(height), int(width)) / 900))


def _draw_grid(canvas: Image, calibration: Calibration) -> float:
    """Lines of whole steps east and north over the control points and a quarter beyond; returns the step."""
    places = np.array([r.place_m for r in calibration.points if not r.bad], dtype=np.float64)
    low, high = places.min(axis=0), places.max(axis=0)
    span = float((high - low).max())
    step = next((s for s in _STEPS if span / s <= _LINES), _STEPS[-1])
    low, high = np.floor((low - span / 4) / step) * step, np.ceil((high + span / 4) / step) * step
    for axis in (0, 1):
        for value in np.arange(low[axis], high[axis] + step / 2, step):
            ends = np.array([low, high])
            ends[:, axis] = value
            line = ends[0] + np.linspace(0.0, 1.0, _SAMPLES)[:, None] * (ends[1] - ends[0])
            _polyline(canvas, calibration.ground, line, _GRID)
    return step


def _polyline(canvas: Image, ground: CalibratedPlane, line: FloatArray, colour: Colour) -> None:
    """A line on the ground; pieces behind the camera or far outside the picture are left out."""
    height, width = canvas.shape[:2]
    before: Point | None = None
    for east, north in line:
        pixel = plane.pixel_at(ground, float(east), float(north))
        near = pixel is not None and -width < pixel[0] < 2 * width and -height < pixel[1] < 2 * height
        now = pixel if near else None
        if before is not None and now is not None:
            cv2.line(canvas, _fine(before), _fine(now), colour, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
        before = now


def _draw_horizon(canvas: Image, ground: CalibratedPlane) -> None:
    """Where w = 0, if that is in the picture; the lens's bend is not drawn."""
    height, width = canvas.shape[:2]
    a, b, c = ground.matrix[6:9]
    if b == 0.0:
        return
    left, right = -c / b, -(a * width + c) / b
    if max(left, right) < 0 or min(left, right) > height or abs(left) + abs(right) > 100 * height:
        return
    cv2.line(canvas, _whole((0, left)), _whole((width, right)), _HORIZON, _thickness(canvas), cv2.LINE_AA)
    _text(canvas, "horizon", (8, min(max(left, 0) + 20, height - 8)), _HORIZON)


def _draw_point(canvas: Image, ground: CalibratedPlane, result: PointResult) -> None:
    colour = _BAD if result.bad else _FIT if result.point.use == "fit" else _CHECK
    clicked = result.point.pixel
    thick = _thickness(canvas)
    there = plane.pixel_at(ground, *result.place_m)
    if there is not None and max(abs(there[0]), abs(there[1])) < 10 * max(canvas.shape):
        cv2.arrowedLine(canvas, _whole(clicked), _whole(there), colour, thick, cv2.LINE_AA, tipLength=0.2)
    cv2.circle(canvas, _whole(clicked), 5 * thick, colour, thick, cv2.LINE_AA)
    name = result.point.name if result.point.name.isascii() else f"row {result.point.row}"
    miss = f"{result.residual_m:.2f} m" if np.isfinite(result.residual_m) else "above the horizon"
    width = canvas.shape[1]
    side = -150 * thick if clicked[0] > width - 160 * thick else 8 * thick
    _text(canvas, f"{name} {miss}", (clicked[0] + side, clicked[1] - 6 * thick), colour)


def _draw_legend(canvas: Image, calibration: Calibration, step: float) -> None:
    def metres(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f} m"

    lines = [
        f"{calibration.ground.method}, grid {step:g} m",
        f"fit {metres(calibration.fit_rms_m)}, leave-one-out {metres(calibration.left_out_rms_m)}, "
        f"check {metres(calibration.check_rms_m)} (rms)",
        "green fit, blue check, red left out as wrong",
    ]
    for index, line in enumerate(lines):
        _text(
            canvas,
            line,
            (8, canvas.shape[0] - 8 - 18 * _thickness(canvas) * (len(lines) - 1 - index)),
            (255, 255, 255),
        )


def _text(canvas: Image, text: str, at: Point, colour: Colour) -> None:
    thick = _thickness(canvas)
    x, y = _whole(at)
    # A dark copy all round keeps letters readable on any ground.
    ring = [(x + dx, y + dy, _DARK) for dx in (-thick, 0, thick) for dy in (-thick, 0, thick)]
    for left, base, ink in (*ring, (x, y, colour)):
        cv2.putText(
            canvas, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, 0.45 * thick, ink, thick, cv2.LINE_AA
        )


def _fine(point: Point) -> tuple[int, int]:
    """In the fractions of a pixel that OpenCV draws in, its pixel centres being whole numbers."""
    return round((point[0] - 0.5) * 2**_SUBPIXEL_BITS), round((point[1] - 0.5) * 2**_SUBPIXEL_BITS)


def _whole(point: Point) -> tuple[int, int]:
    return round(point[0]), round(point[1])
