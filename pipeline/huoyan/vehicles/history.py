"""What trucks did: passages, violations and weights by plate, in the database of the state.

The tables lie beside those of incidents and queue, so that a run writes frames, incidents, alerts and history in one
transaction. Everything that comes in goes through `History.record`, the door: a vehicle that is no truck and broke no
rule is not written down, not even without its plate. What comes twice is kept once; a later revision of a passage
takes the place of an earlier one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from huoyan.config import seconds
from huoyan.config_vehicles import Vehicles
from huoyan.errors import StorageError
from huoyan.passage import Passage
from huoyan.registry import plate_key
from huoyan.sqlite import from_ms, immediate, mapped, rows, to_ms
from huoyan.vehicles import levels, tables, trips
from huoyan.vehicles.context import Sighting
from huoyan.vehicles.entry import ANY_TRUCK, TRUCKS, Entry
from huoyan.vehicles.levels import Standing
from huoyan.vehicles.tables import Held, Kept, Weighed
from huoyan.vehicles.trips import Leg

DATABASE = "huoyan.db"
BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class Summary:
    """A vehicle in a line."""

    plate: str
    passages: int
    violations: int
    last_seen: datetime
    standing: Standing


class History:
    """The history of trucks in an open database. Changes join the caller's transaction, if there is one.

    Attributes:
        connection: of the state's database.
        settings: what is kept, how levels and trips are told.
    """

    def __init__(self, connection: sqlite3.Connection, settings: Vehicles | None = None) -> None:
        """Make the tables where they are missing.

        Raises:
            StorageError: the database is locked, full, damaged or of a later version.
        """
        self.connection = connection
        self.settings = settings or Vehicles()
        self._rule = trips.rule_of(self.settings.trips, self.settings.limits)
        tables.ensure(connection)

    # ---------------------------------------------------------------------------------------------- the door
    def record(self, entry: Entry) -> Entry | None:
        """Write down a passage or an event, if it may be.

        Returns:
            The entry with its trip; None: a vehicle that is no truck and broke no rule leaves nothing behind.

        Raises:
            StorageError: the database cannot be written.
        """
        with immediate(self.connection):
            before = self._one(
                "SELECT trip_id, last_ms FROM vehicle_passages WHERE entry_id = ?", entry.entry_id
            )
            if before is not None and before["last_ms"] > to_ms(entry.last_seen):
                return replace(entry, trip_id=before["trip_id"])
            if before is None and self._was_cleared(entry):
                return None
            self._forget(entry.entry_id)
            if not may_be_kept(entry):
                if before is not None:
                    self._clear(entry)
                return None
            # A trip that was told keeps its id, whatever a later revision knows better.
            trip = (
                before["trip_id"]
                if before is not None
                else trips.trip_of(_leg(entry), self._legs(entry), self._rule)
            )
            entry = replace(entry, trip_id=trip)
            self._write(entry)
            return entry

    def knows(self, passage: Passage) -> bool:
        """Whether a passage was written down as it is, or as it was later."""
        row = self._one("SELECT last_ms FROM vehicle_passages WHERE entry_id = ?", passage.passage_id)
        return row is not None and bool(row["last_ms"] >= to_ms(passage.last_seen))

    def add_pictures(self, hrefs: Iterable[str], time: datetime) -> None:
        """Note pictures of a truck, by their path in the state folder, so that they can be removed in time."""
        with immediate(self.connection):
            self.connection.executemany(
                "INSERT INTO vehicle_pictures VALUES (?, ?)"
                " ON CONFLICT (href) DO UPDATE SET time_ms = excluded.time_ms",
                [(href, to_ms(time)) for href in hrefs],
            )

    def _forget(self, entry_id: str) -> None:
        for table in tables.OF_ENTRIES:
            self.connection.execute(f"DELETE FROM {table} WHERE entry_id = ?", (entry_id,))

    def _clear(self, entry: Entry) -> None:
        """Note that a revision took an entry out: an earlier one that comes late must not bring it back."""
        self.connection.execute(
            "INSERT OR REPLACE INTO vehicle_cleared VALUES (?, ?, ?)",
            (entry.entry_id, to_ms(entry.time), to_ms(entry.last_seen)),
        )

    def _was_cleared(self, entry: Entry) -> bool:
        row = self._one("SELECT last_ms FROM vehicle_cleared WHERE entry_id = ?", entry.entry_id)
        return row is not None and bool(row["last_ms"] > to_ms(entry.last_seen))

    def _write(self, entry: Entry) -> None:
        plate, time, execute = plate_key(entry.plate), to_ms(entry.time), self.connection.execute
        execute(
            "INSERT INTO vehicle_passages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.entry_id,
                plate,
                entry.trip_id,
                time,
                to_ms(entry.first_seen),
                to_ms(entry.last_seen),
                entry.site,
                tables.document(entry),
                np.asarray(entry.appearance, dtype=np.float32).tobytes(),
            ),
        )
        # A reading that may be somebody else's is for a person to look at: it counts against nobody.
        for reason in () if entry.verdict.review else entry.verdict.reasons:
            held = (entry.entry_id, reason.code, plate, entry.trip_id, time, entry.source_id)
            execute(
                "INSERT INTO vehicle_violations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (entry_id, code) DO NOTHING",
                (*held, reason.confidence, reason.zh, reason.en),
            )
        if entry.gross_kg is not None or entry.tare_kg is not None:
            weights = (entry.gross_kg, entry.tare_kg, entry.net_kg)
            execute(
                "INSERT INTO vehicle_weights VALUES (?, ?, ?, ?, ?, ?, ?)",
                (entry.entry_id, plate, time, entry.source_id, *weights),
            )
        self.add_pictures(entry.pictures, entry.time)

    def _legs(self, entry: Entry) -> list[Leg]:
        """The trips, whole, that somebody was on within `trips.gap` of an entry."""
        reach = timedelta(seconds=seconds(self.settings.trips.gap))
        near = rows(
            self.connection,
            "SELECT * FROM vehicle_passages WHERE trip_id IN"
            " (SELECT trip_id FROM vehicle_passages WHERE last_ms >= ? AND first_ms <= ?) ORDER BY time_ms, entry_id",
            (to_ms(entry.first_seen - reach), to_ms(entry.last_seen + reach)),
        )
        return [tables.leg(row) for row in near]

    def _one(self, statement: str, *values: object) -> sqlite3.Row | None:
        found = rows(self.connection, statement, values)
        return found[0] if found else None

    # -------------------------------------------------------------------------------------------- questions
    def passages(self, plate: str | None = None) -> list[Kept]:
        """Passages of a plate, or all, by time."""
        return [tables.kept(row) for row in self._of("vehicle_passages", plate)]

    def violations(self, plate: str | None = None) -> list[Held]:
        """Reasons that held for a plate, or all, by time."""
        return [tables.held(row) for row in self._of("vehicle_violations", plate)]

    def weights(self, plate: str | None = None) -> list[Weighed]:
        """Weighings of a plate, or all, by time."""
        return [tables.weighed(row) for row in self._of("vehicle_weights", plate)]

    def plates(self) -> list[str]:
        """Keys of the plates that were seen or broke a rule."""
        found = rows(
            self.connection,
            "SELECT plate FROM vehicle_passages UNION SELECT plate FROM vehicle_violations ORDER BY plate",
        )
        return [row["plate"] for row in found if row["plate"]]

    def sightings(self, plate: str, before: datetime, within_s: float) -> list[Sighting]:
        """Where a plate was seen in the seconds before a moment, by time: what rules ask of its past."""
        found = rows(
            self.connection,
            "SELECT * FROM vehicle_passages WHERE plate = ? AND time_ms BETWEEN ? AND ? ORDER BY time_ms, entry_id",
            (plate_key(plate), to_ms(before - timedelta(seconds=within_s)), to_ms(before)),
        )
        kept = [tables.kept(row) for row in found] if plate_key(plate) else []
        return [
            Sighting(one.plate, one.time, one.source_id, one.place, one.site, one.direction) for one in kept
        ]

    def standing(self, plate: str, at: datetime, *, besides: str = "") -> Standing:
        """The level of a plate at a moment; `besides`: the trip that does not count, because it is being judged."""
        since = at - timedelta(seconds=seconds(self.settings.levels.window))
        found = rows(
            self.connection,
            "SELECT code, time_ms, trip_id FROM vehicle_violations"
            " WHERE plate = ? AND plate <> '' AND time_ms BETWEEN ? AND ? AND trip_id <> ?",
            (plate_key(plate), to_ms(since), to_ms(at), besides),
        )
        held = [levels.Violation(row["code"], from_ms(row["time_ms"]), row["trip_id"]) for row in found]
        return levels.standing(held, at, self.settings.levels)

    def summaries(self, at: datetime) -> list[Summary]:
        """Every vehicle in a line, the worst first, then the latest."""
        found = rows(
            self.connection,
            "SELECT plate, sum(seen) AS passages, sum(held) AS violations, max(time_ms) AS last_ms FROM ("
            " SELECT plate, 1 AS seen, 0 AS held, time_ms FROM vehicle_passages UNION ALL"
            " SELECT plate, 0, 1, time_ms FROM vehicle_violations) WHERE plate <> '' GROUP BY plate",
        )
        made = [
            Summary(
                row["plate"],
                row["passages"],
                row["violations"],
                from_ms(row["last_ms"]),
                self.standing(row["plate"], at),
            )
            for row in found
        ]
        worst = {level: -rank for rank, level in enumerate(levels.LEVELS)}
        return sorted(made, key=lambda one: (worst[one.standing.level], -to_ms(one.last_seen), one.plate))

    def _of(self, table: str, plate: str | None) -> Sequence[sqlite3.Row]:
        key = None if plate is None else plate_key(plate)
        return rows(
            self.connection,
            f"SELECT * FROM {table} WHERE ?1 IS NULL OR plate = ?1 ORDER BY time_ms, entry_id",
            (key,),
        )


def open_history(folder: Path, settings: Vehicles | None = None) -> History:
    """Open the history in a state folder, for a command; a run joins its own database.

    Raises:
        StorageError: the folder holds no state, or it is locked or damaged.
    """
    path = folder / DATABASE
    hint = "give the state folder of a scan or a gate (county.data in its configuration) with --state"
    if not path.is_file():
        raise StorageError("there is no state here", subject=str(path), hint=hint, code="no_state")
    with mapped(path):
        # mode=rw: a wrong path must never leave an empty database behind.
        uri = path.resolve().as_uri() + "?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        with mapped(path):
            connection.execute("PRAGMA synchronous=FULL")
        return History(connection, settings)
    except BaseException:
        connection.close()
        raise


def may_be_kept(entry: Entry) -> bool:
    """Whether anything of a vehicle may be written down: a truck, a registered vehicle, or one that broke a rule."""
    truck = entry.label in TRUCKS or (entry.label == ANY_TRUCK and entry.where == "gate")
    return truck or entry.verdict.registered or bool(entry.verdict.reasons)


def _leg(entry: Entry) -> Leg:
    return Leg(
        entry.entry_id,
        entry.source_id,
        entry.label,
        entry.first_seen,
        entry.last_seen,
        plate_key(entry.plate),
        entry.colour,
        entry.place,
        entry.appearance,
        entry.site,
        entry.direction,
        entry.trip_id,
    )
