"""What is in an archive: its units of work in the order in which they are judged.

By convention `camera/<id>/`, `drone/<flight>/` and `satellite/<date>/`; what the configuration names besides;
or just one file, or a folder of stills, videos and rasters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from huoyan.config import Camera, LoadedConfig
from huoyan.errors import ConfigError
from huoyan.records import Skip, Unit
from huoyan.sources import camera as cameras
from huoyan.sources import dates, flights
from huoyan.sources.folders import RASTER_SUFFIXES

CONVENTION = ("camera", "drone", "satellite")


@dataclass(slots=True)
class Discovered:
    """Units of work sorted by start, source and id; files that cannot be used; what a user should know."""

    units: list[Unit] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def discover(
    loaded: LoadedConfig, since: datetime | None = None, until: datetime | None = None
) -> Discovered:
    """Find everything to look at; headers are read, pixels are not (but for measuring satellite pairs).

    Args:
        loaded: the configuration.
        since: only frames at or after this time (aware).
        until: only frames before this time (aware).

    Raises:
        ConfigError: the archive is not there.
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
        _flat(archive, loaded, found)
    found.units = [unit for unit in found.units if _wanted(unit, since, until)]
    for index, unit in enumerate(found.units):
        found.units[index] = cameras.bounded(unit, since, until)
    found.units.sort(key=lambda unit: (unit.start, unit.source_id, unit.unit_id))
    return found


def _conventional(archive: Path, loaded: LoadedConfig) -> bool:
    if not archive.is_dir():
        return False
    named = bool(loaded.config.cameras) or loaded.path is not None
    return named or any((archive / name).is_dir() for name in CONVENTION)


def _by_convention(archive: Path, loaded: LoadedConfig, found: Discovered) -> None:
    known = {camera.id: camera for camera in loaded.config.cameras}
    folders = {
        camera.id: archive / (camera.archive or Path("camera") / camera.id) for camera in known.values()
    }
    # Folders that a configured camera claims are not taken for cameras of their own.
    claimed = {folder.resolve() for folder in folders.values()}
    for folder in _subfolders(archive / "camera"):
        if folder.resolve() not in claimed and folder.name not in folders:
            folders[folder.name] = folder
    for camera_id, folder in folders.items():
        if folder.exists():
            cameras.find(folder, known.get(camera_id) or Camera(id=camera_id), loaded, found)
        else:
            found.notes.append(f"camera {camera_id}: {folder} is not there")
    for flight in _subfolders(archive / loaded.config.drone.archive):
        flights.find(flight, f"drone:{flight.name}", loaded, found)
    satellite = archive / loaded.config.satellite.archive
    if satellite.is_dir():
        dates.find(satellite, loaded, found)


def _flat(archive: Path, loaded: LoadedConfig, found: Discovered) -> None:
    """One file, or one folder: rasters from above, drone photos by their metadata, the rest one camera's."""
    name = archive.stem if archive.is_file() else archive.name
    if archive.is_file() and archive.suffix.lower() in RASTER_SUFFIXES:
        dates.find(archive, loaded, found)
    else:
        cameras.find(archive, Camera(id=name or "archive"), loaded, found, drones=f"drone:{name}")
        if archive.is_dir():
            dates.find(archive, loaded, found)


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(
            entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
        )
    except OSError:
        return []


def _wanted(unit: Unit, since: datetime | None, until: datetime | None) -> bool:
    end = cameras.end_of(unit)
    return not ((since is not None and end < since) or (until is not None and unit.start >= until))
