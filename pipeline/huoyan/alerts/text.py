"""Writing on pictures, in Chinese where the installed OpenCV can.

OpenCV 5 carries a Unicode font; with an older one the Latin font that comes with Pillow is used, and
`chinese()` tells the caller to choose its English words. No font is shipped and none is looked for on the
machine, so that the same alert looks the same everywhere.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np

from huoyan.records import Image

Colour = tuple[int, int, int]
"""(red, green, blue)."""


@cache
def chinese() -> bool:
    """Whether Chinese can be written on pictures."""
    if not hasattr(cv2, "FontFace"):
        return False
    return any("Unicode font" in line and "YES" in line for line in cv2.getBuildInformation().splitlines())


def width(text: str, size: int, *, bold: bool = False) -> int:
    """Width of a line of text in pixels."""
    if chinese():
        _, _, wide, _ = cv2.getTextSize((0, 0), text, (0, 0), _face(), size, 600 if bold else 400)
        return int(wide)
    length: float = _latin(size).getlength(text)
    return round(length)


def write(
    image: Image, text: str, left: int, baseline: int, size: int, colour: Colour, *, bold: bool = False
) -> None:
    """Write a line of text into the picture, in place.

    Args:
        image: uint8 RGB, contiguous.
        text: one line.
        left: x of its left end in pixels.
        baseline: y of its baseline in pixels.
        size: of the font in pixels.
        colour: (red, green, blue).
        bold: semi-bold instead of regular, where the font has it.
    """
    if chinese():
        cv2.putText(image, text, (left, baseline), colour, _face(), size, 600 if bold else 400)
        return
    from PIL import Image as Pictures
    from PIL import ImageDraw

    canvas = Pictures.fromarray(image)
    ImageDraw.Draw(canvas).text((left, baseline), text, fill=colour, font=_latin(size), anchor="ls")
    image[:] = np.asarray(canvas)


def fitted(text: str, size: int, room: int, *, bold: bool = False) -> str:
    """The text, cut with an ellipsis where it is wider than `room` pixels."""
    if width(text, size, bold=bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle].rstrip() + "…", size, bold=bold) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…" if low else ""


@cache
def _face() -> Any:
    return cv2.FontFace("sans")


@cache
def _latin(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
