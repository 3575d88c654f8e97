"""The process that finds faces: renewed before it has eaten the memory, and never in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from huoyan.alerts import faces
from huoyan.alerts.faces import Finder

pytestmark = pytest.mark.skipif(
    not faces.can_find(), reason="the face detector comes for Linux on x86-64 only"
)
WIDTH, HEIGHT = 320, 240
GREY = bytes([128]) * (3 * WIDTH * HEIGHT)


@pytest.fixture
def finder() -> Iterator[Finder]:
    made = Finder(calls=3)
    yield made
    made.close()


def pid(finder: Finder) -> int:
    assert finder._process is not None
    return finder._process.pid


def test_it_is_replaced_after_so_many_pictures(finder: Finder) -> None:
    seen = []
    for _ in range(7):
        assert finder.find(WIDTH, HEIGHT, GREY) == []
        seen.append(pid(finder))
    assert seen[0] == seen[2] and seen[3] == seen[5] and len(set(seen)) == 3
    for gone in set(seen[:6]):
        with pytest.raises(ProcessLookupError):
            os.kill(gone, 0)


def test_one_that_was_killed_is_started_again_for_the_same_picture(finder: Finder) -> None:
    finder.find(WIDTH, HEIGHT, GREY)
    os.kill(pid(finder), signal.SIGKILL)
    assert finder.find(WIDTH, HEIGHT, GREY) == []


def test_where_it_never_answers_the_whole_picture_is_hidden(
    finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces.sys, "executable", "/bin/false")
    assert finder.find(WIDTH, HEIGHT, GREY) == [(0.0, 0.0, WIDTH, HEIGHT, 100.0)]


def test_one_that_hangs_is_ended(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    finder.find(WIDTH, HEIGHT, GREY)
    monkeypatch.setattr(faces, "_WAIT_S", 2.0)
    os.kill(pid(finder), signal.SIGSTOP)
    noise = np.random.default_rng(0).integers(0, 255, 3 * WIDTH * HEIGHT, dtype=np.uint8).tobytes()
    stopped = pid(finder)
    finder.find(WIDTH, HEIGHT, noise)
    assert pid(finder) != stopped


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    program = (
        "from huoyan.alerts.faces import finder; import time;"
        f"finder.find({WIDTH}, {HEIGHT}, bytes({len(GREY)})); print(finder._process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 30
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < end, "it lives on"
        time.sleep(0.05)
