"""A drifting cloud in several frames of one fixed view: dust and smoke move, haze and bare soil stand still.

Airborne particles veil what is behind them: now = t * background + (1 - t) * airlight, with the same t over a few
pixels (Koschmieder). The pattern behind stays but loses contrast. A vehicle or a person replaces the pattern instead,
a shadow darkens without adding light. So each cell of a frame is regressed on the background, the median of all
frames: a high correlation with a slope well below 1 and light added is a veil.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.errors import SourceError
from huoyan.records import Image

Floats = npt.NDArray[np.float32]

# Frames are looked at in this size: compression noise averages out, a plume of 5 % of the width remains.
_LONG_SIDE = 320
_CELL = 16
# Of 255. Cells without a pattern cannot show a veil.
_LEAST_PATTERN = 4.0
_SAME_PATTERN = 0.65
_FADED = 0.8
# Of 255: what a veil would look like if it hid all. A shadow has no light of its own.
_LEAST_AIRLIGHT = 50.0


@dataclass(frozen=True, slots=True)
class Veil:
    """How much of the view is veiled in each frame, against the median of all frames.

    Attributes:
        shares: (frames,) veiled share of the cells that have a pattern to be veiled, 0 to 1.
        cells: float32 (frames, rows, columns), opacity 1 - t of each cell; 0 where there is no veil or no pattern.
    """

    shares: Floats
    cells: Floats

    @property
    def drift(self) -> float:
        """Largest less smallest share: 0 in still air, however hazy; a cloud that comes or goes raises it."""
        return float(self.shares.max() - self.shares.min())


def veil(frames: Sequence[Image]) -> Veil:
    """Find what veils a fixed view now and then.

    Args:
        frames: at least 3, uint8 (height, width, 3), RGB, of one size, the camera unmoved, some seconds apart. The
            view should be free in at least half of them, or the veil becomes part of the background.

    Raises:
        SourceError: there are fewer frames, or their sizes differ.
    """
    if len(frames) < 3 or any(frame.shape != frames[0].shape for frame in frames):
        raise SourceError("a veil needs three or more frames of one size", code="frames")
    grey = np.stack([_small(frame) for frame in frames])
    background = np.median(grey, axis=0).astype(np.float32)
    mean, spread = _moments(background, background)
    usable = spread > _LEAST_PATTERN**2
    cells = np.stack([_opacity(frame, background, mean, spread, usable) for frame in grey])
    shares = (cells > 0).sum(axis=(1, 2)) / max(1, int(usable.sum()))
    return Veil(shares.astype(np.float32), cells)


def _opacity(
    frame: Floats, background: Floats, mean: Floats, spread: Floats, usable: npt.NDArray[np.bool_]
) -> Floats:
    own_mean, own_spread = _moments(frame, frame)
    _, shared = _moments(frame, background)
    slope = shared / np.maximum(spread, 1e-3)
    correlation = shared / np.sqrt(np.maximum(spread * own_spread, 1e-3))
    added = own_mean - slope * mean
    veiled = (
        usable & (correlation > _SAME_PATTERN) & (slope < _FADED) & (added > _LEAST_AIRLIGHT * (1 - slope))
    )
    # Something of the whole neighbourhood: one cell is chance.
    kernel = np.ones((3, 3), np.float32)
    around = cv2.filter2D(veiled.astype(np.float32), -1, kernel, borderType=cv2.BORDER_CONSTANT)
    return np.where(veiled & (around >= 3), 1 - slope, 0).astype(np.float32)


def _small(frame: Image) -> Floats:
    scale = _LONG_SIDE / max(frame.shape[:2])
    size = [max(_CELL, round(side * scale / _CELL) * _CELL) for side in frame.shape[1::-1]]
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.float32)


def _moments(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Mean of the first and covariance of both, in each cell: (rows, columns)."""

    def pooled(values: Floats) -> Floats:
        rows, columns = values.shape[0] // _CELL, values.shape[1] // _CELL
        result: Floats = values.reshape(rows, _CELL, columns, _CELL).mean(axis=(1, 3))
        return result

    mean, other_mean = pooled(one), pooled(other)
    return mean, pooled(one * other) - mean * other_mean
