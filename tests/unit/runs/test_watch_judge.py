"""The live judge: what it writes, what waits while nothing can be written, and what it never repeats."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from huoyan import dispatch
from huoyan.config import load
from huoyan.config_watch import Disk
from huoyan.dispatch.rulings import Ruling
from huoyan.dispatch.stories import Handed
from huoyan.errors import StorageError
from huoyan.incidents import Store, handover, open_store
from huoyan.records import Detection, FrameRef, Observation, Observations, Unplaced, frame_id
from huoyan.runs.prepare import Prepared, prepare
from huoyan.runs.watch.judge import MOST_WAITING, WITH_PICTURES, Judged, LiveJudge, Seen
from huoyan.runs.watch.room import Room
from huoyan.sample import Picture

from ...support.county import START, write_county

STREAM = {"url": "rtsp://127.0.0.1/x"}
SIZE = (64, 48)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    cameras = [
        {"id": "cam-1", "sampling": "30s", "stream": STREAM},
        {"id": "cam-2", "stream": {**STREAM, "scenes": ["green_stay"]}},
    ]
    return prepare(load(write_county(tmp_path, frames=0, cameras=cameras)))


@pytest.fixture
def store(prepared: Prepared) -> Iterator[Store]:
    with open_store(prepared.loaded.state) as opened:
        dispatch.ensure_tables(opened.connection)
        yield opened


@pytest.fixture
def judge(prepared: Prepared, store: Store) -> LiveJudge:
    return LiveJudge(prepared, store, Room(prepared.loaded.state, Disk()))


def seen(judge: LiveJudge, label: str, at_s: float, camera: str = "cam-1") -> Seen:
    when = START + timedelta(seconds=at_s)
    key = frame_id(camera, when, 0)
    path = judge._prepared.loaded.state / "watch/frames" / f"{key}.jpg"
    ref = FrameRef(key, camera, "camera", when, "stream", SIZE, str(path))
    thing = Observation(ref, Detection(label, 0.9, (10, 10, 30, 30)), Unplaced("no calibration"))
    return Seen(
        camera, Observations(ref, (thing,)), Picture(bytes([128]) * (64 * 72), SIZE), time.monotonic()
    )


def commit(judge: LiveJudge, *what: Seen | Handed | Ruling) -> Judged:
    for one in what:
        judge.feed(one)
    judged = judge.commit()
    assert judged is not None
    return judged


def outbox(store: Store) -> list[dict[str, Any]]:
    return [json.loads(row["document"]) for row in store.rows("SELECT document FROM outbox ORDER BY seq")]


def test_a_story_that_cannot_be_used_stops_neither_the_others_nor_the_judge(
    judge: LiveJudge, store: Store, tmp_path: Path
) -> None:
    judged = commit(judge, seen(judge, "red", 0))
    (story,) = handover.stories(store.connection, ["cam-1"])
    with open_store(tmp_path / "other") as other:
        dispatch.ensure_tables(other.connection)
        second = LiveJudge(judge._prepared, other, Room(tmp_path / "other", Disk()))
        rubbish: list[Any] = [
            {},
            ["x"],
            {**story, "incidents": ["x"]},
            {**story, "incidents": [{**story["incidents"][0], "seen": None}]},
            {**story, "incidents": [{**story["incidents"][0], "seen": {}}]},
        ]
        taken = commit(second, Handed("cam-1", (*rubbish, story)))
        assert taken.handed == ["cam-1"]
        assert [one.incident_id for one in other.incidents()] == [judged.alerts[0].incident_id]
        assert not commit(second, seen(second, "red", 2)).alerts


def test_a_finding_is_told_with_its_frame_and_no_frame_is_noted_as_done(
    judge: LiveJudge, store: Store
) -> None:
    one = seen(judge, "red", 0)
    judged = commit(judge, one)
    assert [alert.scene for alert in judged.alerts] == ["red_thing"]
    assert judged.looks == [("cam-1", one.clock)]
    assert Path(one.observations.frame.path).is_file()
    evidence = outbox(store)[0]["data"]["properties"]["evidence"]
    assert {picture["role"] for picture in evidence} == {"wide", "close"}
    assert store.frames_done() == frozenset()
    # The same thing a moment later is the same story: nothing is told, nothing kept.
    two = seen(judge, "red", 2)
    assert not commit(judge, two).alerts
    assert not Path(two.observations.frame.path).exists()


def test_looks_within_a_period_are_one_frame_and_another_one_is_asked_for(judge: LiveJudge) -> None:
    first = commit(judge, *(seen(judge, "green", at) for at in (0, 2, 29)))
    assert not first.alerts
    assert first.pending == {"cam-1"}
    later = commit(judge, seen(judge, "green", 31))
    assert [alert.scene for alert in later.alerts] == ["green_stay"]
    assert not later.pending


def test_a_camera_is_asked_for_its_scenes_only(judge: LiveJudge) -> None:
    assert not commit(judge, seen(judge, "red", 0, "cam-2"), seen(judge, "red", 40, "cam-2")).alerts


def test_what_cannot_be_written_waits_and_is_told_once(
    judge: LiveJudge, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    monkeypatch.setattr(judge._room, "make", lambda: made.append(1))
    with monkeypatch.context() as patch:
        patch.setattr(store, "transaction", lambda: _full(store))
        judge.feed(seen(judge, "red", 0))
        judge.feed(seen(judge, "green", 0))
        assert judge.commit() is None
        assert judge.commit() is None
    assert "disk is full" in judge.fault
    assert made, "room is made"
    assert not outbox(store)
    judged = commit(judge, seen(judge, "green", 31))
    assert not judge.fault
    # As if nothing had happened: a memory that was ahead of the disk would have counted green four times.
    assert [alert.scene for alert in judged.alerts] == ["red_thing", "green_stay"]
    assert len(outbox(store)) == 2
    assert outbox(store)[1]["data"]["properties"]["looks"] == 2


@contextmanager
def _full(store: Store) -> Iterator[sqlite3.Connection]:
    """A transaction that the disk refuses at its end."""
    store.connection.execute("BEGIN IMMEDIATE")
    try:
        yield store.connection
    finally:
        store.connection.execute("ROLLBACK")
    raise StorageError("the disk is full", code="disk_full")


def test_without_room_the_alert_goes_out_without_pictures(judge: LiveJudge, store: Store) -> None:
    judge._room.pictures = False
    one = seen(judge, "red", 0)
    assert len(commit(judge, one).alerts) == 1
    assert outbox(store)[0]["data"]["properties"]["evidence"] == []
    assert not Path(one.observations.frame.path).exists()


def test_a_verdict_of_another_box_waits_once_and_silences_the_place(judge: LiveJudge, store: Store) -> None:
    (told,) = commit(judge, seen(judge, "red", 0)).alerts
    (incident,) = store.incidents()
    ruling = Ruling(incident.incident_id, "rejected", told.time + timedelta(minutes=1), "a red car")
    for _ in range(5):
        # Until it is written it is said again and again.
        judge.feed(ruling)
    assert len(judge._waiting) == 1
    assert not commit(judge, Ruling("x-1", "rejected", told.time)).alerts
    assert [one.status for one in store.incidents()] == ["rejected"]
    assert not commit(judge, seen(judge, "red", 90)).alerts
    assert len(outbox(store)) == 1


def test_what_waits_is_bounded(judge: LiveJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    one = seen(judge, "red", 0)
    for _ in range(MOST_WAITING + 5):
        judge.feed(one)
    waiting = list(judge._waiting)
    assert len(waiting) == MOST_WAITING
    assert judge.lost == 5
    with_pictures = [task for task in waiting if isinstance(task, Seen) and task.picture is not None]
    assert len(with_pictures) == WITH_PICTURES


def test_a_restart_goes_on_with_the_memory(prepared: Prepared) -> None:
    def run(at: float) -> Judged:
        with open_store(prepared.loaded.state) as store:
            dispatch.ensure_tables(store.connection)
            judge = LiveJudge(prepared, store, Room(prepared.loaded.state, Disk()))
            return commit(judge, seen(judge, "green", at))

    assert not run(0).alerts
    assert [alert.scene for alert in run(31).alerts] == ["green_stay"]
    assert not run(62).alerts


def test_times_of_alerts_are_those_of_the_pictures(judge: LiveJudge, store: Store) -> None:
    commit(judge, seen(judge, "red", 0))
    told = datetime.fromisoformat(outbox(store)[0]["data"]["properties"]["first_seen"])
    assert told == START
