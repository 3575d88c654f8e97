"""The log: a chain that shows every change, and an end that shows when it was cut off."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from huoyan.errors import StorageError
from huoyan.gate import log
from huoyan.gate.book import Book, open_book
from huoyan.gate.log import Head

HOUR = 3_600_000


@pytest.fixture
def book(tmp_path: Path) -> Book:
    book = open_book(tmp_path)
    for number in range(1, 6):
        add(book, f"e{number}", number * HOUR)
    return book


def add(book: Book, event: str, time_ms: int, revision: int = 1) -> None:
    with book.transaction():
        last = log.append(book.connection, event, revision, time_ms, {"plate": "浙A12345"})
    log.write_head(book.folder, last)


def wrong(book: Book) -> list[str]:
    return log.verify(book.connection, book.folder)[1]


def force(book: Book, statement: str, *values: object) -> None:
    """What somebody with the file in their hands can do."""
    for trigger in ("log_is_never_changed", "log_is_never_shortened"):
        book.connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    book.connection.execute(statement, values)


def test_a_whole_log(book: Book) -> None:
    assert log.verify(book.connection, book.folder) == (5, [])
    entries = list(log.entries(book.connection))
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4, 5]
    assert entries[0]["previous"] == log.GENESIS


def test_an_empty_log(tmp_path: Path) -> None:
    with open_book(tmp_path) as book:
        assert log.verify(book.connection, tmp_path) == (0, [])
        assert log.mend(book.connection, tmp_path, 0) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE log SET entry = 'x'", "DELETE FROM log", "DELETE FROM log WHERE seq = 1"]
)
def test_the_database_refuses_to_change_it(book: Book, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        book.connection.execute(statement)


def test_a_revision_is_written_once(book: Book) -> None:
    with pytest.raises(StorageError), book.transaction():
        log.append(book.connection, "e1", 1, HOUR, {})
    assert wrong(book) == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE log SET entry = replace(entry, '12345', '54321') WHERE seq = 3",
            "entry 3: its text was changed",
        ),
        ("UPDATE log SET event_id = 'other' WHERE seq = 3", "entry 3: the columns beside"),
        ("DELETE FROM log WHERE seq = 3", "entry 3: missing"),
        ("DELETE FROM log WHERE seq = 1", "entry 1: missing"),
        ("DELETE FROM log WHERE seq >= 4", "entries 4 to 5: cut off"),
        ("DELETE FROM log", "entries 1 to 5: cut off"),
    ],
)
def test_whatever_is_done_to_it_shows(book: Book, statement: str, told: str) -> None:
    force(book, statement)
    assert any(problem.startswith(told) for problem in wrong(book))


def test_an_entry_with_a_hash_made_to_fit_shows_in_the_next(book: Book) -> None:
    entry = list(log.entries(book.connection))[2]
    entry["plate"] = "浙B99999"
    text = log.canonical(entry)
    force(book, "UPDATE log SET entry = ?, hash = ? WHERE seq = 3", text, log.sha256(text))
    assert wrong(book) == ["entry 4: does not follow the entry before it"]


def test_the_last_entry_exchanged_shows_by_the_head(book: Book) -> None:
    entry = list(log.entries(book.connection))[4]
    text = log.canonical({**entry, "plate": ""})
    force(book, "UPDATE log SET entry = ?, hash = ? WHERE seq = 5", text, log.sha256(text))
    assert wrong(book) == ["entry 5: not the one that gate.head tells"]


@pytest.mark.parametrize("text", [None, "", '{"seq": 5, "ha', "[]", '{"seq": "x"}'])
def test_a_torn_head_is_mended_and_told(book: Book, text: str | None) -> None:
    head = book.folder / log.HEAD
    if text is None:
        head.unlink()
    else:
        head.write_text(text, encoding="utf-8")
    assert wrong(book) == ["gate.head: missing or torn; it should tell entry 5"]
    (note,) = log.mend(book.connection, book.folder, 0)
    assert "missing or torn" in note and "nothing was lost" in note
    assert wrong(book) == [] and log.mend(book.connection, book.folder, 0) == []


def test_a_head_that_lags_after_a_kill_is_brought_up(book: Book) -> None:
    with book.transaction():
        log.append(book.connection, "e6", 1, 6 * HOUR, {})
    assert wrong(book) == [], "the entry was committed, the head not yet written"
    (note,) = log.mend(book.connection, book.folder, 0)
    assert "told entry 5" in note
    assert log.read_head(book.folder) == log.head(book.connection)


def test_an_end_that_the_disk_lost_is_told_for_good(book: Book) -> None:
    force(book, "DELETE FROM log WHERE seq >= 4")
    (note,) = log.mend(book.connection, book.folder, 9 * HOUR)
    assert "lost entries 4 to 5" in note
    assert log.mend(book.connection, book.folder, 9 * HOUR) == []
    add(book, "e9", 9 * HOUR)
    assert wrong(book) == ["entry 4: tells that entries 4 to 5 were lost in a crash"]


def test_a_torn_write_ahead_log_loses_no_entry_that_was_committed_before(tmp_path: Path) -> None:
    """The power fails within the last commit: SQLite drops what is torn, the chain before it is whole."""
    book = open_book(tmp_path / "live")
    for number in range(1, 4):
        add(book, f"e{number}", number * HOUR)
    with book.transaction():
        log.append(book.connection, "e4", 1, 4 * HOUR, {})
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("gate.db", "gate.head"):
        (copy / name).write_bytes((tmp_path / "live" / name).read_bytes())
    wal = (tmp_path / "live" / "gate.db-wal").read_bytes()
    (copy / "gate.db-wal").write_bytes(wal[:-100])
    book.close()
    with open_book(copy) as torn:
        assert log.mend(torn.connection, copy, 0) == []
        assert log.verify(torn.connection, copy) == (3, [])
        add(torn, "e4", 4 * HOUR)
        assert log.verify(torn.connection, copy) == (4, [])


def test_retention_goes_from_the_beginning_and_what_is_left_verifies(book: Book) -> None:
    with book.transaction():
        assert log.shorten(book.connection, 3 * HOUR) == 2
    assert log.verify(book.connection, book.folder) == (3, [])
    with book.transaction():
        assert log.shorten(book.connection, 3 * HOUR) == 0
    add(book, "e6", 6 * HOUR)
    with book.transaction():
        assert log.shorten(book.connection, 100 * HOUR) == 4
    assert log.verify(book.connection, book.folder) == (0, [])
    assert log.head(book.connection).seq == 6
    add(book, "e7", 7 * HOUR)
    assert log.verify(book.connection, book.folder) == (1, [])
    with pytest.raises(sqlite3.IntegrityError):
        book.connection.execute("DELETE FROM log WHERE seq = 7")


def test_the_head_is_plain_json(book: Book) -> None:
    told = json.loads((book.folder / log.HEAD).read_text(encoding="utf-8"))
    assert Head(**told) == log.head(book.connection)
