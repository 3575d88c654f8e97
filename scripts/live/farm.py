"""A farm of RTSP servers for many cameras, each with its own address; and the faults that cameras have."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "serve_rtsp.py"
PYTHON = "/usr/bin/python3"
"""The system's: it has GStreamer."""


class Server:
    """One server process with its streams `<prefix>000`, `<prefix>001`, ...

    Attributes:
        port: of loopback; it stays when the server is started again.
        names: of its streams.
    """

    def __init__(self, prefix: str, films: Sequence[Path], streams: int, log: Path) -> None:
        self.port = 0
        self.names = [f"{prefix}{number:03}" for number in range(streams)]
        self._prefix, self._films, self._log = prefix, films, log
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        """0: it does not run."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start it and wait until it serves.

        Raises:
            RuntimeError: it does not.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    PYTHON, str(SCRIPT), "--shared", "--port", str(self.port),
                    "--copies", str(len(self.names)), "--prefix", self._prefix, *map(str, self._films),
                ],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if words[:1] != ["ready"]:
            raise RuntimeError(f"the RTSP server does not start; see {self._log}")
        self.port = int(words[1])

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._process = None

    def order(self, words: str) -> str:
        """Have it play a fault, see `serve_rtsp.py`; its answer."""
        with self._lock:
            assert self._process is not None and self._process.stdin and self._process.stdout
            self._process.stdin.write(words + "\n")
            self._process.stdin.flush()
            return self._process.stdout.readline().strip()


class Farm:
    """Servers that share the cameras. A context manager: they are ended with it."""

    def __init__(self, work: Path, films: Sequence[Path], cameras: int, servers: int) -> None:
        """
        Args:
            work: folder for their logs.
            films: every camera shows one of them; neighbours show different ones.
            cameras: how many.
            servers: processes.
        """
        shares = [cameras // servers + (index < cameras % servers) for index in range(servers)]
        # Each server begins with another film, so that not all show the first ones.
        self.servers = [
            Server(f"h{index}c", [*films[index:], *films[:index]], share, work / f"server-{index}.log")
            for index, share in enumerate(shares)
        ]

    def __enter__(self) -> Farm:
        for server in self.servers:
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.kill()

    @property
    def addresses(self) -> dict[str, str]:
        """By the id of the camera."""
        return {
            name: f"rtsp://127.0.0.1:{server.port}/{name}" for server in self.servers for name in server.names
        }

    @property
    def pids(self) -> list[int]:
        return [server.pid for server in self.servers]
