from __future__ import annotations

import pickle
from dataclasses import replace
from math import hypot, radians, tan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan import config, georef
from huoyan.georef import camera, local, plane
from huoyan.records import Detection, GroundPlane, Placement, Unplaced

from .factory import ORIGIN, POSE, SIZE, true_plane

LEVEL = config.Pose(height_m=10.0, yaw_deg=0.0, pitch_deg=-30.0, hfov_deg=60.0)


def bare(ground: GroundPlane, sign: float = 1.0) -> GroundPlane:
    """The plane without what is known of its errors, its matrix scaled."""
    return GroundPlane(
        tuple(sign * 3.0 * m for m in ground.matrix), ground.origin, ground.size, ground.ground_error_m
    )


@given(x=st.floats(0, 1280), y=st.floats(0, 720))
def test_project_undoes_place(x: float, y: float) -> None:
    ground = true_plane()
    place = georef.place_point(ground, (x, y), SIZE)
    if isinstance(place, Placement):
        assert georef.project(ground, place.lon, place.lat) == pytest.approx((x, y), abs=0.01)
    else:
        assert "horizon" in place.reason


def test_pose_looks_where_it_says() -> None:
    ground = camera.from_pose(ORIGIN, LEVEL, SIZE)
    middle = georef.place_point(ground, (640, 360), SIZE)
    right = georef.place_point(ground, (1000, 360), SIZE)
    assert isinstance(middle, Placement) and isinstance(right, Placement)
    assert local.to_metres(middle.lon, middle.lat, ORIGIN) == pytest.approx(
        (0, 10 / tan(radians(30))), abs=1e-3
    )
    assert right.lon > middle.lon
    assert middle.method == "pose"


def test_either_sign_of_a_bare_matrix_means_the_same() -> None:
    ground = true_plane()
    for xy in ((640, 500), (640, 20)):
        one, other = (plane.place_point(bare(ground, sign), xy, SIZE) for sign in (1.0, -1.0))
        assert one == other
    assert plane.place_point(bare(ground), (640, 5), SIZE) == Unplaced("above the horizon")


def test_picture_of_another_size_is_scaled_and_of_another_shape_refused() -> None:
    ground = true_plane()
    full, half = (
        georef.place_point(ground, (600, 500), SIZE),
        georef.place_point(ground, (300, 250), (640, 360)),
    )
    assert isinstance(full, Placement) and isinstance(half, Placement)
    assert georef.distance_m(full, half) < 1e-6
    assert georef.project(ground, full.lon, full.lat, (640, 360)) == pytest.approx((300, 250), abs=0.01)
    refused = georef.place_point(ground, (300, 250), (640, 480))
    assert isinstance(refused, Unplaced)
    assert "another shape" in refused.reason


def test_error_grows_towards_the_horizon_and_ends_there() -> None:
    ground = true_plane()
    places = [georef.place_point(ground, (640, y), SIZE) for y in range(700, 0, -20)]
    errors = [place.error_m for place in places if isinstance(place, Placement)]
    reasons = [place.reason for place in places if isinstance(place, Unplaced)]
    assert errors == sorted(errors)
    assert errors[-1] > 5 * errors[0]
    assert reasons[-1] == "above the horizon"
    assert reasons[0] != "above the horizon"


def test_box_stands_on_its_bottom_edge() -> None:
    ground = true_plane()
    place = georef.place(ground, Detection("dump_truck", 0.9, (600, 300, 700, 500)), SIZE)
    assert place == georef.place_point(ground, (650, 500), SIZE)


def test_stated_error_of_a_pose_holds_two_thirds_of_what_its_errors_do() -> None:
    random = np.random.default_rng(5)
    xy = (500.0, 480.0)
    stated = georef.place_point(true_plane(), xy, SIZE)
    assert isinstance(stated, Placement)
    inside = 0
    for _ in range(500):
        wrong = config.Pose(
            height_m=POSE.height_m * (1 + random.normal(0, 0.05)),
            yaw_deg=POSE.yaw_deg + random.normal(0, 2),
            pitch_deg=POSE.pitch_deg + random.normal(0, 1),
            roll_deg=POSE.roll_deg + random.normal(0, 1),
            hfov_deg=POSE.hfov_deg * (1 + random.normal(0, 0.045)),
        )
        clicked = tuple((np.array(xy) + random.normal(0, 2, 2)).tolist())
        place = georef.place_point(true_plane(wrong), clicked, SIZE)
        assert isinstance(place, Placement)
        east, north = local.to_metres(place.lon, place.lat, (stated.lon, stated.lat))
        mast = random.normal(0, 3.0 / 1.515, 2)
        inside += hypot(east + mast[0], north + mast[1]) <= stated.error_m
    assert 0.6 < inside / 500 < 0.82


def test_outside_the_control_points_the_error_grows_and_then_the_place_is_refused() -> None:
    area = ((-5.0, 10.0), (5.0, 10.0), (5.0, 20.0), (-5.0, 20.0))
    # 10 px a metre from above, so that only the distance counts.
    matrix = (0.1, 0.0, -64.0, 0.0, -0.1, 36.0, 0.0, 0.0, 1.0)
    ground = plane.CalibratedPlane(matrix, ORIGIN, SIZE, 1.0, area=area)

    def at(east: float, north: float) -> float | str:
        place = plane.place_point(ground, (10 * (east + 64), 10 * (36 - north)), SIZE)
        return place.error_m if isinstance(place, Placement) else place.reason

    inside, near, far = at(0, 15), at(15, 15), at(30, 15)
    assert isinstance(inside, float) and isinstance(near, float) and isinstance(far, float)
    assert inside == pytest.approx(at(4, 11))
    assert inside < near < far
    assert at(45, 15) == "40 m outside the area of the control points"


def test_beyond_the_guard_nothing_is_placed() -> None:
    ground = replace(true_plane(), horizon_guard_m=20.0)
    assert georef.place_point(ground, (640, 300), SIZE) == Unplaced("beyond 20 m, too near the horizon")


def test_behind_the_camera_nothing_is_seen() -> None:
    ground = camera.from_pose(ORIGIN, LEVEL, SIZE)
    assert georef.project(ground, *local.to_degrees(0.0, -50.0, ORIGIN)) is None
    assert georef.project(ground, *local.to_degrees(0.0, 17.0, ORIGIN)) is not None
    assert georef.project(Unplaced("no calibration"), *ORIGIN) is None


def test_lens_is_undone() -> None:
    straight = true_plane()
    focal = SIZE[0] / 2 / tan(radians(POSE.hfov_deg / 2))
    bent = replace(straight, intrinsics=(focal, focal, 640.0, 360.0), distortion=(-0.2, 0.0, 0.0, 0.0, 0.0))
    place = georef.place_point(bent, (200.0, 600.0), SIZE)
    assert isinstance(place, Placement)
    assert georef.project(bent, place.lon, place.lat) == pytest.approx((200.0, 600.0), abs=0.01)
    unbent = georef.place_point(straight, (200.0, 600.0), SIZE)
    assert isinstance(unbent, Placement)
    assert georef.distance_m(place, unbent) > 0.3


def test_distance_outside_a_ring() -> None:
    ring = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0))
    for turned in (ring, ring[::-1]):
        assert plane.distance_outside(turned, 5, 5) == 0.0
        assert plane.distance_outside(turned, 13, 14) == pytest.approx(5.0)
        assert plane.distance_outside(turned, 5, -2) == pytest.approx(2.0)


def test_planes_cross_process_borders() -> None:
    assert pickle.loads(pickle.dumps(true_plane())) == true_plane()
