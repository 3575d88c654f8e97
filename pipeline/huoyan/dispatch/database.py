"""The tables of outbox and queue in the state's database."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from huoyan.errors import DispatchError
from huoyan.sqlite import immediate, mapped, to_ms

DATABASE = "huoyan.db"
BUSY_MS = 5000

_TABLES = """
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id TEXT NOT NULL UNIQUE,
    incident_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    scene TEXT NOT NULL,
    priority INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    document TEXT NOT NULL,
    sent_ms INTEGER
);
CREATE INDEX IF NOT EXISTS outbox_unsent ON outbox (seq) WHERE sent_ms IS NULL;
CREATE INDEX IF NOT EXISTS outbox_order ON outbox (seq, time_ms, sent_ms);
CREATE TABLE IF NOT EXISTS deliveries (backend TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
    backend TEXT NOT NULL,
    seq INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    again INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (backend, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue (
    alert_id TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    scene TEXT NOT NULL,
    priority INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    document TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'leased', 'acked', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    ready_ms INTEGER NOT NULL,
    owner TEXT,
    lease_ms INTEGER,
    verdict TEXT CHECK (verdict IN ('confirmed', 'rejected')),
    note TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS queue_pending ON queue (incident_id, revision, priority, time_ms, alert_id)
    WHERE state IN ('ready', 'leased');
CREATE INDEX IF NOT EXISTS queue_ready ON queue (ready_ms, incident_id, revision, time_ms, alert_id)
    WHERE state = 'ready';
CREATE INDEX IF NOT EXISTS queue_leases ON queue (lease_ms) WHERE state = 'leased';
CREATE INDEX IF NOT EXISTS queue_listing ON queue (priority, time_ms);
CREATE TABLE IF NOT EXISTS queue_log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS queue_log_alert ON queue_log (alert_id, seq);
"""


def ensure_tables(connection: sqlite3.Connection) -> None:
    """Create the tables of outbox and queue where they are missing, within the caller's transaction if any.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                connection.execute(statement)


def open_queue(folder: Path) -> sqlite3.Connection:
    """Open the queue of a state folder for a consumer, for example a command of the dispatch desk.

    Raises:
        DispatchError: the folder holds no queue.
        StorageError: the database is locked or damaged.
    """
    path = folder / DATABASE if folder.is_dir() or folder.suffix != ".db" else folder
    hint = "give the state folder of a scan (county.data in its configuration) with --state"
    if not path.is_file():
        raise DispatchError("there is no queue here", subject=str(path), hint=hint, code="no_queue")
    with mapped(path):
        # mode=rw: a wrong path must never leave an empty database behind.
        uri = path.resolve().as_uri() + "?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None)
    try:
        with mapped(path):
            connection.execute("PRAGMA synchronous=FULL")
            row = connection.execute(
                "SELECT count(*) FROM sqlite_master"
                " WHERE type = 'table' AND name IN ('outbox', 'queue', 'queue_log')"
            ).fetchone()
        if row[0] != 3:
            raise DispatchError("this database holds no queue", subject=str(path), hint=hint, code="no_queue")
    except Exception:
        connection.close()
        raise
    return connection


def log(
    connection: sqlite3.Connection, alert_id: str, now: datetime, action: str, actor: str, note: str = ""
) -> None:
    """Write down who did what to an alert."""
    connection.execute(
        "INSERT INTO queue_log (alert_id, time_ms, action, actor, note) VALUES (?, ?, ?, ?, ?)",
        (alert_id, to_ms(now), action, actor, note),
    )
