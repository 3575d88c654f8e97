"""Judging a detector on partly labelled pictures: average precision, thresholds.

A detection of a class that is not labelled completely in its picture is neither right nor wrong when it meets
no box: it is left out. Everything here is NumPy, so the same code judges a PyTorch model in training and the
exported ONNX file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.bootstrap import interval
from training.data import Box, Picture

Floats = npt.NDArray[np.float32]
Raw = Callable[[npt.NDArray[np.uint8]], Floats]
"""Detector after the ONNX contract: uint8 [1, H, W, 3] RGB -> [1, A, 4 + C] xyxy pixels and scores."""


@dataclass(frozen=True, slots=True)
class Found:
    """Detections of one picture: boxes xyxy as shares of its width and height, scores, class numbers."""

    boxes: Floats
    scores: Floats
    classes: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Ranked detections of a class over all pictures."""

    scores: Floats
    hits: npt.NDArray[np.bool_]
    total: int
    """Labelled boxes."""

    @property
    def precision(self) -> Floats:
        hits = np.cumsum(self.hits)
        return np.asarray(hits / np.arange(1, len(hits) + 1), dtype=np.float32)

    @property
    def recall(self) -> Floats:
        return np.asarray(np.cumsum(self.hits) / max(self.total, 1), dtype=np.float32)


def letterbox(image: npt.NDArray[np.uint8], long_side: int) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Bring a picture to a canvas of multiples of 32, as the pipeline does.

    Returns:
        The canvas, and (left, top, width, height) of the picture on it in pixels.
    """
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    new_width, new_height = round(width * scale), round(height * scale)
    canvas_width, canvas_height = -(-new_width // 32) * 32, -(-new_height // 32) * 32
    left, top = (canvas_width - new_width) // 2, (canvas_height - new_height) // 2
    how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    canvas = np.full((canvas_height, canvas_width, 3), 114, dtype=np.uint8)
    canvas[top : top + new_height, left : left + new_width] = cv2.resize(
        image, (new_width, new_height), interpolation=how
    )
    return canvas, np.array([left, top, new_width, new_height], dtype=np.float32)


def suppress(boxes: Floats, scores: Floats, limit: float) -> npt.NDArray[np.int64]:
    """Greedy non-maximum suppression of one class; indices of what stays, best first."""
    order = np.argsort(-scores, kind="stable")
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        order = rest[common <= limit * (areas[best] + areas[rest] - common)]
    return np.asarray(kept, dtype=np.int64)


def detect(
    raw: Raw, image: npt.NDArray[np.uint8], long_side: int, nms_iou: float, low: float = 0.02
) -> Found:
    """Run a detector on an RGB picture; boxes above `low` after suppression per class."""
    canvas, (left, top, width, height) = letterbox(image, long_side)
    prediction = raw(canvas[None])[0]
    boxes = (prediction[:, :4] - [left, top, left, top]) / [width, height, width, height]
    boxes = np.clip(boxes, 0, 1).astype(np.float32)
    parts: list[tuple[Floats, Floats, npt.NDArray[np.int64]]] = []
    for number in range(prediction.shape[1] - 4):
        scores = prediction[:, 4 + number]
        high = np.flatnonzero(scores > low)
        high = high[np.argsort(-scores[high], kind="stable")[:300]]
        kept = high[suppress(boxes[high], scores[high], nms_iou)]
        parts.append((boxes[kept], scores[kept], np.full(len(kept), number)))
    return Found(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def corners(boxes: Sequence[Box]) -> Floats:
    """xyxy of labelled boxes, as shares of the picture."""
    return np.array(
        [[b.cx - b.width / 2, b.cy - b.height / 2, b.cx + b.width / 2, b.cy + b.height / 2] for b in boxes],
        dtype=np.float32,
    ).reshape(-1, 4)


def iou_matrix(one: Floats, other: Floats) -> Floats:
    """Intersection over union, [len(one), len(other)]."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    area = np.prod(one[:, 2:] - one[:, :2], axis=1)
    other_area = np.prod(other[:, 2:] - other[:, :2], axis=1)
    return np.asarray(common / np.maximum(area[:, None] + other_area[None] - common, 1e-9), dtype=np.float32)


def match(found: Found, boxes: Floats, number: int, iou: float) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Scores of one class in one picture, best first, and which of them meet a labelled box of their own."""
    mine = np.flatnonzero(found.classes == number)
    mine = mine[np.argsort(-found.scores[mine], kind="stable")]
    table = iou_matrix(found.boxes[mine], boxes)
    taken = np.zeros(len(boxes), dtype=bool)
    hits = np.zeros(len(mine), dtype=bool)
    for row, overlaps in enumerate(table):
        free = np.where(taken, 0.0, overlaps)
        if free.size and free.max() >= iou:
            taken[int(free.argmax())] = True
            hits[row] = True
    return found.scores[mine], hits


@dataclass(frozen=True, slots=True)
class Tally:
    """Detections of a class in one picture, best first, which of them are right, and how many boxes there are."""

    scores: Floats
    hits: npt.NDArray[np.bool_]
    total: int
    known: bool
    """Whether the class is labelled completely in the picture."""


def tallies(
    pictures: Sequence[Picture],
    found: Sequence[Found],
    classes: Sequence[str],
    soft_iou: Mapping[str, float],
) -> dict[str, list[Tally]]:
    """A `Tally` a picture for every class that has a labelled box in the pictures."""
    result = {}
    for number, label in enumerate(classes):
        rows = []
        for picture, seen in zip(pictures, found, strict=True):
            boxes = corners([b for b in picture.boxes if b.label == label])
            score, hit = match(seen, boxes, number, soft_iou.get(label, 0.5))
            known = label in picture.known
            if not known:
                score, hit = score[hit], hit[hit]
            rows.append(Tally(score, hit, len(boxes), known))
        if any(row.total for row in rows):
            result[label] = rows
    return result


def pool(rows: Sequence[Tally]) -> Curve:
    """The curve of a class over several pictures."""
    scores = np.concatenate([row.scores for row in rows])
    hits = np.concatenate([row.hits for row in rows])
    order = np.argsort(-scores, kind="stable")
    return Curve(scores[order], hits[order], sum(row.total for row in rows))


def average_precision(curve: Curve) -> float:
    """Area under precision over recall, all points, precision made to fall (as COCO and VOC 2010 do)."""
    if not len(curve.scores):
        return 0.0
    recall = np.concatenate([[0.0], curve.recall, [curve.recall[-1]]])
    precision = np.concatenate([[1.0], curve.precision, [0.0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * precision[1:]))


def operating_point(
    curve: Curve,
    precision: float = 0.9,
    least_recall: float = 0.25,
    bounds: tuple[float, float] = (0.12, 0.7),
    quiet: float = 0.0,
) -> dict[str, Any]:
    """Lowest score from which the wanted precision holds, else the score of the best F1.

    The wanted precision counts as reachable only where it leaves `least_recall`: a threshold that shows next
    to nothing is precise and useless. A class of few boxes gets no extreme one: the score stays within `bounds`,
    but no lower than `quiet`, see `quiet_score`.

    Returns:
        `score`, and `precision` and `recall` at it on these pictures.
    """
    reached = np.flatnonzero((curve.precision >= precision) & (curve.recall >= least_recall))
    reached = reached[reached >= 2]
    if len(reached):
        place = int(reached[-1])
    elif len(curve.scores):
        f1 = 2 * curve.precision * curve.recall / np.maximum(curve.precision + curve.recall, 1e-9)
        place = int(f1.argmax())
    else:
        return {"score": max(0.5, quiet), "precision": None, "recall": 0.0}
    # Rounded down, so that the detection which set the score passes it.
    score = float(np.clip(np.floor(curve.scores[place] * 100) / 100, *bounds))
    if curve.hits[curve.scores >= score].sum() < 0.3 * (curve.scores >= score).sum():
        # More than two false alarms for a hit: better silent than wrong.
        score = max(score, 0.5)
    score = max(score, quiet)
    above = curve.scores >= score
    hits, shown = int(curve.hits[above].sum()), int(above.sum())
    return {
        "score": round(score, 2),
        "precision": round(hits / shown, 2) if shown else None,
        "recall": round(hits / curve.total, 2),
    }


def quiet_score(rows: Sequence[Tally], share: float = 0.02, most: float = 0.8) -> float:
    """Score from which at most `share` of the pictures without the class, or one, would cry it; never above `most`.

    Most frames of a county hold nothing: what a threshold does there decides how many alarms are wrong, and
    precision on pictures that were chosen for their objects does not show it.
    """
    loudest = [
        float(row.scores[0]) if len(row.scores) else 0.0 for row in rows if row.known and not row.total
    ]
    if len(loudest) < 2:
        return 0.0
    # The next hundredth above the score at which one picture too many fires.
    allowed = max(1, int(share * len(loudest)))
    return round(min(most, float(np.floor(sorted(loudest, reverse=True)[allowed] * 100)) / 100 + 0.01), 2)


def second_look_score(curve: Curve, threshold: float, share: float = 0.15) -> float:
    """Score below the threshold where at least `share` of what is seen is still true."""
    if not len(curve.scores):
        return round(threshold / 2, 2)
    good = curve.scores[curve.precision >= share]
    low = float(good[-1]) if len(good) else threshold
    return round(float(np.clip(low, 0.1, max(0.1, threshold * 0.8))), 2)


def mean_precision(by_class: Mapping[str, Sequence[Tally]]) -> float:
    """Mean of the average precisions of the classes that have a box."""
    curves = [pool(rows) for rows in by_class.values() if any(row.total for row in rows)]
    return float(np.mean([average_precision(curve) for curve in curves])) if curves else 0.0


def figures(by_class: Mapping[str, Sequence[Tally]], intervals: int = 0) -> dict[str, Any]:
    """Average precision, boxes and pictures with a box by class, and the plain mean of the classes.

    Args:
        by_class: see `tallies`.
        intervals: resamples of the pictures for 95 % intervals (`interval`, `map_interval`); 0 leaves them out.
    """
    table: dict[str, dict[str, Any]] = {}
    for label, rows in by_class.items():
        table[label] = {
            "ap": round(average_precision(pool(rows)), 3),
            "boxes": sum(row.total for row in rows),
            "pictures": sum(row.total > 0 for row in rows),
        }
        if intervals:
            table[label]["interval"] = _interval(rows, lambda some: average_precision(pool(some)), intervals)
    numbers: dict[str, Any] = {"map": round(mean_precision(by_class), 3), "classes": table}
    if intervals:
        pictures = list(zip(*by_class.values(), strict=True))
        numbers["map_interval"] = _interval(
            pictures,
            lambda some: mean_precision(dict(zip(by_class, zip(*some, strict=True), strict=True))),
            intervals,
        )
    return numbers


def _interval(values: Sequence[Any], statistic: Callable[[Sequence[Any]], float], n: int) -> list[float]:
    return [round(bound, 3) for bound in interval(values, statistic, n=n)]
