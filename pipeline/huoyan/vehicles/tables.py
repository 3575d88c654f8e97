"""The tables of the history of vehicles, and their rows as values."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from huoyan.errors import StorageError
from huoyan.passage import Code, Direction
from huoyan.records import Place, Placement, Unplaced
from huoyan.sqlite import from_ms, immediate
from huoyan.vehicles.entry import Entry
from huoyan.vehicles.trips import Leg

VERSION = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS vehicle_state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vehicle_passages (
    entry_id TEXT PRIMARY KEY,
    plate TEXT NOT NULL,
    trip_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    site TEXT,
    document TEXT NOT NULL,
    appearance BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vehicle_passages_by_plate ON vehicle_passages (plate, time_ms);
CREATE INDEX IF NOT EXISTS vehicle_passages_by_time ON vehicle_passages (time_ms);
CREATE INDEX IF NOT EXISTS vehicle_passages_by_end ON vehicle_passages (last_ms, first_ms);
CREATE INDEX IF NOT EXISTS vehicle_passages_by_trip ON vehicle_passages (trip_id);
CREATE TABLE IF NOT EXISTS vehicle_violations (
    entry_id TEXT NOT NULL, code TEXT NOT NULL, plate TEXT NOT NULL, trip_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL, source_id TEXT NOT NULL, confidence REAL NOT NULL, zh TEXT NOT NULL, en TEXT NOT NULL,
    PRIMARY KEY (entry_id, code)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vehicle_violations_by_plate ON vehicle_violations (plate, time_ms);
CREATE INDEX IF NOT EXISTS vehicle_violations_by_time ON vehicle_violations (time_ms);
CREATE TABLE IF NOT EXISTS vehicle_weights (
    entry_id TEXT PRIMARY KEY, plate TEXT NOT NULL, time_ms INTEGER NOT NULL, source_id TEXT NOT NULL,
    gross_kg REAL, tare_kg REAL, net_kg REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vehicle_weights_by_plate ON vehicle_weights (plate, time_ms);
CREATE INDEX IF NOT EXISTS vehicle_weights_by_time ON vehicle_weights (time_ms);
CREATE TABLE IF NOT EXISTS vehicle_cleared (
    entry_id TEXT PRIMARY KEY, time_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vehicle_pictures (href TEXT PRIMARY KEY, time_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vehicle_pictures_by_time ON vehicle_pictures (time_ms);
"""
OF_ENTRIES = ("vehicle_passages", "vehicle_violations", "vehicle_weights")
"""The tables with rows of an entry."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A passage or an event at a gate as it was written down."""

    entry_id: str
    plate: str
    """Key of the plate; empty: unreadable."""
    trip_id: str
    time: datetime
    source_id: str
    where: str
    site: str | None
    label: str
    colour: str
    confidence: float
    direction: Direction
    cover: str
    outcome: str
    why: str
    review: str
    readings: tuple[str, ...]
    company: str
    permit: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class Held:
    """A reason that held."""

    entry_id: str
    code: Code
    plate: str
    trip_id: str
    time: datetime
    source_id: str
    confidence: float
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a scale said of a vehicle, kilograms."""

    entry_id: str
    plate: str
    time: datetime
    source_id: str
    gross_kg: float | None
    tare_kg: float | None
    net_kg: float | None


def ensure(connection: sqlite3.Connection) -> None:
    """Make the tables where they are missing, within the caller's transaction if any.

    Raises:
        StorageError: the database is locked, full, damaged, or written by a later Huoyan.
    """
    with immediate(connection):
        # Overwrite what is deleted: a plate that may not be kept may not be found in free pages either.
        connection.execute("PRAGMA secure_delete=ON")
        for statement in _TABLES.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute(
            "INSERT INTO vehicle_state VALUES ('version', ?) ON CONFLICT DO NOTHING", (VERSION,)
        )
        version = connection.execute("SELECT value FROM vehicle_state WHERE key = 'version'").fetchone()[0]
    if version > VERSION:
        raise StorageError(
            f"this history of vehicles is of version {version}; this Huoyan knows versions up to {VERSION}",
            hint="use a newer Huoyan, or another state folder",
            code="version",
        )


_FACTS = ("source_id", "where", "label", "colour", "confidence", "direction", "cover", "outcome", "why")
_PAPERS = ("review", "readings", "company", "permit")


def document(entry: Entry) -> str:
    """What is told of an entry and never asked for."""
    place = entry.place
    told = {name: getattr(entry, name) for name in _FACTS} | {
        name: getattr(entry.verdict, name) for name in _PAPERS
    }
    if isinstance(place, Placement):
        told["place"] = [place.lon, place.lat, place.error_m, place.method]
    elif isinstance(place, Unplaced):
        told["place"] = [place.reason]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def kept(row: sqlite3.Row) -> Kept:
    """A row of passages."""
    told = json.loads(row["document"])
    at = told.pop("place", None)
    place: Place | None = None
    if at is not None:
        place = Placement(*at) if len(at) > 1 else Unplaced(at[0])
    told["readings"] = tuple(told["readings"])
    return Kept(
        entry_id=row["entry_id"],
        plate=row["plate"],
        trip_id=row["trip_id"],
        time=from_ms(row["time_ms"]),
        site=row["site"],
        place=place,
        **told,
    )


def held(row: sqlite3.Row) -> Held:
    """A row of violations."""
    return Held(**_values(row))


def weighed(row: sqlite3.Row) -> Weighed:
    """A row of weights."""
    return Weighed(**_values(row))


def _values(row: sqlite3.Row) -> dict[str, Any]:
    values = dict(row)
    return {"time": from_ms(values.pop("time_ms")), **values}


def leg(row: sqlite3.Row) -> Leg:
    """A row of passages as a part of its trip."""
    seen = kept(row)
    return Leg(
        seen.entry_id,
        seen.source_id,
        seen.label,
        from_ms(row["first_ms"]),
        from_ms(row["last_ms"]),
        seen.plate,
        seen.colour,
        seen.place,
        tuple(np.frombuffer(row["appearance"], dtype=np.float32).tolist()),
        seen.site,
        seen.direction,
        seen.trip_id,
    )
