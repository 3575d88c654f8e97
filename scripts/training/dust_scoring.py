"""Figures of the dust classifier, with their uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
FEWEST = 5
MEASURES = ("f1", "precision", "recall", "false_alarm_rate")


def figures(scores: Scores, dusty: Flags, threshold: float) -> dict[str, float | None]:
    """F1, precision, recall and the share of dust-free pictures that raise an alarm; None where undefined."""
    said = scores >= threshold
    hits, alarms = int((said & dusty).sum()), int((said & ~dusty).sum())
    return {
        "f1": _share(2 * hits, int(said.sum()) + int(dusty.sum())),
        "precision": _share(hits, int(said.sum())),
        "recall": _share(hits, int(dusty.sum())),
        "false_alarm_rate": _share(alarms, int((~dusty).sum())),
    }


def with_intervals(
    scores: Scores, dusty: Flags, threshold: float, draws: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """`figures` with their counts and 95 % intervals: percentiles over pictures drawn with replacement."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in MEASURES}
    for _ in range(draws):
        chosen = rng.integers(0, len(scores), len(scores))
        for name, value in figures(scores[chosen], dusty[chosen], threshold).items():
            if value is not None:
                drawn[name].append(value)
    result: dict[str, Any] = {"pictures": len(scores), "with_dust": int(dusty.sum())}
    for name, value in figures(scores, dusty, threshold).items():
        # A handful of pictures with dust measures no recall.
        told = name == "false_alarm_rate" or int(dusty.sum()) >= FEWEST
        if value is not None and told:
            low, high = np.percentile(drawn[name], (2.5, 97.5))
            result[name] = [round(value, 3), round(float(low), 3), round(float(high), 3)]
    return result


def choose(scores: Scores, dusty: Flags, most_false: float) -> float:
    """The threshold of the best F1 among those that keep the false alarms to `most_false`.

    Where a stretch of thresholds does equally well its middle is taken.
    """
    candidates = np.unique(scores)
    middles = np.concatenate([(candidates[1:] + candidates[:-1]) / 2, candidates[-1:]])
    best, best_f1 = 1.0, -1.0
    for threshold in middles.tolist():
        found = figures(scores, dusty, threshold)
        if (found["false_alarm_rate"] or 0.0) <= most_false and (found["f1"] or 0.0) > best_f1:
            best, best_f1 = threshold, found["f1"] or 0.0
    return float(best)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
