"""Days of a county in minutes: how the memory of the daemon's main process grows while it learns its views.

    python -m live.week CONFIG FILMS DAYS

It is the daemon as it is, with its judge, its sender and its models. Only the readers are replaced: what they said of
the pictures of films is said again, ten simulated minutes apart, as soon as nothing of it waits any more. All hours are
light, so each view has 24 hours to learn; few pictures are looked at, because looks change nothing here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2

from huoyan import heap
from huoyan.config import load
from huoyan.ingest.decoding import Planes
from huoyan.ingest.viewer import Viewer
from huoyan.runs.watch import readers
from huoyan.runs.watch.loop import Watcher
from huoyan.sample import CameraEvent, CameraPlan, Cameras, Sample, ViewState

STEP = timedelta(minutes=10)
LOOKED_AT = 50
"""Of so many pictures that passed the gate one is looked at."""
_SCRIPTS = Path(__file__).resolve().parents[1]
_MOST_S = 3000.0


def grow(config: Path, films: Path, days: int) -> dict[str, Any]:
    """Let a daemon live through days, in a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "live.week", str(config), str(films), str(days)]
    path = os.pathsep.join(filter(None, [str(_SCRIPTS), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_MOST_S)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told = [json.loads(line) for line in done.stdout.splitlines()]
    held = [one["rss"] / 1e6 for one in told]
    return {
        "samples a simulated day, seconds": f"{told[-1]['samples'] // days}, {told[-1]['seconds'] / days:.0f}",
        "main, MB after the first hour and each day": [round(one, 1) for one in held],
        "growth, MB an hour of each day": [round((b - a) / 24, 2) for a, b in pairwise(held)],
    }


class Silence:
    """Stands for `ingest.handle.Ingest`: no process, no streams, only what the readers are told."""

    pid, alive, restarts, silent_s = 0, True, 0, 0.0

    def __init__(self, plans: dict[str, CameraPlan], name: str, *_: object, **__: object) -> None:
        self.name, self._plans = name, plans

    def tell(self, order: object) -> None:
        if isinstance(order, Cameras):
            self._plans.update({plan.id: plan for plan in order.plans})

    def start(self) -> None: ...

    def ask(self) -> None: ...

    def stop(self, timeout: float) -> None: ...

    def check(self) -> bool:
        return False


class Week(Watcher):
    """Says the samples of the next step whenever nothing of the last one waits."""

    def __init__(
        self, path: Path, films: list[Path], days: int, stack: ExitStack, told: Callable[[Any], None]
    ) -> None:
        self._plans: dict[str, CameraPlan] = {}
        readers.Ingest = lambda *args, **keys: Silence(self._plans, *args, **keys)  # type: ignore[assignment,misc]
        super().__init__(load(path), stack, threading.Event(), threading.Event(), lambda status: None)
        self._films, self._days, self._told = films, days, told
        self._shown: list[list[Sample]] = []
        self._states: list[str] = []
        self._step = self._passed = 0
        self._began = time.monotonic()
        now = datetime.now(UTC)
        self._first = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)

    def _turn(self, wait_s: float) -> None:
        super()._turn(0.005)
        if not (self.models.ready and self.inbox.empty()) or len(self.slots) or self.judge.waits:
            return
        if not self._shown:
            self._watch_films()
        at = self._step * STEP
        if at == timedelta(hours=1) or (self._step and at % timedelta(days=1) == timedelta(0)):
            self._tell_size()
        if at >= timedelta(days=self._days):
            self.stop.set()
            return
        self._play(self._first + at)
        self._step += 1

    def _watch_films(self) -> None:
        """What a reader says of each key picture of each film."""
        plans = list(self._plans.values())
        for plan, film in zip(plans, self._films, strict=False):
            viewer = Viewer(plan, "")
            self._shown.append([viewer.look(planes, 0.0, None, {}) for planes in _key_pictures(film)])
            self._states.append(viewer.state())
        for plan in plans:
            self._say(CameraEvent(plan.id, self._first, time.monotonic(), "live", connections=1))

    def _play(self, when: datetime) -> None:
        clock = time.monotonic()
        for number, camera in enumerate(self._plans):
            film = number % len(self._shown)
            sample = self._shown[film][(self._step + number) % len(self._shown[film])]
            self._passed += sample.passed is not None
            looked_at = sample.passed is not None and self._passed % LOOKED_AT == 0
            picture = sample.picture if looked_at else None
            self._say(replace(sample, camera=camera, time=when, clock=clock, picture=picture))
            if (self._step + number) % 30 == 0:
                # A new text, as it comes from another process.
                self._say(ViewState(camera, "".join([self._states[film][:1], self._states[film][1:]])))

    def _tell_size(self) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        rss = pages * os.sysconf("SC_PAGE_SIZE")
        self._told(
            {
                "samples": self._step * len(self._plans),
                "rss": rss,
                "seconds": time.monotonic() - self._began,
            }
        )

    def _say(self, report: Any) -> None:
        self.inbox.put((-1, report))


def _key_pictures(path: Path) -> list[Planes]:
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        for frame in container.decode(stream):
            flat, height, width = frame.to_ndarray(format="yuv420p"), frame.height, frame.width
            y, half = flat[:height], (height // 2, width // 2)
            u, v = flat[height:].reshape(2, *half)
            found.append(Planes(y, u, v))
    return found


def main(config: Path, films: Path, days: int) -> None:
    heap.give_back()
    cv2.setNumThreads(1)

    def told(row: Any) -> None:
        print(json.dumps(row), flush=True)

    with ExitStack() as stack:
        Week(config, sorted(films.glob("*.mp4")), days, stack, told).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
