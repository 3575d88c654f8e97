"""Carrying alerts from the outbox to where they are dispatched from."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from huoyan.dispatch.protocol import Backend, Parcel, SqliteQueue
from huoyan.sqlite import from_ms, immediate, rows, to_ms

BATCH = 200


def drain(connection: sqlite3.Connection, now: datetime, backend: Backend | None = None) -> int:
    """Deliver everything in the outbox that was not sent yet, in the order it was put there.

    With the SQLite queue (the default) delivery and its note are one transaction, so each alert is on the
    queue exactly once whatever happens in between. Another back end gets each alert at least once and tells
    repeats by id.

    Returns:
        How many alerts were delivered.

    Raises:
        DispatchError: the back end does not take them; what was not delivered stays in the outbox.
        StorageError: the database is locked, full or damaged.
    """
    count = 0
    while True:
        if backend is None:
            with immediate(connection):
                sent = _batch(connection, now, SqliteQueue(connection))
        else:
            # A slow receiver must not keep the judge from writing: no transaction while it takes its time.
            sent = _batch(connection, now, backend)
        count += sent
        if sent < BATCH:
            return count


def _batch(connection: sqlite3.Connection, now: datetime, backend: Backend) -> int:
    waiting = rows(connection, "SELECT * FROM outbox WHERE sent_ms IS NULL ORDER BY seq LIMIT ?", (BATCH,))
    if waiting:
        backend.deliver([_parcel(row) for row in waiting], now)
        with immediate(connection):
            connection.executemany(
                "UPDATE outbox SET sent_ms = ? WHERE seq = ?", [(to_ms(now), row["seq"]) for row in waiting]
            )
    return len(waiting)


def _parcel(row: sqlite3.Row) -> Parcel:
    return Parcel(
        row["alert_id"],
        row["incident_id"],
        row["revision"],
        row["scene"],
        row["priority"],
        from_ms(row["time_ms"]),
        row["document"],
    )
