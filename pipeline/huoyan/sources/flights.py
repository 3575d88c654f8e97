"""Drone flights: photos with their pose, videos with their telemetry."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.config import LoadedConfig, seconds
from huoyan.errors import SourceError
from huoyan.records import Skip
from huoyan.sources import metadata
from huoyan.sources.camera import Found, numbered, still, telemetry_of, video_unit
from huoyan.sources.folders import MEDIA_SUFFIXES, files
from huoyan.sources.stills import StillUnit
from huoyan.sources.video import VIDEO_SUFFIXES


def find(folder: Path, source_id: str, loaded: LoadedConfig, found: Found) -> None:
    """Add the photos and videos of one flight."""
    zone = ZoneInfo(loaded.config.county.timezone)
    every = seconds(loaded.config.drone.sampling)
    stills: list[StillUnit] = []
    for path in files(folder, source_id, MEDIA_SUFFIXES):
        if isinstance(path, Skip):
            found.skips.append(path)
            continue
        try:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                found.units.append(video_unit(path, source_id, "drone", every, zone, told=telemetry_of(path)))
            else:
                stills.append(still(path, metadata.read(path, zone), source_id, "drone", None, zone))
        except SourceError as error:
            found.skips.append(Skip(source_id, str(path), error.code, str(error)))
        except OSError as error:
            found.skips.append(Skip(source_id, str(path), "unreadable", f"{path}: cannot be read: {error}"))
    found.units.extend(numbered(stills))
