"""Slopes that single steps and peaks do not bend, with their error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Slope:
    """The median of the slopes between all pairs of points (Theil 1950, Sen 1968), and its interval of 95 %.

    The interval is Sen's: ranks of the pairs' slopes around the middle, by the variance of Kendall's S. It holds for
    points whose errors are independent; those of a memory that grows in steps are not, so that it is rather too narrow.
    """

    middle: float
    low: float
    high: float


def slope(times: Sequence[float], values: Sequence[float]) -> Slope:
    """Growth of values by time.

    Raises:
        ValueError: fewer than three points.
    """
    count = len(times)
    if count < 3:
        raise ValueError(f"a slope needs three points, there are {count}")
    x, y = np.asarray(times, float), np.asarray(values, float)
    first, second = np.triu_indices(count, 1)
    steps = np.sort((y[second] - y[first]) / (x[second] - x[first]))
    spread = 1.96 * np.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, int((len(steps) - spread) / 2))
    high = min(len(steps) - 1, int((len(steps) + spread) / 2) + 1)
    return Slope(float(np.median(steps)), float(steps[low]), float(steps[high]))


def by_minute(
    times: Sequence[float], values: Sequence[float], seconds: float = 60.0
) -> tuple[list[float], list[float]]:
    """Medians of values by minute (or so many seconds): what is under way at one moment does not count."""
    x, y = np.asarray(times, float), np.asarray(values, float)
    minutes = ((x - x[0]) // seconds).astype(int)
    kept = [m for m in np.unique(minutes) if (minutes == m).sum() >= 0.5 * len(x) / (minutes[-1] + 1)]
    return [float(np.median(x[minutes == m])) for m in kept], [
        float(np.median(y[minutes == m])) for m in kept
    ]
