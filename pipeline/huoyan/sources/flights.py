"""Drone flights: photos with their pose, videos with their telemetry."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.config import LoadedConfig, seconds
from huoyan.errors import SourceError
from huoyan.sources import making, metadata
from huoyan.sources.folders import MEDIA_SUFFIXES, walk
from huoyan.sources.found import Found
from huoyan.sources.stills import StillUnit
from huoyan.sources.video import VIDEO_SUFFIXES, VideoUnit


def find(place: Path, source_id: str, loaded: LoadedConfig, found: Found, *, deep: bool = True) -> None:
    """Add the photos and videos of one flight.

    Args:
        place: its folder.
        source_id: of the flight.
        loaded: the configuration.
        found: filled.
        deep: whether folders below belong to it.
    """
    zone = ZoneInfo(loaded.config.county.timezone)
    every = seconds(loaded.config.drone.sampling)
    stills: list[StillUnit] = []
    videos: list[VideoUnit] = []
    for path in walk(place, source_id, MEDIA_SUFFIXES, found, deep=deep):
        try:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                told = making.telemetry_of(path)
                videos.append(making.video(path, source_id, "drone", every, zone, telemetry=told))
            else:
                stills.append(making.drone_still(path, metadata.read(path, zone), source_id, zone))
        except SourceError as error:
            found.skip(source_id, path, error)
        except Exception as error:
            found.skip(source_id, path, making.unexpected(path, error))
    making.tell([*stills, *videos], found)
    found.units.extend(making.numbered(stills))
    found.units.extend(making.numbered(videos))
