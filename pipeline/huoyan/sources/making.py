"""Units of work from single files: their time, their pose, their number among those of the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from huoyan.errors import SourceError, UnreadableFile
from huoyan.records import Kind
from huoyan.sources import drone, srt, times
from huoyan.sources import video as videos
from huoyan.sources.found import Found
from huoyan.sources.metadata import Metadata
from huoyan.sources.stills import StillUnit
from huoyan.sources.video import VideoUnit

FROM_MTIME = "the time is the file's date of change: the picture tells none"
_SHORTEST_S = 0.001
_Unit = TypeVar("_Unit", StillUnit, VideoUnit)


def camera_still(
    path: Path, meta: Metadata, source_id: str, pattern: str | None, zone: ZoneInfo
) -> StillUnit:
    """A still of a fixed camera with its time."""
    time, time_from = times.of_file(path, pattern, zone, meta.time)
    notes = list(meta.notes)
    if time_from == "mtime":
        notes.append(FROM_MTIME)
    if pattern and time_from != "exif" and times.from_pattern(path.stem, pattern, zone) is None:
        notes.append(f"the file's name does not follow the declared pattern {pattern!r}")
    return StillUnit(str(path), source_id, "camera", time, time_from, meta.upright, notes=tuple(notes))


def drone_still(path: Path, meta: Metadata, source_id: str, zone: ZoneInfo) -> StillUnit:
    """A photo of a drone with its time and pose."""
    time, time_from = times.of_file(path, None, zone, meta.time)
    pose = drone.from_metadata(meta)
    notes = (FROM_MTIME, *pose.notes) if time_from == "mtime" else pose.notes
    return StillUnit(str(path), source_id, "drone", time, time_from, meta.upright, ground=pose, notes=notes)


def video(
    path: Path,
    source_id: str,
    kind: Kind,
    every_s: float,
    zone: ZoneInfo,
    *,
    pattern: str | None = None,
    stated: datetime | None = None,
    telemetry: Path | None = None,
) -> VideoUnit:
    """A video with its start: told by telemetry, or see `video.start_of`.

    Raises:
        UnreadableFile: it cannot be opened.
        FrameTooLarge: its frames are larger than stills may be.
    """
    info = videos.probe(path)
    start, time_from = videos.start_of(path, info, pattern, stated, zone)
    clock = _clock(telemetry)
    if clock is not None:
        start, time_from = times.to_utc(clock, zone), "srt"
    return VideoUnit(
        str(path),
        source_id,
        kind,
        start,
        time_from,
        info.size,
        max(every_s, _SHORTEST_S),
        info.duration_s,
        telemetry=str(telemetry) if telemetry else None,
        notes=("the time is the file's date of change less its length",) if time_from == "mtime" else (),
    )


def telemetry_of(path: Path) -> Path | None:
    """The `.SRT` beside a video, its ending in any case."""
    try:
        beside = [
            entry
            for entry in path.parent.iterdir()
            if entry.suffix.lower() == ".srt" and entry.stem == path.stem and entry.is_file()
        ]
    except OSError:
        return None
    return min(beside, default=None)


def numbered(units: Iterable[_Unit]) -> list[_Unit]:
    """Units of one source and moment told apart by the order of their names."""
    count: Counter[tuple[str, datetime]] = Counter()
    made = []
    for unit in sorted(units, key=lambda unit: (unit.source_id, unit.start, Path(unit.path).name, unit.path)):
        key = unit.source_id, unit.start
        made.append(replace(unit, index=count[key]))
        count[key] += 1
    return made


def tell(units: Iterable[StillUnit | VideoUnit], found: Found) -> None:
    """Add what users should know of units to the notes of a run: each kind of note once a source, with its count."""
    told: dict[tuple[str, str], list[str]] = {}
    for unit in units:
        for note in unit.notes:
            told.setdefault((unit.source_id, note), []).append(unit.path)
    for (source_id, note), paths in told.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        found.notes.append(f"{source_id}: {note} ({paths[0]}{more})")


def unexpected(path: Path, error: Exception) -> UnreadableFile:
    """An error that nobody thought of, so that one file cannot stop a run."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return UnreadableFile(f"cannot be used: {text}", subject=str(path), code="unexpected")


def _clock(telemetry: Path | None) -> datetime | None:
    """The drone's local clock at the start of its video; None where there is no telemetry that tells it."""
    if telemetry is None:
        return None
    try:
        return srt.begin(telemetry)
    except SourceError:
        return None
