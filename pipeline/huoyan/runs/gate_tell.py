"""What a gate found, handed on: history of the vehicle, incidents, alerts. Beside deciding, never in its way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from huoyan import dispatch, incidents
from huoyan.errors import HuoyanError
from huoyan.gate import assembly, decision
from huoyan.gate.book import Book, Untold
from huoyan.incidents import Store, open_store
from huoyan.passage import GateEvent
from huoyan.records import Detection, FrameRef
from huoyan.runs import judge
from huoyan.runs.prepare import Prepared
from huoyan.runs.telling import tell
from huoyan.scenes import JudgeContext, passages
from huoyan.vehicles import entry
from huoyan.vehicles.history import History

log = logging.getLogger("huoyan.gate.alerts")
PATIENCE_S = 20.0
"""A vehicle that has not left the view after this time is told of as far as it is known."""
_EVERY_S = 0.5


class Teller(threading.Thread):
    """Hands events on, each revision once, in a thread of its own: drawing evidence takes seconds.

    Args:
        prepared: the county, with the registers as they are now.
        book: with the events.
        state: folder of the state.
        told: called when there is something new in the outbox.
    """

    def __init__(
        self, prepared: Callable[[], Prepared], book: Book, state: Path, told: Callable[[], None]
    ) -> None:
        super().__init__(name="gate alerts", daemon=True)
        self._prepared, self._book, self._state, self._told = prepared, book, state, told
        self._stopping = threading.Event()
        self._since: dict[str, float] = {}
        self.alerts = 0

    def run(self) -> None:
        with open_store(self._state, exclusive=False) as store:
            dispatch.ensure_tables(store.connection)
            while not self._stopping.wait(_EVERY_S):
                self._round(store, final=False)
            self._round(store, final=True)

    def stop(self) -> None:
        """Hand on what waits, then end; `join` waits for it."""
        self._stopping.set()

    def _round(self, store: Store, *, final: bool) -> None:
        try:
            for untold in self._book.untold():
                since = self._since.setdefault(untold.event.event_id, time.monotonic())
                if untold.ended or final or time.monotonic() - since >= PATIENCE_S:
                    self._hand_on(store, untold)
                    self._since.pop(untold.event.event_id, None)
        except HuoyanError as error:
            # The state is locked or full: the event stays untold, the next round tries again.
            log.error("alerts wait: %s", error)
        except Exception:
            log.exception("alerts wait")

    def _hand_on(self, store: Store, untold: Untold) -> None:
        event, prepared = untold.event, self._prepared()
        done = _mark(event, untold.revision)
        if not store.is_done(done.frame_id):
            with store.transaction():
                for note in self._tell(store, event, untold.site, prepared):
                    log.warning("%s: %s", event.event_id, note)
                # In this transaction: if we are killed before the book knows, nothing is told twice.
                store.mark_done(done, "gate")
            self._told()
        self._book.mark_told(event.event_id, untold.revision)

    def _tell(self, store: Store, event: GateEvent, site: str | None, prepared: Prepared) -> list[str]:
        history = History(store.connection, prepared.loaded.config.vehicles)
        kept = history.record(entry.of_event(event, site))
        if kept is None or not event.passages or not decision.is_flagged(event.verdict, event.outcome):
            return []
        verdict = event.verdict
        standing = (
            history.standing(verdict.plate, event.time, besides=kept.trip_id) if verdict.plate else None
        )
        passage = replace(assembly.merged(event.passages, event.smart), direction=event.direction)
        others = {
            sight.frame.frame_id: [Detection(passage.label, sight.score, sight.box)]
            for sight in passage.sights
            if sight.role != "plate"
        }
        context = _watching(judge.context(prepared), event, site)
        finding = passages.finding(passage, verdict, kept.trip_id, standing, context, others)
        if finding is None:
            return []
        notes: list[str] = []
        for revision in incidents.associate(store, [finding]):
            alert, missing = tell(revision, prepared, store)
            pictures = alert.document["data"]["properties"]["evidence"]
            history.add_pictures([picture["href"] for picture in pictures], alert.time)
            notes += missing
            self.alerts += 1
        return notes


def _watching(context: JudgeContext, event: GateEvent, site: str | None) -> JudgeContext:
    """The gate's cameras watch the gate's site: that is where its trucks are, even without a place."""
    if site is None:
        return context
    watched = {passage.source_id: (site,) for passage in event.passages}
    return replace(context, watched={**context.watched, **watched})


def _mark(event: GateEvent, revision: int) -> FrameRef:
    """Stands for a revision of an event among what the state knows to be done."""
    name = f"gate-{event.event_id}-{revision}"
    return FrameRef(name, event.gate_id, "camera", event.time, "stream", (0, 0), "")
