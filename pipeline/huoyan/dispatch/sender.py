"""Delivering beside the judge: a thread for each place that alerts go to, so that one being away holds up no other."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from huoyan.config_dispatch import Dispatch
from huoyan.config_types import seconds
from huoyan.dispatch import courier, ledger, places
from huoyan.dispatch.courier import Courier, Pace
from huoyan.dispatch.database import ensure_tables, open_queue
from huoyan.dispatch.drain import drain
from huoyan.dispatch.protocol import Away, Backend
from huoyan.errors import HuoyanError
from huoyan.ingest.backoff import Backoff
from huoyan.status import OutboxStatus

log = logging.getLogger("huoyan.dispatch")
_FIRST_PAUSE_S = 0.5
_POLL_S = 1.0
"""Without being woken the outbox is looked at so often: other processes put alerts there too."""
_COUNT_EVERY_S = 2.0
_PURGE_EVERY_S = 3600.0
_GRACE_S = 1.0


class Sender:
    """Carries the outbox of a state to every place that the configuration names, each in a thread of its own."""

    def __init__(self, state: Path, settings: Dispatch) -> None:
        """Set up; `start` begins to deliver.

        Args:
            state: the state folder; its database is there by the time of `start`, or comes later.
            settings: where to.

        Raises:
            MissingExtra: a client library is not installed.
            ConfigError: an environment variable is not set, or a file cannot be used.
        """
        self._state, self._settings = state, settings
        self._lanes = _lanes(state, settings)

    def start(self) -> None:
        for lane in self._lanes:
            lane.start()

    def wake(self) -> None:
        """There is something new in the outbox. Never blocks."""
        for lane in self._lanes:
            lane.wake()

    def use(self, settings: Dispatch) -> None:
        """Deliver by other settings from now on; those that are the same change nothing. Waits for no delivery.

        Raises:
            MissingExtra, ConfigError: as when it was made; the old settings stay in force.
        """
        if settings == self._settings:
            return
        lanes = _lanes(self._state, settings)
        before, self._lanes, self._settings = self._lanes, lanes, settings
        for lane in before:
            # Its successor waits until it has let go of the outbox.
            lane.end(time.monotonic())
        self.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Deliver what waits as far as it goes within `timeout` seconds, then end; the rest stays in the outbox."""
        until = time.monotonic() + timeout
        for lane in self._lanes:
            lane.end(until)
        for lane in self._lanes:
            lane.join(max(0.0, until - time.monotonic()))
        for lane in self._lanes:
            if lane.is_alive():
                lane.cut_off()
                lane.join(_GRACE_S)

    def status(self) -> Mapping[str, OutboxStatus]:
        """What is known of each place now; the figures are at most a few seconds old."""
        return {lane.place: lane.status() for lane in self._lanes}


def _lanes(state: Path, settings: Dispatch) -> list[_Lane]:
    lanes = [_Lane(state, settings, backend) for backend in places.remote(settings)]
    if ledger.LOCAL in settings.to:
        lanes.insert(0, _Lane(state, settings, None))
    keep = timedelta(seconds=seconds(settings.keep))
    lanes[0].keeps = lambda connection: _purge(connection, settings.to, keep)
    return lanes


class _Lane(threading.Thread):
    """The way to one place; without a back end it is the queue beside the outbox."""

    def __init__(self, state: Path, settings: Dispatch, backend: Backend | None) -> None:
        self.place = ledger.LOCAL if backend is None else backend.name
        super().__init__(name=f"to {self.place}", daemon=True)
        self.keeps: Callable[[sqlite3.Connection], None] | None = None
        self._state, self._backend = state, backend
        self._courier = None if backend is None else Courier(backend, Pace(settings.rate), self._sleep)
        self._backoff = Backoff(_FIRST_PAUSE_S, seconds(settings.longest_pause))
        self._awake, self._until = threading.Event(), float("inf")
        self._stopping = threading.Event()
        self._held: IO[bytes] | None = None
        self._backlog, self._counted_at = ledger.Backlog(), 0.0
        self._purged_at = -_PURGE_EVERY_S
        self._connected, self._why, self._away_since = False, "not connected yet", 0.0
        self._queued = self._taken = 0

    def wake(self) -> None:
        self._awake.set()

    def end(self, until: float) -> None:
        self._until = until
        self._stopping.set()
        self._awake.set()

    def cut_off(self) -> None:
        if self._backend is not None:
            self._backend.close()

    def status(self) -> OutboxStatus:
        backlog = self._backlog
        age = (datetime.now(UTC) - backlog.oldest).total_seconds() if backlog.oldest else 0.0
        return OutboxStatus(
            waiting=backlog.waiting,
            oldest_s=max(0.0, age),
            connected=self._connected,
            why=self._why,
            delivered=self._queued if self._courier is None else self._courier.delivered,
            dead=backlog.dead,
        )

    # ------------------------------------------------------------------------------------------ in the thread
    def run(self) -> None:
        connection: sqlite3.Connection | None = None
        try:
            while True:
                pause = 0.0
                try:
                    connection = connection or self._opened()
                    if self._may_carry():
                        more = self._round(connection)
                        self._well()
                    else:
                        more, pause = False, _POLL_S
                except Away as error:
                    pause = max(error.again_s or 0.0, self._pause())
                    more = self._failed(str(error))
                except HuoyanError as error:
                    more, pause = self._failed(str(error)), self._pause()
                except Exception as error:
                    log.exception("%s: delivering failed", self.place)
                    more, pause = self._failed(str(error) or type(error).__name__), self._pause()
                if connection is not None:
                    self._count(connection, now=not more)
                if more:
                    continue
                if self._stopping.is_set():
                    return
                self._rest(pause, connection)
        finally:
            self.cut_off()
            if connection is not None:
                connection.close()
            if self._held is not None:
                self._held.close()

    def _opened(self) -> sqlite3.Connection:
        connection = open_queue(self._state)
        try:
            ensure_tables(connection)
            # What is lost with the power is only how far we came: those alerts go out once more, with the same ids.
            # In return no note waits for the disk, and the judge never waits for a note.
            connection.execute("PRAGMA synchronous=NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _may_carry(self) -> bool:
        if self._backend is None or self._held is not None:
            return True
        self._held = courier.hold(self._state, self.place)
        if self._held is None:
            self._connected, self._why = False, "another process delivers"
        return self._held is not None

    def _round(self, connection: sqlite3.Connection) -> bool:
        """Whether there is more to do at once."""
        self._awake.clear()
        if self.keeps is not None and time.monotonic() - self._purged_at >= _PURGE_EVERY_S:
            self._purged_at = time.monotonic()
            self.keeps(connection)
        if self._courier is None or self._backend is None:
            self._queued += drain(connection, datetime.now(UTC))
            return False
        self._backend.connect()
        full = self._courier.round(connection) >= courier.BATCH
        return full and time.monotonic() < self._until

    def _well(self) -> None:
        self._backoff.reset()
        if not self._connected and self._away_since:
            log.info("%s is back after %.0f s", self.place, time.monotonic() - self._away_since)
        self._connected, self._why, self._away_since = True, "", 0.0

    def _pause(self) -> float:
        """Seconds until the next attempt; who took something since the last one is not away for long."""
        taken = 0 if self._courier is None else self._courier.delivered
        if taken > self._taken:
            self._backoff.reset()
        self._taken = taken
        return self._backoff.pause()

    def _failed(self, why: str) -> bool:
        if why != self._why:
            log.warning("%s: %s; alerts wait, trying again", self.place, why)
        self._away_since = self._away_since or time.monotonic()
        self._connected, self._why = False, why
        return False

    def _count(self, connection: sqlite3.Connection, *, now: bool) -> None:
        if now or time.monotonic() - self._counted_at >= _COUNT_EVERY_S:
            self._counted_at = time.monotonic()
            with contextlib.suppress(HuoyanError):
                self._backlog = ledger.backlog(connection, self.place)

    def _rest(self, pause: float, connection: sqlite3.Connection | None) -> None:
        """Wait out a pause, or for something new; figures stay fresh meanwhile."""
        if not pause:
            self._awake.wait(_POLL_S)
            return
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0 and not self._stopping.wait(min(left, _COUNT_EVERY_S)):
            if connection is not None:
                self._count(connection, now=True)

    def _sleep(self, pause: float) -> bool:
        """Wait for the pace; True where there is no time left before the end."""
        if pause > 0:
            self._stopping.wait(pause)
            if self._stopping.is_set():
                # The pace holds to the end, within the time that is left.
                time.sleep(max(0.0, min(pause, self._until - time.monotonic())))
        return time.monotonic() >= self._until


def send_once(
    connection: sqlite3.Connection, state: Path, settings: Dispatch, backends: Sequence[Backend]
) -> list[str]:
    """Deliver what waits to each of some back ends, one attempt each; what fails stays in the outbox.

    Args:
        connection: of the state.
        state: its folder.
        settings: for the rate and what is kept.
        backends: of `places.remote`; they are closed.

    Returns:
        A sentence for each back end that not everything could be delivered to.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    notes = []
    for backend in backends:
        held = courier.hold(state, backend.name)
        if held is None:
            # A daemon on the same state delivers.
            continue
        try:
            _all(connection, Courier(backend, Pace(settings.rate), _slept))
        except Away as error:
            waiting = ledger.backlog(connection, backend.name).waiting
            notes.append(f"{backend.name}: {waiting} alerts wait in the outbox: {error}")
        finally:
            backend.close()
            held.close()
    _purge(connection, settings.to, timedelta(seconds=seconds(settings.keep)))
    return notes


def _all(connection: sqlite3.Connection, carrier: Courier) -> None:
    carrier.backend.connect()
    while carrier.round(connection) >= courier.BATCH:
        pass


def _slept(pause: float) -> bool:
    time.sleep(pause)
    return False


def _purge(connection: sqlite3.Connection, names: Sequence[str], keep: timedelta) -> None:
    count = ledger.purge(connection, names, datetime.now(UTC) - keep)
    if count:
        log.info("%d delivered alerts were old enough to leave the outbox", count)
