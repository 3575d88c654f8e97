"""Opening a stranger's file: everything that can go wrong before the first byte, as one kind of error."""

from __future__ import annotations

import stat
from pathlib import Path

from huoyan.errors import UnreadableFile


def check(path: str | Path) -> None:
    """Make sure that `path` is a file with something in it, before a decoder is let at it.

    Raises:
        UnreadableFile: missing, a folder or pipe, empty, or not to be read.
    """
    try:
        told = Path(path).stat()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(told.st_mode):
        # Opening a pipe would wait for ever.
        raise UnreadableFile("is not a file", subject=str(path), code="not_a_file")
    if told.st_size == 0:
        raise UnreadableFile("is empty (0 bytes)", subject=str(path), code="empty", hint="copy it again")


def read_bytes(path: str | Path) -> bytes:
    """The whole of a file.

    Raises:
        UnreadableFile: see `check`.
    """
    check(path)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: str | Path, error: Exception) -> UnreadableFile:
    """`error` of the operating system as an error that a user sees."""
    subject = str(path)
    if isinstance(error, FileNotFoundError):
        return UnreadableFile("is not there", subject=subject, code="missing")
    if isinstance(error, PermissionError):
        return UnreadableFile(
            "may not be read", subject=subject, code="no_permission", hint="give the user of Huoyan the right"
        )
    reason = getattr(error, "strerror", None) or str(error)
    return UnreadableFile(f"cannot be read: {reason}", subject=subject, code="unreadable")
