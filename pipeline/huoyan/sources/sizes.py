"""How large a camera's pictures are, from the first one that can be read."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.errors import SourceError
from huoyan.sources import metadata, video
from huoyan.sources.folders import MEDIA_SUFFIXES, walk
from huoyan.sources.found import Discovered
from huoyan.sources.video import VIDEO_SUFFIXES


def picture_size(folder: Path) -> tuple[int, int] | None:
    """(width, height) of the first readable still or video at `folder`; None where there is none."""
    for path in walk(folder, "", MEDIA_SUFFIXES, Discovered()):
        try:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                return video.probe(path).size
            return metadata.read(path, ZoneInfo("UTC")).upright
        except SourceError:
            continue
    return None
