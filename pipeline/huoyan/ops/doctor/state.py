"""The state's database: whole, of this version, not held by somebody else."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from huoyan.errors import StorageError
from huoyan.incidents import database
from huoyan.ops.doctor.finding import Finding, fail, ok, warn
from huoyan.sqlite import from_ms, mapped

_AHEAD = timedelta(minutes=1)
_LARGE_LOG = 256 << 20
"""Bytes of the write-ahead log from which on something keeps it from being taken over."""


def state(folder: Path) -> Iterator[Finding]:
    """Examine the database of a state folder without changing it."""
    path = folder / database.DATABASE
    if not path.is_file():
        yield ok("state", f"{path} is not there yet: the daemon makes it")
        return
    try:
        yield from _examined(path)
    except StorageError as error:
        yield fail("state", f"{error.subject}: {error.message}", error.hint)
    yield _lock(path)


def _examined(path: Path) -> Iterator[Finding]:
    with mapped(path):
        connection = sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True, timeout=5)
        try:
            began = time.perf_counter()
            wrong = [row[0] for row in connection.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
            took = time.perf_counter() - began
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            latest = (
                connection.execute("SELECT max(time_ms) FROM outbox").fetchone()[0]
                if _has_outbox(connection)
                else None
            )
        finally:
            connection.close()
    size = path.stat().st_size
    if wrong:
        todo = "stop the daemon and restore the last backup (docs/operations.md), keep this file for a look"
        yield fail("state", f"{path} is damaged: {wrong[0]}", todo)
        return
    if version > database.VERSION:
        yield fail(
            "state",
            f"{path} was written by a later version of Huoyan",
            "upgrade, or restore the backup before",
        )
        return
    yield ok(
        "state",
        f"{path}: {size / 1e6:.1f} MB, whole (looked through in {took:.2f} s)",
        bytes=size,
        version=version,
    )
    if latest is not None and from_ms(latest) > datetime.now(UTC) + _AHEAD:
        yield warn(
            "state times",
            f"the latest alert is of {from_ms(latest).isoformat()}, which is still to come",
            "set the clock: it was ahead, or is behind now",
        )
    log = path.with_name(path.name + "-wal")
    if log.is_file() and log.stat().st_size > _LARGE_LOG:
        yield warn(
            "state log",
            f"{log} has grown to {log.stat().st_size / 1e6:.0f} MB",
            "end programs that hold the database open; the daemon then takes it over",
        )


def _has_outbox(connection: sqlite3.Connection) -> bool:
    found = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'outbox'"
    ).fetchone()
    return found is not None


def _lock(path: Path) -> Finding:
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        return fail(
            "state lock", f"{path} cannot be written by this user", "chown the folder to the daemon's user"
        )
    try:
        held = database.lock(path)
    except StorageError as error:
        if error.code == "locked":
            return ok("state lock", "a run works on this state now")
        return fail("state lock", error.message, error.hint)
    if held is not None:
        held.close()
    return ok("state lock", "no run works on this state now")
