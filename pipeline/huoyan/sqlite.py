"""The border to SQLite: its errors as ours, transactions that may stand inside another's, times as it holds them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from huoyan.errors import StorageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(time: datetime) -> int:
    """Whole milliseconds since 1970 of an aware time.

    Raises:
        ValueError: `time` is naive.
    """
    if time.tzinfo is None:
        raise ValueError("a time without a zone cannot be used; attach one first")
    return (time - _EPOCH) // timedelta(milliseconds=1)


def from_ms(value: int) -> datetime:
    """The UTC time of milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=value)


@contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: all or nothing, and nobody else writes between its reads and its writes.

    Inside a caller's transaction it is a savepoint: what fails here is undone here, the rest is the caller's.

    Raises:
        StorageError: the database is locked, full or damaged; nothing was written.
    """
    with mapped(connection):
        nested = connection.in_transaction
        connection.execute("SAVEPOINT inner" if nested else "BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("RELEASE inner" if nested else "COMMIT")
        except BaseException:
            # SQLite itself may have rolled back already (full disk).
            if connection.in_transaction:
                if nested:
                    connection.execute("ROLLBACK TO inner")
                    connection.execute("RELEASE inner")
                else:
                    connection.execute("ROLLBACK")
            raise


def rows(connection: sqlite3.Connection, statement: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
    """The rows of a query, by column name, whatever row factory the connection has.

    Raises:
        StorageError: the database is locked or damaged.
    """
    with mapped(connection):
        cursor = connection.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor.execute(statement, values).fetchall()


def check(connection: sqlite3.Connection, table: str, found: Sequence[Mapping[str, object]]) -> None:
    """That a table takes rows that came from elsewhere, by column name: what SQLite refuses would be tried for ever.

    Raises:
        ValueError: they have other columns, or values that do not fit.
        StorageError: the database is locked or damaged.
    """
    about = rows(connection, 'SELECT name, "notnull" FROM pragma_table_info(?)', (table,))
    for row in found:
        if set(row) != {column["name"] for column in about}:
            raise ValueError(f"{table} has other columns than {sorted(row)}")
        for column in about:
            value = row[column["name"]]
            if not (_fits(value) or (value is None and not column["notnull"])):
                raise ValueError(f"{table}.{column['name']} takes no {type(value).__name__} such as this")


def _fits(value: object) -> bool:
    """Whether SQLite can hold a value: integers have 64 bits, and half a surrogate pair is no text."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, str):
        return value.encode(errors="replace").decode() == value
    return isinstance(value, float | bytes)


def insert(
    connection: sqlite3.Connection,
    table: str,
    row: Mapping[str, object],
    *,
    known: Literal["REPLACE", "IGNORE"],
) -> None:
    """Add a row, by column name; `known`: what becomes of one with its key that is there already.

    Raises:
        StorageError: the database cannot be written.
    """
    places = ", ".join("?" * len(row))
    with mapped(connection):
        connection.execute(
            f"INSERT OR {known} INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values())
        )


@contextmanager
def mapped(subject: Path | str | sqlite3.Connection) -> Iterator[None]:
    """Turn SQLite's errors into ours; `subject` is the database, or its file.

    Raises:
        StorageError: with the file and what to do.
    """
    try:
        yield
    except sqlite3.Error as error:
        name = _name(subject) if isinstance(subject, sqlite3.Connection) else str(subject)
        raise _explained(error, name) from error


def _name(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute("PRAGMA database_list").fetchone()
    except sqlite3.Error:
        return "the database"
    return str(row[2]) if row is not None and row[2] else "the database"


def _explained(error: sqlite3.Error, subject: str) -> StorageError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageError(
            f"the database is in use by another process ({error})",
            subject=subject,
            hint="wait until the other command has finished, then run the same command again",
            code="locked",
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StorageError(
            "the disk is full" if code == sqlite3.SQLITE_FULL else f"the disk fails ({error})",
            subject=subject,
            hint="free some space and run the same command again: it goes on where it stopped",
            code="disk_full" if code == sqlite3.SQLITE_FULL else "disk",
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StorageError(
            f"the database is damaged ({error})",
            subject=subject,
            hint="restore it from a backup, or move it away and scan again",
            code="damaged",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return not_writable(subject, str(error))
    return StorageError(f"the database failed: {error}", subject=subject, hint="see the disk's health")


def not_writable(subject: str, why: str) -> StorageError:
    """The error for a state that cannot be written."""
    return StorageError(
        f"the state cannot be written ({why})",
        subject=subject,
        hint="check the owner and the permissions of the file and its folder",
        code="not_writable",
    )
