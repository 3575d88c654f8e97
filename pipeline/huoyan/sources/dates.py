"""Satellite archives: dates, which of them are compared, and the windows to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.config import LoadedConfig, Satellite
from huoyan.errors import GeoreferenceError, SourceError
from huoyan.records import Skip, TimeFrom
from huoyan.sources import making, raster, satellite, times
from huoyan.sources.folders import RASTER_SUFFIXES, walk
from huoyan.sources.found import Found
from huoyan.sources.raster import RasterInfo
from huoyan.sources.satellite import Pair

SOURCE = "satellite"
_HINT_FACTOR = 1.5


@dataclass(frozen=True, slots=True)
class Dated:
    """A raster with its date; `label` is the name of its folder or file, as `satellite.pairs` names it."""

    info: RasterInfo
    time: datetime
    time_from: TimeFrom
    label: str
    notes: tuple[str, ...]


def find(place: Path, loaded: LoadedConfig, found: Found) -> None:
    """Add the windows of every pair of dates, and of rasters that are compared with no other.

    Args:
        place: a folder of dates, or one GeoTIFF.
        loaded: the configuration.
        found: filled.
    """
    settings = loaded.config.satellite
    dated = _dated(place, settings, ZoneInfo(loaded.config.county.timezone), found)
    used: set[str] = set()
    for earlier, after in _comparisons(dated, settings, found):
        used |= _compare(earlier, after, settings, found)
    layout = settings.window, settings.overlap
    for one in dated:
        if one.info.path not in used:
            found.units.extend(
                satellite.units_of_single(
                    one.info,
                    _source_id(one),
                    one.time,
                    one.time_from,
                    layout,
                    settings.error_m,
                    one.notes,
                )
            )


def _dated(place: Path, settings: Satellite, zone: ZoneInfo, found: Found) -> list[Dated]:
    """All rasters that can be read, by time and name."""
    dated = []
    for path in walk(place, SOURCE, RASTER_SUFFIXES, found):
        try:
            info = raster.inspect(path, settings.gsd_hint)
        except SourceError as error:
            found.skip(SOURCE, path, error)
            continue
        except Exception as error:
            found.skip(SOURCE, path, making.unexpected(path, error))
            continue
        if info.empty:
            found.skips.append(Skip(SOURCE, str(path), "no_data", f"{path}: holds nothing but nodata"))
            continue
        time, time_from = date_of(path, place, info, zone)
        label = _label(path, place)
        notes = (making.FROM_MTIME,) if time_from == "mtime" else ()
        dated.append(Dated(info, time, time_from, label, (*notes, *info.notes, *_hint(info, settings))))
    return sorted(dated, key=lambda one: (one.time, one.info.path))


def _label(path: Path, place: Path) -> str:
    """The first folder below the archive's (satellite/2026-04-01/GF2/PAN.tif is usual), else the file's name."""
    inside = path.relative_to(place).parts if path != place else ()
    return inside[0] if len(inside) > 1 else path.stem


def _hint(info: RasterInfo, settings: Satellite) -> tuple[str, ...]:
    """What to say where the pixels are not of the size that the configuration expects."""
    hint, gsd = settings.gsd_hint, info.gsd_m
    if hint is None or gsd is None or 1 / _HINT_FACTOR <= gsd / hint <= _HINT_FACTOR:
        return ()
    return (f"a pixel is {gsd:.3g} m, the configuration expects {hint:.3g} m",)


def date_of(path: Path, place: Path, told: RasterInfo, zone: ZoneInfo) -> tuple[datetime, TimeFrom]:
    """When a raster was taken.

    The acquisition time of its IMAGERY metadata; else the day of its folder or name, at the time of its TIFF
    tag where that is of the same day (else it is of processing) or at noon, local time; else the TIFF tag;
    else the file's date.
    """
    try:
        acquired = datetime.fromisoformat(told.acquired)
        return times.to_utc(acquired, ZoneInfo("UTC")), "tag"
    except ValueError:
        pass
    try:
        tagged = times.to_utc(datetime.strptime(told.tagged, "%Y:%m:%d %H:%M:%S"), zone)
    except ValueError:
        tagged = None
    label = _label(path, place)
    day, time_from = times.day_from_name(label, zone) if label != path.stem else None, "folder"
    if day is None:
        day, time_from = times.from_name(path.stem, zone) or times.day_from_name(path.stem, zone), "name"
    if day is not None:
        if tagged and tagged.astimezone(zone).date() == day.astimezone(zone).date():
            return tagged, "tag"
        return day, "folder" if time_from == "folder" else "name"
    return (tagged, "tag") if tagged else (times.from_mtime(path), "mtime")


def _comparisons(
    dated: list[Dated], settings: Satellite, found: Found
) -> list[tuple[list[list[Dated]], Dated]]:
    """(candidates for the earlier date, by date and the nearest first; later raster)."""
    labels = list(dict.fromkeys(one.label for one in dated))
    by_label = {label: [one for one in dated if one.label == label] for label in labels}
    if settings.pairs:
        chosen = []
        for earlier, later in settings.pairs:
            missing = [label for label in (earlier, later) if label not in by_label]
            if missing:
                text = f"satellite.pairs: there is no usable picture of {', '.join(missing)}"
                found.skips.append(Skip(SOURCE, ", ".join(missing), "missing", text))
            else:
                chosen += [([by_label[earlier]], after) for after in by_label[later]]
        return chosen
    return [
        ([by_label[earlier] for earlier in reversed(labels[:number])], after)
        for number, label in enumerate(labels)
        if number
        for after in by_label[label]
    ]


def _compare(dates: list[list[Dated]], after: Dated, settings: Satellite, found: Found) -> set[str]:
    """Add the windows of `after` against the nearest earlier date that shows its place.

    Returns:
        Paths of the rasters that are used in it; none where no comparison could be made, which is told.
    """
    reasons: dict[str, GeoreferenceError] = {}
    for earlier in dates:
        used: set[str] = set()
        for before in earlier:
            try:
                pair = satellite.make_pair(before.info, after.info)
            except GeoreferenceError as error:
                reasons.setdefault(error.subject, error)
                continue
            _add(pair, before, after, len(earlier) > 1, settings, found)
            used |= {before.info.path, after.info.path}
        if used:
            return used
    told = {(skip.path, skip.code) for skip in found.skips}
    for path, reason in reasons.items():
        if (path, reason.code) not in told:
            found.skips.append(Skip(SOURCE, path, reason.code, f"{reason}; it is looked at alone"))
    return set()


def _add(pair: Pair, before: Dated, after: Dated, several: bool, settings: Satellite, found: Found) -> None:
    parts = [SOURCE, f"{before.label}-{after.label}", Path(after.info.path).stem]
    if several:
        # Several rasters of the earlier date may reach into the place of the later one.
        parts.append(Path(before.info.path).stem)
    source_id = ":".join(parts)
    found.units.extend(
        satellite.units_of_pair(
            pair,
            source_id,
            after.time,
            after.time_from,
            (settings.window, settings.overlap),
            settings.error_m,
            after.notes,
        )
    )
    found.notes.append(f"{source_id}: {pair.shift.words}")


def _source_id(one: Dated) -> str:
    stem = Path(one.info.path).stem
    return ":".join(dict.fromkeys([SOURCE, one.label, stem]))
