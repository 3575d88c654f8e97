"""Judging a change detector: pixel precision, recall and F1, pooled over pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.change_data import Pair

Floats = npt.NDArray[np.float32]


def measure(chances: Sequence[Floats], pairs: Sequence[Pair], threshold: float) -> dict[str, Any]:
    """Pixel precision, recall and F1 pooled over all pairs, and by source and ground sampling distance."""
    groups: dict[str, npt.NDArray[np.int64]] = {}
    for chance, pair in zip(chances, pairs, strict=True):
        seen = chance >= threshold
        counts = np.array([(seen & pair.changed).sum(), seen.sum(), pair.changed.sum()], dtype=np.int64)
        for name in ("all", f"{pair.source} {pair.gsd_m:g} m"):
            groups[name] = groups.get(name, np.zeros(3, dtype=np.int64)) + counts
    return {
        name: {
            "precision": round(hit / max(shown, 1), 3),
            "recall": round(hit / max(real, 1), 3),
            "f1": round(2 * hit / max(shown + real, 1), 3),
        }
        for name, (hit, shown, real) in ((n, c.tolist()) for n, c in groups.items())
    }


def choose(chances: Sequence[Floats], pairs: Sequence[Pair]) -> tuple[float, dict[str, Any]]:
    """The threshold of the best pooled F1, and the figures there."""
    steps = [round(0.1 + 0.05 * n, 2) for n in range(17)]
    tables = {step: measure(chances, pairs, step) for step in steps}
    best = max(steps, key=lambda step: tables[step]["all"]["f1"])
    return best, tables[best]
