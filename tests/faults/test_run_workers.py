"""Worker processes that die, that outlive nobody, and that are stopped from a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..support.county import write_county
from ..support.running import frames_done, huoyan, start, told

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to find processes")
PATIENCE_S = 120.0
FRAMES = 400


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def workers_of(parent: int) -> list[int]:
    """Pool workers below a process, by the command line of `multiprocessing.spawn`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "cmdline").read_bytes()
            above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if above == parent and b"spawn_main" in line:
            found.append(int(entry.name))
    return found


def gone(process: int) -> bool:
    """Ended, though perhaps not yet collected by whoever inherits it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_county(tmp_path_factory.mktemp("county"), ("cam-1", "cam-2"), frames=FRAMES // 2)


@pytest.fixture
def running(county: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A scan with two workers into `tmp_path`, in a process group of its own, that has written something down."""
    process = start("scan", county, "--state", tmp_path, "--workers", 2, start_new_session=True)
    try:
        assert until(lambda: frames_done(tmp_path) > 0 or process.poll() is not None)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_workers_end_with_a_killed_run(running: subprocess.Popen[str]) -> None:
    workers = workers_of(running.pid)
    assert len(workers) == 2
    running.kill()
    running.communicate()
    assert until(lambda: all(gone(worker) for worker in workers))


def test_a_killed_worker_is_told_and_nothing_is_lost(running: subprocess.Popen[str], tmp_path: Path) -> None:
    os.kill(workers_of(running.pid)[0], signal.SIGKILL)
    _, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1
    assert "a worker process died" in errors and "goes on where it stopped" in errors
    assert "Traceback" not in errors
    assert 0 < len(told(tmp_path).frames) < FRAMES


def test_ctrl_c_stops_the_pool_at_once(running: subprocess.Popen[str], tmp_path: Path) -> None:
    workers = workers_of(running.pid)
    # A terminal sends the signal to every process of the group.
    os.killpg(running.pid, signal.SIGINT)
    output, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 130
    assert "interrupted" in output
    assert errors == ""
    assert workers and all(gone(worker) for worker in workers)
    assert 0 < len(told(tmp_path).frames) < FRAMES


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_model(workers: int, tmp_path: Path) -> None:
    config = write_county(tmp_path, frames=3)
    model = tmp_path / "models" / "colours.onnx"
    model.write_bytes(model.read_bytes()[:500])
    done = huoyan("scan", config, "--workers", workers)
    assert done.returncode == 4
    assert done.stderr.startswith("error: ") and "colours.onnx" in done.stderr
    assert done.stderr.count("\n") == 1, "one line, no traceback"
