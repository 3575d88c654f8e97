"""A real RTSP server (GStreamer's, by scripts/serve_rtsp.py) on a free port of loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PYTHON = "/usr/bin/python3"
_NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


def program() -> list[str]:
    """The command of the server; the test is skipped where its packages are not installed."""
    if not Path(_PYTHON).exists() or subprocess.run([_PYTHON, "-c", _NEEDED], capture_output=True).returncode:
        pytest.skip(
            "GStreamer's RTSP server is not installed: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0"
            " gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
        )
    return [_PYTHON, str(_ROOT / "scripts" / "serve_rtsp.py")]


class Server:
    """Serves films; `order` plays the faults of cameras (see the script)."""

    def __init__(self, films: Sequence[Path], *arguments: str, port: int = 0) -> None:
        self._command = [*program(), "--port", str(port), *arguments, *map(str, films)]
        self.port = port

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, again on the same port."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().split()
        assert line[:1] == ["ready"], line
        self.port = int(line[1])
        self._command[self._command.index("--port") + 1] = str(self.port)

    def order(self, line: str) -> str:
        """Give an order and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
