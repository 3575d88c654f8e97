"""How large a camera's pictures are, from the first one that can be read."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.errors import SourceError
from huoyan.sources import metadata, video
from huoyan.sources.folders import MEDIA_SUFFIXES, files
from huoyan.sources.video import VIDEO_SUFFIXES


def picture_size(folder: Path) -> tuple[int, int] | None:
    """(width, height) of the first readable still or video at `folder`; None where there is none."""
    for path in [folder] if folder.is_file() else files(folder, "", MEDIA_SUFFIXES):
        if not isinstance(path, Path):
            continue
        try:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                return video.probe(path).size
            return metadata.read(path, ZoneInfo("UTC")).size
        except (SourceError, OSError):
            continue
    return None
