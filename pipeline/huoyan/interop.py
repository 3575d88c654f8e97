"""Handing detections to other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from huoyan.errors import MissingExtra
from huoyan.records import Detection


def to_supervision(detections: Sequence[Detection], classes: Sequence[str] | None = None) -> Any:
    """Detections as `supervision.Detections`.

    Args:
        detections: of one picture.
        classes: labels in the order that gives their ids, for example `Detector.classes`; default the
            labels that occur, sorted.

    Returns:
        A `supervision.Detections`: xyxy in pixels, confidence, class_id, tracker_id where any is known
        (-1 for those without), and `data["class_name"]`, `data["text"]`.

    Raises:
        MissingExtra: supervision is not installed.
        ValueError: a label is not in `classes`.
    """
    try:
        import supervision
    except ImportError as error:
        raise MissingExtra.named("supervision", "analyst") from error
    if not detections:
        return supervision.Detections.empty()
    names = list(classes) if classes is not None else sorted({d.label for d in detections})
    unknown = sorted({d.label for d in detections} - set(names))
    if unknown:
        raise ValueError(f"labels that are not in classes: {', '.join(unknown)}; classes are {names}")
    tracked = any(d.track_id is not None for d in detections)
    ids = np.array([-1 if d.track_id is None else d.track_id for d in detections])
    return supervision.Detections(
        xyxy=np.array([d.box for d in detections], dtype=np.float32),
        confidence=np.array([d.score for d in detections], dtype=np.float32),
        class_id=np.array([names.index(d.label) for d in detections]),
        tracker_id=ids if tracked else None,
        data={
            "class_name": np.array([d.label for d in detections]),
            "text": np.array([d.text for d in detections]),
        },
    )
