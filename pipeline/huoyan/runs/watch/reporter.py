"""The snapshot of a running daemon: figures that are cheap each second, those that ask the database now and then."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from huoyan import __version__
from huoyan.dispatch import items
from huoyan.errors import StorageError
from huoyan.runs.watch.books import Member, process_status
from huoyan.sqlite import rows
from huoyan.status import Status

if TYPE_CHECKING:
    from huoyan.runs.watch.loop import Watcher

_ASKED_S = 15.0


class Reporter:
    """Takes the snapshots of one daemon."""

    def __init__(self) -> None:
        self._asked = float("-inf")
        self._queue: Mapping[str, int] = {}
        self._verdicts: Mapping[str, Mapping[str, int]] = {}

    def snapshot(self, watch: Watcher) -> Status:
        """The daemon as it is now."""
        now = time.monotonic()
        self._ask(watch, now)
        county, books = watch.county, watch.books
        night = {camera: book.night for camera, book in books.cameras.items()}
        members = [
            Member("main", os.getpid()),
            *watch.readers.members,
            *(Member(c.name, c.pid, c.restarts, c.silent_s) for c in watch.models.children),
            *watch.roads.members,
        ]
        outbox = watch.sender.status()
        loaded = county.prepared.loaded
        return Status(
            time=datetime.now(UTC),
            started=watch.started,
            version=__version__,
            config_sha256=loaded.sha256,
            box=county.box,
            ready=watch.models.ready and all(handle.alive for handle in watch.readers.handles),
            stopping=watch.stop.is_set(),
            stretch=watch.pace.stretch,
            waiting=len(watch.slots),
            in_flight=watch.models.in_flight,
            cameras=books.snapshot(
                now,
                county.intervals(watch.pace.stretch, night),
                watch.slots.dropped,
                watch.readers.elsewhere,
            ),
            processes=tuple(process_status(member) for member in members),
            outbox=outbox,
            queue=self._queue,
            alerts=dict(books.alerts),
            verdicts=self._verdicts,
            latency=books.latency,
            disk_used=watch.room.used,
            evidence_bytes=watch.room.evidence_bytes,
            unwritten=watch.judge.fault,
            degraded=tuple(
                words
                for words in (
                    watch.room.why,
                    watch.judge.fault,
                    watch.models.fault,
                    watch.readers.away,
                    *watch.unfollowed(now),
                    *(f"{name}: {one.why}" for name, one in outbox.items() if one.why),
                    watch.last_reload if watch.last_reload.startswith("refused") else "",
                )
                if words
            ),
            reloads=watch.reloads,
            last_reload=watch.last_reload,
        )

    def _ask(self, watch: Watcher, now: float) -> None:
        """What the database alone knows: other processes change it (crews' verdicts)."""
        if now - self._asked < _ASKED_S:
            return
        self._asked = now
        connection = watch.store.connection
        try:
            self._queue = items.counts(connection)
            told = rows(
                connection,
                "SELECT scene, verdict, count(*) AS n FROM queue WHERE verdict IS NOT NULL GROUP BY scene, verdict",
            )
        except StorageError:
            return
        verdicts: dict[str, dict[str, int]] = {}
        for row in told:
            verdicts.setdefault(row["scene"], {})[row["verdict"]] = int(row["n"])
        self._verdicts = verdicts
