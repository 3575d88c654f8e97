"""Walking an archive: every file once, whatever links and permissions there are."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from huoyan.errors import UnreadableFile
from huoyan.records import Skip
from huoyan.sources import files
from huoyan.sources.found import Found
from huoyan.sources.stills import STILL_SUFFIXES
from huoyan.sources.video import VIDEO_SUFFIXES

RASTER_SUFFIXES = frozenset({".tif", ".tiff"})
MEDIA_SUFFIXES = STILL_SUFFIXES | VIDEO_SUFFIXES
# What lies beside pictures and is read with them, or is known to hold none.
_BESIDE = frozenset(
    {".csv", ".srt", ".txt", ".json", ".geojson", ".xml", ".yaml", ".yml", ".md", ".html", ".log"}
)
_BESIDE |= {".ovr", ".tfw", ".tifw", ".aux", ".prj", ".kml", ".lrf", ".thm", ".db", ".ini"}


def walk(
    place: Path, source_id: str, suffixes: frozenset[str], found: Found, *, deep: bool = True
) -> Iterator[Path]:
    """Files below `place` whose ending is in `suffixes`, in the natural order of their names.

    Links are followed, loops are not. Folders that may not be read, and links that lead nowhere, are added to
    `found` as skips.

    Args:
        place: a folder, or one file, which is given whatever its ending.
        source_id: for the skips.
        suffixes: endings in lower case, with their dot.
        found: filled with skips and with files of no known kind.
        deep: whether to go into folders below.
    """
    if not place.is_dir():
        yield place
        return
    visited: set[tuple[int, int]] = set()
    troubles: list[OSError] = []
    for where, folders, names in os.walk(place, followlinks=True, onerror=troubles.append):
        if not _first_visit(where, visited, troubles):
            folders.clear()
            continue
        folders[:] = sorted((name for name in folders if deep and not name.startswith(".")), key=natural)
        for name in sorted(names, key=natural):
            path = Path(where) / name
            ending = path.suffix.lower()
            if name.startswith("."):
                continue
            if ending in suffixes:
                if _usable(path, source_id, found):
                    yield path
            elif ending not in _BESIDE | MEDIA_SUFFIXES:
                found.unknown[str(path)] = ending
    for trouble in troubles:
        folder = str(trouble.filename or place)
        found.skip(source_id, folder, files.unreadable(folder, trouble))


def natural(name: str) -> tuple[object, ...]:
    """A key that sorts frame_9 before frame_10, and is different for different names."""
    parts = re.split(r"(\d+)", name)
    return (*((int(part), "") if part.isdecimal() else (-1, part) for part in parts), (-2, name))


def subfolders(place: Path, source_id: str, found: Found) -> list[Path]:
    """Folders directly in `place`, hidden ones left out; one that cannot be read is a skip in `found`."""
    try:
        entries = [entry for entry in place.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError as error:
        found.skip(source_id, place, files.unreadable(place, error))
        return []
    return sorted(entries, key=lambda entry: natural(entry.name))


def loose(place: Path) -> list[Path]:
    """Pictures and videos directly in `place`, not in a folder below it."""
    try:
        return [
            entry for entry in place.iterdir() if entry.suffix.lower() in MEDIA_SUFFIXES and entry.is_file()
        ]
    except OSError:
        return []


def _first_visit(where: str, visited: set[tuple[int, int]], troubles: list[OSError]) -> bool:
    try:
        told = os.stat(where)
    except OSError as error:
        troubles.append(error)
        return False
    key = told.st_dev, told.st_ino
    if key in visited:
        return False
    visited.add(key)
    return True


def _usable(path: Path, source_id: str, found: Found) -> bool:
    """Whether there is a file at `path`; what is wrong otherwise goes to `found`."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        reason = "is a link that leads nowhere" if path.is_symlink() else f"cannot be read: {error.strerror}"
        code = "broken_link" if path.is_symlink() else "unreadable"
        found.skip(source_id, path, UnreadableFile(reason, subject=str(path), code=code))
        return False
    if not stat.S_ISREG(mode):
        found.skips.append(Skip(source_id, str(path), "not_a_file", f"{path}: is not a file"))
        return False
    return True
