"""How far one raster lies off another on the same grid, measured on the pictures themselves."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.errors import UnreadableFile
from huoyan.records import Image
from huoyan.sources import raster
from huoyan.sources.raster import RasterInfo

CHIP_PX = 512
_CHIPS = 3
_LEAST_RESPONSE = 0.04
_MOST_SHIFT_PX = 16.0
_AGREE_PX = 1.0


@dataclass(frozen=True, slots=True)
class Shift:
    """(x, y) pixels by which the earlier picture lies off; `chips` places agreed on it (0: not measurable)."""

    x: float
    y: float
    chips: int

    @property
    def words(self) -> str:
        if self.chips == 0:
            return "the shift between the two dates could not be measured; none is corrected"
        return f"the earlier date lay ({self.x:+.2f}, {self.y:+.2f}) px off and was moved back ({self.chips} chips)"


def measure(before: RasterInfo, after: RasterInfo, overlap: tuple[int, int, int, int]) -> Shift:
    """Measure the residual shift between two rasters by phase correlation.

    Up to nine chips spread over the overlap are correlated on the magnitude of their gradients, which
    survives another light; the median of those that agree counts. (Phase correlation: Kuglin & Hines 1975;
    sub-pixel peak: OpenCV's phaseCorrelate.)

    Args:
        before: the earlier raster.
        after: the later one, on whose grid the result is.
        overlap: (col, row, width, height) on that grid where both have data.
    """
    found = []
    for window in _chips(overlap):
        try:
            new, new_valid = raster.read(after, window)
            old, old_valid = raster.read_on_grid(before, after, (0.0, 0.0), window)
        except UnreadableFile:
            continue
        if (new_valid & old_valid).mean() < 0.8:
            continue
        (x, y), response = cv2.phaseCorrelate(_edges(new), _edges(old), _window_of(new))
        if response >= _LEAST_RESPONSE and np.hypot(x, y) <= _MOST_SHIFT_PX:
            found.append((x, y))
    if not found:
        return Shift(0.0, 0.0, 0)
    shifts = np.array(found)
    middle = np.median(shifts, axis=0)
    agree = shifts[np.hypot(*(shifts - middle).T) <= _AGREE_PX]
    if len(agree) * 2 <= len(shifts):
        return Shift(0.0, 0.0, 0)
    x, y = np.median(agree, axis=0)
    return Shift(float(x), float(y), len(agree))


def _chips(overlap: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    col, row, width, height = overlap
    side = min(CHIP_PX, width, height)
    columns = sorted({col + round(i * (width - side) / (_CHIPS - 1)) for i in range(_CHIPS)})
    rows = sorted({row + round(i * (height - side) / (_CHIPS - 1)) for i in range(_CHIPS)})
    return [(c, r, side, side) for r in rows for c in columns]


def _edges(image: Image) -> npt.NDArray[np.float32]:
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    # Bound the few strongest edges (new roofs, shadows), which would pull the peak to themselves.
    return np.asarray(np.minimum(edges, np.percentile(edges, 95.0)), dtype=np.float32)


def _window_of(image: Image) -> npt.NDArray[np.float32]:
    return cv2.createHanningWindow((image.shape[1], image.shape[0]), cv2.CV_32F)  # type: ignore[return-value]
