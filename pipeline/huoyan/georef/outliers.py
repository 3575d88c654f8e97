"""Finding control points that contradict the others."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from huoyan.errors import GeoreferenceError
from huoyan.georef import homography, pinhole
from huoyan.georef.noise import Noise
from huoyan.records import FloatArray

LEAST_GAIN = 30.0
"""By how much chi² must fall without a point before it is suspected at all."""
LEAST_RATIO = 40.0
"""How much better (gain per number, against what the rest shows per number) the fit must be without it."""
DOUBTFUL_RATIO = 12.0
"""From here on a point is told as doubtful, but kept: honest points far from the camera reach it."""
_RIVAL = 4.0
"""Leaving out another point instead is as good if its chi² is within this factor."""
_PRIOR_WEIGHT = 4.0
_POINTS_FOR_SAMPLING = 8
_SAMPLES = 500
_CAP = 30.0
"""Squared residual, in units of the expected noise, that makes a point an outlier when sampling."""


def find(
    pixels: FloatArray, ground: FloatArray, size: tuple[int, int], expected: Noise
) -> tuple[list[int], list[int]]:
    """Indices of the points that are wrong, and of others that may be wrong.

    With eight points or more a consensus is sought first (samples of four, truncated quadratic cost, refined
    on its inliers: MSAC with local optimisation, Chum et al. 2003), so that wrong points cannot cover each
    other. Whatever is named must improve the fit far beyond what noise does.
    """
    if len(pixels) < 5 or homography.on_a_line(pixels) or homography.on_a_line(ground):
        return [], []
    everything = np.arange(len(pixels))
    whole = _chi2(pixels, ground, size, expected)
    if whole < LEAST_GAIN:
        return [], []
    if len(pixels) >= _POINTS_FOR_SAMPLING:
        inside = _consensus(pixels, ground, expected)
        out = [int(i) for i in everything if i not in inside]
        if out and len(inside) >= max(5, len(pixels) // 2 + 1):
            rest = _chi2(pixels[inside], ground[inside], size, expected)
            if _ratio(whole, rest, len(out), len(inside)) > LEAST_RATIO:
                return out, []
    costs = [
        _chi2(np.delete(pixels, i, axis=0), np.delete(ground, i, axis=0), size, expected) for i in everything
    ]
    best = int(np.argmin(costs))
    ratio = _ratio(whole, costs[best], 1, len(pixels) - 1)
    if ratio < DOUBTFUL_RATIO:
        return [], []
    limit = _RIVAL * (costs[best] + _PRIOR_WEIGHT)
    doubtful = [int(i) for i in everything if costs[i] < limit]
    if ratio < LEAST_RATIO:
        return [], doubtful
    return [best], [i for i in doubtful if i != best]


def _ratio(whole: float, rest: float, dropped: int, kept: int) -> float:
    """Gain per dropped number in units of what the kept ones still show; 0 where the gain is small in itself."""
    gain = whole - rest
    per_number = (_PRIOR_WEIGHT + rest) / (_PRIOR_WEIGHT + max(2 * kept - 8, 0))
    return gain / (2 * dropped) / per_number if gain > LEAST_GAIN else 0.0


def _chi2(pixels: FloatArray, ground: FloatArray, size: tuple[int, int], expected: Noise) -> float:
    """Of the better of homography and camera model; infinite where neither fits.

    Four points fit a homography exactly, so there the camera model alone can object.
    """
    best = float("inf")
    if len(pixels) >= 5:
        try:
            matrix = homography.fit(pixels, ground)
            best = float((homography.whitened(matrix, pixels, ground, expected) ** 2).sum())
        except GeoreferenceError:
            pass
    try:
        return min(best, pinhole.fit(pixels, ground, size, expected).chi2)
    except GeoreferenceError:
        return best


def _consensus(pixels: FloatArray, ground: FloatArray, expected: Noise) -> npt.NDArray[np.intp]:
    """Indices of the largest set of points that agree on a homography."""
    random = np.random.default_rng(0)
    count = len(pixels)
    all_fours = list(combinations(range(count), 4))
    if len(all_fours) > _SAMPLES:
        all_fours = [tuple(random.choice(count, 4, replace=False)) for _ in range(_SAMPLES)]
    inside: npt.NDArray[np.intp] = np.arange(count)
    least = float("inf")
    for four in all_fours:
        members = np.array(four)
        for _ in range(3):
            try:
                matrix = homography.fit(pixels[members], ground[members])
            except GeoreferenceError:
                break
            with np.errstate(all="ignore"):
                squares = _squares(matrix, pixels, ground, expected)
            cost = float(np.minimum(squares, _CAP).sum())
            if cost < least:
                inside, least = np.flatnonzero(squares < _CAP), cost
            members = np.flatnonzero(squares < _CAP)
            if len(members) < 5:
                break
    return inside


def _squares(matrix: FloatArray, pixels: FloatArray, ground: FloatArray, expected: Noise) -> FloatArray:
    """Squared whitened residual of each point; infinite above the horizon."""
    squares = np.full(len(pixels), np.inf)
    seen = pixels @ matrix[2, :2] + matrix[2, 2] > 0.0
    if seen.any():
        squares[seen] = (homography.whitened(matrix, pixels[seen], ground[seen], expected) ** 2).sum(axis=1)
    return squares
