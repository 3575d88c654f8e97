"""What cameras show, and web servers that behave as cameras do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np


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
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
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


def until(condition: Callable[[], object], wait_s: float = 60.0, what: str = "it") -> None:
    """Wait for something, long enough for a busy machine."""
    end = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.02)
