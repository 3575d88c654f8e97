"""The state's database file: schema and lock."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import IO

from huoyan.errors import StorageError
from huoyan.sqlite import mapped, not_writable

DATABASE = "huoyan.db"
VERSION = 1
BUSY_MS = 5000

_SCHEMA = """
CREATE TABLE frames_done (
    frame_id TEXT PRIMARY KEY, source_id TEXT NOT NULL, time_ms INTEGER NOT NULL, status TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX frames_by_source ON frames_done (source_id);
CREATE TABLE skips (
    path TEXT NOT NULL, code TEXT NOT NULL, source_id TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (path, code)
) WITHOUT ROWID;
CREATE TABLE memory (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE incidents (
    incident_id TEXT PRIMARY KEY,
    scene TEXT NOT NULL,
    status TEXT NOT NULL,
    lon REAL, lat REAL, error_m REAL, size_m REAL, footprint TEXT,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    last_frame TEXT NOT NULL,
    seen TEXT NOT NULL,
    document TEXT NOT NULL,
    finding TEXT NOT NULL
);
CREATE INDEX incidents_by_place ON incidents (scene, lat, lon);
CREATE INDEX incidents_running ON incidents (until_ms) WHERE status IN ('open', 'updated');
CREATE TABLE incident_sources (
    scene TEXT NOT NULL, source_id TEXT NOT NULL, incident_id TEXT NOT NULL,
    PRIMARY KEY (scene, source_id, incident_id)
) WITHOUT ROWID;
CREATE TABLE revisions (
    incident_id TEXT NOT NULL, revision INTEGER NOT NULL, why TEXT NOT NULL, time_ms INTEGER NOT NULL,
    document TEXT NOT NULL, finding TEXT NOT NULL,
    PRIMARY KEY (incident_id, revision)
) WITHOUT ROWID;
CREATE TABLE permitted (
    permitted_id TEXT PRIMARY KEY,
    scene TEXT NOT NULL,
    permit TEXT NOT NULL,
    plate TEXT NOT NULL,
    lon REAL, lat REAL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    looks INTEGER NOT NULL,
    last_frame TEXT NOT NULL,
    finding TEXT NOT NULL
);
CREATE INDEX permitted_by_place ON permitted (scene, permit, lat);
CREATE TABLE mutes (
    incident_id TEXT NOT NULL, scene TEXT NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL,
    lat REAL, until_ms INTEGER NOT NULL, finding TEXT NOT NULL,
    PRIMARY KEY (incident_id, kind, label)
) WITHOUT ROWID;
CREATE INDEX mutes_by_place ON mutes (scene, lat);
CREATE TABLE hard_negatives (
    incident_id TEXT NOT NULL, revision INTEGER NOT NULL, time_ms INTEGER NOT NULL, note TEXT NOT NULL,
    finding TEXT NOT NULL,
    PRIMARY KEY (incident_id, revision)
) WITHOUT ROWID;
CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY AUTOINCREMENT, started_ms INTEGER NOT NULL, finished_ms INTEGER,
    config_sha256 TEXT NOT NULL, summary TEXT NOT NULL DEFAULT '{}'
);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database file, made with its tables where it is new; transactions are the caller's.

    Raises:
        StorageError: it cannot be opened, is damaged, or is of a later version of Huoyan.
    """
    with mapped(path):
        connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: a commit that was reported is on the disk, whatever happens to the power.
            connection.execute("PRAGMA synchronous=FULL")
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise StorageError(
                f"this state is of version {version}; this Huoyan knows versions up to {VERSION}",
                subject=str(path),
                hint="use a newer Huoyan, or another state folder",
                code="version",
            )
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def lock(path: Path) -> IO[bytes] | None:
    """Hold the state for one run; the hold ends when the file is closed or the process ends, however it ends.

    Raises:
        StorageError: another run holds it, or the folder cannot be written.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    name = path.with_name(path.name + ".lock")
    try:
        handle = name.open("ab")
    except OSError as error:
        raise not_writable(str(path), str(error)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise StorageError(
            "another run is working on this state",
            subject=str(path.parent),
            hint="wait until it has finished, or give this run another county.data",
            code="locked",
        ) from error
    return handle
