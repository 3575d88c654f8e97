"""Archives of fixed cameras: time-lapse folders and videos."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from huoyan.config import Camera, LoadedConfig, seconds
from huoyan.errors import ConfigError, SourceError
from huoyan.records import Caption, Kind, Skip, Unit
from huoyan.sources import captions, drone, metadata, srt, times, video
from huoyan.sources.folders import MEDIA_SUFFIXES, RASTER_SUFFIXES, files
from huoyan.sources.metadata import Metadata
from huoyan.sources.stills import StillUnit
from huoyan.sources.video import VIDEO_SUFFIXES, VideoUnit


class Found(Protocol):
    """Where finders put what they find (`archive.Discovered`)."""

    units: list[Unit]
    skips: list[Skip]
    notes: list[str]


def find(folder: Path, camera: Camera, loaded: LoadedConfig, found: Found, drones: str | None = None) -> None:
    """Add the stills and videos of one camera.

    Args:
        folder: a folder, or one file.
        camera: its id, time pattern, zone and sampling.
        loaded: the configuration.
        found: filled.
        drones: id under which stills with a gimbal's angles, and videos with telemetry beside them, are taken
            for a drone's; None takes everything for this camera's.
    """
    zone = zone_of(camera, loaded)
    suffixes = MEDIA_SUFFIXES - RASTER_SUFFIXES if drones else MEDIA_SUFFIXES
    paths = [folder] if folder.is_file() else files(folder, camera.id, suffixes)
    said: dict[Path, dict[str, tuple[Caption, ...]]] = {}
    stills: list[StillUnit] = []
    for path in paths:
        if isinstance(path, Skip):
            found.skips.append(path)
            continue
        try:
            if path.suffix.lower() in VIDEO_SUFFIXES:
                found.units.append(_video(path, camera, loaded, zone, drones))
                continue
            if path.parent not in said:
                said[path.parent], notes = captions.read(path.parent)
                found.notes.extend(notes)
            meta = metadata.read(path, zone)
            if drones and drone.is_drone(meta):
                stills.append(still(path, meta, drones, "drone", camera.pattern, zone))
            else:
                one = still(path, meta, camera.id, "camera", camera.pattern, zone)
                stills.append(replace(one, captions=said[path.parent].get(path.name, ())))
        except SourceError as error:
            found.skips.append(Skip(camera.id, str(path), error.code, str(error)))
        except OSError as error:
            found.skips.append(Skip(camera.id, str(path), "unreadable", f"{path}: cannot be read: {error}"))
    found.units.extend(numbered(stills))


def still(
    path: Path, meta: Metadata, source_id: str, kind: Kind, pattern: str | None, zone: ZoneInfo
) -> StillUnit:
    """A still with its time; drones' stills carry their pose."""
    time, time_from = times.of_file(path, pattern, zone, meta.time)
    notes = list(meta.notes) if kind == "camera" else []
    if time_from == "mtime":
        notes.append("the time is the file's date of change: no EXIF time, and the name shows none")
    unit = StillUnit(str(path), source_id, kind, time, time_from, meta.upright, notes=tuple(notes))
    if kind == "drone":
        pose = drone.from_metadata(meta)
        unit = replace(unit, ground=pose, notes=(*notes, *pose.notes))
    return unit


def numbered(stills: list[StillUnit]) -> list[StillUnit]:
    """Stills of one source and moment told apart by the order of their names."""
    count: Counter[tuple[str, datetime]] = Counter()
    made = []
    for unit in sorted(stills, key=lambda unit: (unit.source_id, unit.start, Path(unit.path).name)):
        key = unit.source_id, unit.start
        made.append(replace(unit, index=count[key]))
        count[key] += 1
    return made


def telemetry_of(path: Path) -> Path | None:
    """The `.SRT` beside a video, in any case."""
    for suffix in (".SRT", ".srt", ".Srt"):
        beside = path.with_suffix(suffix)
        if beside.is_file():
            return beside
    return None


def zone_of(camera: Camera, loaded: LoadedConfig) -> ZoneInfo:
    """The zone of a camera's clock.

    Raises:
        ConfigError: there is no such zone.
    """
    name = camera.timezone or loaded.config.county.timezone
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(f"camera {camera.id}: not a time zone: {name!r}") from error


def _video(path: Path, camera: Camera, loaded: LoadedConfig, zone: ZoneInfo, drones: str | None) -> VideoUnit:
    told = telemetry_of(path) if drones else None
    every = seconds(loaded.config.drone.sampling if told else camera.sampling)
    source_id, kind = (drones or camera.id, "drone") if told else (camera.id, "camera")
    return video_unit(path, source_id, "drone" if kind == "drone" else "camera", every, zone, camera, told)


def video_unit(
    path: Path,
    source_id: str,
    kind: Kind,
    every_s: float,
    zone: ZoneInfo,
    camera: Camera | None = None,
    told: Path | None = None,
) -> VideoUnit:
    """A video with its start: stated, told by telemetry, tag, name, or mtime.

    Raises:
        UnreadableFile: it cannot be opened.
        ConfigError: the camera's `start` is not a time.
    """
    info = video.probe(path)
    stated = _stated(camera)
    start, time_from = video.start_of(path, info, camera.pattern if camera else None, stated, zone)
    if told is not None and stated is None:
        try:
            clock = next((one.clock for one in srt.read(told) if one.clock), None)
        except SourceError:
            clock = None
        if clock is not None:
            start, time_from = times.to_utc(clock, zone), "srt"
    notes = ("the time is the file's date of change less its length",) if time_from == "mtime" else ()
    return VideoUnit(
        str(path),
        source_id,
        kind,
        start,
        time_from,
        info.size,
        max(every_s, 0.001),
        info.duration_s,
        telemetry=str(told) if told else None,
        notes=notes,
    )


def _stated(camera: Camera | None) -> datetime | None:
    if camera is None or camera.start is None:
        return None
    try:
        return datetime.fromisoformat(camera.start)
    except ValueError as error:
        raise ConfigError(f"camera {camera.id}: start: expected ISO 8601, got {camera.start!r}") from error


def end_of(unit: Unit) -> datetime:
    """When the last frame of a unit may be."""
    length = unit.duration_s or 86400.0 if isinstance(unit, VideoUnit) else 0.0
    return unit.start + timedelta(seconds=length)


def bounded(unit: Unit, since: datetime | None, until: datetime | None) -> Unit:
    """A video that gives only frames of an interval; other units have one frame and are left as they are."""
    if isinstance(unit, VideoUnit) and (since is not None or until is not None):
        return replace(unit, since=since, until=until)
    return unit
