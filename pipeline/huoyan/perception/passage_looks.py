"""What belongs together in one frame: boxes of one vehicle, its plate, the state of its load, what it leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import hypot

from huoyan.perception import paths
from huoyan.perception.passage_story import COVERS, Part, sureness
from huoyan.records import Box, Detection

TRACES = frozenset({"dust_plume", "spill", "raised_body"})
"""Labels of what a vehicle leaves or does; no shipped model knows the last two."""

# Boxes of two classes that overlap so far (IoU) are one vehicle; so is a part of it, of which this share lies inside.
_SAME, _INSIDE, _PART_OF = 0.55, 0.9, 0.3
# So much lower in the picture, in its sizes, a vehicle stands nearer to the camera.
_NEARER = 0.05
# Slower than this many sizes a second nothing whirls up behind a vehicle.
_MOVING = 0.1


def one_a_vehicle(found: Sequence[Detection]) -> list[Detection]:
    """Detections of vehicles, each vehicle once: of several on one vehicle, and of a part in a whole, the one with the
    highest score. What the others are sure of goes into its attribute `also`."""
    kept: list[tuple[Detection, dict[str, float]]] = []
    for one in sorted(found, key=lambda d: (-d.score, d.box)):
        same = next(((other, also) for other, also in kept if _is_same(one.box, other.box)), None)
        if same is None:
            kept.append((one, {}))
        elif overlap(one.box, same[0].box) > _SAME:
            # What is only a part of it (a cab, a car before it) has no say in what the whole is.
            for label, sure in sureness(one).items():
                same[1][label] = max(sure, same[1].get(label, 0.0))
    return [replace(one, attributes={**one.attributes, "also": also}) if also else one for one, also in kept]


def _is_same(a: Box, b: Box) -> bool:
    small, large = sorted((_area(a), _area(b)))
    return overlap(a, b) > _SAME or (_shared(a, b) >= _INSIDE * small and small >= _PART_OF * large)


def hangs_on_another(plate: Box, own: Box, others: Sequence[Box]) -> bool:
    """Whether a plate lies in the box of a vehicle that stands nearer to the camera: lower in the picture."""
    x, y = paths.centre(plate)
    return any(
        other[0] <= x <= other[2]
        and other[1] <= y <= other[3]
        and other[3] > own[3] + _NEARER * paths.extent(other)
        for other in others
        if overlap(other, own) <= _SAME
    )


def covered(vehicle: Detection, others: Sequence[Detection]) -> Detection:
    """The vehicle with the state of its load, where a detector gives it as a box of its own."""
    states = [d for d in others if d.label in COVERS and _shared(d.box, vehicle.box) >= 0.7 * _area(d.box)]
    if not states or "cover" in vehicle.attributes:
        return vehicle
    best = max(states, key=lambda d: d.score)
    told = {**vehicle.attributes, "cover": best.label, "cover_score": best.score}
    return replace(vehicle, attributes=told)


def mark_traces(part: Part, box: Box, others: Sequence[Detection]) -> None:
    """Dust and spill behind a moving vehicle, a raised body on any."""
    size = paths.extent(box)
    dx, dy = paths.heading(part.path)
    speed = hypot(dx, dy)
    for one in others:
        if one.label not in TRACES:
            continue
        if one.label == "raised_body":
            if _shared(one.box, box) >= 0.5 * _area(one.box):
                part.trace(one.label, one.score)
            continue
        (x, y), (px, py) = paths.centre(box), paths.centre(one.box)
        behind = (px - x) * dx + (py - y) * dy < 0
        reach = 0.5 * size
        near = _shared(one.box, (box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach)) > 0
        if speed >= _MOVING * size and behind and near:
            part.trace(one.label, one.score)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    shared = _shared(a, b)
    return shared / max(_area(a) + _area(b) - shared, 1e-6)


def _shared(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
