"""The gate at a real RTSP camera: it takes passages from it, sits out its death, and goes on when it is back.

The film is one truck of the sample gate, cut out without encoding it again and played in an endless loop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import pytest

from huoyan.config import load
from huoyan.gate import log
from huoyan.gate.book import DATABASE, open_book
from huoyan.runs import gate, gate_watch

from ..support import rtsp
from ..support.gates import TOKEN, free_port, latest_entries, post, wait_for, weighing, write_county

PLATE = "浙D3C916"
BEGIN_S, END_S = 15.0, 23.2
"""Between these key frames one truck comes into view, crosses the line and leaves."""
PATIENCE_S = 180
CAMERAS = """\
    cameras:
      - {{id: gate-in, source: "rtsp://127.0.0.1:{port}/truck", line: [[542, 600], [1538, 649]], size: [1920, 1080]}}
    scale: {{device: scale-1, within: 3s}}
intake:
  http: {{listen: "127.0.0.1:{http}"}}
"""


@pytest.fixture
def film(samples: Path, tmp_path: Path) -> Path:
    path = tmp_path / "truck.mp4"
    with av.open(str(samples / "gate/gate-in.mp4")) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        assert stream.time_base is not None
        begin, end = (round(s / stream.time_base) for s in (BEGIN_S, END_S))
        inside = [p for p in source.demux(stream) if p.pts is not None and begin <= p.pts < end]
        times = sorted(packet.pts for packet in inside)
        # The time of decoding reaches back into the pause before the truck; here it goes on like that of showing.
        delay = 2 * (times[1] - times[0])
        for packet, time_of_decoding in zip(inside, times, strict=True):
            packet.pts, packet.dts = packet.pts - begin + delay, time_of_decoding - begin
            packet.stream = copy
            target.mux(packet)
    return path


@pytest.fixture
def camera(film: Path) -> Iterator[rtsp.Server]:
    with rtsp.Server([film]) as server:
        yield server


def county(folder: Path, camera: int, http: int) -> Path:
    """A gate with that camera and a scale; its trucks are approved for as long as anybody runs this."""
    path = write_county(folder)
    text = path.read_text(encoding="utf-8").partition("    cameras:")[0]
    path.write_text(text + CAMERAS.format(port=camera, http=http), encoding="utf-8")
    register = folder / "vehicles.csv"
    register.write_text(register.read_text(encoding="utf-8").replace("2026-12-31", "2199-12-31"), "utf-8")
    return path


def entries(state: Path) -> list[dict[str, Any]]:
    if not (state / DATABASE).exists():
        return []
    with open_book(state, read_only=True) as book:
        return sorted(latest_entries(book).values(), key=lambda entry: entry["time"])


def test_a_camera_over_rtsp_that_dies_and_comes_back(
    tmp_path: Path, camera: rtsp.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUOYAN_GATE_TOKEN", TOKEN)
    monkeypatch.setattr(gate_watch, "SILENT_S", 3.0)
    http = free_port()
    loaded = load(county(tmp_path / "county", camera.port, http))
    state, stop = loaded.state, threading.Event()
    results: list[gate.GateResult] = []
    thread = threading.Thread(target=lambda: results.append(gate.run(loaded, stop=stop)), daemon=True)

    def seen(after: datetime | None = None) -> list[dict[str, Any]]:
        """Trucks that the camera told of, whose plate is read."""
        found = [e for e in entries(state) if e["passages"] and e["plate"]]
        return [e for e in found if after is None or datetime.fromisoformat(e["time"]) > after]

    thread.start()
    try:
        wait_for(seen, PATIENCE_S)
        camera.kill()
        # What was on its way is looked at; then nothing comes any more.
        time.sleep(2 * gate_watch.SILENT_S)
        died, before = datetime.now(UTC), len(entries(state))
        # A truck that nobody has approved is on the scale, and the camera is dead.
        body = weighing(1, datetime.now(UTC), 30100, "浙A55555")
        assert wait_for(lambda: post(http, "/v1/weighing", body)[0], PATIENCE_S) in (200, 201)
        wait_for(lambda: len(entries(state)) == before + 1, PATIENCE_S)
        camera.start()
        wait_for(lambda: seen(died), PATIENCE_S)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive() and results

    found = entries(state)
    (unseen,) = [entry for entry in found if not entry["passages"]]
    # Silence is unknown, never guilty: nobody is held, and what is missing is told.
    assert (unseen["outcome"], unseen["reasons"], unseen["plate"]) == ("review", [], "浙A55555")
    assert unseen["unknown"] == ["gate-in: no frame comes"]
    trucks = [entry for entry in found if entry["plate"] == PLATE]
    assert len(trucks) >= 2 and len({tuple(entry["passages"]) for entry in trucks}) == len(trucks)
    for entry in trucks:
        assert (entry["outcome"], entry["direction"], entry["reasons"]) == ("open", "enter", []), entry["why"]
        assert "scale-1: no weighing of this vehicle" in entry["unknown"]
    # Frames of a stream cannot be asked for again, so those that show a truck are kept.
    assert list((state / gate_watch.FRAMES).glob("*/*.jpg"))
    with open_book(state, read_only=True) as book:
        assert log.verify(book.connection, state)[1] == []
