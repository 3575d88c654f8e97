from __future__ import annotations

from dataclasses import replace
from math import radians, tan
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from huoyan import georef
from huoyan.errors import ConfigError
from huoyan.georef import drone, local, terrain
from huoyan.georef.picture import world_from_camera
from huoyan.records import Detection, DronePose, Placement, Point, Unplaced

SIZE = (1600, 1200)
HOME = (120.9, 29.5)
POSE = DronePose(*HOME, 100.0, 160.0, 0.0, -45.0, 0.0, 1200.0, SIZE)
NADIR = replace(POSE, pitch_deg=-90.0)
MIDDLE = (800.0, 600.0)


def metres(pose: DronePose, xy: Point, ground: terrain.Terrain | None = None) -> Point:
    place = drone.place_point(pose, xy, SIZE, ground)
    assert isinstance(place, Placement), place
    return local.to_metres(place.lon, place.lat, HOME)


@given(
    yaw=st.floats(-180, 180),
    pitch=st.floats(-120, -25),
    roll=st.floats(-20, 20),
    x=st.floats(0, 1600),
    y=st.floats(0, 1200),
)
def test_project_undoes_place(yaw: float, pitch: float, roll: float, x: float, y: float) -> None:
    pose = replace(POSE, yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll, distortion=(-0.1, 0.02, 1e-3, 0.0, 0.0))
    place = drone.place_point(pose, (x, y), SIZE)
    if isinstance(place, Placement):
        assert georef.project(pose, place.lon, place.lat) == pytest.approx((x, y), abs=1e-3)
    else:
        assert "horizon" in place.reason


@pytest.mark.parametrize(
    ("yaw", "direction"), [(0, (0, 1)), (90, (1, 0)), (180, (0, -1)), (-90, (-1, 0)), (270, (-1, 0))]
)
def test_yaw_is_clockwise_from_north(yaw: float, direction: Point) -> None:
    found = metres(replace(POSE, yaw_deg=yaw), MIDDLE)
    assert found == pytest.approx((100 * direction[0], 100 * direction[1]), abs=1e-3)


def test_the_right_of_the_picture_is_to_the_right_of_the_way_it_looks() -> None:
    """A mirrored rotation would swap them."""
    looking_north = metres(POSE, (900.0, 600.0))
    assert looking_north[0] > 0
    looking_south = metres(replace(POSE, yaw_deg=180.0), (900.0, 600.0))
    assert looking_south[0] < 0


def test_straight_down_the_top_edge_points_where_yaw_says() -> None:
    assert metres(NADIR, MIDDLE) == pytest.approx((0, 0), abs=1e-6)
    assert metres(NADIR, (800.0, 0.0)) == pytest.approx((0, 50), abs=1e-3)
    assert metres(NADIR, (1600.0, 600.0)) == pytest.approx((100 * 800 / 1200, 0), abs=1e-3)
    assert metres(replace(NADIR, yaw_deg=90.0), (800.0, 0.0)) == pytest.approx((50, 0), abs=1e-3)


def test_flipped_report_of_a_gimbal_at_nadir_is_the_same_view() -> None:
    flipped = replace(NADIR, yaw_deg=180.0, roll_deg=180.0)
    for xy in ((0.0, 0.0), (1600.0, 300.0), (123.0, 1100.0)):
        assert metres(flipped, xy) == pytest.approx(metres(NADIR, xy), abs=1e-3)


def test_roll_is_clockwise_so_the_horizon_turns_the_other_way() -> None:
    """The right side dips: the right edge looks at nearer ground than the left."""
    rolled = replace(POSE, roll_deg=10.0)
    right, left = metres(rolled, (1500.0, 600.0)), metres(rolled, (100.0, 600.0))
    assert right[1] < left[1]
    assert np.allclose(world_from_camera(0, 0, 90)[:, 0], (0, 0, -1))


@pytest.mark.parametrize("angles", [(0, 0, 0), (37, -52, 8), (-120, -90, 0), (200, -10, -170)])
def test_rotation_is_proper(angles: tuple[float, float, float]) -> None:
    turn = world_from_camera(*angles)
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("lon", "no GPS position"),
        ("height_m", "no height above take-off"),
        ("yaw_deg", "no gimbal yaw"),
        ("pitch_deg", "no gimbal pitch"),
        ("roll_deg", "no gimbal roll"),
        ("focal_px", "no focal length"),
    ],
)
@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_missing_field_is_named(field: str, reason: str, value: float | None) -> None:
    place = drone.place_point(replace(POSE, **{field: value}), MIDDLE, SIZE)
    assert place == Unplaced(reason)


def test_height_above_the_sea_does_not_stand_in_for_height_above_take_off() -> None:
    assert drone.place_point(replace(POSE, height_m=None, altitude_m=160.0), MIDDLE, SIZE) == Unplaced(
        "no height above take-off"
    )


@pytest.mark.parametrize(
    ("pose", "xy", "reason"),
    [
        (replace(POSE, pitch_deg=0.0), MIDDLE, "above the horizon"),
        (replace(POSE, pitch_deg=20.0), MIDDLE, "above the horizon"),
        (POSE, (800.0, -700.0), "above the horizon"),
        (replace(POSE, pitch_deg=-3.0), MIDDLE, "too shallow: 3.0 degrees below the horizon"),
        (replace(POSE, height_m=0.0), MIDDLE, "not above the ground: 0.0 m over take-off"),
        (replace(POSE, focal_px=0.0), MIDDLE, "no focal length"),
        (replace(POSE, distortion=(-0.9,)), (0.0, 0.0), "outside the picture circle of the lens"),
    ],
)
def test_what_cannot_be_placed_says_why(pose: DronePose, xy: Point, reason: str) -> None:
    assert drone.place_point(pose, xy, SIZE) == Unplaced(reason)


def test_another_shape_of_picture_is_refused_and_another_size_scaled() -> None:
    full, half = (drone.place_point(POSE, (400 * k, 300 * k), (800 * k, 600 * k)) for k in (2, 1))
    assert isinstance(full, Placement) and isinstance(half, Placement)
    assert georef.distance_m(full, half) < 1e-6
    refused = drone.place_point(POSE, MIDDLE, (1600, 900))
    assert isinstance(refused, Unplaced)
    assert "another shape" in refused.reason


def test_stated_error_holds_two_thirds_of_what_the_errors_do() -> None:
    random = np.random.default_rng(3)
    for pose, xy in (
        (NADIR, (1200.0, 300.0)),
        (POSE, (300.0, 900.0)),
        (replace(POSE, pitch_deg=-25.0), MIDDLE),
    ):
        stated = drone.place_point(pose, xy, SIZE)
        assert isinstance(stated, Placement)
        inside = 0
        for _ in range(600):
            angles = random.normal((pose.yaw_deg, pose.pitch_deg, pose.roll_deg), pose.angle_error_deg)
            turn = world_from_camera(*angles.tolist())
            focal = pose.focal_px * (1 + random.normal(0, drone.FOCAL_ERROR))
            px = np.array(xy) + random.normal(0, drone.PIXEL_ERROR_PX, 2)
            ray = turn @ np.array([(px[0] - 800) / focal, (px[1] - 600) / focal, 1.0])
            height = pose.height_m + random.normal(0, pose.height_error_m)
            spot = ray[:2] / -ray[2] * height + random.normal(0, pose.position_error_m / 1.515, 2)
            truth = local.to_metres(stated.lon, stated.lat, HOME)
            inside += np.hypot(*(spot - truth)) <= stated.error_m
        # Yaw, pitch and roll errors only approximate a free turn; the share must stay near 68 %.
        assert 0.58 < inside / 600 < 0.80


def test_boxes_stand_on_their_bottom_edge_unless_seen_from_above() -> None:
    box = Detection("excavator", 0.9, (700, 500, 900, 700))
    assert georef.contact_point(POSE, box) == (800, 700)
    assert georef.contact_point(replace(POSE, pitch_deg=-75.0), box) == (800, 600)


def test_area_from_above_and_from_across() -> None:
    box = Detection("earth_heap", 0.9, (700, 540, 820, 660))
    assert georef.ground_area_m2(NADIR, box, SIZE) == pytest.approx(100.0, rel=1e-3)
    across = georef.ground_area_m2(POSE, box, SIZE)
    assert across is not None
    left, right = metres(POSE, (700, 660)), metres(POSE, (820, 660))
    assert across == pytest.approx((right[0] - left[0]) ** 2, rel=1e-3)
    above = georef.ground_area_m2(replace(POSE, pitch_deg=0.0), Detection("x", 1.0, (0, 0, 10, 10)), SIZE)
    assert above is None


def test_flat_terrain_uses_the_height_above_the_sea() -> None:
    found = metres(POSE, MIDDLE, terrain.FlatTerrain(40.0))
    assert found[1] == pytest.approx(120.0, abs=1e-3)
    without = metres(replace(POSE, altitude_m=None), MIDDLE, terrain.FlatTerrain(40.0))
    assert without[1] == pytest.approx(100.0, abs=1e-3)


def slope(folder: Path, *, crs: str | None = "EPSG:32651", hole: bool = False) -> Path:
    """Ground that rises northward by 1 in 5 from 60 m at the drone, on a 10 m grid."""
    east, north = 296_490.0, 3_265_180.0
    rows = np.arange(100)[:, None]
    heights = np.broadcast_to(60.0 + 0.2 * (500.0 - (rows + 0.5) * 10.0), (100, 100)).astype("float32").copy()
    if hole:
        heights[:48] = -9999
    path = folder / "dem.tif"
    profile = {
        "driver": "GTiff",
        "width": 100,
        "height": 100,
        "count": 1,
        "dtype": "float32",
        "nodata": -9999,
    }
    if crs:
        profile |= {"crs": crs, "transform": rasterio.Affine(10, 0, east - 500, 0, -10, north + 500)}
    with rasterio.open(path, "w", **profile) as file:
        file.write(heights, 1)
    return path


@pytest.fixture
def over_slope() -> DronePose:
    from pyproj import Transformer

    lon, lat = Transformer.from_crs("EPSG:32651", "EPSG:4326", always_xy=True).transform(
        296_490.0, 3_265_180.0
    )
    return replace(POSE, lon=lon, lat=lat)


def test_a_ray_meets_rising_ground_sooner(tmp_path: Path, over_slope: DronePose) -> None:
    dem = terrain.read(slope(tmp_path))
    place = drone.place_point(over_slope, MIDDLE, SIZE, dem)
    assert isinstance(place, Placement)
    flat = drone.place_point(over_slope, MIDDLE, SIZE)
    assert isinstance(flat, Placement)
    assert place.method == "drone terrain"
    # Height 100 m, ray falls 1 in 1, ground rises 1 in 5 (nearly along grid north).
    away = georef.distance_m((over_slope.lon or 0, over_slope.lat or 0), place)
    assert away == pytest.approx(100 / 1.2, abs=0.5)
    assert drone.project(over_slope, place.lon, place.lat, dem) == pytest.approx(MIDDLE, abs=0.5)
    assert place.error_m > flat.error_m


def test_gaps_and_edges_of_the_terrain_leave_a_place_open(tmp_path: Path, over_slope: DronePose) -> None:
    dem = terrain.read(slope(tmp_path, hole=True))
    assert drone.place_point(over_slope, MIDDLE, SIZE, dem) == Unplaced("no height of the ground there")
    far = replace(over_slope, lon=121.5)
    assert drone.place_point(far, MIDDLE, SIZE, dem) == Unplaced("no height of the ground below the drone")
    low = replace(over_slope, altitude_m=20.0)
    below = drone.place_point(low, MIDDLE, SIZE, terrain.FlatTerrain(40.0))
    assert isinstance(below, Unplaced)
    assert "not above the ground" in below.reason


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_broken_terrain_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no coordinate system"):
        terrain.read(slope(tmp_path, crs=None))
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(ConfigError, match=r"text\.tif.*cannot be read"):
        terrain.read(tmp_path / "text.tif")


def test_range_from_height_and_pitch() -> None:
    for pitch in (-60.0, -32.9, -20.0):
        _, north = metres(replace(POSE, pitch_deg=pitch), MIDDLE)
        assert north == pytest.approx(100 / tan(radians(-pitch)), rel=1e-5)
