from __future__ import annotations

import csv
from pathlib import Path

import pytest
import rasterio
import yaml
from pyproj import Geod, Transformer

from huoyan import georef
from huoyan.errors import ConfigError, SourceError
from huoyan.records import Placement, Unplaced
from huoyan.runs.locate import locate

from ...support.county import write_county, write_pair, write_still

GEOD = Geod(ellps="WGS84")


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(GEOD.inv(*a, *b)[2])


def test_control_points_of_a_camera_are_found_again(samples: Path) -> None:
    picture = samples / "archive/camera/cam-001/20260303T100000+0800.jpg"
    with (samples / "registry/cam-001.points.csv").open(encoding="utf-8-sig") as file:
        points = list(csv.DictReader(file))
    for point in points:
        place = locate(picture, (float(point["px_x"]), float(point["px_y"])), samples)
        assert isinstance(place, Placement)
        away = metres((place.lon, place.lat), (float(point["lon"]), float(point["lat"])))
        assert away < 3 * max(place.error_m, 0.5)
    assert isinstance(locate(picture, (640, 2), samples), Unplaced), "the sky"
    assert locate(picture, (640, 500)) == Unplaced("no calibration")


def test_a_drone_photo_needs_no_county(samples: Path) -> None:
    picture = samples / "archive/drone/flight-20260316/DJI_20260316101500_0001.jpg"
    place = locate(str(picture), (640, 480))
    assert isinstance(place, Placement)
    assert place.method.startswith("drone")
    assert place.error_m > 1
    assert metres((place.lon, place.lat), (120.9, 29.5)) < 200
    assert locate(picture, (640, 480), samples / "county.yaml") == place


@pytest.mark.parametrize("date", ["20260201", "20260301"])
def test_a_raster_of_any_date(date: str, tmp_path: Path) -> None:
    write_pair(tmp_path / "archive" / "satellite")
    config = write_county(tmp_path, frames=1, satellite={"error_m": 2.5})
    picture = tmp_path / "archive" / "satellite" / date / "place.tif"
    with rasterio.open(picture) as raster:
        x, y = raster.xy(400.0, 100.0, offset="ul")
        expected = Transformer.from_crs(raster.crs, 4326, always_xy=True).transform(x, y)
    place = locate(picture, (100, 400), config)
    assert isinstance(place, Placement)
    assert metres((place.lon, place.lat), expected) < 0.01
    assert place.error_m == pytest.approx(2.5, abs=0.2), "the county says how well its pictures lie"
    alone = locate(picture, (100, 400))
    assert isinstance(alone, Placement) and alone.error_m > place.error_m


def test_the_first_frame_of_a_video(tmp_path: Path) -> None:
    path = write_county(tmp_path, frames=1, video_s=3)
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["cameras"][1] |= {"position": [120.9, 29.5], "pose": values["cameras"][0]["pose"]}
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    video = tmp_path / "archive/camera/way/way.mp4"
    still = next((tmp_path / "archive/camera/cam-1").iterdir())
    place = locate(video, (160, 200), path)
    assert isinstance(place, Placement)
    assert place == locate(still, (160, 200), path), "the same pose and size"
    assert georef.distance_m(place, (120.9, 29.5)) < 100


def test_pictures_that_cannot_be_asked(tmp_path: Path) -> None:
    path = write_county(tmp_path, frames=2)
    other = write_still(tmp_path / "other.jpg")
    with pytest.raises(SourceError, match=r"other\.jpg: is not among the pictures of the archive"):
        locate(other, (1, 1), path)
    with pytest.raises(ConfigError, match="there is nothing here"):
        locate(tmp_path / "gone.jpg", (1, 1))
    cut = next((tmp_path / "archive/camera/cam-1").iterdir())
    cut.write_bytes(b"")
    with pytest.raises(SourceError, match=cut.name):
        locate(cut, (1, 1), path)
