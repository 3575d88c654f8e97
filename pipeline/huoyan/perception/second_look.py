"""The second look: where the first one was not certain, look once more at a zoomed crop at full resolution.

A small model sees every frame. A detection of a label that some scene asks for, whose score lies between
the card's `second_look.low` and its threshold (or `second_look.certain`), is looked at again, by the same
model or by a larger one. Its score becomes the calibrated mean of both, and has to reach the threshold
like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from huoyan.perception import boxes
from huoyan.perception.boxes import Hits
from huoyan.perception.cards import Platt, SecondLook
from huoyan.perception.detector import Detector
from huoyan.perception.recollection import Answer
from huoyan.records import Box, Detection, Image

Window = tuple[int, int, int, int]
Recall = Callable[[Sequence[Detection], Callable[[Sequence[Detection]], list[Answer]]], list[Answer]]

# What the second look must share with the first to be about the same thing (IoU).
_SAME = 0.4
# A crop that shows a thing less than this much larger than the first look did tells nothing new.
_WORTH = 1.25
# Enlarging pixels of the picture further than this adds blur, not sight.
_MOST_ENLARGED = 2.0


def look_again(
    detector: Detector,
    image: Image,
    detections: Sequence[Detection],
    labels: Collection[str] | None = None,
    *,
    drop: bool = True,
    recall: Recall | None = None,
) -> list[Detection]:
    """Settle the uncertain ones of `detections`.

    Args:
        detector: what made the first look; its card plans the second.
        image: uint8 (height, width, 3), RGB.
        detections: of this picture, found with `detector.second_look_thresholds(labels)`.
        labels: what earns a second look; default every class.
        drop: leave out what does not reach its threshold in the end; False keeps it, for explanations.
        recall: asks a memory of the view before anything is looked at, see `recollection`; default there is none.

    Returns:
        Detections by falling score. Those looked at twice carry `first_score` and `second_score` in their
        attributes, and the box of the better look.
    """
    plan = detector.card.second_look
    settled = list(detections)
    if plan is not None:
        chosen = _choose(detector, image, settled, labels, plan)
        doubtful, look = [settled[i] for i in chosen], partial(_look, detector, image)
        answers = look(doubtful) if recall is None else recall(doubtful, look)
        for index, answer in zip(chosen, answers, strict=True):
            settled[index] = _settle(settled[index], answer, plan)
    if drop:
        settled = [d for d in settled if d.score >= detector.thresholds[d.label]]
    return sorted(settled, key=lambda d: -d.score)


def combine(first: float, second: float, plan: SecondLook) -> float:
    """Mean of two scores as probabilities, brought back to the scale of the first look's scores.

    Thresholds are set for first looks; with the card's calibrations at their defaults this is the plain mean.
    """
    mean = (_calibrate(first, plan.first) + _calibrate(second, plan.second)) / 2
    return _invert(mean, plan.first)


def _choose(
    detector: Detector,
    image: Image,
    detections: Sequence[Detection],
    labels: Collection[str] | None,
    plan: SecondLook,
) -> list[int]:
    """Indices of those that earn a second look, the most promising first, at most `plan.limit`."""
    first_scale = detector.long_side / max(image.shape[:2])
    larger = detector.second is not detector
    chosen = []
    for index, detection in enumerate(detections):
        certain = detector.thresholds[detection.label] if plan.certain is None else plan.certain
        wanted = labels is None or detection.label in labels
        if not wanted or not plan.low <= detection.score < certain:
            continue
        window = crop_window(detection.box, image, plan)
        scale = plan.long_side / max(window[2] - window[0], window[3] - window[1])
        if larger or scale >= _WORTH * first_scale:
            chosen.append(index)
    return sorted(chosen, key=lambda i: -detections[i].score)[: plan.limit]


def _look(detector: Detector, image: Image, detections: Sequence[Detection]) -> list[Answer]:
    """Look at a crop round each, all in one call."""
    plan = detector.card.second_look
    if plan is None or not detections:
        return []
    windows = [crop_window(d.box, image, plan) for d in detections]
    crops = [image[y1:y2, x1:x2] for x1, y1, x2, y2 in windows]
    # Scores far below the first look's are as good as none; the threshold only saves work.
    seen = detector.second.hits(crops, thresholds=plan.low / 4, long_side=plan.long_side)
    return [
        _best_match(detector.second, detection, window, hits)
        for detection, window, hits in zip(detections, windows, seen, strict=True)
    ]


def _settle(detection: Detection, answer: Answer, plan: SecondLook) -> Detection:
    second, box = answer
    return replace(
        detection,
        score=combine(detection.score, second, plan),
        box=box if second >= detection.score else detection.box,
        attributes={**detection.attributes, "first_score": detection.score, "second_score": second},
    )


def _best_match(detector: Detector, detection: Detection, window: Window, hits: Hits) -> Answer:
    """Best score of the same label at the same place, 0 if nothing is there, with its box in the picture."""
    corner = np.array([window[0], window[1]] * 2, dtype=np.float32)
    moved = hits.boxes + corner
    overlap = boxes.iou(np.array([detection.box], dtype=np.float32), moved)[0]
    same = (overlap >= _SAME) & (hits.classes == detector.classes.index(detection.label))
    if not same.any():
        return 0.0, detection.box
    best = int(np.argmax(np.where(same, hits.scores, -1)))
    x1, y1, x2, y2 = moved[best].tolist()
    return float(hits.scores[best]), (x1, y1, x2, y2)


def crop_window(box: Box, image: Image, plan: SecondLook) -> Window:
    """x1, y1, x2, y2 of a square round the box, `plan.zoom` times as wide, moved into the picture."""
    height, width = image.shape[:2]
    side = round(max(plan.zoom * max(box[2] - box[0], box[3] - box[1]), plan.long_side / _MOST_ENLARGED))
    crop_width, crop_height = min(side, width), min(side, height)
    left = min(max(0, round((box[0] + box[2] - crop_width) / 2)), width - crop_width)
    top = min(max(0, round((box[1] + box[3] - crop_height) / 2)), height - crop_height)
    return left, top, left + crop_width, top + crop_height


def _calibrate(score: float, platt: Platt) -> float:
    return _sigmoid(platt.slope * _logit(score) + platt.offset)


def _invert(probability: float, platt: Platt) -> float:
    return _sigmoid((_logit(probability) - platt.offset) / platt.slope)


def _logit(score: float) -> float:
    bounded = min(max(score, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))
