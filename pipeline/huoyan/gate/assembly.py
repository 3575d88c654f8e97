"""One event from all that was seen and said of one vehicle at a gate: readings merged, weights told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from huoyan.config_gate import Wash
from huoyan.gate.joining import distance
from huoyan.passage import Direction, Passage, PlateReading, SmartPassage, Washing, Weighing

EMPTY_OFF = 0.08
"""A weighing this near to the registered empty weight (a share of it), or within 500 kg, is one of an empty vehicle."""
_EMPTY_OFF_KG = 500.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Kilograms of a vehicle at a gate; None: not known."""

    gross_kg: float | None = None
    tare_kg: float | None = None


def merged(passages: Sequence[Passage], smart: Sequence[SmartPassage] = ()) -> Passage:
    """What the gate's cameras saw of one vehicle as one passage: of each thing the surest look.

    A smart camera gives a direction where ours give none, never a plate.

    Args:
        passages: at least one.
        smart: what smart cameras pushed.
    """
    best = max(
        passages, key=lambda p: (p.plate.readable, p.plate.confidence, p.crossed is not None, p.passage_id)
    )
    crossings = [p for p in passages if p.direction != "unknown"]
    crossed = min(crossings, key=lambda p: (p.time, p.passage_id), default=best)
    covers = [p for p in passages if p.cover != "unknown"]
    cover = max(covers, key=lambda p: p.cover_confidence, default=best)
    direction = crossed.direction
    if direction == "unknown":
        told = {s.direction for s in smart} - {"unknown"}
        direction = told.pop() if len(told) == 1 else "unknown"
    return replace(
        best,
        direction=direction,
        crossed=crossed.crossed,
        first_seen=min(p.first_seen for p in passages),
        last_seen=max(p.last_seen for p in passages),
        dwell_s=max(p.dwell_s for p in passages),
        cover=cover.cover,
        cover_confidence=cover.cover_confidence,
        dust=max(p.dust for p in passages),
        spill=max(p.spill for p in passages),
        tipping=max(p.tipping for p in passages),
        place=next((p.place for p in (best, *passages) if p.place is not None), None),
        sights=tuple(sight for p in passages for sight in p.sights),
        looks=sum(p.looks for p in passages),
        ended=all(p.ended for p in passages),
    )


def other_readings(
    best: PlateReading, passages: Sequence[Passage], smart: Sequence[SmartPassage]
) -> list[PlateReading]:
    """Readable plates beside the one that counts."""
    found = [p.plate for p in passages if p.plate.readable] + [s.plate for s in smart if s.plate.readable]
    return [reading for reading in found if reading is not best]


def kilograms(weighings: Sequence[Weighing]) -> float | None:
    """The last weighing that had come to rest."""
    stable = [w for w in weighings if w.stable]
    return max(stable, key=lambda w: (w.time, w.message_id)).kg if stable else None


def was_washed(washings: Sequence[Washing], wash: Wash) -> bool | None:
    """Whether a vehicle was washed: by what the station says of it; None: it says nothing."""
    if not washings:
        return None
    return sum(w.seconds for w in washings if w.passed) >= max(wash.seconds, 1e-9)


def weights(
    kg: float | None,
    before_kg: float | None,
    *,
    direction: Direction,
    loads_here: bool,
    empty_kg: float | None,
    looks_empty: bool,
) -> Weights:
    """Which of a visit's weighings is the loaded vehicle, which the empty one.

    Args:
        kg: of this passage.
        before_kg: of the passage the other way in the same visit.
        direction: of this passage.
        loads_here: vehicles come empty and leave loaded (a yard), not the other way (a tip).
        empty_kg: as registered.
        looks_empty: the camera sees an empty bed.
    """
    if kg is None:
        return Weights()
    if before_kg is not None:
        return Weights(max(kg, before_kg), min(kg, before_kg))
    if direction == "unknown":
        return Weights(gross_kg=kg)
    if empty_kg is not None:
        empty = abs(kg - empty_kg) <= max(_EMPTY_OFF_KG, EMPTY_OFF * empty_kg)
    else:
        empty = looks_empty or (direction == "leave") != loads_here
    return Weights(tare_kg=kg) if empty else Weights(gross_kg=kg)


def same_weighing(a: Weighing, b: Weighing, seconds: float = 8.0, kg: float = 300.0) -> bool:
    """Whether two messages are one truck on the scale, weighed again while it stood."""
    near = abs((a.time - b.time).total_seconds()) <= seconds and abs(a.kg - b.kg) <= kg
    return near and (not a.plate or not b.plate or not distance(a.plate, b.plate))
