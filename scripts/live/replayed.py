"""`huoyan watch` with cameras that play a list of pictures, the same each time: runs can be compared then.

    python -m live.replayed CONFIG REEL

All of it is the daemon as it is, its processes, its judge, its sender; only the reading of streams is replaced, by a
process that sends the pictures of a folder `REEL` (`write`) with the times that stand there. Nobody can replay a live
picture; here somebody does, so that two runs see the same: a picture that was lost with a killed process is sent again,
and how far a camera has come is written down by the judge in the transaction that judged the picture.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from huoyan.child import Child, receive
from huoyan.cli import watch as command
from huoyan.runs.watch import readers
from huoyan.runs.watch.judge import Judged, LiveJudge, Seen
from huoyan.sample import CameraEvent, Cameras, Picture, Sample, Tally
from huoyan.scenes.memory import Memory

KEY = "#view|"
"""In the judge's memory, before the camera's id: how many of its pictures have been judged."""
_TOGETHER = 6
"""Pictures on their way at one time."""
_AGAIN_S = 5.0
"""What nobody has judged for so long was lost: it is sent again."""


@dataclass(frozen=True, slots=True)
class Done:
    """How many pictures of each camera have been judged."""

    counts: Mapping[str, int]


@dataclass(frozen=True)
class Reel:
    """What the cameras show: for each a list of times and numbers of pictures."""

    cameras: Mapping[str, Sequence[tuple[datetime, int]]]
    pictures: npt.NDArray[np.uint8]
    """I420, uint8 (n, height * 3 / 2, width)."""


def write(
    folder: Path, cameras: Mapping[str, Sequence[tuple[datetime, int]]], pictures: npt.NDArray[np.uint8]
) -> Path:
    """Write a reel; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {name: [[at.isoformat(), number] for at, number in shown] for name, shown in cameras.items()}
    (folder / "reel.json").write_text(json.dumps(told))
    np.save(folder / "pictures.npy", pictures)
    return folder


def read(folder: Path) -> Reel:
    told = json.loads((folder / "reel.json").read_text())
    shown = {name: [(datetime.fromisoformat(at), n) for at, n in one] for name, one in told.items()}
    return Reel(shown, np.load(folder / "pictures.npy", mmap_mode="r"))


class Player:
    """Stands for `ingest.handle.Ingest`: its process plays a reel."""

    all: ClassVar[list[Player]] = []

    def __init__(
        self, reel: Path, name: str, _logins: object, give: Callable[[Any], None], *, restart_after_s: float
    ) -> None:
        self.name = name
        self._counts: dict[str, int] = {}
        self._child = Child(
            name,
            play,
            (str(reel),),
            give,
            greeting=lambda: [Done(dict(self._counts))],
            silent_s=restart_after_s,
        )
        Player.all.append(self)

    def start(self) -> None:
        self._child.start()

    def ask(self) -> None:
        self._child.ask()

    def stop(self, timeout: float = 5.0) -> None:
        self._child.stop(timeout)

    def check(self) -> bool:
        return self._child.check()

    def tell(self, order: object) -> None:
        if isinstance(order, Cameras):
            self.done({plan.id: int(plan.view_state or 0) for plan in order.plans})

    def done(self, counts: Mapping[str, int]) -> None:
        """Tell how far the judge has come."""
        self._counts = dict(counts)
        self._child.send(Done(self._counts))

    @property
    def alive(self) -> bool:
        return self._child.alive

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def restarts(self) -> int:
        return self._child.restarts

    @property
    def silent_s(self) -> float:
        return self._child.silent_s


def play(connection: Connection, folder: str) -> None:
    """In the reader's process: send pictures, the next of a camera when the last one has been judged."""
    reel = read(Path(folder))
    counts: dict[str, int] = {}
    told, gone = threading.Condition(), threading.Event()

    def listen() -> None:
        try:
            while True:
                message = receive(connection)
                if isinstance(message, Done):
                    with told:
                        counts.update(message.counts)
                        told.notify()
        except EOFError:
            gone.set()
            with told:
                told.notify()

    threading.Thread(target=listen, daemon=True).start()
    sent: dict[str, tuple[int, float]] = {}
    live: set[str] = set()
    tally_at = 0.0
    while not gone.is_set():
        now = time.monotonic()
        if now >= tally_at:
            tally_at = now + 2.0
            connection.send(Tally(now, {}, {}, time.process_time(), threading.active_count()))
        with told:
            known = dict(counts)
        under_way = 0
        for camera, number in known.items():
            if number >= len(reel.cameras[camera]):
                continue
            if under_way >= _TOGETHER:
                break
            under_way += 1
            last, at = sent.get(camera, (-1, 0.0))
            if last == number and now - at < _AGAIN_S:
                continue
            if camera not in live:
                live.add(camera)
                when = reel.cameras[camera][number][0]
                connection.send(CameraEvent(camera, when, now, "live", connections=1))
            sent[camera] = number, now
            connection.send(_sample(reel, camera, number, now))
        with told:
            if counts == known and not gone.is_set():
                told.wait(0.5)


def _sample(reel: Reel, camera: str, number: int, clock: float) -> Sample:
    when, picture = reel.cameras[camera][number]
    planes = reel.pictures[picture]
    size = (planes.shape[1], planes.shape[0] * 2 // 3)
    return Sample(camera, when, clock, size, "motion", 0.1, picture=Picture(planes.tobytes(), size))


def count_judged(reel: Reel) -> None:
    """Have the judge write down how far each camera has come, and judge no picture twice."""
    numbers = {(name, at): n for name, shown in reel.cameras.items() for n, (at, _) in enumerate(shown)}
    judge_one, commit = LiveJudge._seen, LiveJudge.commit

    def seen(self: LiveJudge, one: Seen, judged: Judged) -> None:
        number = numbers.get((one.camera, one.observations.frame.time))
        if number is None:
            judge_one(self, one, judged)
            return
        done = int(self.memory.get(KEY + one.camera) or 0)
        if number != done:
            return
        judge_one(self, one, judged)
        self.memory.put(KEY + one.camera, str(done + 1))

    def committed(self: LiveJudge) -> Judged | None:
        judged = commit(self)
        if judged is not None:
            for player in Player.all:
                player.done(_counts(self.memory, reel))
        return judged

    LiveJudge._seen, LiveJudge.commit = seen, committed  # type: ignore[method-assign]


def _counts(memory: Memory, reel: Reel) -> dict[str, int]:
    return {name: int(memory.get(KEY + name) or 0) for name in reel.cameras}


def main(config: Path, reel: Path) -> None:
    count_judged(read(reel))
    readers.Ingest = partial(Player, reel)  # type: ignore[assignment,misc]
    command.run(config, None, False)


if __name__ == "__main__":
    # By its name, so that the processes of the daemon find it too.
    from live import replayed

    replayed.main(Path(sys.argv[1]), Path(sys.argv[2]))
