"""Average precision, as the COCO evaluation computes it.

Source: Lin et al., "Microsoft COCO", ECCV 2014, and its reference code `pycocotools/cocoeval.py`: detections
are matched greedily by falling score, each to the free box that it overlaps most; precision is made to fall
monotonically and read at 101 levels of recall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from huoyan.perception import boxes
from huoyan.perception.boxes import Boxes

IOUS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)
Flags = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Matched:
    """One class in one picture: scores (n,) falling, hit (thresholds, n), and how many boxes there are."""

    scores: Scores
    hit: Flags
    truths: int


def match(found: Boxes, scores: Scores, truth: Boxes, ious: npt.NDArray[np.float64] = IOUS) -> Matched:
    """Match detections (n, 4) of one class in one picture with the true boxes (m, 4).

    Args:
        found, scores: detections, in any order.
        truth: true boxes.
        ious: the overlaps at which to match, each on its own.
    """
    order = np.argsort(-scores, kind="stable")
    overlap = boxes.iou(found[order], truth)
    hit = np.zeros((len(ious), len(order)), dtype=bool)
    for level, least in enumerate(ious):
        free = np.ones(len(truth), dtype=bool)
        for row in np.flatnonzero((overlap >= least).any(axis=1)):
            candidates = np.where(free, overlap[row], -1)
            best = int(candidates.argmax())
            if candidates[best] >= least:
                free[best] = False
                hit[level, row] = True
    return Matched(scores[order], hit, len(truth))


def average_precision(parts: Sequence[Matched]) -> npt.NDArray[np.float64] | None:
    """Average precision at each overlap over all pictures of a class; None where it has no box."""
    truths = sum(part.truths for part in parts)
    if not truths:
        return None
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    hit = np.concatenate([part.hit for part in parts], axis=1)[:, order]
    return np.array([_area(row, truths) for row in hit])


def _area(hit: Flags, truths: int) -> float:
    if not hit.any():
        return 0.0
    right = np.cumsum(hit)
    recall = right / truths
    precision = right / np.arange(1, len(hit) + 1)
    # The envelope: the best precision at this recall or any higher one.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, side="left")
    reached = at < len(envelope)
    return float(np.where(reached, envelope[np.minimum(at, len(envelope) - 1)], 0.0).mean())
