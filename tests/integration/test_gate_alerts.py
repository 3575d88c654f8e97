"""What a gate finds becomes alerts on the queue, with pictures, once; and the truck's history."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from huoyan import config, dispatch
from huoyan.dispatch import items
from huoyan.passage import Passage, Sight
from huoyan.records import FrameRef, frame_id
from huoyan.runs.gate import GateResult, run
from huoyan.vehicles.history import open_history

from ..support.gates import BEGIN, passage, recorded_cameras, tell, write_county

GOOD, STRANGER = "浙D3C916", "浙A55555"
SIZE = (640, 480)


def seen(folder: Path, plate: str, at: datetime, **more: Any) -> Passage:
    """A passage with pictures: a truck and its plate."""
    path = folder / f"{plate}-{at:%H%M%S}.jpg"
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    cv2.rectangle(image, (200, 100), (450, 400), (40, 120, 200), -1)
    cv2.imwrite(str(path), image)
    ref = FrameRef(frame_id("gate-in", at, 1), "gate-in", "camera", at, "stream", SIZE, str(path))
    sights = (
        Sight("wide", ref, (200, 100, 450, 400), 0.9),
        Sight("plate", ref, (290, 340, 360, 365), 0.9),
    )
    return passage(plate, at, sights=sights, **more)


def loaded(folder: Path, one: Passage) -> Passage:
    """The same passage, with a frame of its own for the load, which is red there."""
    wide = one.sights[0]
    at = one.first_seen + timedelta(seconds=1)
    path = folder / f"load-{at:%H%M%S}.jpg"
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    cv2.rectangle(image, (100, 60), (500, 420), (20, 20, 200), -1)
    cv2.imwrite(str(path), image)
    ref = replace(wide.frame, frame_id=frame_id("gate-in", at, 2), time=at, path=str(path))
    return replace(one, sights=(*one.sights, Sight("load", ref, (100, 60, 500, 420), 0.8)))


def gate(folder: Path, until: int) -> GateResult:
    """Run the gate until so many events are known."""
    stop = threading.Event()
    known = 0

    def told(_: object) -> None:
        nonlocal known
        known += 1
        if known >= until:
            stop.set()

    timer = threading.Timer(8.0 if until else 2.0, stop.set)
    timer.start()
    try:
        return run(config.load(folder / "county.yaml"), stop=stop, told=told, cameras=recorded_cameras)
    finally:
        timer.cancel()


@pytest.fixture
def county(tmp_path: Path) -> Path:
    write_county(tmp_path, live=False)
    return tmp_path


def alerts(folder: Path) -> list[items.Item]:
    connection = dispatch.open_queue(folder / "state")
    try:
        return items.select(connection)
    finally:
        connection.close()


def test_a_truck_that_breaks_a_rule_is_an_alert_with_its_pictures_once(county: Path) -> None:
    tell(county, seen(county, GOOD, BEGIN), seen(county, STRANGER, BEGIN + timedelta(seconds=100)))
    result = gate(county, 2)
    assert (result.events, result.alerts, result.outcomes) == (2, 1, {"open": 1, "hold": 1})
    (alert,) = alerts(county)
    facts = alert.document["data"]["properties"]
    assert alert.scene == "unapproved_vehicle" and facts["vehicle"]["plate"] == STRANGER
    assert [reason["id"] for reason in facts["vehicle"]["reasons"]] == ["M01"]
    assert alert.document["data"]["geometry"]["coordinates"] == [120.9, 29.5]
    assert {picture["role"] for picture in facts["evidence"]} == {"wide", "close", "plate"}
    assert all((county / "state" / picture["href"]).is_file() for picture in facts["evidence"])
    # A second run sees the same files and messages again.
    again = gate(county, 0)
    assert (again.events, again.alerts) == (0, 0) and len(alerts(county)) == 1


def test_the_load_is_shown_where_another_frame_shows_it_better(county: Path) -> None:
    tell(county, loaded(county, seen(county, STRANGER, BEGIN)))
    assert gate(county, 1).alerts == 1
    (alert,) = alerts(county)
    pictures = {p["role"]: p for p in alert.document["data"]["properties"]["evidence"]}
    assert set(pictures) == {"wide", "close", "plate", "load"}
    shown = cv2.imread(str(county / "state" / pictures["load"]["href"]))
    assert shown is not None
    middle = shown[shown.shape[0] // 4 : shown.shape[0] // 2, shown.shape[1] // 3 : shown.shape[1] // 2]
    assert np.abs(middle.reshape(-1, 3).mean(axis=0) - (20, 20, 200)).max() < 8
    # Nearly all of it is the truck: others in that frame are not looked for.
    assert ((shown[..., 2] > 150) & (shown[..., 1] < 80)).mean() > 0.55
    assert pictures["load"]["time"] != pictures["wide"]["time"]


def test_both_trucks_are_in_the_history_with_what_holds_against_them(county: Path) -> None:
    tell(county, seen(county, GOOD, BEGIN), seen(county, STRANGER, BEGIN + timedelta(seconds=100)))
    gate(county, 2)
    history = open_history(county / "state")
    try:
        assert len(history.passages(GOOD)) == len(history.passages(STRANGER)) == 1
        assert [held.code for held in history.violations()] == ["M01"]
    finally:
        history.connection.close()


def test_a_review_accuses_nobody(county: Path) -> None:
    tell(county, seen(county, "", BEGIN), seen(county, "浙D3C91G", BEGIN + timedelta(seconds=100)))
    result = gate(county, 2)
    assert (result.events, result.alerts) == (2, 0) and alerts(county) == []


def test_killed_between_alert_and_book_it_tells_nothing_twice(county: Path) -> None:
    tell(county, seen(county, STRANGER, BEGIN))
    gate(county, 1)
    # The book does not know yet that the event was handed on.
    with sqlite3.connect(county / "state" / "gate.db") as connection:
        connection.execute("UPDATE events SET told = 0")
    connection.close()
    begun = time.monotonic()
    assert gate(county, 0).alerts == 0 and time.monotonic() - begun < 30
    assert len(alerts(county)) == 1
