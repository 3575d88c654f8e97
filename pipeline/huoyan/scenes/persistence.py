"""How often and how long a thing was seen at one place by one source.

A memory entry of a source and scene holds the places where something was seen, each with its latest looks.
Places are matched by distance, not by a grid, so what hovers about a cell's border is one place. Frames are
counted per source: `looks` of the last `of` frames of that source must have seen it, whatever the time
between them; for a duration the thing must have kept that up without a break.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from huoyan.config import seconds
from huoyan.records import Box, Observation, Placement
from huoyan.scenes import nearness
from huoyan.scenes.groups import iou
from huoyan.scenes.loading import Alternative
from huoyan.scenes.memory import Memory

STILL_IOU = 0.4
"""Overlap with the mean of its boxes from which a thing has not moved: headlights make boxes dance."""
MOST_PLACES = 200
"""Places remembered per source and scene; the ones not seen for longest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """Whether a thing was seen often and long enough, in how many looks, and the numbers."""

    held: bool
    looks: int
    detail: str


def count_frame(memory: Memory, source: str, time: datetime, period_s: float = 0.0) -> int:
    """Count a frame of a source and return its number.

    A live camera is looked at whenever something moves: all its looks within `period_s` are one frame, so that "2 of
    the last 4 frames" asks for as much of it as of an archive with a frame every period.
    """
    key, since_key = f"#frames|{source}", f"#since|{source}"
    number = int(memory.get(key) or 0)
    if period_s:
        now, since = time.timestamp(), memory.get(since_key)
        if since is not None and 0 <= now - since < period_s:
            return number
        memory.put(since_key, now)
    memory.put(key, number + 1)
    return number + 1


def look(
    alternative: Alternative, anchor: Observation, zones: tuple[str, ...], frame_number: int, memory: Memory
) -> Lasting:
    """Remember that an alternative's evidence was seen, and say whether that is often and long enough."""
    wanted = alternative.evidence.persistence
    if anchor.frame.kind not in wanted.sensors or (wanted.looks == 1 and seconds(wanted.over) == 0):
        return Lasting(True, 1, "one look suffices")
    key = f"{alternative.scene}|{anchor.frame.source_id}"
    now = anchor.frame.time.timestamp()
    # Kept places are new objects: what memory holds must only change through `put`.
    places = [dict(place) for place in memory.get(key) or [] if now - place["hits"][-1][1] <= place["within"]]
    place = next((p for p in places if _same(p, alternative, anchor, zones)), None)
    if place is None:
        place = _new(alternative, anchor, zones)
        places.append(place)
    _hit(place, alternative, anchor, frame_number, now)
    places.sort(key=lambda p: -float(p["hits"][-1][1]))
    memory.put(key, places[:MOST_PLACES])
    return _judge(place, alternative, anchor, now)


def _new(alternative: Alternative, anchor: Observation, zones: tuple[str, ...]) -> dict[str, Any]:
    where = anchor.place
    return {
        "key": alternative.key,
        "at": [where.lon, where.lat, where.error_m] if isinstance(where, Placement) else None,
        "zones": list(zones),
        "box": list(anchor.detection.box),
        "hits": [],
        "looks": 0,
        "since": None,
        "within": seconds(alternative.evidence.persistence.within),
    }


def _same(
    place: dict[str, Any], alternative: Alternative, anchor: Observation, zones: tuple[str, ...]
) -> bool:
    if place["key"] != alternative.key:
        return False
    if alternative.evidence.still:
        box: Box = tuple(place["box"])
        return iou(box, anchor.detection.box) >= STILL_IOU
    where, at = anchor.place, place["at"]
    if at is None or not isinstance(where, Placement):
        return at is None and not isinstance(where, Placement) and place["zones"] == list(zones)
    return nearness.one_place(Placement(at[0], at[1], at[2], ""), where)


def _hit(
    place: dict[str, Any], alternative: Alternative, anchor: Observation, frame_number: int, now: float
) -> None:
    """Add a look; several things at the place in one frame are one look."""
    wanted = alternative.evidence.persistence
    hits = [
        hit for hit in place["hits"] if hit[0] > frame_number - wanted.of and now - hit[1] <= place["within"]
    ]
    if not hits or hits[-1][0] != frame_number:
        hits.append([frame_number, now])
        place["looks"] += 1
        share = 1.0 / min(place["looks"], 10)
        place["box"] = [
            old + share * (new - old) for old, new in zip(place["box"], anchor.detection.box, strict=True)
        ]
    place["hits"] = hits
    if len(hits) < wanted.looks:
        place["since"] = None
    elif place["since"] is None:
        place["since"] = hits[0][1]


def _judge(place: dict[str, Any], alternative: Alternative, anchor: Observation, now: float) -> Lasting:
    wanted = alternative.evidence.persistence
    looks, score = len(place["hits"]), anchor.detection.score
    if wanted.sure is not None and score >= wanted.sure:
        return Lasting(True, place["looks"], f"score {score:.2f} is sure from {wanted.sure:.2f} on")
    numbers = f"{looks} of the last {wanted.of} frames"
    if place["since"] is None:
        return Lasting(False, place["looks"], f"{numbers}, {wanted.looks} needed")
    lasted = now - place["since"]
    long_enough = lasted >= seconds(wanted.over)
    return Lasting(long_enough, place["looks"], f"{numbers}, for {lasted:.0f} s of {wanted.over}")
