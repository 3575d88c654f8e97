"""Connected patches of masks, as boxes and polygons."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.records import Box, Ring

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Region:
    """A connected patch of a mask in pixels of its picture."""

    box: Box
    polygon: Ring
    pixels: int
    score: float
    window: tuple[slice, slice]
    """Rows and columns of its bounding box."""
    inside: Mask
    """Its pixels within the window."""

    def enlarged(self, across: float, down: float) -> Region:
        """The same patch on a finer grid, so many times as wide and high; window and mask stay coarse."""
        x1, y1, x2, y2 = self.box
        return replace(
            self,
            box=(x1 * across, y1 * down, x2 * across, y2 * down),
            polygon=tuple((x * across, y * down) for x, y in self.polygon),
            pixels=round(self.pixels * across * down),
        )

    @property
    def rectangularity(self) -> float:
        """Area over that of the smallest rectangle, turned freely, round it: 1 for a rectangle."""
        points = np.argwhere(self.inside).astype(np.float32)
        (_, _), (width, height), _ = cv2.minAreaRect(points)
        return min(1.0, self.pixels / ((width + 1) * (height + 1)))


def find(mask: Mask, scores: Floats, least: float, peak: float = 0.0) -> list[Region]:
    """Connected patches of a mask.

    Args:
        mask: (height, width).
        scores: of every pixel, (height, width); a patch's score is their mean.
        least: smaller patches, in pixels, are left out.
        peak: patches without a pixel of this score are left out: the second threshold of a hysteresis
            (Canny, IEEE PAMI 8(6), 1986).
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    sums = np.bincount(labels.ravel(), weights=scores.ravel(), minlength=count)
    sure = np.bincount(labels[mask & (scores >= peak)], minlength=count) > 0
    found = []
    for index in range(1, count):
        left, top, width, height, pixels = (int(v) for v in stats[index])
        if pixels < least or not sure[index]:
            continue
        window = (slice(top, top + height), slice(left, left + width))
        inside = labels[window] == index
        box = (float(left), float(top), float(left + width), float(top + height))
        outline = _outline(inside, left, top)
        found.append(Region(box, outline, pixels, float(sums[index]) / pixels, window, inside))
    return found


def _outline(inside: Mask, left: int, top: int) -> Ring:
    """Outer ring of a patch in pixels of the picture, good to a quarter of a pixel, simplified to one."""
    # Contours run through pixel centres: on a doubled mask that costs a quarter of a pixel instead of half.
    doubled = np.repeat(np.repeat(inside.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outer = max(contours, key=cv2.contourArea)
    points = cv2.approxPolyDP(outer, 2.0, True).reshape(-1, 2)
    if len(points) < 3:
        points = cv2.boxPoints(cv2.minAreaRect(outer))
    return tuple((left + (float(x) + 0.5) / 2, top + (float(y) + 0.5) / 2) for x, y in points)
