"""Non-maximum suppression: of several boxes on one thing, the one with the best score stays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from huoyan.perception.boxes import Boxes, Hits, iou

MAX_CANDIDATES = 2000
"""The best-scored candidates that are compared with each other; bounds the matrix at 16 MB."""
MAX_KEPT = 300


def candidates(predictions: npt.NDArray[np.float32], thresholds: npt.NDArray[np.float32]) -> Hits:
    """What of a model's output reaches the threshold of its class.

    Scores are compared before anything else is touched: of some 60,000 scores a frame keeps a few dozen.

    Args:
        predictions: (anchors, 4 + classes), xyxy and scores.
        thresholds: (classes,).
    """
    rows, classes = np.nonzero(predictions[:, 4:] >= thresholds)
    hits = Hits(predictions[rows, :4], predictions[rows, 4 + classes], classes)
    if len(hits) <= MAX_CANDIDATES:
        return hits
    best = np.argsort(-hits.scores, kind="stable")[:MAX_CANDIDATES]
    return hits.take(best)


def suppress(hits: Hits, overlap: float) -> Hits:
    """Greedy suppression within each class; rows come back by falling score.

    A row stays unless a better-scored row *that stays* overlaps it by more than `overlap` (IoU). Instead of
    walking through the rows, the rule is applied to all of them at once until nothing changes: after k
    rounds every row is settled whose chain of better, overlapping rows is at most k long, so the fixed
    point is the greedy answer, and in practice it is reached in two or three rounds.
    """
    if len(hits) < 2:
        return hits
    ranked = hits.take(np.argsort(-hits.scores, kind="stable"))
    rows = (np.flatnonzero(ranked.classes == label) for label in np.unique(ranked.classes))
    kept = np.concatenate([own[_survivors(ranked.boxes[own], overlap)] for own in rows])
    return ranked.take(np.sort(kept)[:MAX_KEPT])


def _survivors(ranked: Boxes, overlap: float) -> npt.NDArray[np.bool_]:
    """Which boxes (n, 4) of one class, the best first, stay."""
    stays: npt.NDArray[np.bool_] = np.ones(len(ranked), dtype=bool)
    if len(ranked) < 2:
        return stays
    # beats[i, j]: i is better scored than j and covers it.
    beats = np.triu(iou(ranked, ranked) > overlap, 1)
    while True:
        now: npt.NDArray[np.bool_] = ~np.any(beats[stays], axis=0)
        if np.array_equal(now, stays):
            return stays
        stays = now
