"""The gate's desk: takes what came, joins it, decides, and writes event and log entry in one transaction."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from huoyan.config_gate import Gate
from huoyan.config_types import seconds
from huoyan.config_vehicles import Limits
from huoyan.gate import assembly, codec, decision, gathering, log
from huoyan.gate.book import Book, Kept
from huoyan.gate.log import Head
from huoyan.passage import GateEvent, Passage, SmartPassage, Verdict, Washing, Weighing
from huoyan.records import Placement, utc
from huoyan.registry import Registry, plate_key
from huoyan.sqlite import to_ms
from huoyan.vehicles import Context, Sighting, judge

VISIT = timedelta(hours=12)
"""Within this time a vehicle that came in goes out again: its two weighings are one visit's."""
REMEMBERED = timedelta(days=1)
LOADING_SITES = ("storage_yard",)
"""Zones that vehicles come to empty and leave loaded."""
_GATE_ERROR_M = 15.0
_ASKED_S = 60.0


@dataclass(frozen=True, slots=True)
class Decided:
    """A new log entry: an event with its revision, and how long it took from what told of it."""

    event: GateEvent
    revision: int
    seconds: float


@dataclass
class Desk:
    """Everything that deciding needs. One thread calls `work`; any may take in through `book`.

    Attributes:
        book: what came and what was decided.
        gates: of the county.
        registry: the registers as they are now.
        zone: of the county.
        limits: of the rules.
        now: the wall clock; of a replay, the latest time in the book.
        earlier: sightings of a plate elsewhere (roads) before a time, and within so many seconds before it.
        silent: device -> why it says nothing; whoever reads a device keeps it.
        patience: share of `decide_within` that an uncertain first decision waits for a better look.
    """

    book: Book
    gates: Sequence[Gate]
    registry: Callable[[], Registry]
    zone: ZoneInfo
    limits: Limits = field(default_factory=Limits)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    earlier: Callable[[str, datetime, float], Sequence[Sighting]] = lambda plate, before, within_s: ()
    silent: dict[str, str] = field(default_factory=dict)
    patience: float = 0.6
    _since: dict[str, float] = field(default_factory=dict)
    """Event that waits for its first decision -> when we were told of it (monotonic seconds)."""
    _told_at: dict[str, float] = field(default_factory=dict)
    _head: Head | None = None

    def take_passage(self, passage: Passage) -> bool:
        """Write a passage of one of the gates' cameras down; False if it was known, or is nobody's business.

        Raises:
            KeyError: no gate has this camera.
            StorageError: it could not be written.
        """
        if passage.label in self.limits.exempt:
            return False
        gates = {camera.id: gate.id for gate in self.gates for camera in gate.cameras}
        self._told_at.setdefault(passage.passage_id, clock.monotonic())
        return self.book.take_passage(gates[passage.source_id], passage) == "new"

    def work(self) -> list[Decided]:
        """Join and decide whatever waits; returns the new log entries.

        Raises:
            StorageError: nothing of the gate at hand was written; the next call takes it up again.
        """
        decided: list[Decided] = []
        for gate in self.gates:
            begun = len(decided)
            with self.book.transaction():
                found = gathering.gather(self.book, gate, self.now(), self.limits.plate, self._registered)
                due = {one for one in self.book.undecided(gate.id)} | found.changed
                due |= {one for one in found.doubts if self._unaware(one, found.doubts[one])}
                while due:
                    kept = self.book.event(due.pop())
                    if kept is not None:
                        due |= self._decide(gate, kept, found.doubts.get(kept.event_id, []), decided)
            for picture in found.pictures:
                (self.book.folder / picture).unlink(missing_ok=True)
            if len(decided) > begun and self._head is not None:
                log.write_head(self.book.folder, self._head)
        # Of passages that became no event nobody asks any more.
        old = clock.monotonic() - _ASKED_S
        for passage in [name for name, told in list(self._told_at.items()) if told < old]:
            self._told_at.pop(passage, None)
        return decided

    def _registered(self, plate: str) -> bool:
        return bool(plate) and self.registry().vehicle(plate) is not None

    def _unaware(self, event_id: str, doubts: Sequence[str]) -> bool:
        kept = self.book.event(event_id)
        return kept is not None and (kept.event is None or not set(doubts) <= set(kept.event.notes))

    def _decide(self, gate: Gate, kept: Kept, doubts: Sequence[str], decided: list[Decided]) -> set[str]:
        """Decide an event and write it down if that tells anything new; returns events that depend on it."""
        told = [self._told_at.pop(p.passage_id) for p in kept.passages if p.passage_id in self._told_at]
        since = min([*told, self._since.get(kept.event_id, clock.monotonic())])
        event = self._event(gate, kept, doubts)
        if kept.revision == 0 and event.outcome == "review" and not self._complete(gate, kept, since):
            self._since[kept.event_id] = since
            return set()
        before = kept.event
        news = before is None or _told(before) != _told(event)
        revision = kept.revision + news
        self.book.write_event(event, gate.site, revision)
        if not news:
            return set()
        facts = entry(event, self.zone, amends=kept.revision or None)
        self._head = log.append(self.book.connection, event.event_id, revision, to_ms(event.time), facts)
        decided.append(Decided(event, revision, clock.monotonic() - since))
        self._since.pop(kept.event_id, None)
        weighed = before is not None and (before.gross_kg, before.tare_kg) != (event.gross_kg, event.tare_kg)
        return self._departures(event) if weighed and event.direction == "enter" else set()

    def _complete(self, gate: Gate, kept: Kept, since: float) -> bool:
        """Whether everybody who may know better has spoken, or the time for that is over."""
        if clock.monotonic() - since >= self.patience * seconds(gate.decide_within) or not kept.passages:
            return True
        spoken = {p.source_id for p in kept.passages} | {m.message.device_id for m in kept.messages}
        expected = {c.id for c in gate.cameras} | {s.device for s in gate.smart}
        return expected <= spoken | set(self.silent)

    def wait_s(self) -> float:
        """Seconds until `work` has to be called again, whatever comes."""
        shortest = min((seconds(gate.decide_within) for gate in self.gates), default=1.0)
        return shortest / 10 if self._since else 1.0

    # --------------------------------------------------------------------------------------------- one event
    def _event(self, gate: Gate, kept: Kept, doubts: Sequence[str]) -> GateEvent:
        messages = [one.message for one in kept.messages]
        smart = tuple(m for m in messages if isinstance(m, SmartPassage))
        weighings = [m for m in messages if isinstance(m, Weighing)]
        washings = [m for m in messages if isinstance(m, Washing)]
        sources = [p.source_id for p in kept.passages] + [m.device_id for m in messages]
        notes = [*doubts, *self._skews(gate, sources)]
        if not kept.passages:
            return self._unseen(gate, kept, smart, weighings, notes)
        passages = tuple(_placed(passage, gate) for passage in kept.passages)
        best = assembly.merged(passages, smart)
        registry = self.registry()
        vehicle = registry.vehicle(best.plate.text) if best.plate.readable else None
        plate = vehicle.plate if vehicle else best.plate.text
        zone = registry.zones.get(gate.site or "")
        weights = assembly.weights(
            assembly.kilograms(weighings),
            self._arrival_kg(best, plate, gate, kept.event_id),
            direction=best.direction,
            loads_here=zone is not None and zone.kind in LOADING_SITES,
            empty_kg=vehicle.tare_kg if vehicle else None,
            looks_empty=best.cover == "empty",
        )
        washed = assembly.was_washed(washings, gate.wash) if gate.wash else None
        needed = gathering.needs_wash(gate, best.direction)
        both = weights.gross_kg is not None and weights.tare_kg is not None
        context = Context(
            zone=self.zone,
            where="gate",
            site=gate.site,
            gross_kg=weights.gross_kg,
            tare_kg=weights.tare_kg,
            net_kg=(weights.gross_kg or 0.0) - (weights.tare_kg or 0.0) if both else None,
            washed=washed,
            wash_needed=needed,
            scale_expected=gate.scale is not None,
            earlier=self._earlier(plate, best, kept.event_id),
            silent=self._silence(gate, not weighings, needed and washed is None),
            limits=self.limits,
        )
        verdict = judge(best, registry, context)
        others = assembly.other_readings(best.plate, passages, smart)
        approved = [other.text for other in others if registry.vehicle(other.text)]
        outcome, why = decision.decide(
            verdict, best.plate, others, best.direction, gate.hold, approved=approved
        )
        unlike = decision.disagreeing(best.plate, others)
        if unlike and outcome != "review":
            notes.append(f"another camera reads {', '.join(unlike)}")
        return GateEvent(
            event_id=kept.event_id,
            gate_id=gate.id,
            time=best.time,
            direction=best.direction,
            outcome=outcome,
            why=why,
            verdict=replace(verdict, readings=decision.readings(verdict, best.plate, others)),
            passages=passages,
            smart=smart,
            gross_kg=weights.gross_kg,
            tare_kg=weights.tare_kg,
            washed=washed,
            notes=tuple(dict.fromkeys(notes)),
            decided=utc(self.now()),
            sources=tuple(dict.fromkeys(sources)),
        )

    def _unseen(
        self,
        gate: Gate,
        kept: Kept,
        smart: tuple[SmartPassage, ...],
        weighings: Sequence[Weighing],
        notes: list[str],
    ) -> GateEvent:
        """An event of devices alone: our cameras saw nobody, so a person looks, and nobody is accused."""
        told = [s.plate.text for s in smart] + [w.plate for w in weighings]
        plate = next((text for text in told if text), "")
        vehicle = self.registry().vehicle(plate) if plate else None
        who = "only a smart camera saw it" if smart else "weighed, but no camera saw it"
        why = f"{who}; never trusted alone" if smart else who
        verdict = Verdict(
            plate=vehicle.plate if vehicle else plate_key(plate),
            registered=vehicle is not None,
            review=why,
            readings=(plate_key(plate),) if plate else (),
            unknown=self._blind(gate),
            company=vehicle.company if vehicle else "",
            permit=vehicle.permit if vehicle else "",
        )
        direction = smart[0].direction if smart else "unknown"
        return GateEvent(
            kept.event_id,
            gate.id,
            kept.time,
            direction,
            "review",
            why,
            verdict,
            smart=smart,
            gross_kg=assembly.kilograms(weighings),
            notes=tuple(notes),
            decided=utc(self.now()),
            sources=tuple(dict.fromkeys(m.message.device_id for m in kept.messages)),
        )

    def _blind(self, gate: Gate) -> tuple[str, ...]:
        """Of each camera, why it did not see a vehicle of which devices tell."""
        told = (f"{c.id}: {self.silent.get(c.id, 'told of no vehicle')}" for c in gate.cameras)
        return tuple(told) or ("camera: the gate has none",)

    def _silence(self, gate: Gate, no_weight: bool, no_wash: bool) -> dict[str, str]:
        mine = {c.id for c in gate.cameras} | set(gate.devices)
        silent = {device: why for device, why in self.silent.items() if device in mine}
        if gate.scale is not None and no_weight:
            silent.setdefault(gate.scale.device, "no weighing of this vehicle")
        if gate.wash is not None and no_wash:
            silent.setdefault(gate.wash.device, "no washing of this vehicle")
        return silent

    def _skews(self, gate: Gate, sources: Sequence[str]) -> list[str]:
        devices = [device for device in dict.fromkeys(sources) if device in gate.devices]
        told = ((device, gathering.skew_of(self.book, gate, device).note) for device in devices)
        # Without the figure: it moves with each message, and is no news about the vehicle.
        return [f"{device}: clock corrected" for device, note in told if note]

    def _arrival_kg(self, passage: Passage, plate: str, gate: Gate, event_id: str) -> float | None:
        """What it weighed when it came, for one that leaves."""
        if passage.direction != "leave" or not plate:
            return None
        visit = self.book.of_plate(plate, passage.time - VISIT, passage.time)
        last = next((e for e in reversed(visit) if e.event_id != event_id and self._same_site(e, gate)), None)
        if last is None or last.direction != "enter":
            return None
        return last.gross_kg if last.gross_kg is not None else last.tare_kg

    def _same_site(self, event: GateEvent, gate: Gate) -> bool:
        other = next((g for g in self.gates if g.id == event.gate_id), None)
        return event.gate_id == gate.id or (
            other is not None and gate.site is not None and other.site == gate.site
        )

    def _departures(self, event: GateEvent) -> set[str]:
        """Events of the same visit that weigh against one whose weight came late."""
        later = self.book.of_plate(event.verdict.plate, event.time, event.time + VISIT)
        return {e.event_id for e in later if e.direction == "leave" and e.gate_id == event.gate_id}

    def _earlier(self, plate: str, passage: Passage, event_id: str) -> list[Sighting]:
        if not plate:
            return []
        since = passage.time - REMEMBERED
        sites = {gate.id: gate.site for gate in self.gates}
        seen = [
            Sighting(
                plate,
                e.time,
                e.sources[0] if e.sources else e.gate_id,
                next((p.place for p in e.passages if p.place is not None), None),
                sites.get(e.gate_id),
                e.direction,
            )
            for e in self.book.of_plate(plate, since, passage.time)
            if e.event_id != event_id and e.passages
        ]
        return [*seen, *self.earlier(plate, passage.time, REMEMBERED.total_seconds())]


def _placed(passage: Passage, gate: Gate) -> Passage:
    """A passage where its camera puts it, else at the gate."""
    if isinstance(passage.place, Placement) or gate.position is None:
        return passage
    return replace(passage, place=Placement(*gate.position, _GATE_ERROR_M, "gate"))


def entry(event: GateEvent, zone: ZoneInfo, amends: int | None = None) -> dict[str, object]:
    """What the log says of an event, as JSON values: times in local time with their offset, weights in kilograms."""
    verdict = event.verdict
    plates = [p.plate for p in event.passages if p.plate.readable]
    sure = max((plate.confidence for plate in plates), default=None)
    return {
        "amends": amends,
        "gate": event.gate_id,
        "time": event.time.astimezone(zone).isoformat(timespec="milliseconds"),
        "decided": event.decided.astimezone(zone).isoformat(timespec="milliseconds")
        if event.decided
        else None,
        "direction": event.direction,
        "outcome": event.outcome,
        "why": event.why,
        "plate": verdict.plate,
        "plate_confidence": None if sure is None else round(sure, 4),
        "registered": verdict.registered,
        "company": verdict.company,
        "permit": verdict.permit,
        "reasons": [{"code": r.code, "zh": r.zh, "en": r.en} for r in verdict.reasons],
        "review": verdict.review,
        "readings": list(verdict.readings),
        "unknown": list(verdict.unknown),
        "gross_kg": event.gross_kg,
        "tare_kg": event.tare_kg,
        "net_kg": event.net_kg,
        "washed": event.washed,
        "passages": [p.passage_id for p in event.passages],
        "sources": list(event.sources),
        "notes": list(event.notes),
    }


def _told(event: GateEvent) -> str:
    """What of an event is worth an entry: not its wording's figures, nor confidences that move with each frame."""
    verdict = event.verdict
    facts: Mapping[str, object] = {
        "direction": event.direction,
        "outcome": event.outcome,
        "plate": verdict.plate,
        "registered": verdict.registered,
        "reasons": sorted(r.code for r in verdict.reasons),
        "review": bool(verdict.review),
        "readings": sorted(verdict.readings),
        "weights": [event.gross_kg, event.tare_kg],
        "washed": event.washed,
        "notes": sorted(event.notes),
        "sources": sorted(event.sources),
        "passages": sorted(p.passage_id for p in event.passages),
    }
    return codec.canonical(facts)
