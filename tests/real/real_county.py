"""A county built from real pictures: cameras, a drone flight, two satellite dates, and the registers round them.

Everything is written into a temporary folder; the pictures are read from the data beside the checkout and stay
there. The pictures are of other places and other cameras than the county has: positions, poses and the
georeference are assigned here, by formulas of their own, so that a test can compare them with what a scan says.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import atan, cos, degrees, radians, sin, tan
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import rasterio
import yaml
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

Pixels = npt.NDArray[np.uint8]
Point = tuple[float, float]

MORNING = datetime.fromisoformat("2026-04-15T09:00:00+08:00")
STEP = timedelta(minutes=4)
ORIGIN = (120.90, 29.50)
SPACING_DEG = 0.008
"""Between cameras: some 770 m, so that no two of them can tell one story."""
HEIGHT_M, PITCH_DEG, FIELD_DEG = 8.0, -25.0, 62.0
"""Height over ground, downward tilt, and field of view along the longer side of every camera; all look north."""
ZONE_M = (-90.0, -5.0, 90.0, 160.0)
"""West, south, east and north edge of the control zone round a camera, in metres from it."""
SATELLITE_TILES = (("mshs_0399", "mshs_0400"), ("mshs_0412", "mshs_0413"))
SATELLITE_GSD_M = 2.5
SATELLITE_CRS = "EPSG:32651"
SATELLITE_CORNER = (296_500.0, 3_270_000.0)
SATELLITE_DATES = ("2026-03-01", "2026-04-12")
HALL_PX = (259, 157)
"""A pixel (x, y) within the large new hall of the mosaic: the register knows this building."""
DRONE_PHOTOS = (
    "minsk_0010.jpg",
    "minsk_0019.jpg",
    "minsk_0022.jpg",
    "minsk_0031.jpg",
    "duluth_0026.jpg",
    "horizon_0012.jpg",
)


@dataclass(frozen=True, slots=True)
class View:
    """A fixed camera: one real picture that it sees several times over, a folder of stills, or a video.

    `shows` are the scenes that somebody who looks at the picture would tell. `house_at` is a label: the register
    knows a building where the largest thing with this label stands.
    """

    camera: str
    picture: str
    shows: tuple[str, ...] = ()
    house_at: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """What was built where."""

    folder: Path
    views: tuple[View, ...]
    sizes: Mapping[str, tuple[int, int]]
    hall: tuple[Point, ...]
    """Outline of the known building of the satellite pictures, lon, lat."""


def position(index: int) -> Point:
    """Longitude and latitude of the camera of this number."""
    return ORIGIN[0] + SPACING_DEG * (index % 8), ORIGIN[1] + SPACING_DEG * (index // 8)


def metres(start: Point, east: float, north: float) -> Point:
    """The place `east`, `north` metres from another one, on a sphere."""
    return (
        start[0] + east / (111_320.0 * cos(radians(start[1]))),
        start[1] + north / 110_860.0,
    )


def ground_point(size: tuple[int, int], x: float, y: float) -> Point:
    """Metres east and north of a camera where the ray through a pixel meets level ground.

    Raises:
        ValueError: the pixel is at or above the horizon.
    """
    focal = max(size) / 2 / tan(radians(FIELD_DEG) / 2)
    right, down = (x - size[0] / 2) / focal, (y - size[1] / 2) / focal
    tilt = radians(PITCH_DEG)
    north, up = cos(tilt) + down * sin(tilt), sin(tilt) - down * cos(tilt)
    if up >= 0:
        raise ValueError(f"pixel ({x}, {y}) sees the sky")
    reach = -HEIGHT_M / up
    return right * reach, north * reach


def build(folder: Path, data: Path, views: Sequence[View], looks: int = 3, others: bool = True) -> Built:
    """Write the archive and the registers; `configure` makes it a county.

    Args:
        folder: where to write; made.
        data: the folder of real data.
        views: the cameras.
        looks: stills a camera.
        others: also write the flight and the satellite pair.
    """
    registry = folder / "registry"
    registry.mkdir(parents=True)
    sizes = {}
    zones, buildings = [], []
    for index, view in enumerate(views):
        size = _camera(folder / "archive" / "camera" / view.camera, data / view.picture, looks)
        sizes[view.camera] = size
        west, south, east, north = ZONE_M
        corners = [(west, south), (east, south), (east, north), (west, north)]
        ring = [metres(position(index), *corner) for corner in corners]
        zones.append(_feature(ring, id=f"zone-{view.camera}", name=f"{view.camera}管控区", kind="control"))
        if view.house_at:
            foot = ground_point(size, *labelled_foot(data / view.picture, view.house_at, size))
            ring = [
                metres(position(index), foot[0] + dx, foot[1] + dy)
                for dx, dy in ((-9, -6), (9, -6), (9, 12), (-9, 12))
            ]
            buildings.append(_feature(ring, id=f"house-{view.camera}", storeys=3))
    hall: tuple[Point, ...] = ()
    if others:
        hall = _satellite(folder / "archive" / "satellite", data, zones, buildings)
        flight = folder / "archive" / "drone" / "flight-1"
        flight.mkdir(parents=True)
        for name in DRONE_PHOTOS:
            shutil.copy(data / "drone" / name, flight / name)
    _collection(registry / "zones.geojson", zones)
    _collection(registry / "buildings.geojson", buildings)
    return Built(folder, tuple(views), sizes, hall)


def configure(
    built: Built, name: str, permits: Iterable[Mapping[str, str]] = (), *, sketchy: bool = False
) -> Path:
    """Write a configuration of the county with these permits and return its path; its state is its own.

    With `sketchy` its evidence is small and unredacted: for where nobody looks at it.
    """
    columns = ("id", "scene", "kind", "holder", "zone", "valid_from", "valid_to")
    with (built.folder / "registry" / f"permits-{name}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(permits)
    cameras = []
    for index, view in enumerate(built.views):
        size = built.sizes[view.camera]
        across = degrees(2 * atan(size[0] / max(size) * tan(radians(FIELD_DEG) / 2)))
        pose = {"height_m": HEIGHT_M, "yaw_deg": 0.0, "pitch_deg": PITCH_DEG, "hfov_deg": across}
        camera = {"id": view.camera, "position": list(position(index)), "pose": pose, "sampling": "5s"}
        cameras.append(camera)
    config: dict[str, Any] = {
        "county": {"name": "真实样例县", "timezone": "Asia/Shanghai", "data": f"state-{name}"},
        "archive": "archive",
        "cameras": cameras,
        "registry": {
            "zones": "registry/zones.geojson",
            "permits": f"registry/permits-{name}.csv",
            "footprints": "registry/buildings.geojson",
        },
    }
    if sketchy:
        config["evidence"] = {"long_side": 256, "blur_faces": False, "blur_plates": False}
    path = built.folder / f"county-{name}.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def permits_for(built: Built, valid_from: str, valid_to: str) -> list[dict[str, str]]:
    """One permit for every scene in every zone of the county, for these days."""
    zones = [f"zone-{view.camera}" for view in built.views] + ["zone-satellite"]
    return [
        {
            "id": f"permit-{zone}",
            "scene": "*",
            "kind": "building",
            "holder": "样例县建筑公司",
            "zone": zone,
            "valid_from": valid_from,
            "valid_to": valid_to,
        }
        for zone in zones
    ]


def read(path: Path) -> Pixels:
    """A picture as cv2 has it (BGR)."""
    picture = cv2.imread(str(path))
    assert picture is not None, f"{path} cannot be read"
    return np.asarray(picture, np.uint8)


def labelled_foot(picture: Path, label: str, size: tuple[int, int]) -> Point:
    """Bottom centre in pixels of the largest box of a label that goes with a picture."""
    folder = picture.parent.parent
    names = (folder.parent / "classes.txt").read_text(encoding="utf-8").split()
    rows = [
        [float(part) for part in line.split()]
        for line in (folder / "labels" / f"{picture.stem}.txt").read_text(encoding="utf-8").splitlines()
    ]
    boxes = [row[1:] for row in rows if names[int(row[0])] == label]
    x, y, _, height = max(boxes, key=lambda box: box[2] * box[3])
    return x * size[0], min(y + height / 2, 1.0) * size[1]


def to_lonlat(x: float, y: float) -> Point:
    """Longitude and latitude of a pixel of the satellite mosaic."""
    east = SATELLITE_CORNER[0] + SATELLITE_GSD_M * x
    north = SATELLITE_CORNER[1] - SATELLITE_GSD_M * y
    lons, lats = warp_points(CRS.from_string(SATELLITE_CRS), CRS.from_epsg(4326), [east], [north])[:2]
    return float(lons[0]), float(lats[0])


def changed_buildings(data: Path) -> list[npt.NDArray[np.int32]]:
    """Contours, in pixels of the mosaic, of the buildings that the data set marks as changed."""
    label = _mosaic(data, "label")[:, :, 0]
    contours, _ = cv2.findContours((label > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [np.asarray(contour, np.int32) for contour in contours]


def _camera(folder: Path, source: Path, looks: int) -> tuple[int, int]:
    """Write what a camera saw and return the (width, height) of its pictures."""
    folder.mkdir(parents=True)
    if source.suffix == ".mp4":
        shutil.copy(source, folder / f"{MORNING:%Y%m%dT%H%M%S%z}.mp4")
        with av.open(str(source)) as container:
            return container.streams.video[0].width, container.streams.video[0].height
    if source.is_dir():
        stills = sorted(source.glob("*.jpg"))
        for number, still in enumerate(stills):
            shutil.copy(still, folder / f"{MORNING + number * STEP:%Y%m%dT%H%M%S%z}.jpg")
        picture = read(stills[0])
    else:
        picture = read(source)
        _time_lapse(folder, picture, looks)
    return picture.shape[1], picture.shape[0]


def _time_lapse(folder: Path, picture: Pixels, looks: int) -> None:
    """The picture as a fixed camera would see it some minutes apart: other light, a breath of wind, other noise."""
    for look in range(looks):
        moved = np.float32([[1, 0, look % 2], [0, 1, (look + 1) % 2]])
        size = (picture.shape[1], picture.shape[0])
        still = cv2.warpAffine(picture, moved, size, borderMode=cv2.BORDER_REPLICATE)
        still = cv2.convertScaleAbs(still, alpha=1.0 + 0.03 * (look - 1), beta=2.0 * look)
        name = f"{MORNING + look * STEP:%Y%m%dT%H%M%S%z}.jpg"
        cv2.imwrite(str(folder / name), still, [cv2.IMWRITE_JPEG_QUALITY, 92 - 2 * look])


def _satellite(
    folder: Path, data: Path, zones: list[dict[str, Any]], buildings: list[dict[str, Any]]
) -> tuple[Point, ...]:
    """Write both dates; add their zone, and the large hall as a building that the register knows."""
    for date, kind in zip(SATELLITE_DATES, "AB", strict=True):
        target = folder / date / "town.tif"
        target.parent.mkdir(parents=True)
        mosaic = _mosaic(data, kind)[:, :, ::-1]
        height, width = mosaic.shape[:2]
        profile = {"driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8"}
        west, north = SATELLITE_CORNER
        grid = Affine(SATELLITE_GSD_M, 0.0, west, 0.0, -SATELLITE_GSD_M, north)
        with rasterio.open(target, "w", crs=SATELLITE_CRS, transform=grid, **profile) as raster:
            raster.write(np.moveaxis(mosaic, 2, 0))
    edge = [to_lonlat(*corner) for corner in ((0, 0), (width, 0), (width, height), (0, height))]
    zones.append(_feature(edge, id="zone-satellite", name="城东管控区", kind="control"))
    hall = next(c for c in changed_buildings(data) if cv2.pointPolygonTest(c, HALL_PX, False) >= 0)
    ring = [to_lonlat(float(x), float(y)) for x, y in cv2.convexHull(hall)[:, 0]]
    buildings.append(_feature(ring, id="hall", storeys=1))
    return tuple(ring)


def _mosaic(data: Path, kind: str) -> Pixels:
    ending = "png" if kind == "label" else "jpg"
    rows = [
        np.hstack([read(data / "change" / "test" / kind / f"{tile}.{ending}") for tile in row])
        for row in SATELLITE_TILES
    ]
    return np.asarray(np.vstack(rows), np.uint8)


def _feature(ring: Sequence[Point], **properties: Any) -> dict[str, Any]:
    closed = [[*map(float, point)] for point in (*ring, ring[0])]
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Polygon", "coordinates": [closed]},
    }


def _collection(path: Path, features: Sequence[Mapping[str, Any]]) -> None:
    document = {"type": "FeatureCollection", "features": list(features)}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
