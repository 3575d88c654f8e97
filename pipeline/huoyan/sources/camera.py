"""Archives of fixed cameras: time-lapse folders and videos."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.config import Camera, LoadedConfig, seconds
from huoyan.errors import ConfigError, SourceError
from huoyan.records import Caption
from huoyan.sources import captions, drone, making, metadata, times
from huoyan.sources.folders import MEDIA_SUFFIXES, RASTER_SUFFIXES, walk
from huoyan.sources.found import Found
from huoyan.sources.stills import StillUnit
from huoyan.sources.video import VIDEO_SUFFIXES, VideoUnit


def find(
    place: Path, camera: Camera, loaded: LoadedConfig, found: Found, *, drones: str | None = None
) -> None:
    """Add the stills and videos of one camera.

    Args:
        place: a folder, or one file.
        camera: its id, time pattern, zone and sampling.
        loaded: the configuration.
        found: filled.
        drones: id under which stills with a gimbal's angles, and videos with telemetry beside them, are taken
            for a drone's; None takes everything for this camera's.

    Raises:
        ConfigError: the camera's time zone, start or pattern is wrong.
    """
    zone = zone_of(camera, loaded)
    stated = _stated(camera)
    _check_pattern(camera)
    suffixes = MEDIA_SUFFIXES - RASTER_SUFFIXES if drones else MEDIA_SUFFIXES
    said: dict[Path, dict[str, tuple[Caption, ...]]] = {}
    stills: list[StillUnit] = []
    videos: list[VideoUnit] = []
    for path in walk(place, camera.id, suffixes, found):
        try:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                videos.append(_video(path, camera, loaded, zone, stated, drones))
                continue
            meta = metadata.read(path, zone)
            if drones and drone.is_drone(meta):
                stills.append(making.drone_still(path, meta, drones, zone))
                continue
            if path.parent not in said:
                said[path.parent], notes = captions.read(path.parent)
                found.notes.extend(notes)
            one = making.camera_still(path, meta, camera.id, camera.pattern, zone)
            stills.append(replace(one, captions=said[path.parent].get(path.name, ())))
        except SourceError as error:
            found.skip(camera.id, path, error)
        except Exception as error:
            found.skip(camera.id, path, making.unexpected(path, error))
    making.tell([*stills, *videos], found)
    found.units.extend(making.numbered(stills))
    found.units.extend(making.numbered(videos))


def zone_of(camera: Camera, loaded: LoadedConfig) -> ZoneInfo:
    """The zone of a camera's clock.

    Raises:
        ConfigError: there is no such zone.
    """
    name = camera.timezone or loaded.config.county.timezone
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"timezone: expected a name such as Asia/Shanghai, got {name!r}", subject=f"camera {camera.id}"
        ) from error


def _video(
    path: Path,
    camera: Camera,
    loaded: LoadedConfig,
    zone: ZoneInfo,
    stated: datetime | None,
    drones: str | None,
) -> VideoUnit:
    told = making.telemetry_of(path) if drones else None
    if told is not None and drones is not None:
        every = seconds(loaded.config.drone.sampling)
        return making.video(path, drones, "drone", every, zone, telemetry=told)
    every = seconds(camera.sampling)
    return making.video(path, camera.id, "camera", every, zone, pattern=camera.pattern, stated=stated)


def _check_pattern(camera: Camera) -> None:
    if camera.pattern is None:
        return
    try:
        times.check_pattern(camera.pattern)
    except ValueError as error:
        raise ConfigError(
            f"pattern: expected one for strptime such as %Y%m%d_%H%M%S, got {camera.pattern!r}: {error}",
            subject=f"camera {camera.id}",
        ) from error


def _stated(camera: Camera) -> datetime | None:
    if camera.start is None:
        return None
    try:
        return datetime.fromisoformat(camera.start)
    except ValueError as error:
        raise ConfigError(
            f"start: expected ISO 8601 such as 2026-03-01T08:00:00+08:00, got {camera.start!r}",
            subject=f"camera {camera.id}",
        ) from error
