"""Running the command as a user does, and reading what a state holds afterwards."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "huoyan.cli.main")
# One thread each, and no variable of the caller that changes what the terminal shows.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "160"}


def huoyan(*arguments: object, cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `huoyan` to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=ENVIRONMENT,
        timeout=300,
        **options,
    )


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start `huoyan` and return at once."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    # What a shell starts in the background ignores Ctrl-C, tests included; a terminal's command does not.
    pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=ENVIRONMENT, **pipes)


def kill_when(
    process: subprocess.Popen[str],
    done: Callable[[], int],
    aim: int,
    delay_s: float,
    patience_s: float = 120.0,
) -> bool:
    """Kill a scan `delay_s` after it has written down `aim` of what `done` counts; False if it ended before."""
    until = time.monotonic() + patience_s
    while process.poll() is None and done() < aim and time.monotonic() < until:
        time.sleep(0.005)
    try:
        process.wait(delay_s)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Told:
    """All that counts of a state: alerts by id as on the queue, in the outbox, frames, incidents, memory."""

    queue: list[tuple[str, dict[str, Any]]]
    outbox: list[tuple[str, int]]
    """Alert ids in the order of telling, and whether each was sent."""
    frames: set[str]
    incidents: list[tuple[str, str, str]]
    memory: dict[str, str]

    @property
    def ids(self) -> list[str]:
        return [alert_id for alert_id, _ in self.queue]


def told(state: Path) -> Told:
    """Read a state's database without changing it."""
    connection = sqlite3.connect(f"file:{state / 'huoyan.db'}?mode=ro", uri=True)
    try:
        return Told(
            [
                (row[0], json.loads(row[1]))
                for row in connection.execute("SELECT alert_id, document FROM queue ORDER BY alert_id")
            ],
            list(connection.execute("SELECT alert_id, sent_ms IS NOT NULL FROM outbox ORDER BY seq")),
            {row[0] for row in connection.execute("SELECT frame_id FROM frames_done")},
            list(
                connection.execute("SELECT incident_id, status, document FROM incidents ORDER BY incident_id")
            ),
            dict(connection.execute("SELECT key, value FROM memory")),
        )
    finally:
        connection.close()


def frames_done(state: Path) -> int:
    """How many frames a run that goes on has written down; 0 where there is no database yet."""
    try:
        connection = sqlite3.connect(f"file:{state / 'huoyan.db'}?mode=ro", uri=True, timeout=0.2)
        try:
            return int(connection.execute("SELECT count(*) FROM frames_done").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def lives(pid: int) -> bool:
    """Whether a process is there and not dead already."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
