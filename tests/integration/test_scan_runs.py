"""Whole scans of a small county: the same result in every way of running it, nothing told twice."""

from __future__ import annotations

import json
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from huoyan import dispatch
from huoyan.dispatch import items
from huoyan.errors import StorageError
from huoyan.incidents import open_store
from huoyan.runs import look
from huoyan.runs.scan import scan

from ..support.county import START, STEP, write_county, write_pair
from ..support.running import Told, frames_done, huoyan, start, told

CAMERAS = ("cam-1", "cam-2")
FRAMES = 12
VIDEO_S = 5
TOTAL = FRAMES * len(CAMERAS) + VIDEO_S + 1


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two time-lapses, a video and a satellite pair of one window."""
    folder = tmp_path_factory.mktemp("county")
    config = write_county(folder, CAMERAS, FRAMES, VIDEO_S)
    write_pair(folder / "archive" / "satellite")
    return config


@pytest.fixture(scope="module")
def whole(county: Path, tmp_path_factory: pytest.TempPathFactory) -> Told:
    state = tmp_path_factory.mktemp("whole")
    scan(county, state=state)
    return told(state)


def test_figures(county: Path, tmp_path: Path) -> None:
    result = scan(county, state=tmp_path)
    assert result.frames == TOTAL
    assert result.already_done == 0 and not result.skipped
    assert result.alerts and {"red_thing", "green_stay", "lasting"} == set(result.by_scene)
    assert 0 < result.placed < result.detections
    assert result.findings >= len(result.alerts)
    values = result.to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["alerts"] == len(values["alert_ids"]) == len(set(values["alert_ids"]))


def test_two_workers_tell_the_same(county: Path, whole: Told, tmp_path: Path) -> None:
    result = scan(county, state=tmp_path, workers=2)
    assert result.frames == TOTAL
    assert told(tmp_path) == whole


def test_a_second_scan_looks_at_nothing_and_tells_nothing(
    county: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(county, state=tmp_path)
    before = told(tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("a frame that is done was looked at again")

    monkeypatch.setattr(look.Eyes, "look", never)
    again = scan(county, state=tmp_path)
    assert (again.frames, again.alerts) == (0, [])
    assert told(tmp_path) == before


def test_parts_of_the_time_add_up_to_the_whole(county: Path, whole: Told, tmp_path: Path) -> None:
    middle = START + STEP * (FRAMES // 2)
    first = scan(county, state=tmp_path, until=middle)
    second = scan(county, state=tmp_path, since=middle)
    assert first.frames == FRAMES + VIDEO_S + 1, "the video and the satellite pair lie before"
    assert second.frames == FRAMES
    assert sorted(alert.alert_id for alert in first.alerts + second.alerts) == whole.ids
    assert told(tmp_path).queue == whole.queue


def test_naive_times_are_the_county_s(county: Path, tmp_path: Path) -> None:
    local = (START + timedelta(hours=8)).replace(tzinfo=None)
    result = scan(county, state=tmp_path, since=local, until=local + STEP)
    assert result.frames == 2 + VIDEO_S


def test_an_empty_interval(county: Path, tmp_path: Path) -> None:
    result = scan(county, state=tmp_path, since=datetime(2030, 1, 1, tzinfo=UTC))
    assert (result.frames, result.units, result.alerts) == (0, 0, [])


def test_only_some_scenes(county: Path, whole: Told, tmp_path: Path) -> None:
    result = scan(county, state=tmp_path, scenes=["green_stay"])
    assert set(result.by_scene) == {"green_stay"}
    green = [(i, d) for i, d in whole.queue if d["data"]["properties"]["scene"]["id"] == "green_stay"]
    assert told(tmp_path).ids == [alert_id for alert_id, _ in green]


def test_alerts_of_stills_go_out_in_the_order_of_time(county: Path, whole: Told, tmp_path: Path) -> None:
    documents = dict(whole.queue)
    times = [
        documents[alert_id]["time"]
        for alert_id, _ in whole.outbox
        if set(documents[alert_id]["data"]["properties"]["sources"]) <= set(CAMERAS)
    ]
    assert len(times) > FRAMES
    assert times == sorted(times)


def test_every_alert_is_on_the_queue_as_the_schema_wants_it(county: Path, tmp_path: Path) -> None:
    result = scan(county, state=tmp_path)
    connection = dispatch.open_queue(tmp_path)
    try:
        queued = {item.alert_id for item in items.select(connection)}
    finally:
        connection.close()
    assert queued == {alert.alert_id for alert in result.alerts}


def test_an_interrupted_scan_goes_on(county: Path, whole: Told, tmp_path: Path) -> None:
    """Ctrl-C between two frames: what waits is written down, the rest is left to the next run."""

    def tick(done: int, total: int, what: str) -> None:
        assert 0 <= done <= total and what
        if done >= TOTAL // 2:
            raise KeyboardInterrupt

    first = scan(county, state=tmp_path, progress=tick)
    assert first.interrupted
    assert 0 < first.frames < TOTAL
    second = scan(county, state=tmp_path)
    assert not second.interrupted
    assert first.frames + second.frames == TOTAL
    assert told(tmp_path).queue == whole.queue
    assert told(tmp_path).memory == whole.memory


def test_ctrl_c_exits_with_130_and_keeps_what_was_found(tmp_path: Path) -> None:
    config = write_county(tmp_path, CAMERAS, frames=150)
    process = start("scan", config)
    end = time.monotonic() + 120
    while frames_done(tmp_path / "state") == 0 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors in ("", "interrupted; what was found so far is kept\n")
    assert 0 < frames_done(tmp_path / "state") < 300


def test_one_run_at_a_time(county: Path, tmp_path: Path) -> None:
    with open_store(tmp_path), pytest.raises(StorageError, match="another run is working") as caught:
        scan(county, state=tmp_path)
    assert caught.value.code == "locked"
    assert str(tmp_path) in str(caught.value)
    assert scan(county, state=tmp_path).frames == TOTAL


def test_an_archive_may_be_moved(county: Path, whole: Told, tmp_path: Path) -> None:
    scan(write_county(tmp_path / "elsewhere", CAMERAS, FRAMES, VIDEO_S), state=tmp_path / "state")
    ids = [i for i, d in whole.queue if d["data"]["properties"]["scene"]["id"] != "lasting"]
    assert told(tmp_path / "state").ids == ids


def test_the_command_prints_what_the_function_returns(county: Path, whole: Told, tmp_path: Path) -> None:
    done = huoyan("scan", county, "--state", tmp_path, "--json")
    assert done.returncode == 0 and done.stderr == ""
    values = json.loads(done.stdout)
    assert values["frames"] == TOTAL and sorted(values["alert_ids"]) == whole.ids
    assert values["interrupted"] is False
