"""Non-maximum suppression: of several boxes on one thing, the one with the best score stays."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.perception.boxes import Hits

MAX_CANDIDATES = 2000
"""The best-scored candidates that are compared with each other; bounds the time of a broken model's frame."""
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
    """Greedy suppression within each class; rows come back by falling score, equal scores in the order they had.

    A row stays unless a better-scored row *that stays* overlaps it by more than `overlap` (IoU).
    """
    if len(hits) < 2:
        return hits
    ranked = hits.take(np.argsort(-hits.scores, kind="stable"))
    # OpenCV wants x, y, width, height; in doubles, because it moves the classes apart by large steps.
    corners = ranked.boxes.astype(np.float64)
    corners[:, 2:] -= corners[:, :2]
    # No score is below -1: what reaches its threshold was decided before.
    kept = cv2.dnn.NMSBoxesBatched(
        corners.tolist(), ranked.scores.tolist(), ranked.classes.tolist(), -1.0, overlap
    )
    return ranked.take(np.sort(np.asarray(kept, dtype=np.intp))[:MAX_KEPT])
