"""The stories of a source as they stand, so that another state goes on with them.

A story travels as the rows that hold it. Of two versions of one story the later is right: the one that was told more
often or, told as often, was seen last.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from datetime import datetime
from typing import Any

from huoyan.incidents import codec, database
from huoyan.incidents.store import Store
from huoyan.sqlite import check, insert, rows, to_ms

VERSION = database.VERSION
"""Of the rows; those of another version are not taken."""
MOST = 64
"""Stories of one camera."""
_COARSE_MS, _FINE_MS = 600_000, 5_000
# Not json_extract: SQLite takes no Infinity, and an error radius may be infinite. No string of a document holds the
# quoted name itself, and a cast takes the digits that come first.
_REVISION = "CAST(substr(document, instr(document, '\"revision\":') + 11, 12) AS INTEGER)"

_HANGING = {
    "revisions": "SELECT * FROM revisions WHERE incident_id = ? AND why = 'verdict'",
    "mutes": "SELECT * FROM mutes WHERE incident_id = ?",
}
_TABLES = ("incidents", "incident_sources", *_HANGING)
Story = dict[str, list[dict[str, Any]]]
"""Rows by column, by table: that of the story, and what hangs on it (sources, verdicts, mutes)."""


def marks(connection: sqlite3.Connection, since: datetime) -> dict[str, int]:
    """For each source a number that changes when one of its stories has changed enough to be handed on.

    That is with each revision and each change of status at once, and with looks that add nothing else within ten
    minutes, or a quarter of the time for which a story is waited for. Stories last seen before `since` do not count.

    Raises:
        StorageError: the database cannot be read.
    """
    found: dict[str, list[tuple[object, ...]]] = {}
    query = (
        f"SELECT s.source_id, i.incident_id, i.status, {_REVISION} AS revision, i.last_ms,"
        " i.until_ms - i.last_ms AS window_ms"
        " FROM incidents i JOIN incident_sources s ON s.incident_id = i.incident_id"
        " WHERE i.last_ms >= ? ORDER BY i.incident_id"
    )
    for row in rows(connection, query, (to_ms(since),)):
        step = min(_COARSE_MS, max(_FINE_MS, row["window_ms"] // 4))
        mark = (row["incident_id"], row["status"], row["revision"], row["last_ms"] // step)
        found.setdefault(row["source_id"], []).append(mark)
    return {source: hash(tuple(mark)) for source, mark in found.items()}


def stories(connection: sqlite3.Connection, sources: Collection[str]) -> list[Story]:
    """The stories of some sources, at most `MOST`: those that go on first, then the latest seen.

    Raises:
        StorageError: the database cannot be read.
    """
    places = ", ".join("?" * len(sources))
    query = (
        "SELECT * FROM incidents WHERE incident_id IN"
        f" (SELECT incident_id FROM incident_sources WHERE source_id IN ({places}))"
        " ORDER BY status IN ('resolved', 'expired'), last_ms DESC, incident_id LIMIT ?"
    )
    return [_story(connection, dict(row)) for row in rows(connection, query, (*sources, MOST))]


def take(store: Store, story: Story) -> bool:
    """Go on with a story, within the caller's transaction; False: what is known of it here is as late, or later.

    Raises:
        StorageError: the state cannot be read or written.
        KeyError, ValueError, TypeError: this is no story of this version; nothing was written.
    """
    [row] = story["incidents"]
    for table in _TABLES:
        check(store.connection, table, story[table])
    # What cannot be read back would stop the judge at every look at its place.
    revision = codec.incident(row["document"]).revision
    codec.finding(row["finding"])
    known = store.rows(
        f"SELECT {_REVISION} AS revision, last_ms FROM incidents WHERE incident_id = ?", (row["incident_id"],)
    )
    if known and (known[0]["revision"], known[0]["last_ms"]) >= (revision, row["last_ms"]):
        return False
    for table in _TABLES:
        for one in story[table]:
            insert(store.connection, table, one, known="REPLACE")
    return True


def _story(connection: sqlite3.Connection, row: dict[str, Any]) -> Story:
    of = (row["incident_id"],)
    hanging = {name: [dict(one) for one in rows(connection, query, of)] for name, query in _HANGING.items()}
    # From the document: the table of sources is not indexed by incident.
    sources = [
        {"scene": row["scene"], "source_id": source, "incident_id": row["incident_id"]}
        for source in json.loads(row["document"])[0]["sources"]
    ]
    return {"incidents": [row], "incident_sources": sources, **hanging}
