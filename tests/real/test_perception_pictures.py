"""Night and changes of the ground on real pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from huoyan.evaluate import pictures
from huoyan.perception import groundwork, quality, radiometry
from huoyan.perception.regions import Region


def test_night_of_a_weather_camera(shared_data: Path) -> None:
    """A Dutch field in October: dark from 18:00 to 05:30 UTC, the camera then sees infra-red."""
    wrong = []
    paths = sorted((shared_data / "air" / "visibility" / "knmi_meadow").glob("*.jpg"))
    for path in paths:
        hour = int(path.stem[-4:-2]) + int(path.stem[-2:]) / 60
        if 5.3 < hour < 6.2 or 17.4 < hour < 18.3:
            continue  # dusk and dawn: either answer is right
        if quality.is_night(pictures.read(path)) != (hour < 6 or hour > 18):
            wrong.append(path.name)
    assert len(paths) > 30
    # Dense fog, lit by the lamps of the place: as bright as day.
    assert wrong == ["Meetterrein_20151004_0030.jpg"]


@pytest.mark.parametrize(
    ("name", "night"),
    [
        ("street/train/images/amsterdam_081.jpg", True),
        ("street/train/images/amsterdam_097.jpg", True),
        ("street/train/images/amsterdam_092.jpg", True),
        ("street/train/images/neg_aliengemn_62.jpg", True),
        ("streetwise/train/images/cnbin_023.jpg", True),
        ("site/train/images/stockex_0004.jpg", False),
        ("site/val/images/krsiteb_0038.jpg", False),
        ("air/train/images/hpwren_003.jpg", False),
        ("site/val/images/krsite_0008.jpg", False),
    ],
)
def test_night_in_the_street(shared_data: Path, name: str, night: bool) -> None:
    assert quality.is_night(pictures.read(shared_data / name)) is night


def test_sites_by_day_are_not_night(shared_data: Path) -> None:
    paths = sorted((shared_data / "site" / "val" / "images").iterdir())
    assert not [path.name for path in paths if quality.is_night(pictures.read(path))]


def soil(folder: Path, tile: str, gsd_m: float) -> list[Region]:
    before, after = (pictures.read(folder / part / f"{tile}.jpg") for part in ("A", "B"))
    light = radiometry.compare_light(before, after)
    valid = before.any(axis=2) & after.any(axis=2)
    nothing = np.zeros(valid.shape, np.float32)
    ground = groundwork.coarse(before, after, light, valid, nothing, 0.5, gsd_m)
    return groundwork.bare_soil(ground, groundwork.soil(ground))


def test_season_and_light_are_rarely_taken_for_earthwork(shared_data: Path) -> None:
    folder = shared_data / "change" / "hires"
    table = [line.split(",") for line in (folder / "index.csv").read_text(encoding="utf-8").splitlines()[1:]]
    rows = [(row[0], float(row[5])) for row in table if row[4] == "none"]
    fired = [tile for tile, gsd_m in rows if soil(folder, tile, gsd_m)]
    assert len(rows) == 35
    assert len(fired) <= 3


def test_a_lawn_dug_up_is_earthwork(shared_data: Path) -> None:
    """Soil of one real picture painted into the grass of another: the rule must see it in real texture."""
    folder = shared_data / "change" / "hires"
    grass = pictures.read(folder / "A" / "xbd_santarosa_0001.jpg")
    assert grass.shape == (256, 256, 3)
    dug = grass.copy()
    colour = np.array([178, 142, 108], np.float32)
    shade = cv2.cvtColor(grass, cv2.COLOR_RGB2GRAY)[80:180, 60:180, None].astype(np.float32)
    dug[80:180, 60:180] = (colour * (0.8 + 0.3 * shade / 255)).clip(0, 255).astype(np.uint8)
    light = radiometry.compare_light(grass, dug)
    valid = np.ones((256, 256), dtype=bool)
    ground = groundwork.coarse(grass, dug, light, valid, np.zeros((256, 256), np.float32), 0.5, 0.5)
    found = groundwork.bare_soil(ground, groundwork.soil(ground))
    assert sum(region.pixels for region in found) > 0.3 * 100 * 120
