"""Bringing pictures to the size a model wants, and boxes back.

Rectangular letterbox: the longer side becomes `long_side`, the shorter one is filled up with grey to the
next multiple of 32 only, so a 16:9 frame costs 640 x 384 and not 640 x 640. This is how Ultralytics'
detectors are validated (`LetterBox` in `ultralytics/data/augment.py`, grey 114, picture in the middle).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.records import Image

STRIDE = 32
GREY = 114


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a picture lies on its canvas. All in pixels; `canvas` and `size` are (width, height)."""

    canvas: tuple[int, int]
    left: int
    top: int
    width: int
    height: int
    size: tuple[int, int]
    """Of the picture itself."""


def fit(size: tuple[int, int], long_side: int, stride: int = STRIDE) -> Fit:
    """Plan the letterbox of a picture of `size` (width, height)."""
    width, height = size
    scale = long_side / max(width, height)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = (-(-new_width // stride) * stride, -(-new_height // stride) * stride)
    left, top = (canvas[0] - new_width) // 2, (canvas[1] - new_height) // 2
    return Fit(canvas, left, top, new_width, new_height, size)


def batch(images: Sequence[Image], fits: Sequence[Fit]) -> Image:
    """Letterbox pictures that share a canvas.

    Args:
        images: uint8 (height, width, 3), of any sizes.
        fits: their plans, all with the same canvas.

    Returns:
        uint8 (n, canvas height, canvas width, 3).
    """
    width, height = fits[0].canvas
    out = np.empty((len(images), height, width, 3), dtype=np.uint8)
    for canvas, image, plan in zip(out, images, fits, strict=True):
        bottom, right = plan.top + plan.height, plan.left + plan.width
        canvas[: plan.top] = GREY
        canvas[bottom:] = GREY
        canvas[plan.top : bottom, : plan.left] = GREY
        canvas[plan.top : bottom, right:] = GREY
        _resize(image, canvas[plan.top : bottom, plan.left : right], plan)
    return out


def _resize(image: Image, target: Image, plan: Fit) -> None:
    """Resize straight into the canvas."""
    if plan.size == (plan.width, plan.height):
        target[:] = image
        return
    # Linear interpolation skips pixels when a picture shrinks by more than two: thin booms would break up.
    shrinks = plan.size[0] > 2 * plan.width
    cv2.resize(
        image,
        (plan.width, plan.height),
        dst=target,
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )


def back(boxes: npt.NDArray[np.float32], plan: Fit) -> npt.NDArray[np.float32]:
    """Boxes (n, 4) xyxy from canvas pixels to pixels of the picture, clipped to it."""
    width, height = plan.size
    scale = np.array([width / plan.width, height / plan.height] * 2, dtype=np.float32)
    shift = np.array([plan.left, plan.top] * 2, dtype=np.float32)
    limit = np.array([width, height] * 2, dtype=np.float32)
    clipped: npt.NDArray[np.float32] = np.clip((boxes - shift) * scale, 0, limit)
    return clipped
