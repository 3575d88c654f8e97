"""A database that is locked, missing, damaged, not ours or on a full disk, and a process that is killed."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from huoyan import dispatch
from huoyan.dispatch import items, outbox, queue
from huoyan.errors import DispatchError, HuoyanError, StorageError
from huoyan.records import Alert, Priority

T0 = datetime(2026, 5, 3, 1, 0, tzinfo=UTC)


def alert(number: int, size: int = 10) -> Alert:
    return Alert(
        f"i{number}.1", f"i{number}", 1, "fire", Priority.HIGH, T0, {"n": number, "text": "x" * size}
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = sqlite3.connect(tmp_path / "huoyan.db", isolation_level=None)
    made.execute("PRAGMA journal_mode=WAL")
    dispatch.ensure_tables(made)
    for number in range(3):
        outbox.put(made, alert(number))
    dispatch.drain(made, T0)
    made.close()
    return tmp_path


@pytest.fixture
def connection(state: Path) -> Iterator[sqlite3.Connection]:
    opened = dispatch.open_queue(state)
    yield opened
    opened.close()


def test_no_queue_is_explained_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(DispatchError, match="there is no queue here") as caught:
        dispatch.open_queue(tmp_path)
    assert caught.value.subject == str(tmp_path / "huoyan.db")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DispatchError, match="there is no queue here"):
        dispatch.open_queue(tmp_path / "nowhere")


def test_a_database_of_somebody_else(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "huoyan.db")
    other.execute("CREATE TABLE queue (song TEXT)")
    other.commit()
    other.close()
    with pytest.raises(DispatchError, match="holds no queue"):
        dispatch.open_queue(tmp_path)


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0" + b"jpeg" * 300, b"SQLite format 3\x00" + b"\x07" * 2000]
)
def test_a_file_that_is_no_database(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "huoyan.db").write_bytes(content)
    with pytest.raises(HuoyanError) as caught:
        dispatch.open_queue(tmp_path)
    assert isinstance(caught.value, StorageError) and caught.value.code == "damaged"
    assert "huoyan.db" in str(caught.value)


def test_a_locked_database(state: Path, connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA busy_timeout=50")
    other = sqlite3.connect(state / "huoyan.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StorageError, match="in use by another process") as caught:
            queue.lease(connection, "li", T0, seconds=60)
        assert caught.value.code == "locked"
        assert not connection.in_transaction
        assert len(items.select(connection)) == 3, "reading goes on"
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert len(queue.lease(connection, "li", T0, seconds=60)) == 1


def test_a_full_disk_changes_nothing(connection: sqlite3.Connection) -> None:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageError, match="disk is full") as caught:
        outbox.put(connection, alert(9, size=200_000))
    assert caught.value.code == "disk_full"
    assert not connection.in_transaction
    connection.execute("PRAGMA max_page_count=1000000")
    assert outbox.put(connection, alert(9, size=200_000)) is True
    assert dispatch.drain(connection, T0) == 1


def test_a_database_that_cannot_be_written(state: Path) -> None:
    readonly = sqlite3.connect(f"file:{state / 'huoyan.db'}?mode=ro", uri=True, isolation_level=None)
    with pytest.raises(StorageError, match="cannot be written") as caught:
        queue.lease(readonly, "li", T0, seconds=60)
    readonly.close()
    assert caught.value.code == "not_writable"


def test_a_damaged_document_names_its_alert(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE queue SET document = '{\"half\": ' WHERE alert_id = 'i1.1'")
    with pytest.raises(StorageError, match="document is damaged") as caught:
        items.select(connection)
    assert caught.value.subject == "i1.1"


WORKER = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from huoyan import dispatch
from huoyan.dispatch import database, outbox, queue
from huoyan.records import Alert, Priority
T0 = datetime(2026, 5, 3, 1, 0, tzinfo=UTC)
left = int(sys.argv[2])
real = database.to_ms
def dying(time):
    # Every write asks for the time in milliseconds: die at one of them, in the middle of a transaction.
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(time)
for name, module in list(sys.modules.items()):
    if name.startswith("huoyan.dispatch.") and hasattr(module, "to_ms"):
        module.to_ms = dying
connection = dispatch.open_queue(Path(sys.argv[1]))
for n in range(8):
    outbox.put(connection, Alert(f"i{n}.1", f"i{n}", 1, "fire", Priority.HIGH, T0, {"n": n}))
    dispatch.drain(connection, T0)
"""


@pytest.mark.parametrize("moment", [0, 1, 2, 3, 5, 8, 13, 21])
def test_killed_at_any_moment_each_alert_is_queued_once(moment: int, state: Path) -> None:
    command = [sys.executable, "-c", WORKER, str(state)]
    killed = subprocess.run([*command, str(moment)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    subprocess.run([*command, "100000"], timeout=60, check=True)
    connection = dispatch.open_queue(state)
    found = [item.alert_id for item in items.select(connection)]
    events = connection.execute("SELECT count(*) FROM queue_log WHERE action = 'queued'").fetchone()[0]
    waiting = connection.execute("SELECT count(*) FROM outbox WHERE sent_ms IS NULL").fetchone()[0]
    sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    assert sorted(found) == [f"i{n}.1" for n in range(8)]
    assert (events, waiting, sound) == (8, 0, "ok")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(state: Path) -> None:
    (state / "huoyan.db").chmod(0o000)
    with pytest.raises(StorageError, match="cannot be written"):
        dispatch.open_queue(state)


def test_a_folder_where_the_database_should_be(tmp_path: Path) -> None:
    (tmp_path / "huoyan.db").mkdir()
    with pytest.raises(DispatchError, match="there is no queue here"):
        dispatch.open_queue(tmp_path)
    shutil.rmtree(tmp_path / "huoyan.db")
