"""Satellite archives: dates, which of them are compared, and the windows to look at."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.config import LoadedConfig, Satellite
from huoyan.errors import GeoreferenceError, SourceError
from huoyan.records import Skip, TimeFrom
from huoyan.sources import raster, satellite, times
from huoyan.sources.camera import Found
from huoyan.sources.folders import RASTER_SUFFIXES, files
from huoyan.sources.raster import RasterInfo

SOURCE = "satellite"


@dataclass(frozen=True, slots=True)
class Dated:
    """A raster with its date; `label` is the name of its folder or file, as `satellite.pairs` names it."""

    info: RasterInfo
    time: datetime
    time_from: TimeFrom
    label: str


def find(folder: Path, loaded: LoadedConfig, found: Found) -> None:
    """Add the windows of every pair of dates, and of rasters that have no earlier date to compare with."""
    settings = loaded.config.satellite
    dated = _inspected(folder, settings, ZoneInfo(loaded.config.county.timezone), found)
    by_label: dict[str, list[Dated]] = defaultdict(list)
    for one in dated:
        by_label[one.label].append(one)
    labels = sorted(by_label, key=lambda label: (by_label[label][0].time, label))
    wanted = settings.pairs or list(pairwise(labels))
    compared: set[str] = set()
    for earlier, later in wanted:
        missing = [label for label in (earlier, later) if label not in by_label]
        if missing:
            found.notes.append(f"satellite.pairs: no pictures of {', '.join(missing)}")
            continue
        for after in by_label[later]:
            compared |= _compare(by_label[earlier], after, settings, found)
    for one in dated:
        if one.info.path not in compared:
            found.units.extend(
                satellite.units_of_single(
                    one.info,
                    _source_id(one),
                    one.time,
                    one.time_from,
                    settings.window,
                    settings.overlap,
                    settings.error_m,
                )
            )


def _inspected(folder: Path, settings: Satellite, zone: ZoneInfo, found: Found) -> list[Dated]:
    dated = []
    for path in [folder] if folder.is_file() else files(folder, SOURCE, RASTER_SUFFIXES):
        if isinstance(path, Skip):
            found.skips.append(path)
            continue
        try:
            info = raster.inspect(path, settings.gsd_hint)
        except SourceError as error:
            found.skips.append(Skip(SOURCE, str(path), error.code, str(error)))
            continue
        if info.valid_share == 0.0:
            found.skips.append(Skip(SOURCE, str(path), "no_data", f"{path}: holds no data, only nodata"))
            continue
        time, time_from = _date(path, folder, info, zone)
        label = path.parent.name if path.parent != folder and not folder.is_file() else path.stem
        dated.append(Dated(info, time, time_from, label))
    return dated


def _date(path: Path, folder: Path, info: RasterInfo, zone: ZoneInfo) -> tuple[datetime, TimeFrom]:
    """The folder's date, else the file name's, its TIFF tag, or mtime; days are taken at noon, local time."""
    if path.parent != folder:
        day = times.day_from_name(path.parent.name, zone)
        if day is not None:
            return day, "folder"
    day = times.from_name(path.stem, zone) or times.day_from_name(path.stem, zone)
    if day is not None:
        return day, "name"
    try:
        return times.to_utc(datetime.strptime(info.tagged_time, "%Y:%m:%d %H:%M:%S"), zone), "tag"
    except ValueError:
        return times.from_mtime(path), "mtime"


def _compare(earlier: list[Dated], after: Dated, settings: Satellite, found: Found) -> set[str]:
    """Add the windows of `after` against each raster of the earlier date that it overlaps."""
    used: set[str] = set()
    reasons = []
    for before in earlier:
        try:
            pair = satellite.make_pair(before.info, after.info)
        except GeoreferenceError as error:
            reasons.append(error)
            continue
        source = f"{SOURCE}:{before.label}-{after.label}"
        if len(earlier) > 1:
            source += f":{Path(before.info.path).stem}"
        source += f":{Path(after.info.path).stem}"
        found.units.extend(
            satellite.units_of_pair(
                pair, source, after.time, after.time_from, settings.window, settings.overlap, settings.error_m
            )
        )
        found.notes.append(f"{source}: {pair.shift.words}")
        used |= {before.info.path, after.info.path}
    if not used:
        for why in reasons:
            found.skips.append(Skip(SOURCE, after.info.path, why.code, str(why)))
    return used


def _source_id(one: Dated) -> str:
    return f"{SOURCE}:{one.label}:{Path(one.info.path).stem}"
