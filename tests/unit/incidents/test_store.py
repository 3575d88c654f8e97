"""The state file: what survives, what is refused, and what is said when the disk does not play along."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from huoyan import incidents
from huoyan.errors import StorageError
from huoyan.incidents import Store, codec
from huoyan.records import Detection, FrameRef, Observation, Placement, Skip
from huoyan.scenes import Memory

from .conftest import START, Put, find, ground


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    with incidents.open_store(tmp_path) as store:
        memory = store.load_memory()
        memory.put("a|b", {"hits": [[1, 0.1 + 0.2]], "文": None})
        memory.put("gone", 1)
        memory.put("gone", None)
        with store.transaction():
            incidents.associate(store, [find(extent_m2=0.1 + 0.2), find(ground(50), permit="covered")])
            store.mark_done(find().frame)
            store.add_skip(Skip("camera-1", "a\n文.jpg", "truncated", "cut off"))
            store.save_memory(memory)
            run = store.start_run(START, "abc")
            store.finish_run(run, START, {"frames": 1})
        before = store.incidents(), store.revisions(), store.permitted()
    with incidents.open_store(tmp_path) as store:
        assert (store.incidents(), store.revisions(), store.permitted()) == before
        assert store.load_memory().get("a|b") == {"hits": [[1, 0.1 + 0.2]], "文": None}
        assert store.load_memory().get("gone") is None
        assert store.frames_done() == store.frames_done("camera-1") == {find().frame.frame_id}
        assert store.frames_done("camera-2") == frozenset()
        assert store.is_done(find().frame.frame_id) and not store.is_done("x")
        assert store.skips() == [Skip("camera-1", "a\n文.jpg", "truncated", "cut off")]
        assert store.last_finding(store.incidents()[0].incident_id) == find(extent_m2=0.1 + 0.2)


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError, match="stop"), store.transaction():
        incidents.associate(store, [find()])
        store.mark_done(find().frame)
        raise RuntimeError("stop")
    assert store.incidents() == [] and store.frames_done() == frozenset()
    with store.transaction():
        store.mark_done(find().frame)
    assert len(store.frames_done()) == 1


def test_a_frame_is_done_once(store: Store) -> None:
    with store.transaction():
        store.mark_done(find().frame)
        store.mark_done(find().frame)
        store.add_skip(Skip("s", "p", "c", "first"))
        store.add_skip(Skip("s", "p", "c", "second"))
    assert len(store.frames_done()) == 1 and [skip.reason for skip in store.skips()] == ["second"]


def test_another_run_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with incidents.open_store(tmp_path) as store:
        with pytest.raises(StorageError, match="another run is working on this state") as caught:
            incidents.open_store(tmp_path)
        assert caught.value.code == "locked" and str(tmp_path) in str(caught.value)
        with incidents.open_store(tmp_path, exclusive=False) as beside, beside.transaction():
            beside.mark_done(find().frame)
        assert len(store.frames_done()) == 1
    with incidents.open_store(tmp_path):
        pass


def test_others_write_into_the_same_transaction(store: Store) -> None:
    with store.transaction() as connection:
        assert connection is store.connection
        connection.execute("CREATE TABLE outbox (x)")
        connection.execute("INSERT INTO outbox VALUES (1)")
        store.mark_done(find().frame)
    assert store.rows("SELECT x FROM outbox")[0]["x"] == 1


def test_commits_are_durable(store: Store) -> None:
    assert store.rows("PRAGMA journal_mode")[0][0] == "wal"
    assert store.rows("PRAGMA synchronous")[0][0] == 2, "FULL"


def test_a_killed_run_leaves_what_it_committed_and_nothing_else(tmp_path: Path) -> None:
    """The child commits one frame, writes another without committing, and is killed."""
    child = f"""
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from huoyan import incidents
from huoyan.records import FrameRef
store = incidents.open_store(Path({str(tmp_path)!r}))
frame = lambda name: FrameRef(name, "s", "camera", datetime(2026, 3, 1, tzinfo=UTC), "exif", (1, 1), "p")
with store.transaction():
    store.mark_done(frame("committed"))
with store.transaction():
    store.mark_done(frame("lost"))
    print("ready", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with incidents.open_store(tmp_path) as store:
        assert store.frames_done() == {"committed"}


# -------------------------------------------------------------------------------------------------- trouble
def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "huoyan.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageError, match="damaged") as caught:
        incidents.open_store(tmp_path)
    assert str(path) in str(caught.value) and "scan again" in caught.value.hint
    path.unlink()
    with incidents.open_store(tmp_path):
        pass


def test_a_state_of_a_later_version_is_refused(tmp_path: Path) -> None:
    with incidents.open_store(tmp_path) as store:
        store.execute("PRAGMA user_version=99")
    with pytest.raises(StorageError, match="version 99"):
        incidents.open_store(tmp_path)


def test_a_full_disk_undoes_the_batch_and_says_what_to_do(store: Store) -> None:
    with store.transaction():
        store.mark_done(find().frame)
    pages = store.rows("PRAGMA page_count")[0][0]
    store.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageError, match="the disk is full") as caught, store.transaction():
        incidents.associate(store, [find(ground(100.0 * i), source=f"camera-{i}") for i in range(200)])
    assert caught.value.code == "disk_full" and "goes on where it stopped" in caught.value.hint
    assert store.incidents() == [] and len(store.frames_done()) == 1


def test_a_busy_database_is_told(tmp_path: Path) -> None:
    with incidents.open_store(tmp_path) as store:
        store.execute("PRAGMA busy_timeout=10")
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="in use by another process"), store.transaction():
            pass
        other.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot be made") as caught:
        incidents.open_store(tmp_path / "file" / "state")
    assert caught.value.code == "not_writable"


# ---------------------------------------------------------------------------------------------------- codec
def test_findings_keep_whatever_models_leave_in_their_attributes() -> None:
    attributes = {
        "area_m2": np.float32(1.5),
        "count": np.int64(3),
        "polygon": np.zeros((2, 2)),
        "path": Path("x"),
    }
    base = find()
    ref: FrameRef = base.frame
    place = Placement(120.0, 30.0, float("inf"), "test")
    seen = Observation(
        ref, Detection("change", 0.5, (0, 0, 1, 1), ((0, 0), (1, 0), (1, 1)), attributes=attributes), place
    )
    finding = find(place)
    finding = type(finding)(
        **{name: getattr(finding, name) for name in finding.__slots__} | {"evidence": (seen,)}
    )
    back = codec.finding(codec.finding_text(finding))
    assert back.place == place and back.frame == ref
    assert back.evidence[0].detection.polygon == ((0, 0), (1, 0), (1, 1))
    assert back.evidence[0].detection.attributes == {
        "area_m2": 1.5,
        "count": 3,
        "polygon": [[0, 0], [0, 0]],
        "path": "x",
    }


def test_a_memory_is_saved_by_its_changes(store: Store, put: Put) -> None:
    memory = Memory()
    memory.put("a", 1)
    with store.transaction():
        store.save_memory(memory)
        store.execute("UPDATE memory SET value = '2' WHERE key = 'a'")
    with store.transaction():
        store.save_memory(memory)
    assert store.load_memory().get("a") == 2, "what has not changed is not written again"
