"""A small county with a gate, passages as its cameras would tell them, and a gate process to kill."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from huoyan.config import LoadedConfig
from huoyan.gate import codec
from huoyan.gate.book import Book
from huoyan.passage import Direction, Passage, PlateReading, passage_id

TOKEN = "a-token-of-the-tests"
BEGIN = datetime(2026, 3, 24, 2, 0, tzinfo=UTC)
"""10:00 in the county."""
VEHICLES = """\
plate,colour,kind,company,permit,valid_from,valid_to,sites,trips,corridors,hours,load_kg,tare_kg,note
浙D3C916,yellow,muck_truck,一公司,ZT-1,2026-01-01,2026-12-31,tip,,,,18000,12000,
浙D8L206,yellow,muck_truck,一公司,ZT-2,2026-01-01,2026-12-31,tip,,,,18000,12000,
浙D7G358,yellow,muck_truck,二公司,ZT-3,2026-01-01,2026-12-31,tip,,,,18000,12000,
浙D9H137,yellow,muck_truck,二公司,ZT-4,2025-01-01,2025-12-31,tip,,,,18000,12000,
"""
ZONES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"id": "tip", "name": "消纳场", "kind": "disposal_site"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    [[120.9, 29.5], [120.902, 29.5], [120.902, 29.502], [120.9, 29.502], [120.9, 29.5]]
                ],
            },
        }
    ],
}
GATE = """\
county: {name: 试验县, timezone: Asia/Shanghai, data: state}
registry: {zones: zones.geojson, vehicles: vehicles.csv}
gates:
  - id: north
    site: tip
    position: [120.9, 29.5]
    cameras:
      - {id: gate-in, source: "rtsp://127.0.0.1/in", line: [[0, 500], [1000, 500]]}
      - {id: gate-out, source: "rtsp://127.0.0.1/out", line: [[0, 500], [1000, 500]]}
    scale: {device: scale-1, within: 60s}
    wash: {device: wash-1, within: 10m, seconds: 20, needed: leave}
    smart: [{device: smart-1, enter: ["1"], leave: ["2"]}]
"""


def write_county(folder: Path, intake: str = "", *, live: bool = True) -> Path:
    """A county with one gate in a folder; returns its configuration.

    Not `live`: its cameras are files, so time is what passages and messages tell.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vehicles.csv").write_text(VEHICLES, encoding="utf-8")
    (folder / "zones.geojson").write_text(json.dumps(ZONES), encoding="utf-8")
    path = folder / "county.yaml"
    gate = GATE if live else GATE.replace("rtsp://127.0.0.1/", "")
    path.write_text(gate + intake, encoding="utf-8")
    return path


def passage(
    plate: str,
    at: datetime,
    direction: Direction = "enter",
    *,
    camera: str | None = None,
    confidence: float = 0.99,
    ended: bool = True,
    **more: Any,
) -> Passage:
    """A truck over the line at a moment; an empty plate is an unreadable one."""
    camera = camera or ("gate-in" if direction != "leave" else "gate-out")
    reading = PlateReading(
        plate, plate, "yellow", "yellow_double", confidence, (confidence,) * len(plate), 0.99, 9, 8
    )
    first = at - timedelta(seconds=3)
    values: dict[str, Any] = {
        "crossed": at if direction != "unknown" else None,
        "dwell_s": 0.0,
        "looks": 9,
        "ended": ended,
        **more,
    }
    return Passage(
        passage_id(camera, first, 1),
        camera,
        "dump_truck",
        first,
        at + timedelta(seconds=2),
        reading if plate else PlateReading(why="too small"),
        direction,
        **values,
    )


def weighing(number: int, at: datetime, kg: float, plate: str = "", **more: Any) -> dict[str, Any]:
    body = {"message_id": f"s{number}", "device_id": "scale-1", "time": at.isoformat(), "kg": kg}
    return {**body, **({"plate": plate} if plate else {}), **more}


def washing(number: int, at: datetime, seconds: float, plate: str = "", **more: Any) -> dict[str, Any]:
    body = {"message_id": f"w{number}", "device_id": "wash-1", "time": at.isoformat(), "seconds": seconds}
    return {**body, **({"plate": plate} if plate else {}), **more}


def push(number: int, at: datetime, plate: str, **more: Any) -> dict[str, Any]:
    """A GA/T 1400 push of one passage; its clock is the county's."""
    local = at.astimezone(UTC) + timedelta(hours=8)
    vehicle = {
        "MotorVehicleID": f"m{number}",
        "DeviceID": "smart-1",
        "PassTime": f"{local:%Y%m%d%H%M%S}",
        "PlateNo": plate,
        "PlateColor": "6",
        "PlateReliability": "93",
        "VehicleClass": "H11",
        "Direction": "1",
        **more,
    }
    return {"MotorVehicleListObject": {"MotorVehicleObject": [vehicle]}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(
    port: int, path: str, body: object, token: str | None = TOKEN, timeout: float = 10.0
) -> tuple[int, Any]:
    """Status and JSON answer of a POST; status 0 if nobody answers."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return int(answer.status), json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except (OSError, http.client.HTTPException):
        # Nobody there, or killed while it answered.
        return 0, None


class Recorded:
    """A camera that tells the passages of a growing file, a line each: what a real one's would be."""

    def __init__(self, path: Path, give: Callable[[Passage], None]) -> None:
        self.silence = ""
        self.at: datetime | None = None
        self._path, self._give = path, give
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        told = 0
        while not self._stopping.wait(0.02):
            lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
            for line in lines[told:]:
                self._give(codec.passage(line))
            told = len(lines)


def recorded_cameras(loaded: LoadedConfig, give: Callable[[Passage], None]) -> dict[str, Any]:
    return {"gate-in": Recorded(loaded.base / "passages.jsonl", give)}


def tell(folder: Path, *passages: Passage) -> None:
    """Let the recorded camera tell passages."""
    with (folder / "passages.jsonl").open("a", encoding="utf-8") as file:
        for one in passages:
            file.write(codec.passage_text(one) + "\n")


@contextmanager
def gate_process(config: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A gate in a process of its own, ready; killed at the end if it still runs."""
    process = start_gate(config, **environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)


def start_gate(config: Path, **environment: str) -> subprocess.Popen[str]:
    out, told = config.parent / "out.txt", config.parent / f"told-{time.monotonic_ns()}.txt"
    with out.open("a", encoding="utf-8") as stdout, told.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, __file__, str(config)],
            stdout=stdout,
            stderr=stderr,
            text=True,
            env={**os.environ, "HUOYAN_GATE_TOKEN": TOKEN, **environment},
        )
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if any(line.startswith("ready") for line in told.read_text(encoding="utf-8").splitlines()):
            return process
        time.sleep(0.02)
    process.kill()
    process.wait(10)
    raise AssertionError(f"the gate did not start: {told.read_text(encoding='utf-8')}")


def wait_for(condition: Callable[[], Any], timeout: float = 20.0) -> Any:
    """What a condition gives as soon as that is true."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout} s")


def latest_entries(book: Book) -> dict[str, dict[str, Any]]:
    """The log's last word on each event."""
    from huoyan.gate import log

    return {entry["event_id"]: entry for entry in log.entries(book.connection)}


def main(config: Path) -> None:
    import logging

    from huoyan import config as configuration
    from huoyan.runs.gate import run

    logging.basicConfig(level=logging.INFO)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run(
        configuration.load(config),
        stop=stop,
        told=lambda decided: print(decided.seconds, decided.event.outcome, flush=True),
        ready=lambda addresses: print("ready", addresses, file=sys.stderr, flush=True),
        cameras=recorded_cameras,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
