"""Complete the labels of common classes (person, car) with a COCO model.

No source labels them completely, and COCO models know them well. What the teacher is sure of is added; where
it is unsure the class stays unknown for the picture, so that neither answer is taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.data import Box, Picture, with_boxes


def overlap(one: Box, other: Box) -> tuple[float, float]:
    """Intersection over union of two boxes, and the share of `one` that lies inside `other`."""
    width = min(one.cx + one.width / 2, other.cx + other.width / 2) - max(
        one.cx - one.width / 2, other.cx - other.width / 2
    )
    height = min(one.cy + one.height / 2, other.cy + other.height / 2) - max(
        one.cy - one.height / 2, other.cy - other.height / 2
    )
    if width <= 0 or height <= 0:
        return 0.0, 0.0
    common = width * height
    area, other_area = one.width * one.height, other.width * other.height
    return common / (area + other_area - common), common / max(area, 1e-12)


def complete(picture: Picture, seen: Sequence[tuple[str, float, Box]], rule: dict[str, Any]) -> Picture:
    """Add what the teacher is sure of, and mark the classes as known where it leaves no doubt.

    Args:
        picture: with its own boxes, which always win.
        seen: what the teacher saw.
        rule: `classes`, `sure` and `unsure` scores, `mistaken_for` (classes the teacher takes for its own: an
            excavator for a car), `not_in` (sources where the teacher is blind, such as views from above).
    """
    if blind(picture, rule):
        return picture
    added: list[Box] = []
    doubtful: set[str] = set()
    for label, score, box in seen:
        if score < rule["unsure"] or label not in rule["classes"]:
            continue
        if _explained(box, label, picture.boxes, rule.get("mistaken_for", ())):
            continue
        if score >= rule["sure"]:
            added.append(box)
        else:
            doubtful.add(label)
    return with_boxes(picture, added, set(rule["classes"]) - doubtful)


def blind(picture: Picture, rule: dict[str, Any]) -> bool:
    """Whether the teacher is not to be asked about this picture."""
    return picture.source in rule.get("not_in", ())


def _explained(box: Box, label: str, own: Sequence[Box], mistaken_for: Sequence[str]) -> bool:
    for other in own:
        union, inside = overlap(box, other)
        if (other.label == label and union > 0.4) or (
            label != "person" and other.label in mistaken_for and (union > 0.3 or inside > 0.7)
        ):
            return True
    return False
