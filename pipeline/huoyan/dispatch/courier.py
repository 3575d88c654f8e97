"""Carrying alerts from the outbox to one back end: in order, at a bounded rate, noting how far it came.

An alert is noted after it was taken, never before: a process that is killed in between sends it again with the same
id. Only one process at a time carries for a back end of a state (a lock beside the database), so that two of them never
mix their orders; the other takes over when it ends.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from huoyan.dispatch import ledger
from huoyan.dispatch.protocol import Backend, Parcel, Refused
from huoyan.errors import StorageError
from huoyan.sqlite import not_writable

log = logging.getLogger("huoyan.dispatch")
BATCH = 32
_NOTE_EVERY_S = 1.0
_REASON = 500
"""Characters kept of a refusal."""


class Pace:
    """A bound on deliveries a second, with at most one second's worth at once.

    Attributes:
        waited_s: seconds that it made its caller wait, all together.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._most = max(1.0, rate)
        self._left, self._at = self._most, clock()
        self.waited_s = 0.0

    def take(self) -> float:
        """Take one delivery; the seconds to wait before it."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._rate) - 1.0
        self._at = now
        wait = max(0.0, -self._left / self._rate)
        self.waited_s += wait
        return wait


class Courier:
    """Of one back end.

    Attributes:
        delivered: alerts that the receiver has taken.
    """

    def __init__(self, backend: Backend, pace: Pace, sleep: Callable[[float], bool]) -> None:
        """
        Args:
            backend: where to.
            pace: how fast.
            sleep: waits so many seconds; True: stop here.
        """
        self.backend, self.delivered = backend, 0
        self._pace, self._sleep = pace, sleep
        self._reached = 0
        """What it knows to be taken, though a full disk may not let it be noted."""
        self._noted, self._noted_at = 0, 0.0

    def round(self, connection: sqlite3.Connection) -> int:
        """Deliver what waits, at most `BATCH` alerts; what was refused before and is asked for again comes first.

        Returns:
            How many alerts were dealt with; fewer than `BATCH`: nothing is left, or it was told to stop.

        Raises:
            Away: the receiver takes nothing now; what it has taken is noted.
            StorageError: the database cannot be read, or a refusal not be noted.
        """
        name = self.backend.name
        count = self._again(connection)
        self._noted = ledger.cursor(connection, name)
        self._reached = max(self._reached, self._noted)
        self._noted_at = time.monotonic()
        try:
            for parcel in ledger.after(connection, self._reached, BATCH - count):
                if not self._one(connection, parcel):
                    break
                count += 1
        finally:
            self._note(connection)
        return count

    def _one(self, connection: sqlite3.Connection, parcel: Parcel) -> bool:
        """False: told to stop before it."""
        if self._sleep(self._pace.take()):
            return False
        try:
            self.backend.deliver(parcel, datetime.now(UTC))
        except Refused as refusal:
            # What was taken before is noted with it: the cursor goes past both.
            self._bury(connection, parcel, refusal)
        else:
            self.delivered += 1
        self._reached = parcel.seq
        if time.monotonic() - self._noted_at >= _NOTE_EVERY_S:
            self._note(connection)
        return True

    def _again(self, connection: sqlite3.Connection) -> int:
        count = 0
        for parcel in ledger.to_resend(connection, self.backend.name, BATCH):
            if self._sleep(self._pace.take()):
                break
            try:
                self.backend.deliver(parcel, datetime.now(UTC))
            except Refused as refusal:
                self._bury(connection, parcel, refusal)
            else:
                ledger.resent(connection, self.backend.name, parcel.seq)
                self.delivered += 1
            count += 1
        return count

    def _bury(self, connection: sqlite3.Connection, parcel: Parcel, refusal: Refused) -> None:
        name = self.backend.name
        ledger.bury(connection, name, parcel, refusal.message[:_REASON], datetime.now(UTC))
        log.error(
            "%s refuses alert %s for good: %s; see huoyan queue outbox",
            name,
            parcel.alert_id,
            refusal.message,
        )

    def _note(self, connection: sqlite3.Connection) -> None:
        if self._reached == self._noted:
            return
        try:
            ledger.advance(connection, self.backend.name, self._reached)
        except StorageError as error:
            # A full disk must not keep alerts back; after a restart these would come once more.
            log.error("%s: what was delivered cannot be noted: %s", self.backend.name, error)
            return
        finally:
            self._noted_at = time.monotonic()
        self._noted = self._reached


def hold(state: Path, backend: str) -> IO[bytes] | None:
    """Become the one that carries for a back end of a state; ends when the file is closed or the process ends.

    Returns:
        None: another process carries.

    Raises:
        StorageError: the folder cannot be written.
    """
    name = state / f"outbox-{backend}.lock"
    try:
        handle = name.open("ab")
    except OSError as error:
        raise not_writable(str(state), str(error)) from error
    if sys.platform == "win32":
        return handle
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle
