"""Which vehicle a message is about: by plate where there is one, else by time and order, and never by a guess.

Vehicles pass scale and camera in the same order. So readings without a plate are given to vehicles only where order and
number leave one way to do it: as many readings as vehicles within reach of each other. One reading for two trucks nose
to tail stays nobody's: unknown, told, and not the wrong truck's weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from huoyan.passage import Direction
from huoyan.registry import plate_key

ALIKE = 2
"""Readings of one plate may differ in so many characters."""
GRACE_S = 2.0
"""What messages may take to come."""


@dataclass(frozen=True, slots=True)
class Item:
    """An event or a reading, as far as joining asks."""

    key: str
    time: datetime
    plate: str = ""
    direction: Direction = "unknown"
    sure: bool = False
    """The plate is read with certainty: one that differs is another's."""
    good: bool = True
    """Of washes: it was one. Of weighings: always."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which reading is which event's. `doubtful` names events with the readings that may be theirs or a neighbour's."""

    pairs: Mapping[str, str] = field(default_factory=dict)
    """Reading -> event."""
    doubtful: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Event -> readings."""
    alone: tuple[str, ...] = ()
    """Readings that no event is near to."""


@dataclass(frozen=True, slots=True)
class Reach:
    """When a vehicle's reading may be: seconds from its crossing to the reading."""

    earliest_s: float
    latest_s: float

    def holds(self, event: Item, reading: Item) -> bool:
        return self.earliest_s <= (reading.time - event.time).total_seconds() <= self.latest_s

    @property
    def middle_s(self) -> float:
        return (self.earliest_s + self.latest_s) / 2.0


def distance(a: str, b: str) -> int:
    """Levenshtein distance of two plates, compared without blanks and dots."""
    a, b = plate_key(a), plate_key(b)
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def may_be_one(a: Item, b: Item) -> bool:
    """Whether two readings may be of one plate; an unreadable one may be any."""
    if not a.plate or not b.plate:
        return True
    apart = distance(a.plate, b.plate)
    return apart == 0 or (apart <= ALIKE and not (a.sure and b.sure))


def one_way(a: Direction, b: Direction) -> bool:
    return a == b or "unknown" in (a, b)


def nearest(item: Item, events: Sequence[Item], within_s: float, sure_s: float) -> str | None:
    """The event that another look at a vehicle belongs to.

    Within `within_s` where the plates may be one; within `sure_s` also where they are not, if no other event is
    there: two cameras that read one plate differently are a thing to tell, not two trucks.
    """
    near = [e for e in events if abs((e.time - item.time).total_seconds()) <= within_s]
    near = [e for e in near if one_way(e.direction, item.direction)]
    alike = [e for e in near if may_be_one(e, item)]
    if not alike:
        near = [e for e in near if abs((e.time - item.time).total_seconds()) <= sure_s]
        return near[0].key if len(near) == 1 else None

    def unlike(event: Item) -> tuple[int, float, str]:
        # Equal plates first, then an unreadable one, then those that differ a little.
        unread = not event.plate or not item.plate
        far = 1 if unread else 2 * distance(event.plate, item.plate)
        return far, abs((event.time - item.time).total_seconds()), event.key

    return min(alike, key=unlike).key


def match(
    events: Sequence[Item],
    readings: Sequence[Item],
    reach: Reach,
    *,
    now: datetime,
    any_will_do: bool = False,
) -> Match:
    """Give readings to events.

    Args:
        events: vehicles that have no such reading yet.
        readings: that belong to no event yet.
        reach: when a vehicle's reading may be.
        now: what has not come by then is told as missing, not waited for.
        any_will_do: readings that are all good say the same, so more of them than vehicles is enough (washes).

    Returns:
        Sure pairs; what stays doubtful although nothing that could settle it is to be expected any more.
    """
    events = sorted(events, key=lambda e: (e.time, e.key))
    readings = sorted(readings, key=lambda r: (r.time, r.key))
    pairs = _by_plate(events, readings, reach)
    free = [e for e in events if e.key not in pairs.values()]
    left = [r for r in readings if r.key not in pairs]
    settled = [(_named(events, e).time, _named(readings, r).time) for r, e in pairs.items()]
    edges = {
        (e.key, r.key)
        for e in free
        for r in left
        if reach.holds(e, r) and not (e.plate and r.plate) and _in_order(e, r, settled)
    }
    doubtful: dict[str, tuple[str, ...]] = {}
    for some, theirs in _components(free, left, edges):
        ordered = list(zip(some, theirs, strict=False))
        fits = all((e.key, r.key) in edges for e, r in ordered)
        enough = any_will_do and len(theirs) > len(some) and all(r.good for r in theirs)
        if fits and (len(some) == len(theirs) or enough):
            pairs.update({r.key: e.key for e, r in ordered})
        elif _over(some, theirs, reach, now):
            doubtful.update({e.key: tuple(r.key for r in theirs) for e in some})
    met = {reading for _, reading in edges}
    alone = [r for r in left if r.key not in met and _over([], [r], reach, now)]
    return Match(pairs, doubtful, tuple(r.key for r in alone))


def _by_plate(events: Sequence[Item], readings: Sequence[Item], reach: Reach) -> dict[str, str]:
    """Pairs of one plate: equal, or one character apart where that leaves no choice."""
    pairs: dict[str, str] = {}
    near = [
        (distance(e.plate, r.plate), abs((r.time - e.time).total_seconds() - reach.middle_s), e.key, r.key)
        for e in events
        for r in readings
        if e.plate and r.plate and reach.holds(e, r)
    ]
    for apart, _, event, reading in sorted(near):
        if apart == 0 and reading not in pairs and event not in pairs.values():
            pairs[reading] = event
    close = [(e, r) for apart, _, e, r in near if apart == 1 and r not in pairs and e not in pairs.values()]
    for event, reading in close:
        if sum(e == event or r == reading for e, r in close) == 1:
            pairs[reading] = event
    return pairs


def _in_order(event: Item, reading: Item, settled: Sequence[tuple[datetime, datetime]]) -> bool:
    """Whether a pair overtakes none that is known."""
    return all((event.time < e) == (reading.time < r) for e, r in settled)


def _components(
    events: Sequence[Item], readings: Sequence[Item], edges: set[tuple[str, str]]
) -> list[tuple[list[Item], list[Item]]]:
    """Groups of vehicles and readings that hang together, each in order of time."""
    group = {f"e{e.key}": f"e{e.key}" for e in events} | {f"r{r.key}": f"r{r.key}" for r in readings}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for event, reading in sorted(edges):
        group[root(f"e{event}")] = root(f"r{reading}")
    roots = sorted({root(f"e{event}") for event, _ in edges})
    return [
        ([e for e in events if root(f"e{e.key}") == one], [r for r in readings if root(f"r{r.key}") == one])
        for one in roots
    ]


def _over(events: Sequence[Item], readings: Sequence[Item], reach: Reach, now: datetime) -> bool:
    """Whether neither a reading for these vehicles nor a vehicle for these readings can be still to come."""
    ends = [(now - e.time).total_seconds() - reach.latest_s for e in events]
    ends += [(now - r.time).total_seconds() + reach.earliest_s for r in readings]
    return min(ends) > GRACE_S


def _named(items: Sequence[Item], key: str) -> Item:
    return next(item for item in items if item.key == key)
