"""What reading many cameras costs: processor time, memory, and how many of the due pictures were taken.

Plays video files over RTSP from this machine (see serve_rtsp.py), or reads streams that are already served:

    python scripts/bench_ingest.py --cameras 214 --seconds 60 640x360-gop50-*.mp4
    python scripts/bench_ingest.py --cameras 214 --address rtsp://127.0.0.1:8554/cam{:03}
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from huoyan.config_watch import Logins
from huoyan.ingest.handle import Ingest
from huoyan.sample import CameraEvent, CameraPlan, Cameras, Report, Sample, Tally

SERVER = Path(__file__).with_name("serve_rtsp.py")


class Book:
    """What the reader said."""

    def __init__(self) -> None:
        self.tallies: list[Tally] = []
        self.passed: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.lags: list[float] = []
        self.decode: list[float] = []
        self.live: set[str] = set()

    def take(self, report: Report) -> None:
        if isinstance(report, Sample):
            self.passed[report.passed or "-"] += 1
            self.lags.append(time.monotonic() - report.clock)
            self.decode.append(report.decode_s)
        elif isinstance(report, Tally):
            self.tallies.append(report)
        elif isinstance(report, CameraEvent):
            self.states[f"{report.state} {report.code}".strip()] += 1
            (self.live.add if report.state == "live" else self.live.discard)(report.camera)


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measured(address: str, cameras: int, every_s: float, seconds: float) -> dict[str, object]:
    """Read so many cameras and tell what it took, after all of them are live."""
    book = Book()
    ingest = Ingest("ingest-0", Logins(at_once=32, per_host=32, rate=100), book.take)
    ingest.tell(Cameras(tuple(CameraPlan(f"c{n:03}", address.format(n), every_s) for n in range(cameras))))
    began = time.monotonic()
    ingest.start()
    while len(book.live) < cameras and time.monotonic() - began < 120:
        time.sleep(0.1)
    all_live_s = time.monotonic() - began
    time.sleep(5 * every_s)
    first = book.tallies[-1]
    book.passed.clear()
    book.lags.clear()
    book.decode.clear()
    time.sleep(seconds)
    last, rss = book.tallies[-1], memory_mb(ingest.pid)
    ingest.stop(10.0)
    took = last.clock - first.clock
    due = sum(last.due.values()) - sum(first.due.values())
    taken = sum(last.taken.values()) - sum(first.taken.values())
    lags = sorted(book.lags)
    return {
        "cameras": cameras,
        "all_live_s": round(all_live_s, 1),
        "cores": round((last.cpu_s - first.cpu_s) / took, 3),
        "rss_mb": round(rss),
        "threads": last.threads,
        "due_per_s": round(due / took, 1),
        "taken_of_due": round(taken / due, 4),
        "dropped": last.dropped - first.dropped,
        "decode_and_gate_ms": round(1000 * sum(book.decode) / max(1, len(book.decode)), 2),
        "lag_p50_s": round(lags[len(lags) // 2], 3) if lags else None,
        "lag_p99_s": round(lags[len(lags) * 99 // 100], 3) if lags else None,
        "passed": dict(book.passed),
        "states": dict(book.states),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--address", help="with {} where the camera's number belongs")
    parser.add_argument("--cameras", type=int, default=214)
    parser.add_argument("--every", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--python", default="/usr/bin/python3", help="which has GStreamer")
    options = parser.parse_args()
    if options.address:
        print(json.dumps(measured(options.address, options.cameras, options.every, options.seconds)))
        return
    if not options.files:
        sys.exit("give video files, or --address")
    files = [str(file) for file in options.files]
    command = [
        options.python,
        str(SERVER),
        "--port",
        "0",
        "--copies",
        str(options.cameras),
        "--shared",
        *files,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().split()[1]
        address = f"rtsp://127.0.0.1:{port}/cam{{:03}}"
        print(json.dumps(measured(address, options.cameras, options.every, options.seconds)))
        server.kill()


if __name__ == "__main__":
    main()
