"""The border to SQLite: tables, transactions, and its errors as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from huoyan.errors import DispatchError, StorageError

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
    with _mapped(str(path)):
        # mode=rw: a wrong path must never leave an empty database behind.
        uri = path.resolve().as_uri() + "?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None)
    try:
        with _mapped(str(path)):
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


@contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: all or nothing, and nobody else writes between its reads and its writes.

    Inside a caller's transaction it is a savepoint: what fails here is undone here, the rest is the caller's.

    Raises:
        StorageError: the database is locked, full or damaged; nothing was written.
    """
    with _mapped(connection):
        nested = connection.in_transaction
        connection.execute("SAVEPOINT dispatch" if nested else "BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("RELEASE dispatch" if nested else "COMMIT")
        except BaseException:
            # SQLite itself may have rolled back already (full disk).
            if connection.in_transaction:
                if nested:
                    connection.execute("ROLLBACK TO dispatch")
                    connection.execute("RELEASE dispatch")
                else:
                    connection.execute("ROLLBACK")
            raise


def rows(
    connection: sqlite3.Connection, statement: str, values: tuple[object, ...] = ()
) -> list[sqlite3.Row]:
    """The rows of a query, by column name, whatever row factory the connection has.

    Raises:
        StorageError: the database is locked or damaged.
    """
    with _mapped(connection):
        cursor = connection.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor.execute(statement, values).fetchall()


def to_ms(time: datetime) -> int:
    """A time as the tables hold it: milliseconds since 1970, UTC.

    Raises:
        ValueError: `time` is naive.
    """
    if time.tzinfo is None:
        raise ValueError("a time without a zone cannot be used; attach one first")
    return round((time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


def from_ms(value: int | None) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


def log(
    connection: sqlite3.Connection, alert_id: str, now: datetime, action: str, actor: str, note: str = ""
) -> None:
    """Write down who did what to an alert."""
    connection.execute(
        "INSERT INTO queue_log (alert_id, time_ms, action, actor, note) VALUES (?, ?, ?, ?, ?)",
        (alert_id, to_ms(now), action, actor, note),
    )


def _name(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute("PRAGMA database_list").fetchone()
    except sqlite3.Error:
        return "the queue"
    return str(row[2]) if row is not None and row[2] else "the queue"


@contextmanager
def _mapped(subject: str | sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = subject if isinstance(subject, str) else _name(subject)
        raise _explained(error, name) from error


def _explained(error: sqlite3.Error, subject: str) -> StorageError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    text = str(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageError(
            f"the database is in use by another process ({text})",
            subject=subject,
            hint="wait until the other command has finished, then try again",
            code="locked",
        )
    if code == sqlite3.SQLITE_FULL:
        return StorageError(
            "the disk is full; nothing was changed",
            subject=subject,
            hint="free some space and run the same command again",
            code="disk_full",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StorageError(
            f"the database is damaged ({text})",
            subject=subject,
            hint="restore it from a backup, or move it away and scan again",
            code="damaged",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StorageError(
            f"the database cannot be written ({text})",
            subject=subject,
            hint="check the owner and the permissions of the file and its folder",
            code="not_writable",
        )
    return StorageError(f"the database failed: {text}", subject=subject, hint="see the disk's health")
