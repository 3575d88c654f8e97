"""A child process is listened to, restarted when it dies or hangs, and ends with its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from huoyan.child import Child, receive, stop_all


def echo(connection: Connection, prefix: str) -> None:
    while True:
        connection.send(f"{prefix}{receive(connection)}")


def hang(connection: Connection) -> None:
    connection.send(os.getpid())
    os.kill(os.getpid(), signal.SIGSTOP)


def farewell(connection: Connection) -> None:
    connection.send("well")
    with contextlib.suppress(EOFError):
        receive(connection)
    connection.send("bye")


def until(condition: Callable[[], object], child: Child | None = None, wait_s: float = 30.0) -> None:
    end = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        if child is not None:
            child.check()
        time.sleep(0.02)


@pytest.fixture
def heard() -> list[object]:
    return []


def test_it_answers_and_ends_without_leaving_threads(heard: list[object]) -> None:
    before = threading.active_count()
    child = Child("echo", echo, ("> ",), heard.append, greeting=lambda: ["hello"])
    child.start()
    assert child.send("again")
    until(lambda: len(heard) == 2)
    assert heard == ["> hello", "> again"]
    child.stop()
    assert not child.alive
    assert not child.send("too late")
    assert threading.active_count() == before


def test_all_are_asked_before_one_that_hangs_is_waited_for(heard: list[object]) -> None:
    stopped: list[object] = []
    children = [
        Child("hangs", hang, (), stopped.append),
        Child("ends", farewell, (), heard.append),
    ]
    for child in children:
        child.start()
    until(lambda: stopped and heard)
    stop_all(children, 3.0)
    assert heard == ["well", "bye"]
    assert not any(child.alive for child in children)


def test_one_that_is_killed_is_started_again_and_greeted(heard: list[object]) -> None:
    child = Child("echo", echo, ("",), heard.append, greeting=lambda: ["hello"])
    child.start()
    until(lambda: heard)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: len(heard) == 2, child)
    assert child.restarts == 1
    assert child.pid not in (0, first)
    child.stop()


def test_one_that_hangs_is_ended_and_never_blocks_who_sends(heard: list[object]) -> None:
    child = Child("hang", hang, (), heard.append, silent_s=0.3)
    child.start()
    until(lambda: heard)
    # More than any pipe holds: the sending thread is stuck, this one is not.
    assert not all(child.send(b"x" * 1_000_000) for _ in range(50))
    until(lambda: len(set(heard)) == 2, child)
    child.stop(0.2)
    assert not child.alive


def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_child
from huoyan.child import Child
heard = []
child = Child("hang", test_child.hang, (), heard.append)
if __name__ == "__main__":
    child.start()
    while not heard:
        time.sleep(0.02)
    print(heard[0], flush=True)
    time.sleep(60)
"""
    script = tmp_path / "parent.py"
    script.write_text(program)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
