"""Gathering what waits in the book into events: passages of cameras, readings of smart cameras, weighings, washings."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from huoyan.config_gate import Gate, GateCamera
from huoyan.config_types import seconds
from huoyan.gate import assembly, clocks, decision, joining
from huoyan.gate.book import Book, Kept, Waiting
from huoyan.gate.clocks import Skew
from huoyan.gate.codec import Message
from huoyan.gate.joining import GRACE_S, Item, Reach
from huoyan.passage import Passage, SmartPassage, Washing, Weighing

SURE_S = 3.0
"""Two looks this close together are at one vehicle whatever their plates say, where no other is near."""
STOOD_S = 5.0
"""Who stood in view for so long stood at the gate, even without crossing its line."""
LORRY_KG = 3500.0
T = TypeVar("T")
OPEN = timedelta(days=1)
"""A message that found no vehicle waits for so long."""


@dataclass
class Gathered:
    """Events that changed, and what is doubtful about events."""

    changed: set[str] = field(default_factory=set)
    doubts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Event -> sentences."""
    pictures: list[str] = field(default_factory=list)
    """Of vehicles that are nobody's business: to be removed."""


def gather(book: Book, gate: Gate, now: datetime, sure: float, registered: Callable[[str], bool]) -> Gathered:
    """Put everything that waits for a gate into its events, within the caller's transaction.

    Args:
        book: holds what waits.
        gate: its cameras and devices.
        now: by which messages count as missing.
        sure: confidence from which two different plates are two vehicles.
        registered: whether a plate is.
    """
    found = Gathered()
    for passage in book.fresh_passages(gate.id):
        _passage(book, gate, passage, sure, found)
    for waiting in _open(book, gate, "smart", now):
        _smart(book, gate, waiting, now, sure, registered, found)
    _weighings(book, gate, now, sure, found)
    _washings(book, gate, now, sure, found)
    return found


def skew_of(book: Book, gate: Gate, device: str) -> Skew:
    """How a device's clock goes."""
    return clocks.measure(book.offsets(device, clocks.SAMPLES), seconds(gate.skew))


def event_id(gate: Gate, first: str) -> str:
    """Stable id of an event: 16 hex digits over gate and the first thing that told of the vehicle."""
    return hashlib.sha256(f"gate event\n{gate.id}\n{first}".encode()).hexdigest()[:16]


def as_item(kept: Kept, sure: float) -> Item:
    """An event as joining sees it."""
    if not kept.passages:
        first = kept.messages[0].message if kept.messages else None
        plate = first.plate.text if isinstance(first, SmartPassage) else getattr(first, "plate", "")
        return Item(kept.event_id, kept.time, plate)
    whole = assembly.merged(kept.passages)
    return Item(kept.event_id, whole.time, whole.plate.text, whole.direction, whole.plate.confidence >= sure)


def _passage(book: Book, gate: Gate, passage: Passage, sure: float, found: Gathered) -> None:
    event = book.event_of_passage(passage.passage_id)
    if event is None:
        if _drove_by(gate, passage):
            book.drop_passage(passage.passage_id)
            return
        item = Item(
            passage.passage_id,
            passage.time,
            passage.plate.text,
            passage.direction,
            passage.plate.confidence >= sure,
        )
        others = [
            kept
            for kept in _near(book, gate, passage.time, seconds(gate.together))
            if all(p.source_id != passage.source_id for p in kept.passages)
        ]
        items = [as_item(kept, sure) for kept in others]
        event = joining.nearest(item, items, seconds(gate.together), SURE_S)
        if event is None:
            event = event_id(gate, passage.passage_id)
            book.begin_event(event, gate.id, passage.time, gate.site)
    book.put_passage(passage.passage_id, event)
    found.changed.add(event)


def _drove_by(gate: Gate, passage: Passage) -> bool:
    """Whether a vehicle only came into view: it neither crossed the line nor stood before it."""
    camera = next((c for c in gate.cameras if c.id == passage.source_id), None)
    watches = isinstance(camera, GateCamera) and camera.line is not None
    return watches and passage.ended and passage.crossed is None and passage.dwell_s < STOOD_S


def _smart(
    book: Book,
    gate: Gate,
    waiting: Waiting,
    now: datetime,
    sure: float,
    registered: Callable[[str], bool],
    found: Gathered,
) -> None:
    message = waiting.message
    assert isinstance(message, SmartPassage)
    within = next((seconds(s.within) for s in gate.smart if s.device == message.device_id), 10.0)
    time = skew_of(book, gate, message.device_id).ours(message.time)
    item = Item(message.message_id, time, message.plate.text, message.direction)
    others = [
        kept
        for kept in _near(book, gate, time, within)
        if all(_another(message, one.message) for one in kept.messages)
    ]
    event = joining.nearest(item, [as_item(kept, sure) for kept in others], within, SURE_S)
    if event is None:
        if (now - time).total_seconds() <= within + GRACE_S:
            return
        if not decision.is_truck(message) and not registered(message.plate.text):
            # A car, most likely: nothing of it is kept.
            book.forget(waiting.seq)
            found.pictures += message.pictures
            return
        event = event_id(gate, f"smart {message.device_id} {message.message_id}")
        book.begin_event(event, gate.id, time, gate.site)
    book.put_message(waiting.seq, event)
    found.changed.add(event)


def _another(push: SmartPassage, told: Message) -> bool:
    """Whether a push can be of the vehicle that a message is about: one camera tells one vehicle by one plate."""
    if not isinstance(told, SmartPassage) or told.device_id != push.device_id:
        return True
    return not joining.distance(told.plate.text, push.plate.text)


def _weighings(book: Book, gate: Gate, now: datetime, sure: float, found: Gathered) -> None:
    waiting = [w for w in _open(book, gate, "weighing", now) if _of(Weighing, w).stable]
    if gate.scale is None or not waiting:
        return
    skew = skew_of(book, gate, gate.scale.device)
    lag, within = _signed(gate.scale.lag), seconds(gate.scale.within)
    reach = Reach(lag - within, lag + within)
    groups = _grouped(waiting)
    # The last weighing of a truck on the scale counts.
    items = {str(group[-1].seq): group for group in groups}
    readings = [
        Item(key, skew.ours(group[-1].message.time), _of(Weighing, group[-1]).plate)
        for key, group in items.items()
    ]
    near = _around(book, gate, readings, reach)
    free = [kept for kept in near if not any(isinstance(m.message, Weighing) for m in kept.messages)]
    again = _again(readings, [as_item(kept, sure) for kept in near if kept not in free], reach)
    rest = [reading for reading in readings if reading.key not in again]
    match = joining.match([as_item(kept, sure) for kept in free], rest, reach, now=now)
    for key, event in {**match.pairs, **again}.items():
        for one in items[key]:
            book.put_message(one.seq, event)
        found.changed.add(event)
    for event, keys in match.doubtful.items():
        found.doubts[event].append(
            f"weight: {len(keys)} weighing(s) near it could be another vehicle's, none is taken for its own"
        )
    for key in match.alone:
        last = items[key][-1]
        if _of(Weighing, last).kg < LORRY_KG:
            for one in items[key]:
                book.forget(one.seq)
        else:
            event = event_id(gate, f"weighing {last.message.device_id} {last.message.message_id}")
            book.begin_event(event, gate.id, skew.ours(last.message.time), gate.site)
            for one in items[key]:
                book.put_message(one.seq, event)
            found.changed.add(event)


def _washings(book: Book, gate: Gate, now: datetime, sure: float, found: Gathered) -> None:
    waiting = _open(book, gate, "washing", now)
    if gate.wash is None or not waiting:
        return
    wash, skew = gate.wash, skew_of(book, gate, gate.wash.device)
    # The vehicle may still drip when it is at the line; the station tells after the wash.
    reach = Reach(-seconds(wash.within), SURE_S)
    readings = []
    for one in waiting:
        message = _of(Washing, one)
        good = message.passed and message.seconds >= wash.seconds
        readings.append(Item(str(one.seq), skew.ours(message.time), message.plate, good=good))
    near = [kept for kept in _around(book, gate, readings, reach) if kept.passages]
    free = [kept for kept in near if not any(isinstance(m.message, Washing) for m in kept.messages)]
    again = _again(readings, [as_item(kept, sure) for kept in near if kept not in free], reach)
    events = [item for item in (as_item(kept, sure) for kept in free) if _needs(gate, item)]
    rest = [reading for reading in readings if reading.key not in again]
    match = joining.match(events, rest, reach, now=now, any_will_do=True)
    for key, event in {**match.pairs, **again}.items():
        book.put_message(int(key), event)
        found.changed.add(event)
    for event, keys in match.doubtful.items():
        found.doubts[event].append(
            f"wash: {len(keys)} washing(s) near it could be another vehicle's, none is taken for its own"
        )
    for key in match.alone:
        book.forget(int(key))


def needs_wash(gate: Gate, direction: str) -> bool:
    """Whether a vehicle on this way has to be washed here."""
    return gate.wash is not None and gate.wash.needed in ("both", direction)


def _needs(gate: Gate, item: Item) -> bool:
    return item.direction == "unknown" or needs_wash(gate, item.direction)


def _grouped(waiting: Sequence[Waiting]) -> list[list[Waiting]]:
    """Weighings of one truck that stood on the scale, together."""
    groups: list[list[Waiting]] = []
    for one in waiting:
        if groups and assembly.same_weighing(_of(Weighing, groups[-1][-1]), _of(Weighing, one)):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _again(readings: Sequence[Item], events: Sequence[Item], reach: Reach) -> dict[str, str]:
    """Readings of vehicles that have one already, by their plate alone."""
    return {
        reading.key: event.key
        for reading in readings
        for event in events
        if reading.plate
        and event.plate
        and reach.holds(event, reading)
        and not joining.distance(event.plate, reading.plate)
    }


def _open(book: Book, gate: Gate, kind: str, now: datetime) -> list[Waiting]:
    """Messages that may find their vehicle. One that seems far off waits until its device's clock is known."""
    found = [one for one in book.waiting(gate.id, kind) if one.message.received > now - OPEN]
    tolerance = seconds(gate.skew)
    known = {one.message.device_id: skew_of(book, gate, one.message.device_id) for one in found}

    def off_s(one: Waiting) -> float:
        return abs((one.message.received - one.message.time).total_seconds())

    return [
        one
        for one in found
        if not one.prompt or known[one.message.device_id].samples >= clocks.FEWEST or off_s(one) <= tolerance
    ]


def _near(book: Book, gate: Gate, time: datetime, within_s: float) -> list[Kept]:
    span = timedelta(seconds=within_s)
    return book.events(gate.id, time - span, time + span)


def _around(book: Book, gate: Gate, readings: Sequence[Item], reach: Reach) -> list[Kept]:
    """Events that any of these readings could be of."""
    first = min(reading.time for reading in readings) - timedelta(seconds=reach.latest_s)
    last = max(reading.time for reading in readings) - timedelta(seconds=reach.earliest_s)
    return book.events(gate.id, first, last)


def _of(kind: type[T], waiting: Waiting) -> T:
    assert isinstance(waiting.message, kind)
    return waiting.message


def _signed(lag: str) -> float:
    return -seconds(lag[1:]) if lag.startswith("-") else seconds(lag)
