"""Carrying alerts from the outbox to the queue beside it."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from huoyan.dispatch import ledger
from huoyan.dispatch.protocol import SqliteQueue
from huoyan.sqlite import immediate, rows, to_ms

BATCH = 200


def drain(connection: sqlite3.Connection, now: datetime) -> int:
    """Put everything in the outbox that was not queued yet on the queue, in the order it was put there.

    Delivery and its note are one transaction, so each alert is on the queue exactly once whatever happens in
    between.

    Returns:
        How many alerts were delivered.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    count = 0
    while True:
        with immediate(connection):
            sent = _batch(connection, now)
        count += sent
        if sent < BATCH:
            return count


def _batch(connection: sqlite3.Connection, now: datetime) -> int:
    waiting = rows(connection, "SELECT * FROM outbox WHERE sent_ms IS NULL ORDER BY seq LIMIT ?", (BATCH,))
    queue = SqliteQueue(connection)
    for row in waiting:
        queue.deliver(ledger.parcel(row), now)
    connection.executemany(
        "UPDATE outbox SET sent_ms = ? WHERE seq = ?", [(to_ms(now), row["seq"]) for row in waiting]
    )
    return len(waiting)
