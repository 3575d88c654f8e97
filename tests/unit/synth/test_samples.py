"""What lies in data_samples/ agrees with its truth, its registry and the plan of the place."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any

import geo
import layout
import pytest
import story
import yaml
from county import control_points
from PIL import Image
from shots import SHOTS
from sun import sun_position

LIMIT_BYTES = 20_000_000


@pytest.fixture(scope="module")
def truth(samples: Path) -> dict[str, Any]:
    return json.loads((samples / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def zones(samples: Path) -> dict[str, dict[str, Any]]:
    features = json.loads((samples / "registry" / "zones.geojson").read_text(encoding="utf-8"))["features"]
    return {f["properties"]["id"]: f for f in features}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as held:
        return list(csv.DictReader(held))


def _inside(lon: float, lat: float, ring: list[list[float]]) -> bool:
    odd = False
    for (x0, y0), (x1, y1) in itertools.pairwise(ring):
        if (y0 > lat) != (y1 > lat) and lon < (x1 - x0) * (lat - y0) / (y1 - y0) + x0:
            odd = not odd
    return odd


def test_the_archive_holds_exactly_the_pictures_of_the_truth(samples: Path, truth: dict[str, Any]) -> None:
    archive = samples / "archive"
    there = {p.relative_to(archive).as_posix() for p in archive.rglob("*") if p.suffix in (".jpg", ".tif")}
    assert there == {p["file"] for p in truth["pictures"]} == {s.name + s.suffix for s in SHOTS}


def test_the_samples_stay_small(samples: Path) -> None:
    assert sum(p.stat().st_size for p in samples.rglob("*") if p.is_file()) < LIMIT_BYTES


def test_pictures_have_the_stated_size_and_boxes_within_it(samples: Path, truth: dict[str, Any]) -> None:
    for picture in truth["pictures"]:
        with Image.open(samples / "archive" / picture["file"]) as im:
            assert im.size == (picture["camera"]["width"], picture["camera"]["height"])
            width, height = im.size
        assert picture["objects"], picture["file"]
        for ob in picture["objects"]:
            x1, y1, x2, y2 = ob["visible_box"]
            assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height, (picture["file"], ob["id"])


def test_poses_in_the_truth_are_those_of_the_plan(truth: dict[str, Any]) -> None:
    shots = {s.name + s.suffix: s for s in SHOTS}
    for picture in truth["pictures"]:
        said, shot = picture["camera"], shots[picture["file"]]
        assert said == {**json.loads(json.dumps(shot.describe())), "lon": said["lon"], "lat": said["lat"]}
        assert (said["lon"], said["lat"]) == geo.to_lonlat(*shot.centre[:2])


def test_ground_positions_project_into_their_boxes(truth: dict[str, Any]) -> None:
    shots, checked = {s.name + s.suffix: s for s in SHOTS}, 0
    for picture in truth["pictures"]:
        shot = shots[picture["file"]]
        for ob in picture["objects"]:
            if ob["in_frame"] < 1 or ob["part"].startswith("b-") or " on b-" in ob["part"]:
                continue  # cut by the edge, or standing on a roof
            x, y = geo.to_local(*ob["ground_lonlat"])
            px, py = shot.project([(x, y, 0.0)])[0]
            x1, y1, x2, y2 = ob["box"]
            assert x1 - 8 <= px <= x2 + 8 and y1 - 8 <= py <= y2 + 8, (picture["file"], ob["id"])
            checked += 1
    assert checked > 150


def test_captions_are_the_boxes_of_the_trucks(samples: Path, truth: dict[str, Any]) -> None:
    rows = _rows(samples / "archive" / "camera" / "cam-002" / "captions.csv")
    assert {r["plate"] for r in rows} == {story.PLATE_UNKNOWN, story.PLATE_KNOWN}
    pictures = {Path(p["file"]).name: p for p in truth["pictures"]}
    for row in rows:
        (truck,) = (o for o in pictures[row["file"]]["objects"] if o["part"] == f"plate {row['plate']}")
        assert [int(row[k]) for k in ("x1", "y1", "x2", "y2")] == truck["visible_box"]
        assert row["label"] == truck["label"] == "dump_truck"


def test_the_unknown_plate_is_no_misreading_of_a_registered_one(samples: Path) -> None:
    known = [r["plate"] for r in _rows(samples / "registry" / "vehicles.csv")]
    assert story.PLATE_KNOWN in known
    assert all(sum(a != b for a, b in zip(p, story.PLATE_UNKNOWN, strict=True)) > 2 for p in known)


def test_registry_refers_only_to_what_exists(samples: Path, zones: dict[str, dict[str, Any]]) -> None:
    config = yaml.safe_load((samples / "county.yaml").read_text(encoding="utf-8"))
    for path in config["registry"].values():
        assert (samples / path).is_file()
    for camera in config["cameras"]:
        assert set(camera["zones"]) <= set(zones)
        assert (samples / camera["calibration"]).is_file()
        assert (samples / config["archive"] / camera["archive"]).is_dir()
    footprints = json.loads((samples / "registry" / "buildings.geojson").read_text(encoding="utf-8"))
    ids = {f["properties"]["id"] for f in footprints["features"]}
    assert ids == {h.id for h in layout.houses()}
    for permit in _rows(samples / "registry" / "permits.csv"):
        areas = [bool(permit["zone"]), bool(permit["footprint"]), bool(permit["radius_m"])]
        assert areas.count(True) == 1, permit["id"]
        assert permit["zone"] in {"", *zones} and permit["footprint"] in {"", *ids}


def test_expected_alerts_lie_in_zones_that_watch_for_them(
    samples: Path, truth: dict[str, Any], zones: dict[str, dict[str, Any]]
) -> None:
    permits = {p["id"]: p for p in _rows(samples / "registry" / "permits.csv")}
    assert truth["expected_alerts"] == json.loads(json.dumps(story.expected_alerts()))
    for alert in truth["expected_alerts"]:
        watching = [
            z
            for z in zones.values()
            if alert["scene"] in z["properties"]["scenes"]
            and _inside(alert["lon"], alert["lat"], z["geometry"]["coordinates"][0])
        ]
        assert watching, alert
        if alert["permit"] in permits:
            assert alert["scene"] in permits[alert["permit"]]["scene"].split()
        elif alert["permitted"]:
            assert alert["permit"].removeprefix("zone ") in zones


@pytest.mark.parametrize("camera", ["cam-001", "cam-002"])
def test_control_points_fit_the_pose(samples: Path, camera: str) -> None:
    shot = next(s for s in SHOTS if f"/{camera}/" in s.name)
    rows = _rows(samples / "registry" / f"{camera}.points.csv")
    assert len(rows) == len(control_points(shot)) >= 8
    assert {r["use"] for r in rows} == {"fit", "check"}
    for row in rows:
        seen = shot.project([(*geo.to_local(float(row["lon"]), float(row["lat"])), 0.0)])[0]
        assert math.dist(seen, (float(row["px_x"]), float(row["px_y"]))) < 0.6


def test_satellite_pair_lies_on_the_plan(samples: Path) -> None:
    import rasterio

    for shot in (s for s in SHOTS if s.kind == "ortho"):
        with rasterio.open(samples / "archive" / (shot.name + shot.suffix)) as raster:
            assert raster.crs.to_epsg() == 32651
            assert raster.res == (shot.gsd, shot.gsd)
            middle = raster.xy(raster.height / 2 - 0.5, raster.width / 2 - 0.5)
        assert middle == pytest.approx(geo.to_map(*shot.at[:2]), abs=0.01)


def test_all_pictures_are_taken_by_day() -> None:
    for shot in SHOTS:
        height, _ = sun_position(shot.time, *geo.to_lonlat(*shot.at[:2]))
        assert height > 15, shot.name


def test_houses_do_not_stand_on_the_plots() -> None:
    for plot in (layout.PLOT_A, layout.PLOT_B, layout.PLOT_C, layout.SPOIL_YARD, layout.STORAGE_YARD):
        for h in layout.houses():
            apart = (
                abs(h.x - plot[0]) - plot[2] / 2 - h.width / 2,
                abs(h.y - plot[1]) - plot[3] / 2 - h.depth / 2,
            )
            assert max(apart) > 0, (h.id, plot)
