"""A daemon that lives through days in seconds: `python -m tests.support.days CONFIG FIRST LAST`.

It is the daemon as it is, with its models in a process, its judge and its sender, and the readers' own viewer of
pictures. Replaced is what cannot be hurried: streams that are connected and decoded, and the time at which a picture
was taken. The next pictures come when nothing of the last ones waits any more. Step `LAST` is not played; when all
before it has been judged, `played` beside the configuration holds its number, and the daemon goes on with no pictures.
"""

from __future__ import annotations

import functools
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from huoyan import config
from huoyan.ingest.decoding import Planes
from huoyan.ingest.viewer import Viewer
from huoyan.runs.watch import judge, readers
from huoyan.runs.watch.loop import Watcher
from huoyan.sample import CameraEvent, CameraPlan, Cameras, Sample, ViewState

from . import views

DAYS, BUILT_ON = 7, 3
MINUTES = (*range(9 * 60, 16 * 60, 30), *range(19 * 60, 20 * 60 + 30, 30))
"""Of the day, at which pictures are taken; at the last three it is dark."""
STEPS = DAYS * len(MINUTES)
THING = (265, 150, 110, 90)
"""x, y, width, height of what is built, in a picture of 640 x 360: before the middle of the camera."""
FAINT = (118, 38, 38)
"""The detector of colours is two thirds as sure of it as it should be."""
CAMERAS = ("wall", "shell", "lorry", "shadow", "visit")
Image = npt.NDArray[np.uint8]


def step_of(day: int, hour: float) -> int:
    """The first step not before an hour of a day."""
    return day * len(MINUTES) + sum(minute < hour * 60 for minute in MINUTES)


def time_of(step: int, zone: Any) -> datetime:
    """When a step is: the last day is yesterday, so that no story is old."""
    day, turn = divmod(step, len(MINUTES))
    today = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=DAYS - day) + timedelta(minutes=MINUTES[turn])


def show(camera: str, step: int) -> Image:
    """What a camera sees at a step, uint8 (360, 640, 3), RGB.

    From the fourth day on a wall stands on `wall`; on `shell` it is red, so that the detector half knows it; before
    `lorry` something parks for three hours of every day; over `shadow` one wanders; on `visit` something stands for
    a day.
    """
    day, turn = divmod(step, len(MINUTES))
    minute = MINUTES[turn]
    view = np.repeat(_view(camera)[..., None], 3, axis=2)
    x, y, w, h = THING
    built = day >= BUILT_ON
    if built and (
        camera == "wall"
        or (camera == "lorry" and 11 * 60 <= minute < 14 * 60)
        or (camera == "visit" and day == BUILT_ON)
    ):
        view[y : y + h, x : x + w] = _bricks(camera)[..., None]
    elif built and camera == "shell":
        view[y : y + h, x : x + w] = FAINT
        view[y + 20 : y + 70 : 12, x + 8 : x + w - 8] = np.array(FAINT) // 3
    elif built and camera == "shadow":
        left = 60 + minute - MINUTES[0]
        cv2.fillPoly(
            view, [np.array([[left, 140], [left + 90, 140], [left + 40, 330], [left - 60, 330]])], 45
        )
    random = np.random.default_rng([step, CAMERAS.index(camera)])
    light = 0.15 if minute >= 18 * 60 else random.uniform(0.8, 1.05)
    tinted = view * light * np.array([1.0, 0.98, 0.8]) + random.normal(0, 2, view.shape)
    return np.clip(tinted, 0, 255).astype(np.uint8)


@functools.cache
def _view(camera: str) -> npt.NDArray[np.float32]:
    return views.scene(seed=50 + CAMERAS.index(camera))


@functools.cache
def _bricks(camera: str) -> Image:
    random = np.random.default_rng(CAMERAS.index(camera))
    bricks = random.integers(30, 230, (8, 7), dtype=np.uint8)
    return np.asarray(cv2.resize(bricks, THING[2:], interpolation=cv2.INTER_NEAREST), np.uint8)


class Streams:
    """Stands for `ingest.handle.Ingest`: no process, no streams, only what the readers are told."""

    pid, alive, restarts, silent_s = 0, True, 0, 0.0
    plans: ClassVar[dict[str, CameraPlan]] = {}

    def __init__(self, name: str, _logins: object, _give: Callable[[Any], None], *, restart_after_s: float):
        self.name = name

    def tell(self, order: object) -> None:
        if isinstance(order, Cameras):
            Streams.plans.update({plan.id: plan for plan in order.plans})

    def start(self) -> None: ...

    def ask(self) -> None: ...

    def stop(self, timeout: float) -> None: ...

    def check(self) -> bool:
        return False


class Days(Watcher):
    """Plays a step whenever nothing of the last one waits."""

    def __init__(self, path: Path, first: int, last: int, stack: ExitStack, stop: threading.Event) -> None:
        super().__init__(config.load(path), stack, stop, threading.Event(), lambda status: None)
        self._played = path.with_name("played")
        self._step, self._last = first, last
        self._viewers: dict[str, Viewer] = {}

    def _turn(self, wait_s: float) -> None:
        super()._turn(0.01)
        under_way = not self.inbox.empty() or len(self.slots) or self.models.in_flight or self.judge.waits
        if under_way or not self.models.ready:
            return
        if self._step < self._last:
            self._play(self._step)
            self._step += 1
        else:
            self._played.write_text(str(self._step))

    def _play(self, step: int) -> None:
        when, now = time_of(step, self.county.zone), time.monotonic()
        for camera, plan in Streams.plans.items():
            if camera not in self._viewers:
                self._viewers[camera] = Viewer(plan, plan.view_state)
                self._say(CameraEvent(camera, when, now, "live", connections=1))
            viewer = self._viewers[camera]
            self._say(self._taken(viewer, camera, step, when))
            self._say(ViewState(camera, viewer.state()))

    def _taken(self, viewer: Viewer, camera: str, step: int, when: datetime) -> Sample:
        sample = viewer.look(_planes(show(camera, step)), when.timestamp(), None, {})
        return replace(sample, time=when, clock=time.monotonic())

    def _say(self, report: Any) -> None:
        self.inbox.put((-1, report))


def _planes(image: Image) -> Planes:
    height, width = image.shape[:2]
    flat = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    half = (height // 2, width // 2)
    y, u, v = np.split(flat, [height * width, height * width * 5 // 4])
    return Planes(y.reshape(height, width), u.reshape(half), v.reshape(half))


def main(path: Path, first: int, last: int) -> None:
    cv2.setNumThreads(1)
    judge.BATCH_SECONDS = 0.02
    readers.Ingest = Streams  # type: ignore[assignment,misc]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ExitStack() as stack:
        Days(path, first, last, stack, stop).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
