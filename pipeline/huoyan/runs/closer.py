"""What a lasting change is: the detectors look at it once more, enlarged, and may be less sure than elsewhere.

The memory of a view says that something stands there since days, not what. A detector says what something is, and
is at times wrong. Together they are believed where neither would be: a thing that the detector half knows counts if
it fills a place that has changed for good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from huoyan import georef
from huoyan.errors import GeoreferenceError
from huoyan.perception import second_look
from huoyan.perception.cards import SecondLook
from huoyan.perception.detector import Detector
from huoyan.records import Box, Detection, FrameRef, Ground, Image, Observation, Observations, Unplaced
from huoyan.runs.look import Eyes
from huoyan.sample import ViewChange
from huoyan.scenes.lasting import LABEL

LOWER = 0.5
"""Share of its own threshold from which a label counts inside a lasting change."""
_ZOOM = 1.8
"""Side of the crop over the longer side of the change: the whole thing with something round it."""
_SHARED = 0.5
"""Of the smaller of both boxes that a thing and the change must share."""
_SIZES = (0.2, 4.0)
"""Area of a thing over that of the change's box."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a detector takes a change for."""

    label: str
    score: float
    surety: float
    """Score over the threshold of the label's card."""
    box: Box
    model: str
    """Name of the detector."""


def look(eyes: Eyes, seen: Observations, image: Image, changes: Iterable[ViewChange]) -> Observations:
    """What was seen in a picture, with the lasting changes of its view as observations beside it."""
    ground = eyes.settings.grounds.get(seen.frame.source_id, Unplaced("no calibration"))
    closer = tuple(observe(change, seen.frame, image, eyes.detectors, ground) for change in changes)
    return replace(seen, items=seen.items + closer)


def observe(
    change: ViewChange, frame: FrameRef, image: Image, detectors: Iterable[Detector], ground: Ground
) -> Observation:
    """A lasting change as an observation: where it is, and what the detectors take it for.

    Args:
        change: in shares of the picture.
        frame: the picture of the same view.
        image: its pixels, uint8 (height, width, 3), RGB.
        detectors: that are asked.
        ground: how the camera sees the ground.

    Returns:
        An observation labelled `lasting_change`. Its attributes are `days`, `hours`, `share`, `grown`, `seen_as`
        (empty: nothing was recognised), `seen_score` and `model` (that recognised it). Its box is that of what was
        recognised, else the change's; the score is the probability that change and label are not both wrong.
    """
    width, height = frame.size
    polygon = tuple((x * width, y * height) for x, y in change.polygon)
    x1, y1, x2, y2 = change.box
    box = (x1 * width, y1 * height, x2 * width, y2 * height)
    attributes: dict[str, object] = {
        "days": change.days,
        "hours": change.hours,
        "share": round(change.share, 4),
        "grown": change.grown,
        "seen_as": "",
    }
    score = change.strength
    known = recognise(box, image, detectors)
    if known is not None:
        attributes |= {
            "seen_as": known.label,
            "seen_score": round(known.score, 4),
            "model": known.model,
        }
        score = 1 - (1 - change.strength) * (1 - known.score)
        box = known.box
    detection = Detection(LABEL, score, box, polygon, attributes=attributes)
    try:
        place = georef.place(ground, detection, frame.size)
    except GeoreferenceError as error:
        place = Unplaced(error.message)
    return Observation(frame, detection, place)


def recognise(box: Box, image: Image, detectors: Iterable[Detector], lower: float = LOWER) -> Known | None:
    """What fills a box of a picture in the eyes of the detectors, the surest by its own threshold; None: nothing.

    Args:
        box: of the change, in pixels.
        image: uint8 (height, width, 3), RGB.
        detectors: that are asked.
        lower: share of its threshold from which a label counts.
    """
    found: list[Known] = []
    for detector in detectors:
        plan = (detector.card.second_look or SecondLook(low=0.1)).model_copy(update={"zoom": _ZOOM})
        x1, y1, x2, y2 = second_look.crop_window(box, image, plan)
        limits = {label: lower * limit for label, limit in detector.thresholds.items()}
        second = detector.second
        for hit in second.describe(
            second.hits([image[y1:y2, x1:x2]], thresholds=limits, long_side=plan.long_side)[0]
        ):
            left, top, right, bottom = hit.box
            there = (left + x1, top + y1, right + x1, bottom + y1)
            if _fills(there, box):
                surety = hit.score / detector.thresholds[hit.label]
                found.append(Known(hit.label, hit.score, surety, there, str(hit.attributes["model"])))
    return max(found, key=lambda known: known.surety, default=None)


def _fills(thing: Box, change: Box) -> bool:
    """Whether a thing is where the change is, and about as large."""
    wide = min(thing[2], change[2]) - max(thing[0], change[0])
    high = min(thing[3], change[3]) - max(thing[1], change[1])
    if wide <= 0 or high <= 0:
        return False
    own, other = _area(thing), _area(change)
    return wide * high >= _SHARED * min(own, other) and _SIZES[0] <= own / other <= _SIZES[1]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
