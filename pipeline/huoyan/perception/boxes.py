"""Arrays of boxes, xyxy in pixels, and what was seen in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float32]
"""(n, 4) xyxy."""
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hits:
    """Detections of one picture as arrays: boxes (n, 4), scores (n,), classes (n,) indices."""

    boxes: Boxes
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Hits:
        """The chosen rows, in the order of an index array or the rows where a mask is true."""
        return Hits(self.boxes[index], self.scores[index], self.classes[index])


def empty() -> Hits:
    return Hits(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.intp))


def join(parts: Sequence[Hits]) -> Hits:
    """All rows of all parts, in order."""
    if not parts:
        return empty()
    return Hits(
        np.concatenate([p.boxes for p in parts]),
        np.concatenate([p.scores for p in parts]),
        np.concatenate([p.classes for p in parts]),
    )


def area(boxes: Boxes) -> npt.NDArray[np.float32]:
    """Areas (n,); a box turned inside out has none."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    product: npt.NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return product


def shared_area(a: Boxes, b: Boxes) -> Matrix:
    """Area that each of `a` (n, 4) shares with each of `b` (m, 4): (n, m)."""
    # A side at a time: arrays whose last axis is 2 are walked through several times more slowly.
    wide, high = (
        np.maximum(
            np.minimum(a[:, None, far], b[None, :, far]) - np.maximum(a[:, None, near], b[None, :, near]), 0
        )
        for near, far in ((0, 2), (1, 3))
    )
    product: Matrix = wide * high
    return product


def iou(a: Boxes, b: Boxes) -> Matrix:
    """Intersection over union of each of `a` (n, 4) with each of `b` (m, 4): (n, m); 0 for empty boxes."""
    shared = shared_area(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    ratio: Matrix = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio
