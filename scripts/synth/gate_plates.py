"""Number plates of the gate's trucks: drawn with a font, dirtied, and hung on rendered frames. No Blender.

Layouts in millimetres follow the yellow plates of lorries: one row of 440 x 140 in front, two rows of 440 x 220 behind.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from gate_glyphs import STROKES, glyph
from PIL import Image, ImageDraw, ImageFont
from shots import Shot

PX_PER_MM = 2
Cell = tuple[float, float, float, float]
_ONE = ((15.5, 25.0, 45.0, 90.0), *((x, 25.0, 45.0, 90.0) for x in (72.5, 151.5, 208.5, 265.5, 322.5, 379.5)))
_TWO = (
    (110.0, 15.0, 80.0, 60.0),
    (250.0, 15.0, 80.0, 60.0),
    *((27.5 + 80 * i, 90.0, 65.0, 110.0) for i in range(5)),
)
_YELLOW, _INK, _MUD = np.array([236, 178, 22]), np.array([22, 20, 18]), np.array([104, 82, 58])


def _glyph(character: str, wide: int, high: int, rows: int, font: Path) -> np.ndarray:
    """Coverage 0..1 of a character that fills a cell, as the stamped ones do; provinces come from the font."""
    if character in STROKES:
        return glyph(character, wide, high, (10 if rows == 1 or high < 100 * PX_PER_MM else 14) * PX_PER_MM)
    canvas = Image.new("L", (420, 420), 0)
    face = ImageFont.truetype(str(font), 260)
    ImageDraw.Draw(canvas).text((60, 20), character, fill=255, font=face, stroke_width=4, stroke_fill=255)
    drawn = canvas.crop(canvas.getbbox()).resize((wide, high), Image.Resampling.LANCZOS)
    return np.asarray(drawn, np.float32) / 255


def plate(text: str, rows: int, font: Path) -> np.ndarray:
    """A clean yellow plate of one or two rows: float32, height x width x 3, 0..255."""
    high = 140 if rows == 1 else 220
    size = (440 * PX_PER_MM, high * PX_PER_MM)
    ground = Image.new("RGB", size, tuple(int(v) for v in _YELLOW))
    ImageDraw.Draw(ground).rounded_rectangle(
        (8, 8, size[0] - 9, size[1] - 9), 16, outline=tuple(int(v) for v in _INK), width=5
    )
    picture = np.asarray(ground, np.float32).copy()
    for character, (x, y, wide, tall) in zip(text, _ONE if rows == 1 else _TWO, strict=True):
        x, y, wide, tall = (round(v * PX_PER_MM) for v in (x, y, wide, tall))
        cover = _glyph(character, wide, tall, rows, font)[..., None]
        part = picture[y : y + tall, x : x + wide]
        part += (_INK - part) * cover
    if rows == 1:
        cv2.circle(
            picture, (round(134.5 * PX_PER_MM), round(70 * PX_PER_MM)), 10, _INK.tolist(), -1, cv2.LINE_AA
        )
    return picture


def muddied(picture: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The plate with mud that hides about `share` of it."""
    high, wide = picture.shape[:2]
    cloud = sum(
        cv2.resize(rng.random((n, 2 * n), dtype=np.float32), (wide, high), interpolation=cv2.INTER_CUBIC) * w
        for n, w in ((3, 1.0), (7, 0.6), (18, 0.3))
    )
    edge = np.quantile(cloud, 1 - share)
    cover = np.clip((cloud - edge) * 12 + 0.5, 0, 0.97)[..., None]
    grain = rng.normal(1, 0.12, (high, wide, 1)).astype(np.float32)
    return picture + (_MUD * grain - picture) * cover


def big_letters(text: str, font: Path) -> np.ndarray:
    """The plate in large white letters, as painted on tailgates: coverage 0..1, height x width."""
    canvas = Image.new("L", (1400, 260), 0)
    face = ImageFont.truetype(str(font), 200)
    ImageDraw.Draw(canvas).text(
        (700, 130), text, fill=255, font=face, anchor="mm", stroke_width=4, stroke_fill=255
    )
    return np.asarray(canvas, np.float32) / 255


def corners(
    pose: tuple[float, float, float], end: str, size: tuple[float, float], z: float, out: float
) -> np.ndarray:
    """World corners of a sheet on the front or rear of a truck, clockwise from the top left as it is read.

    Args:
        pose: of the truck.
        end: front | rear.
        size: metres across and high.
        z: metres from the ground to its lower edge.
        out: metres from the truck's middle to its plane.
    """
    side, (wide, high) = (1 if end == "front" else -1), size
    heading = np.radians(pose[2])
    forward, right = (
        np.array([-np.sin(heading), np.cos(heading)]),
        np.array([np.cos(heading), np.sin(heading)]),
    )
    middle = np.array(pose[:2]) + forward * side * out
    left = middle + right * side * wide / 2
    far = middle - right * side * wide / 2
    return np.array([(*left, z + high), (*far, z + high), (*far, z), (*left, z)])


def facing(points: np.ndarray, shot: Shot) -> bool:
    """Whether the camera sees the printed side of a sheet, with all corners before it."""
    across, down = points[1] - points[0], points[3] - points[0]
    return (
        bool(np.dot(np.cross(down, across), np.array(shot.at) - points[0]) > 0)
        and len(shot.project(points)) == 4
    )


def hang(
    frame: np.ndarray, sheet: np.ndarray, cover: np.ndarray | None, spots: np.ndarray, gain: float
) -> np.ndarray:
    """A sheet warped onto a frame, seen by as many rays a pixel as it needs.

    Args:
        frame: float32, height x width x 3.
        sheet: float32 picture; `cover` its opacity 0..1, None for opaque.
        spots: pixels of its four corners.
        gain: brightness of the light on it.
    """
    low, far = np.floor(spots.min(0)).astype(int) - 1, np.ceil(spots.max(0)).astype(int) + 2
    low, far = np.maximum(low, 0), np.minimum(far, (frame.shape[1], frame.shape[0]))
    if (far <= low).any():
        return frame
    finer = 4
    size = tuple(int(v) for v in (far - low) * finer)
    high, wide = sheet.shape[:2]
    source = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    turn = cv2.getPerspectiveTransform(source, ((spots - low) * finer).astype(np.float32))
    opaque = np.ones((high, wide), np.float32) if cover is None else cover
    layers = np.dstack([sheet * opaque[..., None], opaque]).astype(np.float32)
    seen = cv2.warpPerspective(layers, turn, size, flags=cv2.INTER_AREA)
    seen = cv2.resize(seen, (size[0] // finer, size[1] // finer), interpolation=cv2.INTER_AREA)
    out = frame.copy()
    part = out[low[1] : far[1], low[0] : far[0]]
    part *= 1 - seen[..., 3:]
    part += seen[..., :3] * gain
    return out
