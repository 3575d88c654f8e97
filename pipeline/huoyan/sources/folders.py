"""Walking an archive: every file once, whatever links and permissions there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from huoyan.records import Skip
from huoyan.sources.stills import STILL_SUFFIXES
from huoyan.sources.video import VIDEO_SUFFIXES

RASTER_SUFFIXES = frozenset({".tif", ".tiff"})
MEDIA_SUFFIXES = STILL_SUFFIXES | VIDEO_SUFFIXES


def files(folder: Path, source_id: str, suffixes: frozenset[str]) -> Iterator[Path | Skip]:
    """Files below `folder` whose ending is in `suffixes`, sorted; links are followed, loops are not.

    Folders that may not be read, and links that lead nowhere, are given as skips.
    """
    seen: set[tuple[int, int]] = set()
    troubles: list[OSError] = []
    for where, folders, names in os.walk(folder, followlinks=True, onerror=troubles.append):
        try:
            here = os.stat(where)
        except OSError as error:
            troubles.append(error)
            folders.clear()
            continue
        if (here.st_dev, here.st_ino) in seen:
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(where) / name
            if name.startswith(".") or path.suffix.lower() not in suffixes:
                continue
            if path.is_symlink() and not path.exists():
                yield Skip(source_id, str(path), "broken_link", f"{path}: is a link that leads nowhere")
            elif path.is_file():
                yield path
    for trouble in troubles:
        where = str(trouble.filename or folder)
        yield Skip(source_id, where, "unreadable_folder", f"{where}: cannot be entered: {trouble.strerror}")
