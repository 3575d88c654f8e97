"""Memory that a process for months gives back to the system (glibc; elsewhere nothing is done)."""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_PICTURE = 128 * 1024
_ARENAS = 2


def give_back() -> bool:
    """From now on have what is as large as a picture leave the process when it is freed.

    By itself glibc learns from the first pictures that are freed to keep such blocks in its heaps, one for each thread:
    those of a daemon, where one thread takes a picture in and another one frees it, grow by gaps for hours. Each such
    block costs fresh pages instead, some 50 us a picture. Call it before threads begin.

    Returns:
        Whether the system knows how.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(set_option(_M_MMAP_THRESHOLD, _PICTURE)) and bool(set_option(_M_ARENA_MAX, _ARENAS))
