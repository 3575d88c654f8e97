"""Where an export goes: to the terminal, or whole into a file."""

from __future__ import annotations

import sys
from pathlib import Path

from huoyan.errors import StorageError


def put(text: str, out: Path | None, *, csv: bool) -> bool:
    """Write an export; whether it went into a file.

    Raises:
        StorageError: the file cannot be written.
    """
    if out is None:
        sys.stdout.write(text)
        return False
    from huoyan.files import write_whole

    try:
        # With a byte order mark Excel reads UTF-8; other readers of CSV know it.
        write_whole(out, text.encode("utf-8-sig" if csv else "utf-8"))
    except OSError as error:
        raise StorageError(
            f"cannot be written: {error}", subject=str(out), hint="choose another --out"
        ) from error
    return True
