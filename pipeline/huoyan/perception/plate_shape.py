"""The shapes that a plate takes on its way to the reader: corners in a picture, an upright crop, the reader's input.

Corners are [4, 2] x, y in pixels, clockwise from the plate's own top left.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.records import Image

Points = npt.NDArray[np.float32]

INPUT_WIDTH, INPUT_HEIGHT = 160, 48
"""The reader's input. One shape for all kinds: a plate of one row is stretched upwards, one of two rows hardly."""


def to_input(crop: Image, rim: tuple[float, float] = (0.0, 0.0)) -> Image:
    """A crop as the reader sees it: uint8 [INPUT_HEIGHT, INPUT_WIDTH, 3], stretched whatever its shape.

    Args:
        crop: uint8 [h, w, 3].
        rim: what is added left and right, above and below, as shares of width and height; the edge is repeated.
    """
    height, width = crop.shape[:2]
    wider, higher = round(rim[0] * width), round(rim[1] * height)
    if wider or higher:
        crop = np.asarray(
            cv2.copyMakeBorder(crop, higher, higher, wider, wider, cv2.BORDER_REPLICATE), dtype=np.uint8
        )
    shrinks = crop.shape[1] > INPUT_WIDTH or crop.shape[0] > INPUT_HEIGHT
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(crop, (INPUT_WIDTH, INPUT_HEIGHT), interpolation=how))


def rectify(image: Image, corners: Points, margin: float = 0.04) -> Image:
    """The plate between four corners, upright, at about its own size.

    Args:
        image: uint8 [H, W, 3].
        corners: [4, 2] x, y px, clockwise from the plate's top left.
        margin: added on each side, as a share of the plate's width and height; readers know plates with a rim.
    """
    points = np.asarray(corners, dtype=np.float32)
    across = max(np.linalg.norm(points[1] - points[0]), np.linalg.norm(points[2] - points[3]))
    down = max(np.linalg.norm(points[3] - points[0]), np.linalg.norm(points[2] - points[1]))
    width, height = max(8, round(float(across))), max(4, round(float(down)))
    left, top = margin * width, margin * height
    target = np.array(
        [[left, top], [left + width, top], [left + width, top + height], [left, top + height]],
        dtype=np.float32,
    )
    turn = cv2.getPerspectiveTransform(points, target)
    size = (round(width + 2 * left), round(height + 2 * top))
    return np.asarray(
        cv2.warpPerspective(image, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )


def box(corners: Points) -> tuple[float, float, float, float]:
    """The upright box round the corners, xyxy px."""
    x1, y1 = np.min(corners, axis=0).tolist()
    x2, y2 = np.max(corners, axis=0).tolist()
    return x1, y1, x2, y2
