"""One vehicle at one place and time, as the history takes it in: from a road camera's passage or a gate's event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from huoyan.passage import Cover, Direction, GateEvent, Outcome, Passage, Verdict
from huoyan.records import Place, Placement

TRUCKS = frozenset({"dump_truck", "mixer_truck", "concrete_pump", "loader"})
"""Labels of vehicles whose passages are kept though they broke no rule."""
ANY_TRUCK = "truck"
"""A truck of no certain kind: whoever goes through the gate of a site is kept, who passes on a road is not."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage on a road, or an event at a gate."""

    entry_id: str
    """Of the passage or the event."""
    where: Literal["gate", "road"]
    time: datetime
    first_seen: datetime
    last_seen: datetime
    source_id: str
    """Camera, or gate."""
    label: str
    """Vehicle class of the detector; empty: no camera saw it."""
    verdict: Verdict
    colour: str = ""
    confidence: float = 0.0
    """Of the plate."""
    direction: Direction = "unknown"
    place: Place | None = None
    site: str | None = None
    """Zone id of the gate's site."""
    appearance: tuple[float, ...] = ()
    cover: Cover = "unknown"
    outcome: Outcome | Literal[""] = ""
    why: str = ""
    gross_kg: float | None = None
    tare_kg: float | None = None
    net_kg: float | None = None
    pictures: tuple[str, ...] = ()
    """Paths in the state folder."""
    trip_id: str = ""

    @property
    def plate(self) -> str:
        """As registered or read; empty: unreadable."""
        return self.verdict.plate


def of_passage(passage: Passage, verdict: Verdict, camera: Placement | None = None) -> Entry:
    """The entry of a road camera's passage; `camera` stands in where the passage has no place of its own."""
    return Entry(
        entry_id=passage.passage_id,
        where="road",
        time=passage.time,
        first_seen=passage.first_seen,
        last_seen=passage.last_seen,
        source_id=passage.source_id,
        label=passage.label,
        verdict=verdict,
        colour=passage.plate.colour,
        confidence=passage.plate.confidence if verdict.plate else 0.0,
        direction=passage.direction,
        place=passage.place if isinstance(passage.place, Placement) or camera is None else camera,
        appearance=passage.appearance,
        cover=passage.cover,
    )


def of_event(event: GateEvent, site: str | None = None) -> Entry:
    """The entry of a gate's event: what its first passage shows, and what the gate knows.

    Args:
        event: of the gate.
        site: zone id of the gate's site.
    """
    passage = event.passages[0] if event.passages else None
    readings = [one.plate for one in event.passages] + [one.plate for one in event.smart]
    readings = [reading for reading in readings if reading.readable]
    seen = [time for one in event.passages for time in (one.first_seen, one.last_seen)] or [event.time]
    return Entry(
        entry_id=event.event_id,
        where="gate",
        time=event.time,
        first_seen=min(seen),
        last_seen=max(seen),
        source_id=event.gate_id,
        label=passage.label if passage else "",
        verdict=event.verdict,
        colour=readings[0].colour if readings else "",
        confidence=readings[0].confidence if readings and event.verdict.plate else 0.0,
        direction=event.direction,
        place=next((p.place for p in event.passages if isinstance(p.place, Placement)), None),
        site=site,
        appearance=passage.appearance if passage else (),
        cover=passage.cover if passage else "unknown",
        outcome=event.outcome,
        why=event.why,
        gross_kg=event.gross_kg,
        tare_kg=event.tare_kg,
        net_kg=event.net_kg,
        pictures=tuple(picture for one in event.smart for picture in one.pictures),
    )
