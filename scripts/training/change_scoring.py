"""Judging a change detector: pixel precision, recall and F1, pooled over pictures, of the patches it would report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Of one pair, in pixels: marked and changed, marked, changed. And patches: reported, of these on a change."""

    both: int
    marked: int
    changed: int
    patches: int = 0
    right: int = 0


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
        table[peak] = Counts(
            int(hits[kept].sum()),
            int(pixels[kept].sum()),
            real,
            int(kept.sum()),
            int((hits[kept] > 0).sum()),
        )
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


def measure(chances: Sequence[Floats], pairs: Sequence[Pair], points: Mapping[str, Point]) -> dict[str, Any]:
    """Figures pooled over all pairs, over coarse and fine ones, and by source; intervals by drawing pairs again.

    Each pair is judged at the point of its grain.
    """
    groups: dict[str, list[Counts]] = {}
    for chance, pair in zip(chances, pairs, strict=True):
        point = points[pair.grain]
        counts = count(chance, pair.changed, point.threshold)[point.peak]
        for name in ("all", pair.grain, f"{pair.source} {pair.gsd_m:g} m"):
            groups.setdefault(name, []).append(counts)
    return {name: _figures(counts) for name, counts in groups.items()}


def _figures(counts: Sequence[Counts]) -> dict[str, Any]:
    names = ("both", "marked", "changed", "patches", "right")
    both, marked, changed, patches, right = (sum(getattr(c, name) for c in counts) for name in names)
    quiet = [c for c in counts if not c.changed]
    figures: dict[str, Any] = {"pairs": len(counts), "patches": patches, "patches_right": right}
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
    chances: Sequence[Floats], pairs: Sequence[Pair], most_quiet: float, as_good: float = 0.0
) -> dict[str, Point]:
    """A working point for coarse pairs and one for fine ones; where there are none, that of the others.

    Args:
        chances: probability of change of each pair, [H, W].
        pairs: what they are of.
        most_quiet: share of the pairs without change in which something may be marked. Where no point keeps
            to it, those count that mark the fewest.
        as_good: points whose F1 is less than this below the best are as good: few held-back pairs do not tell
            them apart. Of them the one is taken whose patches lie on a change most often: each false one is
            somebody's walk.
    """
    tables: dict[str, dict[Point, list[Counts]]] = {}
    for chance, pair in zip(chances, pairs, strict=True):
        table = tables.setdefault(pair.grain, {})
        for threshold in _STEPS:
            for peak, counts in count(chance, pair.changed, threshold).items():
                table.setdefault(Point(threshold, peak), []).append(counts)
    best = {grain: _best(table, most_quiet, as_good) for grain, table in tables.items()}
    return {grain: best.get(grain) or next(iter(best.values())) for grain in ("coarse", "fine")}


def _best(table: Mapping[Point, Sequence[Counts]], most_quiet: float, as_good: float) -> Point:
    loud = {}
    for point, counts in table.items():
        quiet = [c.marked > 0 for c in counts if not c.changed]
        loud[point] = max(most_quiet, sum(quiet) / len(quiet) if quiet else 0.0)
    allowed = [point for point in table if loud[point] <= min(loud.values())]
    least = max(f1(table[point]) for point in allowed) - as_good
    return max(
        (point for point in allowed if f1(table[point]) >= least),
        key=lambda point: (_right(table[point]), f1(table[point])),
    )


def _right(counts: Sequence[Counts]) -> float:
    """The share of patches that lie on a change."""
    return sum(c.right for c in counts) / max(1, sum(c.patches for c in counts))
