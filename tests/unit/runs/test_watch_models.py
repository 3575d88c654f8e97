"""Models in processes: looks come back, a dead process is replaced, a picture that kills is left out."""

from __future__ import annotations

import os
import queue
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import pytest

from huoyan.config import load
from huoyan.records import FrameRef, Observations, Skip, Unplaced, frame_id
from huoyan.runs.prepare import prepare
from huoyan.runs.watch.eyes import MOVED, Looked
from huoyan.runs.watch.models import Flight, Models
from huoyan.sample import Look, Picture

from ...support.county import RED, SIZE, START, Thing, picture, write_county

Inbox = queue.SimpleQueue[tuple[int, Any]]


def look(
    number: int, *, things: list[Thing] | None = None, placed: bool = True, broken: bool = False
) -> Look:
    """A look at the first camera of the small county."""
    when = START + timedelta(seconds=number)
    image = picture([(RED, (40, 120, 100, 200))] if things is None else things, number)
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).tobytes()
    key = frame_id("cam-1", when, number)
    ref = FrameRef(key, "cam-1", "camera", when, "stream", SIZE, f"{key}.jpg")
    return Look(ref, Picture(planes[:-10] if broken else planes, SIZE), time.monotonic(), "motion", placed)


@pytest.fixture
def inbox() -> Inbox:
    return queue.SimpleQueue()


@pytest.fixture
def models(tmp_path: Path, inbox: Inbox) -> Iterator[Models]:
    settings = prepare(load(write_county(tmp_path, frames=1))).settings
    made = Models(settings, 1, lambda index, message: inbox.put((index, message)), silent_s=30.0)
    made.start()
    yield made
    made.stop(1.0)


def until(models: Models, inbox: Inbox, condition: Callable[[], object]) -> list[tuple[Flight, Looked]]:
    """Turn as the loop does until a condition holds; the looks that came back."""
    done, end = [], time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never came"
        models.check(time.monotonic())
        try:
            result = models.heard(*inbox.get(timeout=0.05))
        except queue.Empty:
            continue
        if result is not None:
            done.append(result)
    return done


def test_a_look_comes_back_with_its_picture_and_its_place(models: Models, inbox: Inbox) -> None:
    until(models, inbox, lambda: models.ready)
    looks = [look(0), look(1, placed=False)]
    assert all(models.look("cam-1", one) for one in looks)
    assert not models.look("cam-1", look(2)), "no more than two at a time"
    assert models.room() == 0
    done = until(models, inbox, lambda: not models.in_flight)
    assert [flight.look for flight, _ in done] == looks
    seen = [looked.seen for _, looked in done]
    assert isinstance(seen[0], Observations)
    assert isinstance(seen[1], Observations)
    assert [item.detection.label for item in seen[0].items] == ["red"]
    assert not isinstance(seen[0].items[0].place, Unplaced)
    assert seen[1].items[0].place == MOVED


def test_a_picture_that_cannot_be_looked_at_is_told_and_nothing_ends(models: Models, inbox: Inbox) -> None:
    until(models, inbox, lambda: models.ready)
    models.look("cam-1", look(0, broken=True))
    models.look("cam-1", look(1))
    first, second = until(models, inbox, lambda: not models.in_flight)
    assert isinstance(first[1].seen, Skip)
    assert isinstance(second[1].seen, Observations)
    assert models.children[0].restarts == 0


def test_a_process_that_dies_is_replaced_and_its_looks_are_counted(models: Models, inbox: Inbox) -> None:
    until(models, inbox, lambda: models.ready)
    os.kill(models.children[0].pid, signal.SIGSTOP)
    models.look("cam-1", look(0))
    os.kill(models.children[0].pid, signal.SIGKILL)
    until(models, inbox, lambda: models.failed)
    assert not models.ready
    until(models, inbox, lambda: models.ready)
    assert models.children[0].restarts == 1
    assert not models.is_blocked("cam-1", time.monotonic())
    models.look("cam-1", look(1))
    assert len(until(models, inbox, lambda: not models.in_flight)) == 1


def test_a_camera_whose_pictures_end_processes_is_left_out_for_a_while(models: Models, inbox: Inbox) -> None:
    for number in range(2):
        until(models, inbox, lambda: models.ready)
        os.kill(models.children[0].pid, signal.SIGSTOP)
        models.look("cam-1", look(number))
        os.kill(models.children[0].pid, signal.SIGKILL)
        until(models, inbox, lambda: not models.in_flight)
    now = time.monotonic()
    assert models.is_blocked("cam-1", now)
    assert not models.is_blocked("cam-2", now)
    assert not models.is_blocked("cam-1", now + 3600)


def test_damaged_models_are_told_in_words(tmp_path: Path, inbox: Inbox) -> None:
    settings = prepare(load(write_county(tmp_path, frames=0))).settings
    (tmp_path / "models" / "colours.onnx").write_bytes(b"no model")
    models = Models(settings, 1, lambda index, message: inbox.put((index, message)), silent_s=30.0)
    models.start()
    try:
        until(models, inbox, lambda: models.fault)
        assert "colours" in models.fault
        assert not models.ready
    finally:
        models.stop(1.0)
