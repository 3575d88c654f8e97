"""Real traffic cameras with control points: errors against a plain homography, wrong points, stated radius."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from huoyan.georef import camera, checkpicture, plane, points
from huoyan.georef.camera import Calibration
from huoyan.records import Placement, Unplaced

CAMERAS = (
    "eth_hotel_homography",
    "seattle_airport_way",
    "seattle_aurora",
    "seattle_bad_points",
    "seattle_madison",
    "seattle_marginal_way_squeezed",
    "seattle_marion",
    "ucy_slabs_measured",
)


@dataclass(frozen=True)
class Fitted:
    calibration: Calibration
    baseline_check_m: float


@pytest.fixture(scope="session")
def fitted(shared_data: Path) -> dict[str, Fitted]:
    folder = shared_data / "geo"
    with (folder / "baseline.csv").open(encoding="utf-8") as file:
        baseline = {row["name"]: float(row["check_rms_m"]) for row in csv.DictReader(file)}
    result = {}
    for name in CAMERAS:
        height, width = checkpicture.read_image(folder / name / "frame.jpg").shape[:2]
        calibration = camera.fit(points.read(folder / name / "points.csv"), (width, height))
        result[name] = Fitted(calibration, baseline[name])
    return result


@pytest.mark.parametrize("name", CAMERAS)
def test_no_worse_than_a_plain_homography(fitted: dict[str, Fitted], name: str) -> None:
    one = fitted[name]
    assert one.calibration.check_rms_m is not None
    assert one.calibration.check_rms_m <= one.baseline_check_m + 0.01


def test_wrong_points_are_named_and_the_rest_then_agrees(fitted: dict[str, Fitted]) -> None:
    one = fitted["seattle_bad_points"]
    named = {r.point.name for r in one.calibration.points if r.bad or r.suspect}
    assert {r.point.name for r in one.calibration.bad} == {"p4"}
    assert named <= {"p3", "p4"}
    assert one.calibration.check_rms_m is not None
    assert one.calibration.check_rms_m < 0.3 * one.baseline_check_m


def test_honest_points_are_not_left_out(fitted: dict[str, Fitted]) -> None:
    assert not any(one.calibration.bad for name, one in fitted.items() if name != "seattle_bad_points")


def test_published_homography_is_found_again(fitted: dict[str, Fitted]) -> None:
    """The order of axes: its coordinates are exact by construction."""
    assert fitted["eth_hotel_homography"].calibration.check_rms_m == pytest.approx(0.0, abs=0.005)


def test_stated_radius_holds_about_two_thirds_of_the_check_points(fitted: dict[str, Fitted]) -> None:
    inside = total = 0
    for name, one in fitted.items():
        if name == "eth_hotel_homography":
            continue
        for result in one.calibration.points:
            if result.point.use != "check":
                continue
            place = plane.place_point(one.calibration.ground, result.point.pixel, one.calibration.ground.size)
            assert isinstance(place, Placement), (name, result.point.name, place)
            inside += result.residual_m <= place.error_m
            total += 1
    assert total == 14
    assert 0.5 <= inside / total <= 0.95


@pytest.mark.parametrize("name", [n for n in CAMERAS if n.startswith("seattle")])
def test_sky_is_not_placed(fitted: dict[str, Fitted], name: str) -> None:
    ground = fitted[name].calibration.ground
    assert isinstance(plane.place_point(ground, (ground.size[0] / 2, 1.0), ground.size), Unplaced)
