"""How far one raster lies off another on the same grid, measured on the pictures themselves."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.errors import UnreadableFile
from huoyan.records import Image
from huoyan.sources import raster
from huoyan.sources.raster import RasterInfo, RasterWindow

CHIP_PX = 512
SMALLEST_PX = 64
"""Below it a chip holds too little to be recognised."""
_CHIPS = 3
_LEAST_PEAK = 8.0
"""Standard deviations by which a peak must stand out. The highest of 512 x 512 random values reaches about 5."""
_REACH = 0.125
_AGREE_PX = 0.75
_SOFT = 8.0
_NEGLIGIBLE_PX = 0.1
Complex = npt.NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Shift:
    """Pixels by which the earlier picture lies off, to the right and down. `chips` places of `of` agreed on it."""

    x: float
    y: float
    chips: int
    of: int
    spread_px: float = 0.0

    @property
    def words(self) -> str:
        """For a user: what was measured and what was done about it."""
        if self.chips == 0:
            return "the shift between the two dates could not be measured; none is corrected"
        measured = f"({self.x:+.2f}, {self.y:+.2f}) px, {self.chips} of {self.of} chips within {self.spread_px:.2f} px"
        if self.correction == (0.0, 0.0):
            return f"the two dates lie on each other: {measured}"
        return f"the earlier date lay off by {measured}, and was moved back"

    @property
    def correction(self) -> tuple[float, float]:
        """What reading corrects: nothing where resampling would cost more sharpness than it gains."""
        return (0.0, 0.0) if np.hypot(self.x, self.y) < _NEGLIGIBLE_PX else (self.x, self.y)


def measure(before: RasterInfo, after: RasterInfo, overlap: RasterWindow) -> Shift:
    """Measure the residual shift between two rasters.

    Up to nine chips spread over the overlap are compared by orientation correlation (Fitch et al., BMVC 2002):
    phase correlation of the directions of their gradients, which survive another light and season. Its peak is
    refined to its centre of gravity, the median of the chips that agree counts, and the whole is done a second
    time on the shifted picture, where the chips cover the same ground.

    Args:
        before: the earlier raster.
        after: the later one, on whose grid the result is.
        overlap: (col, row, width, height) on that grid where both have data.
    """
    chips = _chips(overlap)
    first = _once(before, after, chips, (0.0, 0.0))
    return _once(before, after, chips, (first.x, first.y)) if first.chips else first


def _once(
    before: RasterInfo, after: RasterInfo, chips: list[RasterWindow], known: tuple[float, float]
) -> Shift:
    found = []
    usable = 0
    for window in chips:
        try:
            new, new_valid = raster.read(after, window)
            old, old_valid = raster.read_on_grid(before, after, known, window)
        except UnreadableFile:
            continue
        if (new_valid & old_valid).mean() < 0.8:
            continue
        usable += 1
        x, y, peak = correlate(new, old)
        if peak >= _LEAST_PEAK and np.hypot(x, y) <= _REACH * window[2]:
            found.append((x, y))
    if not found:
        return Shift(0.0, 0.0, 0, usable)
    shifts = np.array(found) + known
    away = np.hypot(*(shifts - np.median(shifts, axis=0)).T)
    agree = shifts[away <= _AGREE_PX]
    if len(agree) * 2 <= usable:
        return Shift(0.0, 0.0, 0, usable)
    x, y = np.median(agree, axis=0)
    spread = float(np.hypot(*(agree - (x, y)).T).max())
    return Shift(float(x), float(y), len(agree), usable, spread)


def correlate(new: Image, old: Image) -> tuple[float, float, float]:
    """(x, y) pixels by which `old` lies right of and below `new`, and how far the peak stands out (sigma)."""
    a, b = np.fft.fft2(_directions(new)), np.fft.fft2(_directions(old))
    cross = b * np.conj(a)
    cross /= np.maximum(np.abs(cross), 1e-9)
    surface = np.abs(np.fft.ifft2(cross))
    peak = np.unravel_index(int(surface.argmax()), surface.shape)
    offsets = np.arange(-2, 3)
    rows, columns = ((peak[axis] + offsets) % surface.shape[axis] for axis in (0, 1))
    weights = surface[np.ix_(rows, columns)]
    total = weights.sum()
    y, x = (
        float((weights.sum(axis=1 - axis) * offsets).sum() / total)
        + _signed(int(peak[axis]), surface.shape[axis])
        for axis in (0, 1)
    )
    height = (surface.max() - surface.mean()) / max(float(surface.std()), 1e-12)
    return x, y, float(height)


def _signed(index: int, length: int) -> int:
    return index if index < length // 2 else index - length


def _directions(image: Image) -> Complex:
    """Gradients as complex numbers of about unit length, those of noise shorter, faded out to the border."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.7)
    gradient = cv2.Sobel(grey, cv2.CV_32F, 1, 0) + 1j * cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    fade = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    return np.asarray(gradient / (np.abs(gradient) + _SOFT) * fade, dtype=np.complex128)


def _chips(overlap: RasterWindow) -> list[RasterWindow]:
    col, row, width, height = overlap
    side = min(CHIP_PX, width, height)
    if side < SMALLEST_PX:
        return []
    # Small overlaps are covered by several chips too, so that one change of the ground cannot decide alone.
    if side == min(width, height) and side >= 4 * SMALLEST_PX:
        side //= 2
    columns = sorted({col + round(i * (width - side) / (_CHIPS - 1)) for i in range(_CHIPS)})
    rows = sorted({row + round(i * (height - side) / (_CHIPS - 1)) for i in range(_CHIPS)})
    return [(c, r, side, side) for r in rows for c in columns]
