"""Small copies of a picture's luma: what the cheap checks of a live camera look at."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def halved(y: Luma, width: int) -> Luma:
    """The luma, uint8 (height, width), halved by area for as long as it stays at least `width` wide."""
    while y.shape[1] >= 2 * width and y.shape[0] >= 2:
        y = cv2.resize(y, (y.shape[1] // 2, y.shape[0] // 2), interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )
    return y


def thumb(y: Luma, width: int) -> Floats:
    """Area means of a luma plane, float32 (rows, `width`), 0 to 255, of about the picture's shape.

    Halving first is six times as quick as one step, and the mean is the same where the sizes divide.
    """
    rows = max(2, round(width * y.shape[0] / y.shape[1]))
    small = cv2.resize(halved(y, 2 * width), (width, rows), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)
