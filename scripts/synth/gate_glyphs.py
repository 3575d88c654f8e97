"""Characters as number plates have them, drawn with a pen of one width: digits, and the letters that the gate needs.

Each is a list of strokes, a stroke a list of points x, y from 0, 0 (top left) to 1, 1 of the box that the middle of the
pen keeps to. Book faces will not do: stretched to a plate's cells their strokes are of two widths, and readers that
know plates misread them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

Points = list[tuple[float, float]]
_FINER = 4


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Points:
    """Part of an ellipse; degrees clockwise from the right, as seen."""
    turns = [math.radians(start + (end - start) * i / 24) for i in range(25)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in turns]


def _turned(strokes: Sequence[Points]) -> list[Points]:
    return [[(1 - x, 1 - y) for x, y in stroke] for stroke in strokes]


_ROUND = [*_arc(0.5, 0.26, 0.5, 0.26, -180, 0), *_arc(0.5, 0.74, 0.5, 0.26, 0, 180), (0.0, 0.26)]
_OPEN = [(1.0, 0.3), *_arc(0.5, 0.26, 0.5, 0.26, 0, -180), *_arc(0.5, 0.74, 0.5, 0.26, 180, 0), (1.0, 0.7)]
_SIX = [
    [(0.62, 0.0), (0.42, 0.2), (0.2, 0.42), (0.06, 0.56), *_arc(0.5, 0.7, 0.5, 0.3, 200, 180)],
    _arc(0.5, 0.7, 0.5, 0.3, 0, 360),
]
STROKES: dict[str, list[Points]] = {
    "0": [_ROUND],
    "1": [[(0.5, 0.0), (0.5, 1.0)]],
    "2": [[*_arc(0.5, 0.28, 0.5, 0.28, 195, 385), (0.0, 1.0), (1.0, 1.0)]],
    "3": [[(0.04, 0.0), (0.96, 0.0), (0.46, 0.4), *_arc(0.47, 0.7, 0.53, 0.3, -90, 170)]],
    "4": [[(0.84, 1.0), (0.84, 0.0), (0.0, 0.73), (1.0, 0.73)]],
    "5": [[(0.92, 0.0), (0.06, 0.0), (0.03, 0.47), *_arc(0.48, 0.69, 0.52, 0.31, 220, 528)]],
    "6": _SIX,
    "7": [[(0.0, 0.0), (1.0, 0.0), (0.7, 0.3), (0.52, 0.62), (0.46, 1.0)]],
    "8": [_arc(0.5, 0.24, 0.44, 0.24, 0, 360), _arc(0.5, 0.74, 0.5, 0.26, 0, 360)],
    "9": _turned(_SIX),
    "A": [[(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)], [(0.16, 0.72), (0.84, 0.72)]],
    "B": [
        [(0.5, 0.47), (0.0, 0.47), (0.0, 0.0), *_arc(0.58, 0.235, 0.36, 0.235, -90, 90)],
        [(0.0, 0.47), *_arc(0.58, 0.735, 0.42, 0.265, -90, 90), (0.0, 1.0), (0.0, 0.47)],
    ],
    "C": [_OPEN],
    "D": [
        [
            (0.0, 0.0),
            *_arc(0.5, 0.27, 0.5, 0.27, -90, 0),
            *_arc(0.5, 0.73, 0.5, 0.27, 0, 90),
            (0.0, 1.0),
            (0.0, 0.0),
        ]
    ],
    "E": [[(1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (1.0, 1.0)], [(0.0, 0.5), (0.9, 0.5)]],
    "F": [[(1.0, 0.0), (0.0, 0.0), (0.0, 1.0)], [(0.0, 0.48), (0.9, 0.48)]],
    "G": [[*_OPEN, (1.0, 0.55), (0.45, 0.55)]],
    "H": [[(0.0, 0.0), (0.0, 1.0)], [(1.0, 0.0), (1.0, 1.0)], [(0.0, 0.5), (1.0, 0.5)]],
    "K": [[(0.0, 0.0), (0.0, 1.0)], [(0.95, 0.0), (0.0, 0.62)], [(0.36, 0.4), (0.98, 1.0)]],
    "L": [[(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]],
    "M": [[(0.0, 1.0), (0.0, 0.0), (0.5, 0.5), (1.0, 0.0), (1.0, 1.0)]],
}


def glyph(character: str, wide: int, high: int, pen: float) -> np.ndarray:
    """Coverage 0..1, high x wide.

    Args:
        pen: width of the strokes in pixels.

    Raises:
        KeyError: the character is none of `STROKES`.
    """
    canvas = np.zeros((high * _FINER, wide * _FINER), np.uint8)
    low, reach = pen / 2, np.array([wide - pen, high - pen])
    for stroke in STROKES[character]:
        points = (np.array(stroke) * reach + low) * _FINER
        ends = np.round(points * 16).astype(np.int32)
        cv2.polylines(canvas, [ends], False, 255, round(pen * _FINER), cv2.LINE_AA, shift=4)
    return cv2.resize(canvas, (wide, high), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
