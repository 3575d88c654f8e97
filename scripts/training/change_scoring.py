"""Judging a change detector: pixel precision, recall and F1, pooled over pictures, of the patches it would report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training import bootstrap
from training.change_data import Mask, Pair

Floats = npt.NDArray[np.float32]
# As `huoyan.perception.change` and `regions` do, without drawing an outline for every point that is tried.
_LEAST = 9
_STEPS = (*(round(0.05 * n, 2) for n in range(3, 20)), 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)


@dataclass(frozen=True, slots=True)
class Point:
    """Where a change model works: pixels above `threshold` form patches, those without a pixel of `peak` go."""

    threshold: float
    peak: float


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one pair, in pixels: marked and changed, marked, changed."""

    both: int
    marked: int
    changed: int


def f1(counts: Sequence[Counts]) -> float:
    """Pooled over pairs; 1 where nothing changed and nothing was marked."""
    both, marked, changed = (sum(getattr(c, name) for c in counts) for name in ("both", "marked", "changed"))
    return 2 * both / (marked + changed) if marked + changed else 1.0


def count(chance: Floats, changed: Mask, threshold: float) -> dict[float, Counts]:
    """Counts of one pair by peak, for every peak from the threshold up."""
    labels, pixels, peaks = _patches(chance, threshold)
    hits = np.bincount(labels[changed], minlength=len(pixels))
    real = int(changed.sum())
    table = {}
    for peak in (step for step in _STEPS if step >= threshold):
        kept = peaks >= peak
        table[peak] = Counts(int(hits[kept].sum()), int(pixels[kept].sum()), real)
    return table


def marked(chance: Floats, point: Point) -> Mask:
    """The pixels of the patches that are reported at a working point, [H, W]."""
    labels, _, peaks = _patches(chance, point.threshold)
    shown: Mask = (peaks >= point.peak)[labels]
    return shown


def _patches(chance: Floats, threshold: float) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], Floats]:
    """Labels [H, W]; pixels and highest score of each label; 0 is that of what is no patch."""
    amount, labels = cv2.connectedComponents((chance >= threshold).astype(np.uint8), connectivity=8)
    pixels = np.bincount(labels.ravel(), minlength=amount)
    peaks = np.zeros(amount, dtype=np.float32)
    np.maximum.at(peaks, labels.ravel(), chance.ravel())
    peaks[pixels < _LEAST] = -1
    peaks[0] = -1
    return labels, pixels, peaks


def measure(chances: Sequence[Floats], pairs: Sequence[Pair], point: Point) -> dict[str, Any]:
    """Figures pooled over all pairs, over coarse and fine ones, and by source; intervals by drawing pairs again."""
    groups: dict[str, list[Counts]] = {}
    for chance, pair in zip(chances, pairs, strict=True):
        counts = count(chance, pair.changed, point.threshold)[point.peak]
        for name in ("all", pair.grain, f"{pair.source} {pair.gsd_m:g} m"):
            groups.setdefault(name, []).append(counts)
    return {name: _figures(counts) for name, counts in groups.items()}


def _figures(counts: Sequence[Counts]) -> dict[str, Any]:
    both, marked, changed = (sum(getattr(c, name) for c in counts) for name in ("both", "marked", "changed"))
    quiet = [c for c in counts if not c.changed]
    figures: dict[str, Any] = {"pairs": len(counts)}
    if changed:
        low, high = bootstrap.interval(counts, f1)
        figures |= {
            "precision": round(both / max(marked, 1), 3),
            "recall": round(both / changed, 3),
            "f1": round(f1(counts), 3),
            "f1_interval": [round(low, 3), round(high, 3)],
        }
    return figures | {"quiet": len(quiet), "quiet_marked": sum(c.marked > 0 for c in quiet)}


def choose(
    chances: Sequence[Floats], pairs: Sequence[Pair], most_quiet: float
) -> tuple[Point, dict[str, Any]]:
    """The working point of the best F1, and the figures there.

    Args:
        chances: probability of change of each pair, [H, W].
        pairs: what they are of.
        most_quiet: share of the pairs without change in which something may be marked. Where no point keeps
            to it, the one that marks the fewest is taken.

    Returns:
        The point, and what `measure` gives there. F1 is the mean of coarse and fine pairs: one kind does not
        drown the other.
    """
    tables: dict[Point, dict[str, list[Counts]]] = {}
    for threshold in _STEPS:
        for chance, pair in zip(chances, pairs, strict=True):
            for peak, counts in count(chance, pair.changed, threshold).items():
                table = tables.setdefault(Point(threshold, peak), {})
                table.setdefault(pair.grain, []).append(counts)

    def worth(point: Point) -> tuple[float, float]:
        counts = [c for group in tables[point].values() for c in group]
        quiet = [c.marked > 0 for c in counts if not c.changed]
        excess = max(0.0, (sum(quiet) / len(quiet) if quiet else 0.0) - most_quiet)
        return -excess, float(np.mean([f1(group) for group in tables[point].values()]))

    best = max(tables, key=worth)
    return best, measure(chances, pairs, best)
