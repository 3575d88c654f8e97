"""Reading the queue: one alert, or those that a question asks for."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from huoyan.errors import DispatchError, StorageError
from huoyan.records import Priority
from huoyan.sqlite import from_ms, rows, to_ms

State = Literal["ready", "leased", "acked", "dead"]
STATES: tuple[State, ...] = ("ready", "leased", "acked", "dead")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Item:
    """An alert on the queue. `document` is its CloudEvents envelope; times are UTC."""

    alert_id: str
    incident_id: str
    revision: int
    scene: str
    priority: Priority
    time: datetime
    document: Mapping[str, Any]
    state: State
    attempts: int
    ready_at: datetime
    owner: str | None
    lease_until: datetime | None
    verdict: Literal["confirmed", "rejected"] | None
    note: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an alert on the queue."""

    time: datetime
    action: str
    actor: str
    note: str


def select(
    connection: sqlite3.Connection,
    *,
    scenes: Sequence[str] = (),
    priorities: Sequence[int] = (),
    states: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[Item]:
    """The alerts on the queue, most urgent first, then oldest first.

    Args:
        connection: of the queue.
        scenes: only these scenes; empty for all. The same for `priorities` and `states`.
        priorities: 1 urgent … 4 record.
        states: of the queue: ready, leased, acked, dead.
        since: only alerts at or after this time.
        until: only alerts before this time.
        limit: at most so many.

    Raises:
        StorageError: the database is locked or damaged.
    """
    conditions, values = ["1"], list[object]()
    for column, wanted in (("scene", scenes), ("priority", priorities), ("state", states)):
        if wanted:
            conditions.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values += wanted
    if since is not None:
        conditions.append("time_ms >= ?")
        values.append(to_ms(since))
    if until is not None:
        conditions.append("time_ms < ?")
        values.append(to_ms(until))
    values.append(-1 if limit is None else limit)
    statement = (
        f"SELECT * FROM queue WHERE {' AND '.join(conditions)} ORDER BY priority, time_ms, alert_id LIMIT ?"
    )
    return [to_item(row) for row in rows(connection, statement, tuple(values))]


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many alerts are in each state.

    Raises:
        StorageError: the database is locked or damaged.
    """
    found = rows(connection, "SELECT state, count(*) AS n FROM queue GROUP BY state")
    known = {row["state"]: int(row["n"]) for row in found}
    return {state: known.get(state, 0) for state in STATES}


def get(connection: sqlite3.Connection, alert_id: str) -> Item:
    """One alert by its full id.

    Raises:
        DispatchError: there is none.
        StorageError: the database is locked or damaged.
    """
    found = rows(connection, "SELECT * FROM queue WHERE alert_id = ?", (alert_id,))
    if not found:
        raise _unknown(alert_id)
    return to_item(found[0])


def history(connection: sqlite3.Connection, alert_id: str) -> list[Event]:
    """What happened to an alert, oldest first.

    Raises:
        StorageError: the database is locked or damaged.
    """
    found = rows(connection, "SELECT * FROM queue_log WHERE alert_id = ? ORDER BY seq", (alert_id,))
    return [Event(from_ms(row["time_ms"]), row["action"], row["actor"], row["note"]) for row in found]


def resolve(connection: sqlite3.Connection, prefix: str) -> str:
    """The full id that a user means by `prefix`: the beginning of one, or `<beginning>.<revision>`.

    Raises:
        DispatchError: no id is meant, or more than one.
        StorageError: the database is locked or damaged.
    """
    if not prefix:
        raise DispatchError("an alert id is empty", hint="ids are shown by: huoyan queue list")
    start, dot, revision = prefix.rpartition(".")
    ids = _beginning(connection, prefix)
    if prefix in ids:
        return prefix
    if dot and start and revision.isdecimal():
        # The short form that `queue list` prints: not all of the incident's id, all of the revision.
        ids = [i for i in _beginning(connection, start) if i.rpartition(".")[2] == revision]
    if not ids:
        raise _unknown(prefix)
    if len(ids) > 1:
        shown = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
        raise DispatchError(
            f"{len(ids)} alerts begin so: {shown}",
            subject=prefix,
            hint="give more of the id",
            code="ambiguous",
        )
    return ids[0]


def _beginning(connection: sqlite3.Connection, prefix: str) -> list[str]:
    found = rows(
        connection,
        "SELECT alert_id FROM queue WHERE substr(alert_id, 1, ?) = ? ORDER BY incident_id, revision",
        (len(prefix), prefix),
    )
    return [str(row["alert_id"]) for row in found]


def to_item(row: sqlite3.Row) -> Item:
    """A row of the table as an item.

    Raises:
        StorageError: its document is not JSON.
    """
    try:
        document = json.loads(row["document"])
    except ValueError as error:
        raise StorageError(
            f"the stored document is damaged: {error}",
            subject=row["alert_id"],
            hint="restore the database from a backup",
            code="damaged",
        ) from error
    return Item(
        row["alert_id"],
        row["incident_id"],
        row["revision"],
        row["scene"],
        Priority(row["priority"]),
        from_ms(row["time_ms"]),
        document,
        row["state"],
        row["attempts"],
        from_ms(row["ready_ms"]),
        row["owner"],
        None if row["lease_ms"] is None else from_ms(row["lease_ms"]),
        row["verdict"],
        row["note"],
    )


def _unknown(alert_id: str) -> DispatchError:
    return DispatchError(
        "no such alert on the queue",
        subject=alert_id,
        hint="ids are shown by: huoyan queue list",
        code="unknown_alert",
    )
