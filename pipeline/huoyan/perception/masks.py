"""Privacy masks: what a camera must not show is painted black before anything leaves its reader."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.records import Image, Ring

_BLACK = (16, 128, 128)
"""Y, U and V of black in the limited range, near enough to it in the full one."""

Plane = npt.NDArray[np.uint8]


def blacken(planes: Sequence[Plane], masks: tuple[Ring, ...]) -> None:
    """Paint polygons black, in place.

    Args:
        planes: Y, or Y, U and V, each uint8 (height, width) and writeable, of any size of their own (U and V of
            I420 are half as large); rows may be padded.
        masks: polygons in shares of width and height. A pixel that an edge touches is painted too.
    """
    for plane, black in zip(planes, _BLACK, strict=False):
        for corners in _corners(masks, plane.shape[1], plane.shape[0]):
            # One call a polygon: within one call, where two overlap would stay as it was.
            cv2.fillPoly(plane, [corners], (black,))


def paint(image: Image, masks: tuple[Ring, ...]) -> None:
    """Paint polygons black, in place; as `blacken`, on a picture uint8 (height, width, 3), writeable."""
    for corners in _corners(masks, image.shape[1], image.shape[0]):
        cv2.fillPoly(image, [corners], (0, 0, 0))


def covers(masks: tuple[Ring, ...], x: float, y: float) -> bool:
    """Whether a point, in shares of width and height, is in one of the polygons or on its edge."""
    return any(cv2.pointPolygonTest(np.array(ring, np.float32), (x, y), False) >= 0 for ring in masks)


@lru_cache(maxsize=1024)
def _corners(masks: tuple[Ring, ...], width: int, height: int) -> tuple[npt.NDArray[np.int32], ...]:
    """The polygons in whole pixels of a plane."""
    return tuple(np.floor(np.array(ring) * (width, height)).astype(np.int32) for ring in masks)
