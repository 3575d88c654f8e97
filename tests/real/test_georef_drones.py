"""Real drone photos: a target measured by laser, the horizon, and one place seen in several photos."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from huoyan import georef
from huoyan.records import DronePose, Frame, Placement, Unplaced
from huoyan.sources import open_source

MINSK = ("0010", "0012", "0019", "0020", "0022", "0030", "0031")
LEAST_TIES = 20


def frame(folder: Path, name: str) -> Frame:
    found = next(iter(open_source(folder / "drone" / f"{name}.jpg")))
    assert isinstance(found, Frame)
    return found


def test_laser_measured_target(shared_data: Path) -> None:
    """The range finder says 66.8 m at bearing -106.5; the aircraft's own yaw (-86) would be 23 m off."""
    one = frame(shared_data, "thermal_h20n_0006")
    pose = one.ground
    assert isinstance(pose, DronePose) and pose.lon is not None and pose.lat is not None
    # The laser hit ground 0.735 m below the take-off point.
    pose = replace(pose, height_m=(pose.height_m or 0.0) + 0.735)
    width, height = one.ref.size
    place = georef.place_point(pose, (width / 2, height / 2), one.ref.size)
    assert isinstance(place, Placement)
    range_m, bearing = 66.8, np.radians(-106.5)
    east, north = range_m * np.sin(bearing), range_m * np.cos(bearing)
    from huoyan.georef import local

    target = local.to_degrees(float(east), float(north), (pose.lon, pose.lat))
    assert georef.distance_m(place, target) < 1.0
    assert georef.distance_m(place, target) < place.error_m


@pytest.mark.parametrize("name", ["horizon_0012", "horizon_0116"])
def test_middle_of_a_level_photo_is_the_horizon(shared_data: Path, name: str) -> None:
    one = frame(shared_data, name)
    width, height = one.ref.size
    assert georef.place_point(one.ground, (width / 2, height / 2), one.ref.size) == Unplaced(
        "above the horizon"
    )
    below = georef.place_point(one.ground, (width / 2, height - 1.0), one.ref.size)
    assert isinstance(below, Placement)


def test_photo_without_a_pose_is_not_placed(shared_data: Path) -> None:
    one = frame(shared_data, "nogps_m30t_0003")
    assert isinstance(georef.place_point(one.ground, (320.0, 256.0), one.ref.size), Unplaced)


def spreads(folder: Path, names: tuple[str, ...]) -> dict[tuple[str, str], tuple[float, float]]:
    """Median distance, and share within the combined stated error, of ground points seen in two photos."""
    sift = cv2.SIFT_create(2500)
    frames = {name: frame(folder, name) for name in names}
    seen = {
        name: sift.detectAndCompute(cv2.cvtColor(f.image(), cv2.COLOR_RGB2GRAY), None)
        for name, f in frames.items()
    }
    result = {}
    for a, b in combinations(names, 2):
        pairs = cv2.BFMatcher().knnMatch(seen[a][1], seen[b][1], k=2)
        good = [one for one, two in pairs if one.distance < 0.7 * two.distance]
        if len(good) < LEAST_TIES:
            continue
        left = np.array([seen[a][0][m.queryIdx].pt for m in good])
        right = np.array([seen[b][0][m.trainIdx].pt for m in good])
        # One homography between two photos is the ground: roofs drop out.
        _, mask = cv2.findHomography(left, right, cv2.RANSAC, 4.0)
        kept = mask.ravel().astype(bool)
        apart, stated = [], []
        for p, q in zip(left[kept].tolist(), right[kept].tolist(), strict=True):
            here = georef.place_point(frames[a].ground, tuple(p), frames[a].ref.size)
            there = georef.place_point(frames[b].ground, tuple(q), frames[b].ref.size)
            if isinstance(here, Placement) and isinstance(there, Placement):
                apart.append(georef.distance_m(here, there))
                stated.append(np.hypot(here.error_m, there.error_m))
        if len(apart) >= LEAST_TIES:
            result[a, b] = float(np.median(apart)), float(np.mean(np.array(apart) <= np.array(stated)))
    return result


def test_one_place_in_several_oblique_and_nadir_photos(shared_data: Path) -> None:
    found = spreads(shared_data, tuple(f"minsk_{number}" for number in MINSK))
    assert len(found) >= 8
    assert max(median for median, _ in found.values()) < 9.0
    assert min(share for _, share in found.values()) > 0.6


def test_one_place_along_a_strip(shared_data: Path) -> None:
    found = spreads(shared_data, tuple(f"duluth_00{number}" for number in (30, 31, 32, 33)))
    assert len(found) >= 3
    assert max(median for median, _ in found.values()) < 3.0
