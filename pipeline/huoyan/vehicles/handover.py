"""What trucks did lately before one camera, as rows, so that another state goes on with their trips and levels."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from typing import Any

from huoyan.sqlite import check, insert, rows, to_ms
from huoyan.vehicles import tables

LATELY = timedelta(days=1)
"""Passages that ended longer ago are part of no trip that goes on."""
MOST_PASSAGES, MOST_VIOLATIONS = 200, 400
"""The latest."""
Past = dict[str, list[dict[str, Any]]]
"""Rows by column, by table: passages and violations, the latest first."""
_TABLES = ("vehicle_passages", "vehicle_violations")


def past(connection: sqlite3.Connection, source_id: str, now: datetime) -> Past:
    """What a camera saw of trucks: its passages of the last day, and their violations before.

    Args:
        connection: of the state's database; it may know no trucks.
        source_id: the camera.
        now: the present, aware.

    Raises:
        StorageError: the database cannot be read.
    """
    if not rows(connection, "SELECT 1 FROM sqlite_master WHERE name = ?", (_TABLES[0],)):
        return {}
    # As `tables.document` writes it; a table of passages without trucks by the thousand needs no index by source.
    named = f'"source_id":{json.dumps(source_id, ensure_ascii=False)}'
    seen = rows(
        connection,
        "SELECT * FROM vehicle_passages WHERE last_ms >= ? AND instr(document, ?) ORDER BY last_ms DESC LIMIT ?",
        (to_ms(now - LATELY), named, MOST_PASSAGES),
    )
    broken = rows(
        connection,
        "SELECT * FROM vehicle_violations WHERE source_id = ? ORDER BY time_ms DESC LIMIT ?",
        (source_id, MOST_VIOLATIONS),
    )
    passages = [{**dict(row), "appearance": row["appearance"].hex()} for row in seen]
    return dict(zip(_TABLES, (passages, [dict(row) for row in broken]), strict=True))


def halved(past: Past) -> Past:
    """The later half of it, for a place that is too small."""
    return {table: found[: len(found) // 2] for table, found in past.items()}


def take(connection: sqlite3.Connection, past: Past) -> None:
    """Write down what is not known here yet, within the caller's transaction.

    Raises:
        StorageError: the database cannot be written.
        KeyError, ValueError, TypeError: this is no past; nothing was written.
    """
    if not past:
        return
    tables.ensure(connection)
    read = {table: list(past[table]) for table in _TABLES}
    passages = [{**row, "appearance": bytes.fromhex(row["appearance"])} for row in read[_TABLES[0]]]
    read[_TABLES[0]] = passages
    for table, found in read.items():
        check(connection, table, found)
    for table, found in read.items():
        for row in found:
            insert(connection, table, row, known="IGNORE")
