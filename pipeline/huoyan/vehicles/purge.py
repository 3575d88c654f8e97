"""Retention: what is older than the county may keep goes, at most once a day, and after a purge that was cut off.

The clock is the wall's, not the pictures': a law counts days from today. Pictures are removed from the disk first and
from the table after it, so what a crash leaves behind is removed by the next purge.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from huoyan.config import seconds
from huoyan.config_vehicles import Retention
from huoyan.errors import StorageError
from huoyan.sqlite import immediate, mapped, rows, to_ms
from huoyan.vehicles import tables

EVERY = timedelta(days=1)
BATCH = 500
_BEGUN, _DONE = "purge_begun_ms", "purged_ms"


@dataclass(frozen=True, slots=True)
class Purged:
    """How much went."""

    passages: int = 0
    weights: int = 0
    violations: int = 0
    pictures: int = 0


def when_due(connection: sqlite3.Connection, folder: Path, keep: Retention, now: datetime) -> Purged | None:
    """`purge`, if it is due; None if not. For the start of a run, and now and then in one that goes on for days."""
    tables.ensure(connection)
    return purge(connection, folder, keep, now) if is_due(connection, now) else None


def is_due(connection: sqlite3.Connection, now: datetime) -> bool:
    """Whether a day has gone since the last purge, or it did not come to its end."""
    state = {row["key"]: row["value"] for row in rows(connection, "SELECT key, value FROM vehicle_state")}
    if _DONE not in state or _BEGUN in state:
        return True
    # A clock that was set back must not keep everything for ever.
    return abs(to_ms(now) - int(state[_DONE])) >= EVERY / timedelta(milliseconds=1)


def purge(connection: sqlite3.Connection, folder: Path, keep: Retention, now: datetime) -> Purged:
    """Remove what is older than `keep` allows, outside any transaction of the caller.

    Args:
        connection: of the state's database.
        folder: the state folder; only pictures in it are removed.
        keep: how long what is kept.
        now: the present, aware.

    Raises:
        StorageError: the database or a picture cannot be written; what was removed before stays removed.
    """
    _mark(connection, _BEGUN, now)
    pictures = _pictures(connection, folder, _before(now, keep.pictures))
    with immediate(connection):
        passages = _delete(connection, "vehicle_passages", _before(now, keep.passages))
        weights = _delete(connection, "vehicle_weights", _before(now, keep.passages))
        violations = _delete(connection, "vehicle_violations", _before(now, keep.violations))
        _delete(connection, "vehicle_cleared", _before(now, keep.passages))
        connection.execute("DELETE FROM vehicle_state WHERE key = ?", (_BEGUN,))
        _mark(connection, _DONE, now)
    with mapped(connection):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return Purged(passages, weights, violations, pictures)


def _delete(connection: sqlite3.Connection, table: str, before_ms: int) -> int:
    return connection.execute(f"DELETE FROM {table} WHERE time_ms < ?", (before_ms,)).rowcount


def _pictures(connection: sqlite3.Connection, folder: Path, before_ms: int) -> int:
    removed = 0
    base = folder.resolve()
    while True:
        old = rows(
            connection,
            "SELECT href FROM vehicle_pictures WHERE time_ms < ? ORDER BY time_ms, href LIMIT ?",
            (before_ms, BATCH),
        )
        if not old:
            return removed
        hrefs = [row["href"] for row in old]
        for href in hrefs:
            removed += _remove(base, href)
        with immediate(connection):
            connection.executemany("DELETE FROM vehicle_pictures WHERE href = ?", [(h,) for h in hrefs])


def _remove(base: Path, href: str) -> bool:
    path = (base / href).resolve()
    # A path that leads out of the state is nobody's to remove.
    if not path.is_relative_to(base) or not path.is_file():
        return False
    try:
        path.unlink()
    except OSError as error:
        raise StorageError(
            f"an old picture cannot be removed: {error.strerror or error}",
            subject=str(path),
            hint="check the owner and the permissions of the state folder",
            code="not_writable",
        ) from error
    return True


def _before(now: datetime, limit: str) -> int:
    return to_ms(now - timedelta(seconds=seconds(limit)))


def _mark(connection: sqlite3.Connection, key: str, now: datetime) -> None:
    with immediate(connection):
        connection.execute(
            "INSERT INTO vehicle_state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, to_ms(now)),
        )
