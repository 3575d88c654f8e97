"""How far each back end came in the outbox, what its receiver refused, and what may leave the outbox.

A back end has a cursor: everything up to that row it has taken, or its receiver refused it for good. Rows of the outbox
become visible in the order of their numbers, because the database has one writer at a time. A back end that is named
for the first time begins with everything that the outbox still holds. The SQLite queue has no cursor: its note stands
in the row itself, written with the delivery.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from huoyan.dispatch.protocol import Parcel
from huoyan.errors import DispatchError
from huoyan.sqlite import from_ms, immediate, rows, to_ms

LOCAL = "sqlite"
_PURGED_AT_ONCE = 200
"""Rows that one transaction removes: the judge must not wait long."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one back end: how many alerts, and the time of the one that was put there first."""

    waiting: int = 0
    oldest: datetime | None = None
    dead: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An alert that a receiver refused for good."""

    backend: str
    parcel: Parcel
    time: datetime
    """When it was refused."""
    reason: str
    again: bool
    """It is to be sent once more."""


def cursor(connection: sqlite3.Connection, backend: str) -> int:
    """The row of the outbox up to which a back end came; 0 before the first.

    Raises:
        StorageError: the database is locked or damaged.
    """
    found = rows(connection, "SELECT seq FROM deliveries WHERE backend = ?", (backend,))
    return int(found[0]["seq"]) if found else 0


def advance(connection: sqlite3.Connection, backend: str, seq: int) -> None:
    """Note that a back end has everything up to a row; it never goes back.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        connection.execute(
            "INSERT INTO deliveries VALUES (?, ?)"
            " ON CONFLICT (backend) DO UPDATE SET seq = max(seq, excluded.seq)",
            (backend, seq),
        )


def after(connection: sqlite3.Connection, seq: int, limit: int) -> list[Parcel]:
    """The alerts behind a row of the outbox, in order.

    Raises:
        StorageError: the database is locked or damaged.
    """
    found = rows(connection, "SELECT * FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
    return [parcel(row) for row in found]


def backlog(connection: sqlite3.Connection, backend: str) -> Backlog:
    """What waits for a back end.

    Raises:
        StorageError: the database is locked or damaged.
    """
    values: tuple[int, ...] = ()
    if backend == LOCAL:
        index, condition = "outbox_unsent", "sent_ms IS NULL"
    else:
        index, condition, values = "outbox_order", "seq > ?", (cursor(connection, backend),)
    # By an index that holds all that is asked for: rows are documents, and there may be many.
    count = rows(connection, f"SELECT count(*) FROM outbox INDEXED BY {index} WHERE {condition}", values)[0][
        0
    ]
    first = rows(connection, f"SELECT time_ms FROM outbox WHERE {condition} ORDER BY seq LIMIT 1", values)
    dead = rows(connection, "SELECT count(*) FROM dead_letters WHERE backend = ?", (backend,))[0][0]
    return Backlog(int(count), from_ms(first[0]["time_ms"]) if first else None, int(dead))


# ------------------------------------------------------------------------------------------------ dead letters
def bury(connection: sqlite3.Connection, backend: str, dead: Parcel, reason: str, now: datetime) -> None:
    """Note that a receiver refused an alert for good. The cursor goes past it, in one transaction.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        connection.execute(
            "INSERT INTO dead_letters VALUES (?, ?, ?, ?, 0) ON CONFLICT (backend, seq)"
            " DO UPDATE SET time_ms = excluded.time_ms, reason = excluded.reason, again = 0",
            (backend, dead.seq, to_ms(now), reason),
        )
        advance(connection, backend, dead.seq)


def dead_letters(connection: sqlite3.Connection, backend: str | None = None) -> list[DeadLetter]:
    """What receivers refused, in the order of the outbox.

    Raises:
        StorageError: the database is locked or damaged.
    """
    found = rows(
        connection,
        "SELECT d.backend, d.time_ms AS dead_ms, d.reason, d.again, o.* FROM dead_letters d"
        " JOIN outbox o USING (seq) WHERE ?1 IS NULL OR d.backend = ?1 ORDER BY d.backend, d.seq",
        (backend,),
    )
    return [
        DeadLetter(r["backend"], parcel(r), from_ms(r["dead_ms"]), r["reason"], bool(r["again"]))
        for r in found
    ]


def to_resend(connection: sqlite3.Connection, backend: str, limit: int) -> list[Parcel]:
    """Refused alerts that somebody wants to be sent once more, in order.

    Raises:
        StorageError: the database is locked or damaged.
    """
    found = rows(
        connection,
        "SELECT o.* FROM dead_letters d JOIN outbox o USING (seq) WHERE d.backend = ? AND d.again"
        " ORDER BY d.seq LIMIT ?",
        (backend, limit),
    )
    return [parcel(row) for row in found]


def resent(connection: sqlite3.Connection, backend: str, seq: int) -> None:
    """Note that a receiver has taken what it once refused.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        connection.execute("DELETE FROM dead_letters WHERE backend = ? AND seq = ?", (backend, seq))


def resend(
    connection: sqlite3.Connection, backend: str, alert_ids: Sequence[str] | None, *, force: bool = False
) -> list[str]:
    """Have refused alerts sent once more, before everything else; whoever delivers does so at its next round.

    Args:
        connection: of the state.
        backend: whose.
        alert_ids: full ids; None for all.
        force: also an alert whose incident the receiver knows a later revision of by now: it would be told an
            old state after a new one.

    Returns:
        Their ids.

    Raises:
        DispatchError: no such refused alert, or one of them has a later revision that was taken.
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        dead = {letter.parcel.alert_id: letter.parcel for letter in dead_letters(connection, backend)}
        unknown = [one for one in alert_ids or () if one not in dead]
        if unknown:
            raise DispatchError(
                f"{backend} has not refused this alert",
                subject=unknown[0],
                hint="refused alerts are shown by: huoyan queue outbox",
                code="unknown_alert",
            )
        chosen = [dead[one] for one in (dead if alert_ids is None else alert_ids)]
        for one in chosen:
            if not force and (later := _taken_later(connection, backend, one)):
                raise DispatchError(
                    f"{backend} has taken revision {later} of this incident since",
                    subject=one.alert_id,
                    hint="the later one says all that is known; --force sends the older one after it",
                    code="superseded",
                )
        connection.executemany(
            "UPDATE dead_letters SET again = 1 WHERE backend = ? AND seq = ?",
            [(backend, one.seq) for one in chosen],
        )
    return [one.alert_id for one in chosen]


def forget(connection: sqlite3.Connection, backend: str, alert_ids: Sequence[str] | None) -> list[str]:
    """Give refused alerts up, by their full ids, or all of a back end.

    Returns:
        Their ids.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        gone = [
            letter.parcel
            for letter in dead_letters(connection, backend)
            if alert_ids is None or letter.parcel.alert_id in alert_ids
        ]
        connection.executemany(
            "DELETE FROM dead_letters WHERE backend = ? AND seq = ?", [(backend, one.seq) for one in gone]
        )
    return [one.alert_id for one in gone]


def refused(connection: sqlite3.Connection, backend: str, prefix: str) -> str:
    """The full id of the refused alert that a user means by the beginning of one.

    Raises:
        DispatchError: none is meant, or more than one.
        StorageError: the database is locked or damaged.
    """
    known = [letter.parcel.alert_id for letter in dead_letters(connection, backend)]
    meant = [one for one in known if one == prefix] or [one for one in known if one.startswith(prefix)]
    if len(meant) == 1:
        return meant[0]
    raise DispatchError(
        f"several alerts that {backend} refused begin like this"
        if meant
        else f"{backend} has not refused this alert",
        subject=prefix,
        hint="refused alerts are shown by: huoyan queue outbox",
        code="ambiguous" if meant else "unknown_alert",
    )


def backends(connection: sqlite3.Connection, configured: Sequence[str]) -> list[str]:
    """The back ends that are configured, and those that something is still known of.

    Raises:
        StorageError: the database is locked or damaged.
    """
    found = rows(
        connection, "SELECT backend FROM deliveries UNION SELECT backend FROM dead_letters ORDER BY backend"
    )
    return list(dict.fromkeys([*configured, *(row["backend"] for row in found)]))


def _taken_later(connection: sqlite3.Connection, backend: str, one: Parcel) -> int | None:
    """The latest revision of its incident that the receiver has taken since."""
    found = rows(
        connection,
        "SELECT max(revision) FROM outbox o WHERE incident_id = ? AND seq > ? AND seq <= ? AND NOT EXISTS"
        " (SELECT 1 FROM dead_letters d WHERE d.backend = ? AND d.seq = o.seq)",
        (one.incident_id, one.seq, cursor(connection, backend), backend),
    )
    return None if found[0][0] is None else int(found[0][0])


# --------------------------------------------------------------------------------------------------- retention
def purge(connection: sqlite3.Connection, backends: Sequence[str], before: datetime) -> int:
    """Remove from the outbox what every back end has taken and is older (by the alert's time) than `before`.

    What a receiver refused stays until it is sent again or given up. The queue keeps its own copies.

    Returns:
        How many rows were removed.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    remote = [name for name in backends if name != LOCAL]
    reached = min((cursor(connection, name) for name in remote), default=_LAST)
    local = "AND sent_ms IS NOT NULL" if LOCAL in backends else ""
    count = 0
    while True:
        with immediate(connection):
            gone = connection.execute(
                "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox INDEXED BY outbox_order"
                f" WHERE seq <= ? AND time_ms < ? {local}"
                " AND seq NOT IN (SELECT seq FROM dead_letters) ORDER BY seq LIMIT ?)",
                (reached, to_ms(before), _PURGED_AT_ONCE),
            ).rowcount
        count += gone
        if gone < _PURGED_AT_ONCE:
            return count


_LAST = 2**62


def parcel(row: sqlite3.Row) -> Parcel:
    """A row of the outbox."""
    return Parcel(
        row["alert_id"],
        row["incident_id"],
        row["revision"],
        row["scene"],
        row["priority"],
        from_ms(row["time_ms"]),
        row["document"],
        row["seq"],
    )
