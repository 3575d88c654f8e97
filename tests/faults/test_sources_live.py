"""Streams that stall, break off, come back, are not there: the reader gives up in time, tries again, can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from huoyan.records import Frame, Skip
from huoyan.sources import live as live_source
from huoyan.sources.live import LiveFrames, Patience, is_live, without_password

from ..support.cameras import web

QUICK = Patience(open_s=2.0, first_s=2.0, read_s=1.0, pause_s=0.2, longest_pause_s=0.4)


def video(path: Path, seconds: float = 3.0, rate: int = 10) -> Path:
    """Pictures of noise, so that half of the stream is half of the pictures, as a transport stream."""
    rng = np.random.default_rng(3)
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.options = {"g": str(rate), "bf": "0", "tune": "zerolatency", "sc_threshold": "0"}
        for _ in range(round(seconds * rate)):
            image = rng.integers(0, 256, (96, 160, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


class Camera:
    """A server of one video: what it does at each connection is told in `acts`, the last for all further ones."""

    def __init__(self, data: bytes, acts: list[str]) -> None:
        self.data, self.acts, self.calls = data, acts, 0
        self.release = threading.Event()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        act = self.acts[min(self.calls, len(self.acts) - 1)]
        self.calls += 1
        if act == "refuse":
            handler.send_error(503)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "video/mp2t")
        handler.end_headers()
        if act == "silent":
            self.release.wait(20)
            return
        half = len(self.data) // 2 // 188 * 188
        handler.wfile.write(self.data[:half])
        handler.wfile.flush()
        if act == "stall":
            self.release.wait(20)
        elif act == "whole":
            handler.wfile.write(self.data[half:])


@contextmanager
def served(camera: Camera) -> Iterator[str]:
    with web(camera.answer) as host:
        try:
            yield f"http://user:secret@{host}/live.ts"
        finally:
            # Before the server waits for what it still answers.
            camera.release.set()


def watch(live: LiveFrames, until: float, enough: int = 10**9) -> tuple[list[Frame], list[Skip]]:
    """Frames and skips until so many seconds have passed or so many of both have come."""
    frames, skips = [], []
    end = time.monotonic() + until
    for item in live:
        if isinstance(item, Frame):
            frames.append(item)
        elif item is not None:
            skips.append(item)
        if time.monotonic() > end or len(frames) + len(skips) >= enough:
            live.stop()
    return frames, skips


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return video(tmp_path_factory.mktemp("live") / "live.ts").read_bytes()


def test_a_stream_that_breaks_off_is_opened_again_and_times_go_on(data: bytes) -> None:
    with served(Camera(data, ["half", "whole"])) as address:
        live = LiveFrames(address, "gate", 0.1, QUICK, waiting=100)
        frames, skips = watch(live, 20, enough=35)
    assert live.connections >= 2
    assert {skip.code for skip in skips} == {"live_lost"}
    times = [frame.ref.time for frame in frames]
    assert times == sorted(times)
    assert len({frame.ref.frame_id for frame in frames}) == len(frames)
    assert frames[0].image().shape == (96, 160, 3)
    assert all(frame.ref.time_from == "stream" for frame in frames)


def test_the_password_is_in_no_message_and_in_no_frame(data: bytes) -> None:
    with served(Camera(data, ["half", "refuse"])) as address:
        frames, skips = watch(LiveFrames(address, "gate", 0.1, QUICK, waiting=100), 20, enough=18)
    assert frames and len(skips) >= 2
    assert skips[-1].code == "live_closed"
    assert all("secret" not in skip.reason + skip.path for skip in skips)
    assert all("secret" not in frame.ref.path for frame in frames)


def test_a_stall_is_given_up_at_its_deadline(data: bytes) -> None:
    with served(Camera(data, ["stall", "whole"])) as address:
        began = time.monotonic()
        _, skips = watch(LiveFrames(address, "gate", 0.1, QUICK, waiting=100), 20, enough=25)
    assert skips[0].code == "live_lost"
    assert time.monotonic() - began < 15


def test_a_camera_that_says_nothing_does_not_hold_the_reader(data: bytes) -> None:
    with served(Camera(data, ["silent"])) as address:
        live = LiveFrames(address, "gate", 0.1, QUICK)
        frames, skips = watch(live, 20, enough=2)
    assert not frames
    assert [skip.code for skip in skips] == ["live_closed"] * 2
    assert live.age_s > 0


@pytest.mark.parametrize("when", ["before", "opening", "waiting", "running"])
def test_stop_is_legal_from_every_state(data: bytes, when: str) -> None:
    act = {"before": "whole", "opening": "silent", "waiting": "refuse", "running": "whole"}[when]
    with served(Camera(data, [act])) as address:
        live = LiveFrames(address, "gate", 0.1, Patience(open_s=3, first_s=3, read_s=3, pause_s=30))
        if when == "before":
            live.stop()
        else:
            threading.Timer(0.8, live.stop).start()
        began = time.monotonic()
        list(live)
        assert time.monotonic() - began < 3
        live.stop()


def test_nothing_there_is_told_again_and_again_with_longer_pauses() -> None:
    began = time.monotonic()
    _, skips = watch(LiveFrames("http://127.0.0.1:9/nothing", "gate", 0.1, QUICK), 20, enough=3)
    assert [skip.code for skip in skips] == ["live_closed"] * 3
    assert 0.14 + 0.28 <= time.monotonic() - began < 15


def test_who_is_slow_loses_the_oldest_and_they_are_counted(tmp_path: Path) -> None:
    path = video(tmp_path / "v.ts", 3.0)
    live = LiveFrames(str(path), "gate", 0.1, pace=True, waiting=2)
    seen = []
    for item in live:
        if isinstance(item, Frame):
            seen.append(item)
            time.sleep(0.4)
    assert live.late > 0
    assert len(seen) + live.late == 30
    times = [frame.ref.time for frame in seen]
    assert times == sorted(times)


def test_a_file_is_played_at_its_own_speed_once(tmp_path: Path) -> None:
    path = video(tmp_path / "v.ts", 2.0)
    start = datetime(2026, 5, 1, tzinfo=UTC)
    live = LiveFrames(str(path), "gate", 0.2, pace=True, waiting=50, now=lambda: start)
    began = time.monotonic()
    frames = [item for item in live if isinstance(item, Frame)]
    assert time.monotonic() - began >= 1.7
    assert len(frames) == 10
    steps = {b.ref.time - a.ref.time for a, b in pairwise(frames)}
    assert all(timedelta(seconds=0.19) < step < timedelta(seconds=0.21) for step in steps)
    assert live.connections == 1


def test_addresses() -> None:
    assert is_live("rtsp://10.0.0.4/1") and is_live("HTTP://x/y.flv")
    assert not is_live("/data/gate.mp4")
    assert without_password("rtsp://admin:p@ss@10.0.0.4/1") == "rtsp://***@10.0.0.4/1"
    assert without_password("http://10.0.0.4/1") == "http://10.0.0.4/1"


def test_who_decodes_too_slowly_passes_over_pictures_and_they_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten pictures a second, each of which takes 0.15 s: after ten seconds it would be five behind."""
    decode, late_s = live_source._decoded, []
    began: list[float] = []

    def slow(packet: Any) -> list[Any]:
        began.append(time.monotonic())
        if not packet.is_keyframe and packet.pts is not None:
            stamp = float((packet.pts - first) * packet.time_base)
            late_s.append(began[-1] - began[0] - stamp)
        time.sleep(0.15)
        return list(decode(packet))

    path = video(tmp_path / "long.ts", 10.0)
    with av.open(str(path)) as container:
        first = next(container.demux(video=0)).pts
    monkeypatch.setattr(live_source, "_decoded", slow)
    with served(Camera(path.read_bytes(), ["whole"])) as address:
        live = LiveFrames(address, "road", 0.1, QUICK, waiting=100)
        frames, skips = [], []
        for item in live:
            if isinstance(item, Frame):
                frames.append(item)
            elif item is not None:
                skips.append(item)
                live.stop()
    assert skips[0].code == "live_lost"
    taken = [frame for frame in frames if frame.sequence == frames[0].sequence]
    assert 20 < len(taken) < 95
    assert len(taken) + live.late >= 100
    assert max(late_s) < 1.5
