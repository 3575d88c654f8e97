"""Which passages are one trip of one truck: by plate, or where one is unreadable by look, time and road.

A trip is found for each passage as it comes, among the passages that came before it, so a replay in the same order
finds the same trips; its id is made of its first passage. Passages may come somewhat out of the order of time: two
videos of one hour are judged one after the other.

A trip ends when the truck goes in at a gate (what comes out is another trip), when nobody has seen it for
`trips.gap`, and after `trips.longest`. Wrongly joined trips would tell a crew of one truck where there are two, so what
is doubtful stays apart: two trucks alike that both fit are taken for neither.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt

from huoyan.config import seconds
from huoyan.config_vehicles import Limits, Trips
from huoyan.passage import Direction
from huoyan.records import NAMESPACE, Place, Placement
from huoyan.registry.spot import SIGMA_PER_RADIUS
from huoyan.vehicles.ground import CROSSING_S, straight_m

Roads = Callable[[str, str], float | None]
"""Metres by road between two sources; None: nobody measured them."""
DETOUR = 1.4
"""Roads are about so much longer than the straight line (Boscoe et al., 2012, give 1.42 for hospitals)."""
PAUSE_S = 180.0
"""Standing at lights on the way between two cameras."""
CLEARER = 0.03
"""By so much more alike the best of several must be."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A passage as a part of a trip."""

    passage_id: str
    source_id: str
    label: str
    first_seen: datetime
    last_seen: datetime
    plate: str = ""
    """Key of the plate; empty: unreadable."""
    colour: str = ""
    place: Place | None = None
    appearance: tuple[float, ...] = ()
    """Unit vector; empty: none was made."""
    site: str | None = None
    """Zone id of the site whose gate it went through; None: a road."""
    direction: Direction = "unknown"
    trip_id: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What decides whether two passages may be one trip."""

    trips: Trips
    limits: Limits
    roads: Roads


def rule_of(trips: Trips, limits: Limits) -> Rule:
    """The rule of a configuration."""
    return Rule(trips, limits, roads(trips.roads))


def roads(measured: Iterable[tuple[str, str, float]]) -> Roads:
    """Metres between two sources in either direction, from a list of (source, source, metres)."""
    table = {frozenset((a, b)): metres for a, b, metres in measured}
    return lambda a, b: table.get(frozenset((a, b)))


def new_id(passage_id: str) -> str:
    """Id of the trip that begins with a passage: a UUIDv5, the same on a replay."""
    return str(uuid.uuid5(NAMESPACE, f"trip|{passage_id}"))


def trip_of(leg: Leg, others: Sequence[Leg], rule: Rule) -> str:
    """The id of the trip that a passage belongs to; a new one if it fits none.

    Args:
        leg: the passage.
        others: passages with their trips, whole trips only: all that were within `trips.longest` of it.
        rule: what decides.
    """
    trips: dict[str, list[Leg]] = defaultdict(list)
    for other in others:
        trips[other.trip_id].append(other)
    open_to = {key: legs for key, legs in trips.items() if _possible(leg, legs, rule)}
    if leg.plate:
        same = [(_away(leg, legs), key) for key, legs in open_to.items() if _plate(legs) == leg.plate]
        if same:
            return min(same)[1]
    looked = []
    for key, legs in open_to.items():
        likeness = _likeness(leg, legs, rule)
        if likeness is not None:
            looked.append((likeness, key))
    looked.sort(reverse=True)
    if looked and (len(looked) == 1 or looked[0][0] - looked[1][0] >= CLEARER):
        return looked[0][1]
    return new_id(leg.passage_id)


def _possible(leg: Leg, legs: Sequence[Leg], rule: Rule) -> bool:
    """Whether one vehicle can have made these passages on one trip, whoever it is."""
    first = min(leg.first_seen, *(one.first_seen for one in legs))
    last = max(leg.last_seen, *(one.last_seen for one in legs))
    if (last - first).total_seconds() > seconds(rule.trips.longest):
        return False
    if _away(leg, legs)[0] > seconds(rule.trips.gap):
        return False
    return not any(_parted(leg, one) or _too_far(leg, one, rule) for one in legs)


def _plate(legs: Sequence[Leg]) -> str:
    return next((leg.plate for leg in legs if leg.plate), "")


def _away(leg: Leg, legs: Sequence[Leg]) -> tuple[float, datetime]:
    """Seconds to the nearest passage of a trip, and when the trip began: the nearest trip is taken, then the oldest."""
    return min(_between_s(leg, one) for one in legs), min(one.first_seen for one in legs)


def _between_s(a: Leg, b: Leg) -> float:
    """Seconds between the end of one passage and the start of the other; 0 where they overlap."""
    after, before = a.first_seen - b.last_seen, b.first_seen - a.last_seen
    return max(0.0, after.total_seconds(), before.total_seconds())


def _parted(a: Leg, b: Leg) -> bool:
    """Whether a gate lies between: one went in before the other, or came out after it."""
    earlier, later = (a, b) if a.first_seen <= b.first_seen else (b, a)
    pause = (later.first_seen - earlier.last_seen).total_seconds()
    if earlier.site == later.site and earlier.direction == later.direction and pause <= CROSSING_S:
        # Also a gate's second camera tells the same crossing again.
        return False
    went_in = earlier.site is not None and earlier.direction == "enter"
    came_out = later.site is not None and later.direction == "leave"
    return went_in or came_out


def _too_far(a: Leg, b: Leg, rule: Rule) -> bool:
    """Whether no truck gets from one to the other in the time between, errors and clocks in its favour."""
    metres = _metres(a, b, rule.roads)
    if metres is None:
        return False
    least = metres - 3.0 * SIGMA_PER_RADIUS * (_error(a) + _error(b))
    time = _between_s(a, b) + seconds(rule.limits.clocks)
    return least / time * 3.6 > rule.limits.fastest_kmh


def _metres(a: Leg, b: Leg, roads: Roads) -> float | None:
    """Metres on the way between two passages, at least; None where nothing tells."""
    measured = roads(a.source_id, b.source_id)
    straight = None
    if isinstance(a.place, Placement) and isinstance(b.place, Placement):
        straight = straight_m(a.place, b.place)
    elif a.source_id == b.source_id:
        straight = 0.0
    known = [metres for metres in (measured, straight) if metres is not None]
    return max(known, default=None)


def _error(leg: Leg) -> float:
    return leg.place.error_m if isinstance(leg.place, Placement) else 0.0


def _likeness(leg: Leg, legs: Sequence[Leg], rule: Rule) -> float | None:
    """How alike a passage is to a trip that its plate does not tell; None if it cannot be told to be the same."""
    if leg.plate and _plate(legs):
        return None
    near = min(legs, key=lambda one: (_between_s(leg, one), one.passage_id))
    if near.label != leg.label or not leg.appearance or len(near.appearance) != len(leg.appearance):
        return None
    if leg.colour and near.colour and leg.colour != near.colour:
        return None
    if leg.source_id == near.source_id and _between_s(leg, near) == 0:
        # Side by side in one picture.
        return None
    if not _in_time(leg, near, rule):
        return None
    likeness = _cosine(leg.appearance, near.appearance)
    return likeness if likeness >= rule.trips.alike else None


def _in_time(a: Leg, b: Leg, rule: Rule) -> bool:
    """Whether one passage follows the other as soon as a truck that stops at lights would; unknown is no."""
    metres = _metres(a, b, rule.roads)
    if metres is None:
        return False
    if rule.roads(a.source_id, b.source_id) is None:
        metres *= DETOUR
    return _between_s(a, b) <= metres / (rule.trips.slowest_kmh / 3.6) + PAUSE_S


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    norm = sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / norm if norm else 0.0
