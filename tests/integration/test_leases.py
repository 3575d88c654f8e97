"""Boxes that share cameras through a real NATS server: fair shares, kills, a server without memory, no two owners."""

from __future__ import annotations

import bisect
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from huoyan.config_dispatch import Nats
from huoyan.dispatch.leases import Leases

from ..support.gates import free_port, wait_for
from ..support.receivers import NatsServer

CAMERAS = [f"cam-{number:03d}" for number in range(20)] + ["相机 1", "a.b c*>"]
WAIT_S = 90
PROGRAM = """
import json, sys, threading, time
from huoyan.config_dispatch import Nats
from huoyan.dispatch.leases import Leases
leases = Leases(Nats.model_validate_json(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
leases.start()
done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
with open(sys.argv[4], "a") as told:
    while not done.wait(0.05):
        before = time.monotonic()
        owned = sorted(leases.owned())
        # Who is not scheduled for long has not looked at anything meanwhile.
        if time.monotonic() - before < 0.2:
            print(json.dumps([before, owned]), file=told, flush=True)
    leases.stop()
"""


class Box:
    """A process that holds leases and writes down, many times a second, what it takes for its own."""

    def __init__(self, folder: Path, name: str, settings: Nats) -> None:
        self.name, self._told = name, folder / f"{name}.jsonl"
        self._told.touch()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROGRAM,
                settings.model_dump_json(),
                name,
                json.dumps(CAMERAS),
                str(self._told),
            ],
            stdin=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    @property
    def samples(self) -> list[tuple[float, set[str]]]:
        lines = self._told.read_text(encoding="utf-8").splitlines(keepends=True)
        return [(at, set(owned)) for at, owned in (json.loads(line) for line in lines if line.endswith("\n"))]

    @property
    def owned(self) -> set[str]:
        found = self.samples
        return found[-1][1] if found else set()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate(timeout=20)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats", free_port()) as server:
        yield server


@pytest.fixture
def boxes() -> Iterator[list[Box]]:
    started: list[Box] = []
    yield started
    for box in started:
        box.kill()


def settings(server: NatsServer, **leases: Any) -> Nats:
    return Nats.model_validate({"servers": [server.url], "timeout": "2s", "leases": {"ttl": "2s", **leases}})


def shared(*boxes: Box) -> bool:
    """All cameras are looked at, each box has its fair share."""
    sets = [box.owned for box in boxes]
    most = -(-len(CAMERAS) // len(boxes))
    return set().union(*sets) == set(CAMERAS) and max(map(len, sets)) <= most


def overlaps(boxes: list[Box]) -> list[str]:
    """Cameras that one box took for its own in the middle of another's time with them."""
    told = {box.name: box.samples for box in boxes}
    times = {name: [at for at, _ in samples] for name, samples in told.items()}
    found = []
    for name, samples in told.items():
        for other in told.keys() - {name}:
            for at, owned in samples:
                place = bisect.bisect(times[other], at)
                if 0 < place < len(times[other]):
                    before, after = told[other][place - 1][1], told[other][place][1]
                    found += [f"{camera}: {name} and {other} at {at}" for camera in owned & before & after]
    return found


def test_boxes_come_and_die_and_every_camera_has_one_owner(
    server: NatsServer, boxes: list[Box], tmp_path: Path
) -> None:
    chosen = settings(server)
    boxes += [Box(tmp_path, "one", chosen), Box(tmp_path, "two", chosen)]
    wait_for(lambda: shared(*boxes), WAIT_S)
    boxes.append(Box(tmp_path, "three", chosen))
    wait_for(lambda: shared(*boxes), WAIT_S)
    boxes[0].kill()
    wait_for(lambda: shared(*boxes[1:]), WAIT_S)
    # In order it gives its cameras back at once.
    boxes[1].end()
    wait_for(lambda: shared(boxes[2]), WAIT_S)
    assert overlaps(boxes) == []


def test_a_box_that_was_stopped_for_long_does_not_go_on_with_what_others_have(
    server: NatsServer, boxes: list[Box], tmp_path: Path
) -> None:
    chosen = settings(server)
    boxes += [Box(tmp_path, "one", chosen), Box(tmp_path, "two", chosen)]
    wait_for(lambda: shared(*boxes), WAIT_S)
    boxes[0].signal(signal.SIGSTOP)
    wait_for(lambda: boxes[1].owned == set(CAMERAS), WAIT_S)
    boxes[0].signal(signal.SIGCONT)
    wait_for(lambda: shared(*boxes), WAIT_S)
    assert overlaps(boxes) == []


def test_a_server_that_comes_back_without_memory_gives_no_camera_away_twice(
    server: NatsServer, boxes: list[Box], tmp_path: Path
) -> None:
    chosen = settings(server)
    boxes += [Box(tmp_path, "one", chosen), Box(tmp_path, "two", chosen)]
    wait_for(lambda: shared(*boxes), WAIT_S)
    server.kill()
    server.start()
    # A box that knows nothing of what was before.
    boxes.append(Box(tmp_path, "three", chosen))
    wait_for(lambda: shared(*boxes), WAIT_S)
    server.kill()
    wait_for(lambda: not any(box.owned for box in boxes), WAIT_S)
    server.start()
    wait_for(lambda: shared(*boxes), WAIT_S)
    assert overlaps(boxes) == []


def test_a_box_may_keep_its_cameras_while_the_server_is_away(server: NatsServer) -> None:
    told: list[frozenset[str]] = []
    leases = Leases(settings(server, away="keep"), "one", CAMERAS, told.append)
    leases.start()
    try:
        wait_for(lambda: leases.owned() == set(CAMERAS), WAIT_S)
        server.kill()
        wait_for(lambda: leases.why, WAIT_S)
        ends = max(lease.until for lease in leases._held._leases.values())
        import time

        wait_for(lambda: time.monotonic() > ends, WAIT_S)
        assert leases.owned() == set(CAMERAS)
        server.start()
        wait_for(lambda: not leases.why, WAIT_S)
        wait_for(lambda: leases.owned() == set(CAMERAS), WAIT_S)
        leases.use(CAMERAS[:3])
        wait_for(lambda: leases.owned() == set(CAMERAS[:3]), WAIT_S)
    finally:
        leases.stop()
    assert leases.owned() == frozenset() and told[-1] == frozenset()


def test_without_leases_in_the_configuration_there_are_none() -> None:
    pytest.importorskip("nats")
    from huoyan.errors import ConfigError

    with pytest.raises(ConfigError, match="no leases are configured"):
        Leases(Nats(), "one", CAMERAS)
