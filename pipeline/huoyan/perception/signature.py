"""A few kilobytes that say what a fixed view looks like, whatever the light.

The picture is divided into 48 x 27 cells. Of each cell four numbers are kept: how strong its edges are in four
directions, relative to the edges of its neighbourhood. Brighter or darker light, a whole picture in shadow, more
contrast or less leave these shares as they are (the idea of histograms of oriented gradients, Dalal and Triggs,
CVPR 2005); another thing in the cell changes them. Where nothing stands out of the noise (sky, fog, the dark) a
cell holds zeros.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

COLUMNS, ROWS, DIRECTIONS = 48, 27, 4
BYTES = 1 + ROWS + ROWS * COLUMNS * DIRECTIONS
"""Length of a signature: mean brightness, strength of the edges by row, then the cells by row, column, direction."""

Floats = npt.NDArray[np.float32]

_CELL_PX = 8
_STEP = 64.0
"""Bytes per unit of a cell's relative strength: 255 stands for four times the neighbourhood's mean."""
_NOISE = 1.0
"""Mean strength (grey levels per pixel) that noise and compression give to a cell without edges."""
_FURTHEST = 1.5
"""Cells by which two signatures of one view may be shifted against each other."""
# Weak cells differ by noise alone: what both hold is held against these.
_WEAK = 1.0
_WEAK_PATTERN = 0.05
_WINDOW = 5


@dataclass(frozen=True, slots=True)
class View:
    """A signature unpacked.

    Attributes:
        cells: float32 (ROWS, COLUMNS, DIRECTIONS), strength of the edges relative to the neighbourhood.
        brightness: mean of the picture, 0 to 255.
        rows: float32 (ROWS,), mean strength of the edges of each row of cells, in grey levels per pixel: low in fog
            (from the far rows on), blur and darkness.
    """

    cells: Floats
    brightness: float
    rows: Floats


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two signatures compared.

    Attributes:
        distance: float32 (ROWS, COLUMNS), 0 (the same) to 1 (nothing in common), see `distance`.
        shift: (columns, rows) by which the second is moved against the first, as shares of width and height.
        score: correlation of the two grids, 1 for the same picture. Of seven real series, pictures of one view in
            different light and weather reached 0.58 to 1, of different views at most 0.33.
    """

    distance: Floats
    shift: tuple[float, float]
    score: float


def signature(luma: npt.NDArray[np.uint8]) -> bytes:
    """The signature of a picture.

    Args:
        luma: uint8 (height, width), of any size; the Y plane as it is decoded.

    Raises:
        ValueError: it is not such a picture.
    """
    if luma.ndim != 2 or luma.dtype != np.uint8 or min(luma.shape) < 16:
        raise ValueError(f"expected uint8 (height, width) of at least 16 px, got {luma.dtype} {luma.shape}")
    small = cv2.resize(luma, (COLUMNS * _CELL_PX, ROWS * _CELL_PX), interpolation=cv2.INTER_AREA)
    across = cv2.Sobel(small, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(small, cv2.CV_32F, 0, 1, scale=1 / 8)
    diagonal = np.float32(0.5**0.5)
    responses = (across, (across + down) * diagonal, down, (across - down) * diagonal)
    cells = np.dstack([_per_cell(np.abs(response)) for response in responses])
    strength = cells.sum(axis=2)
    around = cv2.blur(strength, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT)
    shares = np.maximum(cells - _NOISE / DIRECTIONS, 0) / (around[..., None] + _NOISE)
    rows = np.clip(np.rint(8 * strength.mean(axis=1)), 0, 255).astype(np.uint8)
    packed = np.clip(np.rint(shares * _STEP), 0, 255).astype(np.uint8)
    return bytes((int(small.mean()), *rows.tolist(), *packed.ravel().tolist()))


def view(packed: bytes) -> View:
    """Unpack a signature.

    Raises:
        ValueError: these bytes are none.
    """
    if len(packed) != BYTES:
        raise ValueError(f"a signature has {BYTES} bytes, not {len(packed)}")
    values = np.frombuffer(packed, dtype=np.uint8)
    cells = values[1 + ROWS :].reshape(ROWS, COLUMNS, DIRECTIONS).astype(np.float32) / np.float32(_STEP)
    return View(cells, float(values[0]), values[1 : 1 + ROWS].astype(np.float32) / np.float32(8))


def likeness(first: bytes, second: bytes) -> Likeness:
    """Compare two signatures cell by cell; a small shift between them (a camera shakes) is undone first.

    Raises:
        ValueError: something is not a signature.
    """
    one, other = view(first).cells, view(second).cells
    shift = shift_between(one, other)
    moved = shifted(other, shift)
    return Likeness(distance(one, moved), (shift[0] / COLUMNS, shift[1] / ROWS), correlation(one, moved))


def distance(one: Floats, other: Floats) -> Floats:
    """How unlike the cells of two grids are, float32 (ROWS, COLUMNS), 0 to 1.

    The geometric mean of two measures that err differently: the L1 distance of the cell itself, which is sharp but
    takes noise and shadows' borders for change, and one less the correlation of the 5 x 5 cells round it, which knows
    a pattern again whatever its strength but smears its border.
    """
    own = np.abs(one - other).sum(axis=2) / (one.sum(axis=2) + other.sum(axis=2) + _WEAK)
    mean_one, mean_other = _mean(one), _mean(other)
    shared = (_mean(one * other) - mean_one * mean_other).sum(axis=2)
    spread = (_mean(one * one) - mean_one * mean_one).sum(axis=2)
    spread *= (_mean(other * other) - mean_other * mean_other).sum(axis=2)
    pattern = 1 - (shared + _WEAK_PATTERN) / (np.sqrt(np.maximum(spread, 0)) + _WEAK_PATTERN)
    both: Floats = np.sqrt(own * np.clip(pattern, 0, 1)).astype(np.float32)
    return both


def shift_between(one: Floats, other: Floats) -> tuple[float, float]:
    """(columns, rows) by which `other` is moved against `one`, in cells, at most 1.5.

    Least squares over the whole grid (Lucas and Kanade, 1981), repeated as the grids come to lie on each other.
    """
    x = y = 0.0
    # A gradient is only good for as far as it reaches: softened, edges are felt from a cell away.
    one, soft = _softened(one), _softened(other)
    for _ in range(8):
        moved = shifted(soft, (x, y))
        across = (np.roll(moved, -1, 1) - np.roll(moved, 1, 1))[1:-1, 1:-1] / 2
        down = (np.roll(moved, -1, 0) - np.roll(moved, 1, 0))[1:-1, 1:-1] / 2
        rest = (one - moved)[1:-1, 1:-1]
        # What differs by far is another thing, not a moved one.
        weight = (np.abs(rest) < 0.7).astype(np.float32)
        a, b, c = (
            (across * across * weight).sum(),
            (across * down * weight).sum(),
            (down * down * weight).sum(),
        )
        e, f = (across * rest * weight).sum(), (down * rest * weight).sum()
        divisor = a * c - b * b
        if divisor < 1e-3:
            break
        step = (float((c * e - b * f) / divisor), float((a * f - b * e) / divisor))
        x, y = x + step[0], y + step[1]
        if max(abs(x), abs(y)) > _FURTHEST:
            return 0.0, 0.0
        if max(abs(step[0]), abs(step[1])) < 0.02:
            break
    return x, y


def shifted(cells: Floats, shift: tuple[float, float]) -> Floats:
    """The grid moved back by (columns, rows); its border is repeated."""
    if max(abs(shift[0]), abs(shift[1])) < 0.01:
        return cells
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], dtype=np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(cells, matrix, (COLUMNS, ROWS), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return moved.astype(np.float32, copy=False)


def correlation(one: Floats, other: Floats) -> float:
    """Correlation of two whole grids, -1 to 1; 0 where one of them holds nothing."""
    one, other = one - one.mean(axis=(0, 1)), other - other.mean(axis=(0, 1))
    norm = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / norm if norm > 0 else 0.0


def _softened(grid: Floats) -> Floats:
    return cv2.blur(grid, (3, 3), borderType=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)


def _mean(grid: Floats) -> Floats:
    """Mean of the cells round each."""
    return cv2.blur(grid, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT).astype(np.float32, copy=False)


def _per_cell(strength: Floats) -> Floats:
    """Weighted means (a triangle of two cells' width) at the centres of the cells."""
    soft = cv2.blur(strength, (_CELL_PX, _CELL_PX), borderType=cv2.BORDER_REFLECT)
    return cv2.resize(soft, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
