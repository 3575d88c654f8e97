"""Beginning a county: a commented configuration and the registry tables to fill in."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from huoyan.errors import ConfigError, StorageError

_TABLES = {
    "permits.csv": "id,scene,kind,holder,zone,footprint,lon,lat,radius_m,valid_from,valid_to,note\n",
    "vehicles.csv": "plate,colour,kind,company,permit,valid_from,valid_to,"
    "sites,trips,corridors,hours,load_kg,tare_kg,note\n",
    "zones.geojson": '{"type": "FeatureCollection", "features": []}\n',
    "buildings.geojson": '{"type": "FeatureCollection", "features": []}\n',
}
_CALIBRATION_HEADER = "px_x,px_y,lon,lat,use\n"


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A camera of the county to be: from a table or from the folders of an archive."""

    id: str
    position: tuple[float, float] | None = None
    archive: str | None = None


def begin(
    folder: Path, *, cameras: Path | None = None, archive: Path | None = None, name: str, force: bool = False
) -> list[Path]:
    """Write `county.yaml` and empty registry tables into `folder`.

    Args:
        folder: made if missing; tables that exist already are left alone.
        cameras: CSV with columns id, lon, lat, archive (all but id optional).
        archive: imagery archive whose `camera/<id>` folders are listed; default `folder/archive`.
        name: of the county.
        force: overwrite an existing `county.yaml`.

    Returns:
        The files written.

    Raises:
        ConfigError: the table of cameras is wrong, or a configuration exists already.
        StorageError: the folder cannot be written.
    """
    target = folder / "county.yaml"
    if target.exists() and not force:
        raise ConfigError("exists already", subject=str(target), hint="give --force to overwrite it")
    found = _from_table(cameras) if cameras else _from_folders(archive or folder / "archive")
    texts = {folder / "registry" / table: text for table, text in _TABLES.items()}
    texts |= {folder / "registry" / f"{camera.id}.points.csv": _CALIBRATION_HEADER for camera in found}
    written: list[Path] = []
    try:
        (folder / "registry").mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            if not path.exists():
                path.write_text(text, encoding="utf-8")
                written.append(path)
        where = archive.resolve() if archive else Path("archive")
        target.write_text(_configuration(name, where, found), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror or error}", subject=str(folder)) from error
    return [*written, target]


def _from_table(path: Path) -> list[FoundCamera]:
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"cannot be read: {error}",
            subject=str(path),
            hint="give a CSV in UTF-8 with the columns id, lon, lat",
        ) from error
    found, mistakes = [], []
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        camera_id = (row.get("id") or "").strip()
        if not camera_id or camera_id in seen:
            mistakes.append(f"{path}:{number}: id: {'used twice' if camera_id else 'expected a camera id'}")
            continue
        seen.add(camera_id)
        try:
            position = _position(row)
        except ValueError as error:
            mistakes.append(f"{path}:{number}: {error}")
            continue
        found.append(FoundCamera(camera_id, position, (row.get("archive") or "").strip() or None))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    if not found:
        raise ConfigError("expected at least one row below the columns id, lon, lat", subject=str(path))
    return found


def _position(row: dict[str, str | None]) -> tuple[float, float] | None:
    lon, lat = (row.get("lon") or "").strip(), (row.get("lat") or "").strip()
    if not lon and not lat:
        return None
    try:
        place = float(lon), float(lat)
    except ValueError:
        raise ValueError(f"lon, lat: expected two numbers, got {lon!r}, {lat!r}") from None
    if not (-180 <= place[0] <= 180 and -90 <= place[1] <= 90):
        hint = "; are they swapped?" if abs(place[1]) > 90 >= abs(place[0]) else ""
        raise ValueError(f"lon, lat: out of range: {lon}, {lat}{hint}")
    return place


def _from_folders(archive: Path) -> list[FoundCamera]:
    folder = archive / "camera"
    if not folder.is_dir():
        return []
    return [FoundCamera(entry.name) for entry in sorted(folder.iterdir()) if entry.is_dir()]


def _configuration(name: str, archive: Path, cameras: list[FoundCamera]) -> str:
    quoted = json.dumps(name, ensure_ascii=False)
    listed = "".join(_camera_lines(camera) for camera in cameras) or "  []\n"
    return f"""\
# A county for Huoyan. Every key is explained in docs/configuration.md; `huoyan check county.yaml` examines this
# file with everything that it names. Relative paths start from the folder of this file.
county:
  name: {quoted}
  timezone: Asia/Shanghai
  data: ./state            # database and evidence pictures

# Imagery: camera/<id>/..., drone/<flight>/..., satellite/<date>/... are found in here by themselves.
archive: {yaml.safe_dump(str(archive), allow_unicode=True, width=10_000).splitlines()[0]}

# Fixed cameras. A position and control points (at least 4, better 8; see `huoyan calibrate`) put what a camera
# sees on the map; without them its alerts carry no place.
cameras:
{listed}
drone: {{archive: drone/}}
satellite: {{archive: satellite/}}   # gsd_hint: 0.5, error_m: 5, pairs: [["20260301", "20260401"]]

# What is lawful: control zones with the scenes each watches, permits, building footprints, approved vehicles.
registry:
  zones: registry/zones.geojson
  permits: registry/permits.csv
  footprints: registry/buildings.geojson
  vehicles: registry/vehicles.csv

# scenes: {{only: [earthwork, scaffolding]}}   # default all; `file: scenes.yaml` brings your own rules
# models: {{site: site-n, street: street-n, change: change-s}}
# evidence: {{blur_faces: true, blur_plates: true}}
dispatch: {{to: sqlite}}
"""


def _camera_lines(camera: FoundCamera) -> str:
    fields = [f"  - id: {json.dumps(camera.id, ensure_ascii=False)}"]
    if camera.archive:
        fields.append(f"    archive: {json.dumps(camera.archive, ensure_ascii=False)}")
    if camera.position:
        fields.append(f"    position: [{camera.position[0]}, {camera.position[1]}]")
    else:
        fields.append("    # position: [120.9012, 29.4987]        # lon, lat, WGS 84")
    points = json.dumps(f"registry/{camera.id}.points.csv", ensure_ascii=False)
    fields.append(f"    # calibration: {points}   # once it holds control points")
    fields.append(
        '    # pattern: "%Y%m%d_%H%M%S"             # of the file names, where pictures carry no EXIF time'
    )
    return "\n".join(fields) + "\n"
