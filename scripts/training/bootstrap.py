"""Intervals for figures: the pictures are drawn again, with replacement, and the figure is computed anew.

Percentile bootstrap after Efron (1979). Pictures are drawn, not boxes: the boxes of one picture share its light, its
camera and its day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def interval(
    values_per_picture: Sequence[T], statistic: Callable[[Sequence[T]], float], n: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a figure over pictures.

    Args:
        values_per_picture: what each picture contributes.
        statistic: the figure of some pictures.
        n: times that the pictures are drawn.
        seed: of the draws; the same seed gives the same interval.

    Returns:
        (low, high).

    Raises:
        ValueError: there is no picture.
    """
    if not values_per_picture:
        raise ValueError("no pictures: there is nothing to draw from")
    rng = np.random.default_rng(seed)
    count = len(values_per_picture)
    figures = [statistic([values_per_picture[i] for i in rng.integers(0, count, count)]) for _ in range(n)]
    low, high = np.percentile(figures, (2.5, 97.5))
    return float(low), float(high)
