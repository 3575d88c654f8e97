"""The gate's book: everything that came in and every event, in one SQLite file that survives a kill at any moment.

What came is written durably (WAL, synchronous FULL) before whoever sent it is told so. Events and their log entries are
written in one transaction with what they were made of, so nothing is lost and nothing counts twice.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from huoyan.errors import StorageError
from huoyan.gate import codec, log
from huoyan.gate.codec import Message
from huoyan.gate.tables import TABLES
from huoyan.passage import GateEvent, Passage
from huoyan.registry import plate_key
from huoyan.sqlite import from_ms, immediate, mapped, rows, to_ms

DATABASE = "gate.db"
BUSY_MS = 5000
SAME_ID = timedelta(days=1)
"""A message id that comes again later than this is another message: counters of devices start anew."""
Taken = Literal["new", "repeated"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message with its number in the book."""

    seq: int
    message: Message
    prompt: bool = True
    """It came at once: the way from device to us tells how the device's clock goes."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as it stands. Before its first decision `event` is None and `revision` 0."""

    event_id: str
    gate_id: str
    time: datetime
    revision: int
    event: GateEvent | None
    passages: tuple[Passage, ...]
    messages: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Untold:
    """An event to be handed on."""

    event: GateEvent
    revision: int
    ended: bool
    """Its vehicle has left the view of all cameras."""
    site: str | None


class Book:
    """An open book. Threads may share it: each call is a transaction of its own unless inside `transaction()`."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self._lock = threading.RLock()

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is written at the end, durably, or not at all.

        Raises:
            StorageError: the disk is full or fails, or another process holds the database for too long.
        """
        with self._lock, immediate(self.connection):
            yield

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return rows(self.connection, statement, values)

    def _execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        with self._lock, mapped(self.connection):
            return self.connection.execute(statement, values)

    # ------------------------------------------------------------------------------------------- taking in
    def take_message(self, message: Message, *, prompt: bool = True) -> Taken:
        """Write a message down, once: by sender and id within a day, and by what it says.

        Args:
            message: with its gate.
            prompt: it came at once, so it tells how the device's clock goes.

        Raises:
            StorageError: it could not be written; the sender must keep it.
        """
        kind, text = codec.kind_of(message), codec.message_text(message)
        key = f"{kind}\n{message.device_id}\n{message.message_id}"
        digest = codec.sha256(f"{kind}\n{_content(message)}")
        received = to_ms(message.received)
        with self.transaction():
            since = to_ms(message.received - SAME_ID)
            known = self._rows(
                "SELECT 1 FROM messages WHERE digest = ? OR (key = ? AND received_ms >= ?) LIMIT 1",
                (digest, key, since),
            )
            if known:
                return "repeated"
            self._execute(
                "INSERT INTO messages (key, digest, kind, gate_id, device_id, time_ms, received_ms,"
                " prompt, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    digest,
                    kind,
                    message.gate_id,
                    message.device_id,
                    to_ms(message.time),
                    received,
                    prompt,
                    text,
                ),
            )
            if prompt:
                offset = received - to_ms(message.time)
                self._execute("INSERT INTO clocks VALUES (?, ?, ?)", (message.device_id, received, offset))
        return "new"

    def take_passage(self, gate_id: str, passage: Passage) -> Taken:
        """Write down a passage or its later revision; one that was told already, or is older, changes nothing.

        Raises:
            StorageError: it could not be written.
        """
        text = codec.passage_text(passage)
        with self.transaction():
            known = self._rows("SELECT ended, body FROM passages WHERE passage_id = ?", (passage.passage_id,))
            if known and (known[0]["body"] == text or (known[0]["ended"] and not passage.ended)):
                return "repeated"
            self._execute(
                "INSERT INTO passages VALUES (?, ?, ?, ?, ?, 1, ?, NULL) ON CONFLICT (passage_id) DO UPDATE"
                " SET time_ms = excluded.time_ms, ended = excluded.ended, fresh = 1, body = excluded.body",
                (
                    passage.passage_id,
                    gate_id,
                    passage.source_id,
                    to_ms(passage.time),
                    passage.ended,
                    text,
                ),
            )
        return "new"

    def refuse(self, now: datetime, sender: str, code: str, reason: str) -> None:
        """Note a message that could not be used; the last thousand are kept."""
        with self.transaction():
            self._execute("INSERT INTO refused VALUES (?, ?, ?, ?)", (to_ms(now), sender, code, reason[:500]))
            self._execute(
                "DELETE FROM refused WHERE rowid <= (SELECT max(rowid) - 1000 FROM refused)",
            )

    def refused(self) -> list[tuple[datetime, str, str, str]]:
        """What could not be used: when, whose, why."""
        found = self._rows("SELECT * FROM refused ORDER BY rowid")
        return [(from_ms(row["time_ms"]), row["sender"], row["code"], row["reason"]) for row in found]

    # ------------------------------------------------------------------------------------------- what waits
    def fresh_passages(self, gate_id: str) -> list[Passage]:
        """New passages and new revisions that no event has taken in yet, by time."""
        found = self._rows(
            "SELECT body FROM passages WHERE gate_id = ? AND fresh ORDER BY time_ms, passage_id", (gate_id,)
        )
        return [codec.passage(row["body"]) for row in found]

    def waiting(self, gate_id: str, kind: str) -> list[Waiting]:
        """Messages that belong to no event yet, by their devices' time."""
        found = self._rows(
            "SELECT seq, kind, prompt, body FROM messages WHERE gate_id = ? AND kind = ? AND event_id IS NULL"
            " AND body <> '' ORDER BY time_ms, seq",
            (gate_id, kind),
        )
        return [_waiting(row) for row in found]

    def offsets(self, device_id: str, count: int) -> list[int]:
        """Milliseconds from a device's time to ours, of its latest messages."""
        found = self._rows(
            "SELECT offset_ms FROM clocks WHERE device_id = ? ORDER BY received_ms DESC, rowid DESC LIMIT ?",
            (device_id, count),
        )
        return [int(row["offset_ms"]) for row in found]

    def latest_time(self) -> datetime | None:
        """The latest time of anything in the book: the clock of a replay."""
        found = self._rows(
            "SELECT max(m) AS m FROM (SELECT max(time_ms) AS m FROM messages"
            " UNION ALL SELECT max(time_ms) FROM passages)"
        )
        return None if found[0]["m"] is None else from_ms(found[0]["m"])

    # ------------------------------------------------------------------------------------------------ events
    def event_of_passage(self, passage_id: str) -> str | None:
        found = self._rows("SELECT event_id FROM passages WHERE passage_id = ?", (passage_id,))
        return found[0]["event_id"] if found else None

    def put_passage(self, passage_id: str, event_id: str) -> None:
        """A passage is part of an event from now on, and the event has taken in its latest revision."""
        self._execute(
            "UPDATE passages SET event_id = ?, fresh = 0 WHERE passage_id = ?", (event_id, passage_id)
        )

    def drop_passage(self, passage_id: str) -> None:
        """Nothing is kept of a vehicle that only drove by."""
        self._execute("DELETE FROM passages WHERE passage_id = ?", (passage_id,))

    def put_message(self, seq: int, event_id: str) -> None:
        self._execute("UPDATE messages SET event_id = ? WHERE seq = ?", (event_id, seq))

    def begin_event(self, event_id: str, gate_id: str, time: datetime, site: str | None) -> None:
        """A new event that has no decision yet."""
        self._execute(
            "INSERT INTO events VALUES (?, ?, ?, '', ?, 'unknown', 0, 0, 0, '') ON CONFLICT DO NOTHING",
            (event_id, gate_id, to_ms(time), site),
        )

    def events(
        self, gate_id: str, since: datetime | None = None, until: datetime | None = None
    ) -> list[Kept]:
        """Events of a gate in a span of time, both ends included, by time."""
        found = self._rows(
            "SELECT * FROM events WHERE gate_id = ?1 AND (?2 IS NULL OR time_ms >= ?2)"
            " AND (?3 IS NULL OR time_ms <= ?3) ORDER BY time_ms, event_id",
            (gate_id, to_ms(since) if since else None, to_ms(until) if until else None),
        )
        return [self._kept(row) for row in found]

    def event(self, event_id: str) -> Kept | None:
        found = self._rows("SELECT * FROM events WHERE event_id = ?", (event_id,))
        return self._kept(found[0]) if found else None

    def of_plate(self, plate: str, since: datetime, until: datetime) -> list[GateEvent]:
        """Decided events of a plate, by time."""
        found = self._rows(
            "SELECT document FROM events WHERE plate = ? AND plate <> '' AND time_ms BETWEEN ? AND ?"
            " AND revision > 0 ORDER BY time_ms, event_id",
            (plate_key(plate), to_ms(since), to_ms(until)),
        )
        return [codec.event(row["document"]) for row in found]

    def undecided(self, gate_id: str) -> list[str]:
        """Events that wait for their first decision."""
        found = self._rows("SELECT event_id FROM events WHERE gate_id = ? AND revision = 0", (gate_id,))
        return [row["event_id"] for row in found]

    def write_event(self, event: GateEvent, site: str | None, revision: int) -> None:
        """Write down an event as it stands, within the caller's transaction."""
        ended = all(passage.ended for passage in event.passages)
        self._execute(
            "UPDATE events SET time_ms = ?, plate = ?, site = ?, direction = ?, revision = ?,"
            " ended = ?, document = ? WHERE event_id = ?",
            (
                to_ms(event.time),
                plate_key(event.verdict.plate),
                site,
                event.direction,
                revision,
                ended,
                codec.event_text(event),
                event.event_id,
            ),
        )

    # ------------------------------------------------------------------------------------------------ telling
    def untold(self) -> list[Untold]:
        """Events whose latest revision was not handed on, by time."""
        found = self._rows(
            "SELECT document, revision, ended, site FROM events WHERE told < revision ORDER BY time_ms, event_id"
        )
        return [Untold(codec.event(r["document"]), r["revision"], bool(r["ended"]), r["site"]) for r in found]

    def mark_told(self, event_id: str, revision: int) -> None:
        with self.transaction():
            self._execute("UPDATE events SET told = ? WHERE event_id = ?", (revision, event_id))

    # ---------------------------------------------------------------------------------------------- hygiene
    def forget(self, seq: int) -> None:
        """Empty a message that is nobody's business; that it came is still known, so it counts once."""
        self._execute("UPDATE messages SET body = '' WHERE seq = ?", (seq,))

    def prune(self, messages: datetime, events: datetime, entries: datetime) -> None:
        """Remove what is older: messages, events with their passages, log entries (what is left still verifies).

        Raises:
            StorageError: the database cannot be written.
        """
        limit = to_ms(events)
        with self.transaction():
            for table in ("messages", "clocks"):
                self._execute(f"DELETE FROM {table} WHERE received_ms < ?", (to_ms(messages),))
            for table in ("passages", "events"):
                self._execute(f"DELETE FROM {table} WHERE time_ms < ?", (limit,))
            log.shorten(self.connection, to_ms(entries))

    def counts(self) -> dict[str, int]:
        """How much of each is in the book."""
        tables: Collection[str] = ("messages", "passages", "events", "log", "refused")
        return {name: int(self._rows(f"SELECT count(*) AS n FROM {name}")[0]["n"]) for name in tables}

    def _kept(self, row: sqlite3.Row) -> Kept:
        passages = self._rows(
            "SELECT body FROM passages WHERE event_id = ? ORDER BY time_ms, passage_id", (row["event_id"],)
        )
        messages = self._rows(
            "SELECT seq, kind, prompt, body FROM messages WHERE event_id = ? AND body <> '' ORDER BY time_ms, seq",
            (row["event_id"],),
        )
        return Kept(
            row["event_id"],
            row["gate_id"],
            from_ms(row["time_ms"]),
            row["revision"],
            codec.event(row["document"]) if row["document"] else None,
            tuple(codec.passage(p["body"]) for p in passages),
            tuple(_waiting(message) for message in messages),
        )


def open_book(folder: Path, *, read_only: bool = False) -> Book:
    """Open the book of a state folder, made where it is new.

    Raises:
        StorageError: it cannot be made or opened, or (to read) is not there.
    """
    path = folder / DATABASE
    if read_only and not path.is_file():
        raise StorageError(
            "there is no gate's log here",
            subject=str(path),
            hint="give the configuration that huoyan gate ran with",
            code="no_log",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder cannot be made: {error.strerror}",
            subject=str(folder),
            hint="check county.data and the permissions of the folder above it",
            code="not_writable",
        ) from error
    with mapped(path):
        connection = sqlite3.connect(
            path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
    try:
        with mapped(path):
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: what a sender was told is written is on the disk, whatever happens to the power.
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(TABLES + log.TABLES)
    except BaseException:
        connection.close()
        raise
    return Book(connection, folder)


def _waiting(row: sqlite3.Row) -> Waiting:
    return Waiting(row["seq"], codec.message(row["kind"], row["body"]), bool(row["prompt"]))


def _content(message: Message) -> str:
    """What a message says, without its id and how it came: the same said twice is one message."""
    values = json.loads(codec.message_text(message))
    return codec.canonical(
        {k: v for k, v in values.items() if k not in ("message_id", "received", "pictures")}
    )
