"""Cameras behind web servers: snapshots, HTTP-FLV, HLS; servers that hang, trickle, lie, and move."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from tests.support.cameras import film, reading, until, web

from huoyan.ingest import snapshot
from huoyan.ingest.faults import Fault
from huoyan.sample import CameraPlan, Patience

QUICK = Patience(open_s=3.0, first_s=8.0, read_s=2.0, pause_s=0.1, longest_pause_s=0.5)


def jpeg(value: int = 90, size: tuple[int, int] = (161, 97)) -> bytes:
    image = np.random.default_rng(1).integers(value - 20, value + 20, (size[1], size[0], 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", image)[1])


def give(handler: BaseHTTPRequestHandler, body: bytes, kind: str = "image/jpeg", **headers: str) -> None:
    handler.send_response(200)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def plan(address: str, **more: object) -> CameraPlan:
    return CameraPlan("c", address, 0.4, patience=QUICK, **more)  # type: ignore[arg-type]


def test_snapshots_come_at_their_interval_and_tell_the_cameras_clock() -> None:
    body = jpeg()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Date", formatdate(time.time() - 3600, usegmt=True))
        handler.end_headers()
        handler.wfile.write(body)

    with web(answer) as host, reading([plan(f"http://{host}/snap.jpg", snapshot=True)]) as (_reader, heard):
        until(lambda: heard.count("c") >= 4)
        until(lambda: heard.state("c") == ("live", ""))
    sample = heard.samples["c"][0]
    # An odd picture is cut to even sides.
    assert sample.size == (160, 96)
    assert sample.picture is not None and len(sample.picture.i420) == 160 * 96 * 3 // 2
    assert sample.measures["skew_s"] == pytest.approx(-3600, abs=30)
    assert [event.state for event in heard.events["c"]] == ["opening", "live"]


def _hang(_handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    over.wait(30)


def _trickle(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    handler.send_response(200)
    handler.end_headers()
    for byte in jpeg():
        handler.wfile.write(bytes((byte,)))
        handler.wfile.flush()
        if over.wait(0.2):
            return


def _lie(handler: BaseHTTPRequestHandler, _over: threading.Event) -> None:
    give(handler, b"<html>please log in</html>")


def _half(handler: BaseHTTPRequestHandler, _over: threading.Event) -> None:
    give(handler, jpeg()[:400])


def _locked(handler: BaseHTTPRequestHandler, _over: threading.Event) -> None:
    handler.send_response(401)
    handler.send_header("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize(
    ("act", "state", "code"),
    [
        (_hang, "lost", "timeout"),
        (_trickle, "lost", "timeout"),
        (_lie, "lost", "damaged"),
        (_locked, "fatal", "unauthorised"),
    ],
)
def test_a_snapshot_server_that_fails_is_told_and_found_again(
    act: Callable[[BaseHTTPRequestHandler, threading.Event], None], state: str, code: str
) -> None:
    over = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if over.is_set():
            give(handler, jpeg())
        else:
            act(handler, over)

    hasty = Patience(open_s=0.5, first_s=1.0, read_s=0.5, pause_s=0.1, longest_pause_s=0.3)
    with web(answer) as host:
        address = f"http://user:hush-9@{host}/snap.jpg"
        with reading([replace(plan(address, snapshot=True), patience=hasty)]) as (_reader, heard):
            until(lambda: heard.state("c") == (state, code))
            over.set()
            until(lambda: heard.state("c") == ("live", ""))
    assert all("hush-9" not in event.why for event in heard.events["c"])


def test_pictures_that_cannot_be_decoded_are_told() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        give(handler, b"\xff\xd8\xff" + bytes(300))

    with web(answer) as host, reading([plan(f"http://{host}/snap.jpg", snapshot=True)]) as (_reader, heard):
        until(lambda: heard.state("c") == ("lost", "damaged"))
    assert heard.count("c") == 0


def test_an_account_goes_to_no_other_host() -> None:
    asked: list[str | None] = []

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers.get("Authorization"))
        if len(asked) == 1:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="r"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            give(handler, jpeg())

    with web(elsewhere) as other:
        port = other.rpartition(":")[2]

        def answer(handler: BaseHTTPRequestHandler) -> None:
            wanted = "Basic " + base64.b64encode(b"user:hush-9").decode()
            if handler.headers.get("Authorization") == wanted:
                handler.send_response(302)
                handler.send_header("Location", f"http://localhost:{port}/snap.jpg")
            else:
                handler.send_response(401)
                handler.send_header("WWW-Authenticate", 'Basic realm="r"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with web(answer) as host, pytest.raises(Fault) as caught:
            snapshot.fetch(f"http://user:hush-9@{host}/", 10.0)
    assert caught.value.code == "unauthorised"
    assert asked == [None]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "street.mp4", seconds=6.0)


def remuxed(source: Path, form: str, pictures: int = 10**6) -> bytes:
    """The pictures of a film in another container."""
    target = io.BytesIO()
    with av.open(str(source)) as given, av.open(target, "w", format=form) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(video=0)):
            if packet.dts is not None and number < pictures:
                packet.stream = stream
                made.mux(packet)
    return target.getvalue()


def test_http_flv_is_read_given_up_when_it_stalls_and_found_again(street: Path) -> None:
    data, over = remuxed(street, "flv"), threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "video/x-flv")
        handler.end_headers()
        size = 2000
        for at in range(0, len(data) // 2 if not over.is_set() else len(data), size):
            handler.wfile.write(data[at : at + size])
            handler.wfile.flush()
            time.sleep(0.02)
        if not over.is_set():
            over.set()
            time.sleep(8)

    with web(answer) as host, reading([plan(f"http://{host}/live/1.flv")]) as (_reader, heard):
        until(lambda: heard.count("c") >= 2)
        until(lambda: heard.state("c")[0] == "lost")
        count = heard.count("c")
        until(lambda: heard.count("c") > count and heard.state("c")[0] == "live")
    assert all(sample.size == (160, 96) for sample in heard.samples["c"])


def test_hls_as_a_gateway_serves_it(street: Path, tmp_path: Path) -> None:
    parts = 6
    with av.open(str(street)) as given:
        packets = [packet for packet in given.demux(video=0) if packet.dts is not None]
        per = len(packets) // parts // 5 * 5
        for part in range(parts):
            with av.open(str(tmp_path / f"{part}.ts"), "w", format="mpegts") as made:
                stream = made.add_stream_from_template(given.streams.video[0])
                for packet in packets[part * per : (part + 1) * per]:
                    packet.stream = stream
                    made.mux(packet)
    began = time.monotonic()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith(".m3u8"):
            # A part a second, of which the last three are listed.
            newest = int(time.monotonic() - began) + 2
            lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1"]
            lines.append(f"#EXT-X-MEDIA-SEQUENCE:{newest - 2}")
            for number in range(newest - 2, newest + 1):
                lines += ["#EXT-X-DISCONTINUITY", "#EXTINF:1.0,", f"{number}.ts"]
            give(handler, "\n".join([*lines, ""]).encode(), "application/vnd.apple.mpegurl")
        else:
            number = int(handler.path.strip("/").partition(".")[0])
            give(handler, (tmp_path / f"{number % parts}.ts").read_bytes(), "video/mp2t")

    with web(answer) as host, reading([plan(f"http://{host}/live.m3u8")]) as (_reader, heard):
        until(lambda: heard.count("c") >= 4)
        assert heard.state("c") == ("live", "")


def test_a_file_is_played_again_and_again_at_its_own_pace(tmp_path: Path) -> None:
    path = film(tmp_path / "short.mp4", seconds=1.5, every=5)
    with reading([plan(str(path))]) as (_reader, heard):
        until(lambda: heard.count("c") >= 7)
    clocks = [sample.clock for sample in heard.samples["c"]]
    # A key picture each half second.
    assert clocks[6] - clocks[0] > 2.0
    assert [event.state for event in heard.events["c"]][:2] == ["opening", "live"]
    assert heard.events["c"][-1].connections == 1


@pytest.mark.parametrize(
    ("name", "code"), [("made_truncated_no_moov.mp4", "damaged"), ("recorder_zero_bytes.avi", "damaged")]
)
def test_files_that_are_none(shared_data: Path, name: str, code: str) -> None:
    with reading([plan(str(shared_data / "video" / "broken" / name))]) as (_reader, heard):
        until(lambda: heard.state("c")[0] in ("lost", "fatal"))
    assert heard.state("c")[1] == code


def test_a_playlist_that_stalls(shared_data: Path) -> None:
    """The playlist goes on without an end, and no part is ever added."""
    folder = shared_data / "video" / "broken" / "hls_ok_then_stall"

    def answer(handler: BaseHTTPRequestHandler) -> None:
        give(handler, (folder / handler.path.strip("/")).read_bytes(), "application/octet-stream")

    hasty = replace(QUICK, first_s=4.0)
    with web(answer) as host:
        address = f"http://{host}/live.m3u8"
        with reading([replace(plan(address), patience=hasty)]) as (_reader, heard):
            until(lambda: heard.count("c") >= 1)
            until(lambda: heard.state("c")[0] == "lost")
