"""The state of a county: frames done, memory, incidents, in one SQLite file with one writing run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from huoyan.errors import StorageError
from huoyan.incidents import codec, database
from huoyan.records import Finding, FrameRef, Incident, Revision, Skip
from huoyan.scenes.memory import Memory
from huoyan.sqlite import from_ms, mapped, to_ms


class Store:
    """An open state. Changes belong into `transaction()`; there they are all written or none.

    Attributes:
        connection: for others who write in the same transaction (the outbox).
        path: the database file.
        ours: whether an incident is this box's to tell of: where boxes share cameras, one of several that saw it is.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, held: IO[bytes] | None) -> None:
        self.connection = connection
        self.path = path
        self.ours: Callable[[Incident], bool] = lambda incident: True
        self._held = held

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give up the hold on it; an open transaction is undone."""
        self.connection.close()
        if self._held is not None:
            self._held.close()
            self._held = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written at the end, durably, or not at all.

        Raises:
            StorageError: the disk is full or fails, or another process holds the database for too long.
        """
        with mapped(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk has SQLite roll back by itself.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run a statement.

        Raises:
            StorageError: SQLite refuses.
        """
        with mapped(self.path):
            return self.connection.execute(statement, values)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """The rows of a query, by column name.

        Raises:
            StorageError: SQLite refuses.
        """
        with mapped(self.path):
            cursor = self.connection.cursor()
            cursor.row_factory = sqlite3.Row
            return cursor.execute(statement, values).fetchall()

    # ------------------------------------------------------------------------------------ frames and skips
    def frames_done(self, source_id: str | None = None) -> frozenset[str]:
        """Ids of the frames that are judged, of one source or of all."""
        if source_id is None:
            return frozenset(row[0] for row in self.rows("SELECT frame_id FROM frames_done"))
        rows = self.rows("SELECT frame_id FROM frames_done WHERE source_id = ?", (source_id,))
        return frozenset(row[0] for row in rows)

    def is_done(self, frame_id: str) -> bool:
        return bool(self.rows("SELECT 1 FROM frames_done WHERE frame_id = ?", (frame_id,)))

    def mark_done(self, frame: FrameRef, status: str = "judged") -> None:
        """Note that a frame is judged; a second time changes nothing."""
        self.execute(
            "INSERT INTO frames_done VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (frame.frame_id, frame.source_id, to_ms(frame.time), status),
        )

    def latest_frame(self) -> datetime | None:
        """When the latest judged frame was taken; None before the first."""
        latest = self.rows("SELECT max(time_ms) FROM frames_done")[0][0]
        return None if latest is None else from_ms(latest)

    def add_skip(self, skip: Skip) -> None:
        """Note a file that could not be used, once however often it is met."""
        self.execute(
            "INSERT INTO skips VALUES (?, ?, ?, ?)"
            " ON CONFLICT (path, code) DO UPDATE SET reason = excluded.reason",
            (skip.path, skip.code, skip.source_id, skip.reason),
        )

    def skips(self) -> list[Skip]:
        """Files that could not be used, by path."""
        rows = self.rows("SELECT source_id, path, code, reason FROM skips ORDER BY path, code")
        return [Skip(*row) for row in rows]

    # ---------------------------------------------------------------------------------------------- memory
    def load_memory(self) -> Memory:
        """What the judge remembers."""
        return Memory({row[0]: json.loads(row[1]) for row in self.rows("SELECT key, value FROM memory")})

    def save_memory(self, memory: Memory) -> None:
        """Write what has changed in a memory since the last time."""
        for key, value in memory.take_changes().items():
            if value is None:
                self.execute("DELETE FROM memory WHERE key = ?", (key,))
            else:
                text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
                self.execute(
                    "INSERT INTO memory VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    (key, text),
                )

    # ------------------------------------------------------------------------------------------- incidents
    def incident(self, incident_id: str) -> Incident | None:
        """An incident as it stands."""
        rows = self.rows("SELECT status, document FROM incidents WHERE incident_id = ?", (incident_id,))
        return _incident(rows[0]) if rows else None

    def incidents(self, scene: str | None = None) -> list[Incident]:
        """All incidents, or those of a scene, by the time they were first seen."""
        rows = self.rows(
            "SELECT status, document FROM incidents WHERE ?1 IS NULL OR scene = ?1"
            " ORDER BY first_ms, incident_id",
            (scene,),
        )
        return [_incident(row) for row in rows]

    def revisions(self, incident_id: str | None = None) -> list[Revision]:
        """What was told of an incident, or of all, in the order of telling."""
        rows = self.rows(
            "SELECT document, finding, why FROM revisions WHERE ?1 IS NULL OR incident_id = ?1"
            " ORDER BY time_ms, incident_id, revision",
            (incident_id,),
        )
        return [
            Revision(codec.incident(row["document"]), codec.finding(row["finding"]), row["why"])
            for row in rows
        ]

    def last_finding(self, incident_id: str) -> Finding | None:
        """The latest finding of an incident."""
        rows = self.rows("SELECT finding FROM incidents WHERE incident_id = ?", (incident_id,))
        return codec.finding(rows[0]["finding"]) if rows else None

    def permitted(self) -> list[tuple[Finding, int]]:
        """Lawful findings, one for each thing at each place, with the number of its looks, by time."""
        rows = self.rows("SELECT finding, looks FROM permitted ORDER BY first_ms, permitted_id")
        return [(codec.finding(row["finding"]), row["looks"]) for row in rows]

    # ------------------------------------------------------------------------------------------------ runs
    def start_run(self, now: datetime, config_sha256: str) -> int:
        """Note that a run begins and return its number."""
        cursor = self.execute(
            "INSERT INTO runs (started_ms, config_sha256) VALUES (?, ?)", (to_ms(now), config_sha256)
        )
        if cursor.lastrowid is None:
            raise StorageError("the run got no number", subject=str(self.path))
        return cursor.lastrowid

    def finish_run(self, run_id: int, now: datetime, summary: dict[str, Any]) -> None:
        """Note that a run has ended, with its summary as JSON values."""
        self.execute(
            "UPDATE runs SET finished_ms = ?, summary = ? WHERE run_id = ?",
            (to_ms(now), json.dumps(summary, ensure_ascii=False), run_id),
        )


def open_store(path: Path, *, exclusive: bool = True) -> Store:
    """Open the state in a folder, made where it is new.

    Args:
        path: the state folder, or the database file in it.
        exclusive: hold it for a run: only one run may judge at a time. A command that only passes a verdict
            or reads does without.

    Raises:
        StorageError: it cannot be made or opened, is damaged or of a later version, or another run holds it.
    """
    file = path if path.suffix == ".db" else path / database.DATABASE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder cannot be made: {error.strerror}",
            subject=str(file.parent),
            hint="check county.data and the permissions of the folder above it",
            code="not_writable",
        ) from error
    held = database.lock(file) if exclusive else None
    try:
        return Store(database.connect(file), file, held)
    except BaseException:
        if held is not None:
            held.close()
        raise


def _incident(row: sqlite3.Row) -> Incident:
    # Expiry changes many incidents at once, so the status column has the last word.
    return replace(codec.incident(row["document"]), status=row["status"])
