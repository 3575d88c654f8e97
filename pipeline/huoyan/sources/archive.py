"""What is in an archive: its units of work in the order in which they are judged.

By convention `camera/<id>/`, `drone/<flight>/` and `satellite/<date>/`; what the configuration names besides;
or just one file, or a folder of stills, videos and rasters.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.config import Camera, LoadedConfig
from huoyan.errors import ConfigError, UnreadableFile
from huoyan.records import Unit
from huoyan.sources import camera as cameras
from huoyan.sources import dates, flights, times
from huoyan.sources.folders import RASTER_SUFFIXES, loose, subfolders
from huoyan.sources.found import Discovered
from huoyan.sources.video import VideoUnit

__all__ = ["Discovered", "discover"]

_UTC = ZoneInfo("UTC")
CONVENTION = ("camera", "drone", "satellite")
_LONGEST = timedelta(days=1)
"""Length assumed of a video whose header tells none, where it is decided whether it reaches into a span."""


def discover(
    loaded: LoadedConfig, since: datetime | None = None, until: datetime | None = None
) -> Discovered:
    """Find everything to look at. Headers are read, pixels only to measure how satellite pairs lie.

    Args:
        loaded: the configuration.
        since: only frames at or after this time (aware).
        until: only frames before this time (aware).

    Raises:
        ConfigError: the archive is not there, or a camera's zone or start is wrong.
    """
    archive = loaded.archive
    if not archive.exists():
        raise ConfigError(
            "the archive is not there",
            subject=str(archive),
            hint="set `archive` in the configuration",
            code="archive",
        )
    found = Discovered()
    if _conventional(archive, loaded):
        _by_convention(archive, loaded, found)
    else:
        _bare(archive, loaded, found)
    found.tell_unknown()
    found.units = [_bounded(unit, since, until) for unit in found.units if _wanted(unit, since, until)]
    found.units.sort(key=_order)
    return found


def _order(unit: Unit) -> tuple[datetime, str, int, str]:
    """By time and source; windows of one raster by rows, because neighbours share what GDAL has decoded."""
    return unit.start, unit.source_id, getattr(unit, "index", 0), unit.unit_id


def _conventional(archive: Path, loaded: LoadedConfig) -> bool:
    """Whether there is anything where the convention or the configuration says that it should be."""
    if not archive.is_dir():
        return False
    settings = loaded.config
    named = {Path(name) for name in CONVENTION} | {settings.drone.archive, settings.satellite.archive}
    return bool(settings.cameras) or any((archive / name).is_dir() for name in named)


def _by_convention(archive: Path, loaded: LoadedConfig, found: Discovered) -> None:
    _cameras(archive, loaded, found)
    drones = archive / loaded.config.drone.archive
    if drones.is_dir():
        for flight in subfolders(drones, "drone", found):
            flights.find(flight, f"drone:{flight.name}", loaded, found)
        flights.find(drones, f"drone:{drones.name}", loaded, found, deep=False)
    satellite = archive / loaded.config.satellite.archive
    if satellite.is_dir():
        dates.find(satellite, loaded, found)


def _cameras(archive: Path, loaded: LoadedConfig, found: Discovered) -> None:
    known = {camera.id: camera for camera in loaded.config.cameras}
    places = {
        camera.id: archive / (camera.archive or Path("camera") / camera.id) for camera in known.values()
    }
    # Folders that a configured camera claims are not taken for cameras of their own.
    claimed = {place.resolve() for place in places.values()}
    folder = archive / "camera"
    if folder.is_dir() and folder.resolve() not in claimed:
        for inside in subfolders(folder, "camera", found):
            if inside.resolve() not in claimed:
                places.setdefault(inside.name, inside)
        if lying := loose(folder):
            found.notes.append(f"{len(lying)} files in {folder} were left out: put them into camera/<id>/")
    for camera_id, place in places.items():
        if place.exists():
            cameras.find(place, known.get(camera_id) or Camera(id=camera_id), loaded, found)
        else:
            error = UnreadableFile("is not there", subject=str(place), code="missing", hint="see `archive`")
            found.skip(camera_id, place, error)
    if lying := loose(archive):
        found.notes.append(f"{len(lying)} files in {archive} lie beside its folders and were left out")


def _bare(archive: Path, loaded: LoadedConfig, found: Discovered) -> None:
    """One file, or a folder without the convention's folders.

    Its rasters are satellite pictures, its other files one camera's (those with a gimbal's angles a drone's).
    Where it holds nothing but folders whose names are no dates, each of them is a camera or a flight.
    """
    if archive.is_file():
        if archive.suffix.lower() in RASTER_SUFFIXES:
            dates.find(archive, loaded, found)
        else:
            _mixed(archive, archive.stem, loaded, found)
        return
    inside = subfolders(archive, archive.name, found)
    dated = all(times.day_from_name(folder.name, _UTC) for folder in inside)
    if dated or loose(archive):
        _mixed(archive, archive.resolve().name, loaded, found)
    else:
        for folder in inside:
            _mixed(folder, folder.name, loaded, found)
    dates.find(archive, loaded, found)


def _mixed(place: Path, name: str, loaded: LoadedConfig, found: Discovered) -> None:
    cameras.find(place, Camera(id=name or "archive"), loaded, found, drones=f"drone:{name}")


def _wanted(unit: Unit, since: datetime | None, until: datetime | None) -> bool:
    length = timedelta(0)
    if isinstance(unit, VideoUnit):
        length = timedelta(seconds=unit.duration_s) if unit.duration_s else _LONGEST
    return not ((since and unit.start + length < since) or (until and unit.start >= until))


def _bounded(unit: Unit, since: datetime | None, until: datetime | None) -> Unit:
    """A video that gives only frames of a span; other units have one frame and are left as they are."""
    return replace(unit, since=since, until=until) if isinstance(unit, VideoUnit) else unit
