"""Keeping what C libraries print of damaged pictures off the user's screen, without losing it.

libjpeg and libpng (inside OpenCV) write their warnings straight to standard error; nothing in Python sees
them, and no setting turns them off. So file descriptor 2 is led into memory while a picture is decoded.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

_STDERR = 2
_LIBRARIES = re.compile(
    rb"^(?:Corrupt JPEG|Premature end|Invalid |Unsupported |Bogus |Warning|Inconsistent |libpng |\[ *WARN|\[ *ERR)"
)
_one_at_a_time = threading.Lock()


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Collect the lines that picture decoders print inside; what anything else prints is passed on after.

    Yields:
        A list that is filled when the block ends.
    """
    heard: list[str] = []
    with _one_at_a_time:
        try:
            screen = os.dup(_STDERR)
        except OSError:  # No standard error (a daemon): nothing to keep quiet.
            yield heard
            return
        try:
            with _memory() as memory:
                os.dup2(memory.fileno(), _STDERR)
                try:
                    yield heard
                finally:
                    os.dup2(screen, _STDERR)
                if memory.seek(0, os.SEEK_END):
                    memory.seek(0)
                    _sort(memory.read(), heard, screen)
        finally:
            os.close(screen)


def _memory() -> IO[bytes]:
    """A file that needs no disk where the system has such, so that a full one stops nothing."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("overheard"), "w+b")
    return tempfile.TemporaryFile()


def _sort(printed: bytes, heard: list[str], screen: int) -> None:
    others = b""
    for line in printed.splitlines(keepends=True):
        if _LIBRARIES.match(line):
            heard.append(line.decode("utf-8", errors="replace").strip())
        else:
            others += line
    if others:
        os.write(screen, others)
