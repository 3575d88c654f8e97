"""The outbox: what the judge has decided to tell, written in the same transaction as the decision."""

from __future__ import annotations

import json
import sqlite3

from huoyan.dispatch.database import ensure_tables
from huoyan.records import Alert
from huoyan.sqlite import immediate, to_ms

__all__ = ["ensure_tables", "put"]


def put(connection: sqlite3.Connection, alert: Alert) -> bool:
    """Put an alert into the outbox, once: an alert of the same id that is already there stays as it is.

    Runs inside the caller's transaction where there is one.

    Returns:
        True if the alert is new.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    document = json.dumps(alert.document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    with immediate(connection):
        cursor = connection.execute(
            "INSERT INTO outbox (alert_id, incident_id, revision, scene, priority, time_ms, document)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (alert_id) DO NOTHING",
            (
                alert.alert_id,
                alert.incident_id,
                alert.revision,
                alert.scene,
                int(alert.priority),
                to_ms(alert.time),
                document,
            ),
        )
        return cursor.rowcount == 1
