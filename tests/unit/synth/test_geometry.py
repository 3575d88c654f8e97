"""Arithmetic of the sample renderer: map, sun, cameras, drone metadata. No Blender."""

from __future__ import annotations

import datetime as dt
import io
import math
import re

import geo
import numpy as np
import pytest
from drone_meta import jpeg, xmp_fields
from PIL import Image
from shots import FULL_FRAME_DIAGONAL_MM, SHOTS, Shot
from sun import sun_position

VIEWS = [s for s in SHOTS if s.kind != "ortho"]
DRONES = [s for s in SHOTS if s.kind == "drone"]


@pytest.mark.parametrize("spot", [(0.0, 0.0), (31.4, -27.2), (-140.0, 175.0)])
def test_lonlat_and_back_agree_to_two_millimetres(spot: tuple[float, float]) -> None:
    assert geo.to_local(*geo.to_lonlat(*spot)) == pytest.approx(spot, abs=0.002)


def test_grid_convergence_is_that_of_the_textbook() -> None:
    lon, lat = geo.to_lonlat(0, 0)
    by_formula = math.degrees(math.atan(math.tan(math.radians(lon - 123)) * math.sin(math.radians(lat))))
    assert geo.grid_convergence_deg() == pytest.approx(by_formula, abs=0.002)


@pytest.mark.parametrize(
    ("when", "lon", "lat", "height", "bearing"),
    [
        # sun over the equator at the 2026 March equinox (14:46 UTC), equation of time -7.4 min
        (dt.datetime(2026, 3, 20, 14, 46, tzinfo=dt.UTC), -39.65, 0.0, 90.0, None),
        # local apparent noon at midsummer, north of the tropic: due south
        (dt.datetime(2026, 6, 21, 12, 1, 50, tzinfo=dt.UTC), 0.0, 51.48, 61.96, 180.0),
        # six hours before apparent noon at the equinox: rising due east
        (dt.datetime(2026, 3, 20, 4, 5, tzinfo=dt.UTC), 30.6, 29.5, 0.0, 90.0),
    ],
)
def test_sun_stands_where_the_almanac_has_it(
    when: dt.datetime, lon: float, lat: float, height: float, bearing: float | None
) -> None:
    found = sun_position(when, lon, lat)
    assert found[0] == pytest.approx(height, abs=0.5)
    if bearing is not None:
        assert found[1] == pytest.approx(bearing, abs=0.6)


@pytest.mark.parametrize("shot", SHOTS, ids=lambda s: s.name)
def test_ground_undoes_project(shot: Shot) -> None:
    for u, v in ((0.1, 0.4), (0.5, 0.5), (0.9, 0.9)):
        pixel = (u * shot.size[0], v * shot.size[1])
        x, y = shot.ground(*pixel)
        assert shot.project(np.array([(x, y, 0.0)]))[0] == pytest.approx(pixel, abs=1e-6)


def test_the_middle_of_a_tilted_view_lies_where_height_and_pitch_say() -> None:
    shot = next(s for s in VIEWS if s.kind == "pole")
    x, y = shot.ground(shot.size[0] / 2, shot.size[1] / 2)
    away = shot.at[2] / math.tan(math.radians(-shot.pitch))
    yaw = math.radians(shot.yaw)
    assert (x, y) == pytest.approx((shot.at[0] + away * math.sin(yaw), shot.at[1] + away * math.cos(yaw)))


def test_looking_at_the_sky_has_no_ground() -> None:
    level = Shot("sky", "pole", VIEWS[0].time, (100, 100), (0.0, 0.0, 10.0), pitch=5.0)
    with pytest.raises(ValueError, match="horizon"):
        level.ground(50, 50)


def _tag(data: bytes, name: str) -> float:
    found = re.search(rf'drone-dji:{name}="([^"]+)"', data.decode("latin-1"))
    assert found, name
    return float(found[1])


def _dms(values: tuple[float, float, float]) -> float:
    return float(values[0]) + float(values[1]) / 60 + float(values[2]) / 3600


def _by_metadata(data: bytes, px: float, py: float) -> tuple[float, float]:
    """Pixel to lon, lat by the written metadata alone, with formulas of its own (true north, local radii)."""
    with Image.open(io.BytesIO(data)) as picture:
        (width, height), exif = picture.size, picture.getexif()
    gps, camera = exif.get_ifd(0x8825), exif.get_ifd(0x8769)
    lat, lon = _dms(gps[2]), _dms(gps[4])
    focal = camera[0xA405] / FULL_FRAME_DIAGONAL_MM * math.hypot(width, height)
    yaw, pitch = (math.radians(_tag(data, f"Gimbal{k}Degree")) for k in ("Yaw", "Pitch"))
    a, b = (px - width / 2) / focal, (py - height / 2) / focal  # right, down
    ahead, up = math.cos(pitch) + b * math.sin(pitch), math.sin(pitch) - b * math.cos(pitch)
    k = _tag(data, "RelativeAltitude") / -up
    east = k * (ahead * math.sin(yaw) + a * math.cos(yaw))
    north = k * (ahead * math.cos(yaw) - a * math.sin(yaw))
    meridian = 6335439 / (1 - 0.00669438 * math.sin(math.radians(lat)) ** 2) ** 1.5
    parallel = 6378137 / math.sqrt(1 - 0.00669438 * math.sin(math.radians(lat)) ** 2)
    return (
        lon + math.degrees(east / (parallel * math.cos(math.radians(lat)))),
        lat + math.degrees(north / meridian),
    )


@pytest.mark.parametrize("shot", DRONES, ids=lambda s: s.name)
def test_drone_metadata_alone_lead_to_the_true_ground(shot: Shot) -> None:
    data = jpeg(np.zeros((shot.size[1], shot.size[0], 3), np.uint8), shot)
    for u, v in ((0.5, 0.5), (0.05, 0.3), (0.95, 0.95), (0.2, 0.8)):
        pixel = (u * shot.size[0], v * shot.size[1])
        found = geo.to_local(*_by_metadata(data, *pixel))
        assert math.dist(found, shot.ground(*pixel)) < 0.3


def test_drone_metadata_say_when_and_where() -> None:
    shot = DRONES[0]
    with Image.open(io.BytesIO(jpeg(np.zeros((96, 128, 3), np.uint8), shot))) as picture:
        exif = picture.getexif()
    camera, gps = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    assert camera[0x9003] == shot.time.strftime("%Y:%m:%d %H:%M:%S")
    assert camera[0x9011] == "+08:00"
    assert [int(v) for v in gps[7]] == [2, 15, 0]  # GPS time is UTC
    lon, lat = geo.to_lonlat(*shot.at[:2])
    assert (_dms(gps[4]), _dms(gps[2])) == pytest.approx((lon, lat), abs=1e-8)
    yaw = float(xmp_fields(shot)["drone-dji:GimbalYawDegree"])
    assert yaw == pytest.approx(shot.yaw + geo.grid_convergence_deg(), abs=0.01)
