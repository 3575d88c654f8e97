"""The gate's log: append-only, each entry chained to the one before by SHA-256.

An entry is canonical JSON that holds the hash of the entry before it; its own hash is that of this text. The database
refuses to change or remove a row. What retention lets go goes from the beginning, and the last hash that went is kept.
A small file beside it, `gate.head`, tells the last entry: so an end that was cut off shows too, which a chain alone
cannot tell.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huoyan.files import write_whole
from huoyan.gate.codec import canonical, sha256
from huoyan.sqlite import immediate, mapped, rows

GENESIS = "0" * 64
HEAD = "gate.head"

TABLES = """
CREATE TABLE IF NOT EXISTS log (
    seq INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    entry TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (event_id, revision)
);
CREATE INDEX IF NOT EXISTS log_by_time ON log (time_ms);
CREATE TRIGGER IF NOT EXISTS log_is_never_changed BEFORE UPDATE ON log
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TABLE IF NOT EXISTS log_base (seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS log_is_never_shortened BEFORE DELETE ON log
    WHEN OLD.seq > coalesce((SELECT max(seq) FROM log_base), 0)
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a log."""

    seq: int
    hash: str


def append(
    connection: sqlite3.Connection, event_id: str, revision: int, time_ms: int, facts: Mapping[str, Any]
) -> Head:
    """Add an entry, within the caller's transaction.

    Raises:
        StorageError: the database is locked, full or damaged, or the event has this revision already.
    """
    last = head(connection)
    seq = last.seq + 1
    entry = canonical(
        {**facts, "seq": seq, "event_id": event_id, "revision": revision, "previous": last.hash}
    )
    with mapped(connection):
        connection.execute(
            "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)",
            (seq, event_id, revision, time_ms, entry, sha256(entry)),
        )
    return Head(seq, sha256(entry))


def head(connection: sqlite3.Connection) -> Head:
    """The last entry; before the first, 0 and zeros."""
    found = rows(connection, "SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1")
    return Head(found[0]["seq"], found[0]["hash"]) if found else base(connection)


def base(connection: sqlite3.Connection) -> Head:
    """The last entry that retention has removed; 0 and zeros where there is none."""
    found = rows(connection, "SELECT seq, hash FROM log_base ORDER BY seq DESC LIMIT 1")
    return Head(found[0]["seq"], found[0]["hash"]) if found else Head(0, GENESIS)


def shorten(connection: sqlite3.Connection, before_ms: int) -> int:
    """Remove the entries before the first that is not older, within the caller's transaction; how many.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    kept = "SELECT min(seq) FROM log WHERE time_ms >= ?"
    last = rows(
        connection,
        f"SELECT seq, hash FROM log WHERE seq < coalesce(({kept}), 1 + (SELECT max(seq) FROM log))"
        " ORDER BY seq DESC LIMIT 1",
        (before_ms,),
    )
    if not last:
        return 0
    with mapped(connection):
        connection.execute("INSERT INTO log_base VALUES (?, ?)", (last[0]["seq"], last[0]["hash"]))
        return connection.execute("DELETE FROM log WHERE seq <= ?", (last[0]["seq"],)).rowcount


def entries(
    connection: sqlite3.Connection, since_ms: int | None = None, until_ms: int | None = None
) -> Iterator[dict[str, Any]]:
    """Entries in the order of the log, by the time of their event where bounds are given."""
    statement = (
        "SELECT entry FROM log WHERE (?1 IS NULL OR time_ms >= ?1) AND (?2 IS NULL OR time_ms < ?2)"
        " ORDER BY seq"
    )
    for row in rows(connection, statement, (since_ms, until_ms)):
        yield json.loads(row["entry"])


def verify(connection: sqlite3.Connection, folder: Path) -> tuple[int, list[str]]:
    """Check every entry against the one before, and the end against `gate.head`.

    Returns:
        How many entries there are, and what is wrong, an entry a line; nothing if the log is whole.

    Raises:
        StorageError: the database cannot be read.
    """
    problems: list[str] = []
    start = base(connection)
    previous, expected, hashes = start.hash, start.seq + 1, dict[int, str]()
    for row in rows(connection, "SELECT * FROM log ORDER BY seq"):
        seq, entry = row["seq"], row["entry"]
        if seq != expected:
            problems.append(f"entry {expected}: missing; the next one there is {seq}")
        problems += [f"entry {seq}: {problem}" for problem in _wrong(row, previous)]
        hashes[seq] = previous = sha256(entry)
        expected = seq + 1
    told = read_head(folder)
    last = expected - 1
    if told is None and hashes:
        problems.append(f"{HEAD}: missing or torn; it should tell entry {last}")
    elif told is not None and told.seq > last:
        problems.append(f"entries {last + 1} to {told.seq}: cut off; {HEAD} tells that they were written")
    elif told is not None and told.seq and hashes.get(told.seq, told.hash) != told.hash:
        problems.append(f"entry {told.seq}: not the one that {HEAD} tells")
    return len(hashes), problems


def mend(connection: sqlite3.Connection, folder: Path, time_ms: int) -> list[str]:
    """Bring log and `gate.head` together after a crash.

    A head that lagged is brought up. An end that was cut off (a disk that lied about having written) goes into the log
    itself as an entry of its own, so that `verify` tells it for good.

    Returns:
        What was found, for the user.

    Raises:
        StorageError, OSError: the log or the head cannot be written.
    """
    last, told = head(connection), read_head(folder)
    if told is not None and told.seq > last.seq:
        lost = {"lost": {"first": last.seq + 1, "last": told.seq, "hash": told.hash}}
        with immediate(connection):
            last = append(connection, f"lost-{told.hash[:16]}", 1, time_ms, lost)
        write_head(folder, last)
        return [f"the log has lost entries {lost['lost']['first']} to {told.seq}: see huoyan gate log verify"]
    if last.seq and (told is None or told.seq < last.seq):
        write_head(folder, last)
        behind = "was missing or torn" if told is None else f"told entry {told.seq}"
        return [f"{HEAD} {behind} after a crash; brought up to entry {last.seq}, nothing was lost"]
    return []


def read_head(folder: Path) -> Head | None:
    """What `gate.head` tells; None if it is missing or torn."""
    try:
        told = json.loads((folder / HEAD).read_text(encoding="utf-8"))
        return Head(int(told["seq"]), str(told["hash"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_head(folder: Path, last: Head) -> None:
    """Write `gate.head`, whole or not at all."""
    text = canonical({"seq": last.seq, "hash": last.hash}) + "\n"
    write_whole(folder / HEAD, text.encode())


def _wrong(row: sqlite3.Row, previous: str) -> list[str]:
    """What is wrong with one entry."""
    if sha256(row["entry"]) != row["hash"]:
        return ["its text was changed"]
    try:
        told = json.loads(row["entry"])
    except ValueError:
        return ["is no JSON"]
    beside = (row["seq"], row["event_id"], row["revision"])
    if (told.get("seq"), told.get("event_id"), told.get("revision")) != beside:
        return ["the columns beside its text were changed"]
    if told.get("previous") != previous:
        return ["does not follow the entry before it"]
    lost = told.get("lost")
    return [f"tells that entries {lost['first']} to {lost['last']} were lost in a crash"] if lost else []
