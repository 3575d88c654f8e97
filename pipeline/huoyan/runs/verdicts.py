"""What a crew found, written from the queue into the incident it is about."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from huoyan.dispatch.items import Item
from huoyan.dispatch.queue import Verdict
from huoyan.incidents import Store, pass_verdict


def recorder(connection: sqlite3.Connection, folder: Path, now: datetime) -> Callable[[Item, Verdict], None]:
    """A hook for `queue.ack`: confirms or rejects the incident in the queue's own transaction.

    A rejected one mutes its place for a while and its pictures become hard negatives; see
    `incidents.pass_verdict`. A queue that was filled from elsewhere has no incidents: there the verdict stays
    with the alert.
    """
    store = Store(connection, folder, None)

    def record(item: Item, verdict: Verdict) -> None:
        if store.rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'incidents'"):
            pass_verdict(store, item.incident_id, verdict, now, note=item.note)

    return record
