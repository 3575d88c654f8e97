"""What cameras show, and web servers that behave as cameras do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np

from huoyan.ingest.logins import LoginLimits
from huoyan.ingest.outgoing import Outgoing
from huoyan.ingest.process import Reading
from huoyan.sample import CameraEvent, CameraPlan, Cameras, Report, Sample, Tally, ViewState

_FAST = {"preset": "ultrafast"}


def film(
    path: Path,
    *,
    seconds: float = 4.0,
    rate: int = 10,
    every: int = 5,
    size: tuple[int, int] = (160, 96),
    codec: str = "libx264",
    **options: str,
) -> Path:
    """A film of a square that walks over a street of noise; each `every`-th picture is a key picture."""
    width, height = size
    street = np.random.default_rng(3).integers(60, 160, (height // 8, width // 8, 3), dtype=np.uint8)
    street = street.repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        keys = {"g": str(every), "keyint_min": str(every), "sc_threshold": "0", "bf": "0"}
        if codec == "libx265":
            keys = {
                "x265-params": f"keyint={every}:min-keyint={every}:scenecut=0:bframes=0:log-level=none:pools=1"
            }
        stream.options = {"preset": "ultrafast", **(keys if codec.startswith("libx") else {}), **options}
        for number in range(round(seconds * rate)):
            image = street.copy()
            left = 4 * number % (width - 32)
            image[height // 3 : height // 3 + 24, left : left + 32] = (230, 60, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@contextmanager
def web(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A web server; what it does is told by a function. Gives its host and port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with suppress(OSError):
                answer(self)
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Heard:
    """What a reader says, by camera."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Sample]] = {}
        self.events: dict[str, list[CameraEvent]] = {}
        self.states: dict[str, str] = {}
        self.tally: Tally | None = None

    def take(self, report: Report) -> None:
        if isinstance(report, Sample):
            self.samples.setdefault(report.camera, []).append(report)
        elif isinstance(report, CameraEvent):
            self.events.setdefault(report.camera, []).append(report)
        elif isinstance(report, ViewState):
            self.states[report.camera] = report.state
        else:
            self.tally = report

    def count(self, camera: str) -> int:
        """Samples of a camera so far."""
        return len(self.samples.get(camera, []))

    def state(self, camera: str) -> tuple[str, str]:
        """(state, code) of its last event."""
        told = self.events.get(camera)
        return (told[-1].state, told[-1].code) if told else ("", "")


@contextmanager
def reading(plans: Sequence[CameraPlan]) -> Iterator[tuple[Reading, Heard]]:
    """A reader at work, in this process: it is told what to do by `tell`."""
    heard, outgoing = Heard(), Outgoing()
    reader = Reading(LoginLimits(at_once=32, per_host=32, rate=100.0), outgoing)

    def listen() -> None:
        while (report := outgoing.take()) is not None:
            heard.take(report)

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    reader.tell(Cameras(tuple(plans)))
    reader.start()
    try:
        yield reader, heard
    finally:
        reader.stop()
        outgoing.close()
        listening.join(10)


def until(condition: Callable[[], object], wait_s: float = 60.0, what: str = "it") -> None:
    """Wait for something, long enough for a busy machine."""
    end = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.02)
