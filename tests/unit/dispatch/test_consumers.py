"""Several consumers at once: no alert is held twice, none is left."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from huoyan import dispatch
from huoyan.dispatch import queue

ALERTS = 60


def consume(folder: Path, owner: str, now: datetime, together: Any, taken: Any) -> None:
    """Lease and acknowledge until nothing is left."""
    connection = dispatch.open_queue(folder)
    together.wait()
    while leased := queue.lease(connection, owner, now, seconds=600, limit=2):
        for item in leased:
            taken.append((item.alert_id, owner))
        queue.ack(connection, [item.alert_id for item in leased], owner, now)
    connection.close()


def check(connection: sqlite3.Connection, taken: list[tuple[str, str]]) -> None:
    counts = Counter(alert_id for alert_id, _ in taken)
    assert len(counts) == ALERTS and set(counts.values()) == {1}
    assert connection.execute("SELECT count(*) FROM queue WHERE state != 'acked'").fetchone() == (0,)


def test_threads(
    connection: sqlite3.Connection, state: Path, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(*(make_alert(str(n)) for n in range(ALERTS)))
    taken: list[tuple[str, str]] = []
    together = threading.Barrier(4)
    crew = [
        threading.Thread(target=consume, args=(state, f"crew-{n}", now, together, taken)) for n in range(4)
    ]
    for member in crew:
        member.start()
    for member in crew:
        member.join(60)
    check(connection, taken)


WORKER = """
import sys
from datetime import datetime
from pathlib import Path
from huoyan import dispatch
from huoyan.dispatch import queue
folder, owner, now = Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3])
connection = dispatch.open_queue(folder)
print("open", flush=True)
sys.stdin.readline()
while leased := queue.lease(connection, owner, now, seconds=600, limit=2):
    for item in leased:
        print(item.alert_id)
    queue.ack(connection, [item.alert_id for item in leased], owner, now)
"""


def test_processes(
    connection: sqlite3.Connection, state: Path, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(*(make_alert(str(n)) for n in range(ALERTS)))
    pipe = subprocess.PIPE
    crew = {
        owner: subprocess.Popen(
            [sys.executable, "-c", WORKER, str(state), owner, now.isoformat()],
            stdin=pipe,
            stdout=pipe,
            text=True,
        )
        for owner in ("wang", "li")
    }
    for member in crew.values():
        assert member.stdout is not None
        assert member.stdout.readline() == "open\n"
    taken: list[tuple[str, str]] = []
    for member in crew.values():
        assert member.stdin is not None
        member.stdin.write("go\n")
        member.stdin.flush()
    for owner, member in crew.items():
        told, _ = member.communicate(timeout=60)
        assert member.returncode == 0
        taken += [(alert_id, owner) for alert_id in told.split()]
    check(connection, taken)
