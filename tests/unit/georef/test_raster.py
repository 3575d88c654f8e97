from __future__ import annotations

from math import cos, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan import georef
from huoyan.georef import raster
from huoyan.records import Detection, Placement, RasterGrid, Unplaced

SIZE = (800, 600)
UTM = RasterGrid((2.0, 0.0, 500_000.0, 0.0, -2.0, 3_264_000.0), "EPSG:32651", SIZE, error_m=5.0)
DEGREES = RasterGrid((2e-5, 0.0, 122.99, 0.0, -2e-5, 29.51), "EPSG:4326", SIZE)
# EPSG declares latitude first for 4326 and 4490, northing first for 4527 (CGCS2000, zone 39), easting first for UTM.
CGCS = RasterGrid((2.0, 0.0, 39_450_000.0, 0.0, -2.0, 3_264_000.0), "EPSG:4527", SIZE)
NORTHING_FIRST_DEGREES = RasterGrid((2e-5, 0.0, 122.99, 0.0, -2e-5, 29.51), "EPSG:4490", SIZE)
TURN = radians(30)
ROTATED = RasterGrid(
    (2 * cos(TURN), 2 * sin(TURN), 500_000.0, 2 * sin(TURN), -2 * cos(TURN), 3_264_000.0), "EPSG:32651", SIZE
)
SOUTH_UP = RasterGrid((2.0, 0.0, 500_000.0, 0.0, 2.0, 3_262_800.0), "EPSG:32651", SIZE)
MERCATOR = RasterGrid((2.0, 0.0, 13_690_000.0, 0.0, -2.0, 3_430_000.0), "EPSG:3857", SIZE)
GRIDS = [UTM, DEGREES, CGCS, NORTHING_FIRST_DEGREES, ROTATED, SOUTH_UP, MERCATOR]


@pytest.mark.parametrize("grid", GRIDS)
@given(x=st.floats(0, 800), y=st.floats(0, 600))
def test_project_undoes_place(grid: RasterGrid, x: float, y: float) -> None:
    place = georef.place_point(grid, (x, y), SIZE)
    assert isinstance(place, Placement)
    assert georef.project(grid, place.lon, place.lat) == pytest.approx((x, y), abs=1e-3)


@pytest.mark.parametrize("grid", GRIDS)
def test_every_order_of_axes_lands_in_the_east_of_china(grid: RasterGrid) -> None:
    place = georef.place_point(grid, (400.0, 300.0), SIZE)
    assert isinstance(place, Placement)
    assert 110 < place.lon < 125
    assert 25 < place.lat < 35


def test_rows_run_south_and_columns_east() -> None:
    here, right, below = (georef.place_point(UTM, xy, SIZE) for xy in ((0, 0), (100, 0), (0, 100)))
    assert isinstance(here, Placement) and isinstance(right, Placement) and isinstance(below, Placement)
    assert right.lon > here.lon
    assert below.lat < here.lat
    assert georef.distance_m(here, right) == pytest.approx(200.0, rel=1e-3)


@pytest.mark.parametrize(
    ("grid", "metres"), [(UTM, 2.0), (MERCATOR, 2.0 * cos(radians(29.4))), (DEGREES, (1.94 + 2.217) / 2)]
)
def test_ground_size_of_a_pixel_is_in_true_metres(grid: RasterGrid, metres: float) -> None:
    assert raster.gsd_m(grid) == pytest.approx(metres, rel=0.01)


def test_polygon_gives_outline_centroid_and_area() -> None:
    # An L: its centroid is not the middle of its box.
    ring = ((100.0, 100.0), (140.0, 100.0), (140.0, 110.0), (110.0, 110.0), (110.0, 140.0), (100.0, 140.0))
    detection = Detection("change", 0.9, (100, 100, 140, 140), ring)
    place = georef.place(UTM, detection, SIZE)
    assert isinstance(place, Placement)
    assert len(place.outline) == 6
    # 400 px at (120, 105) and 300 px at (105, 125).
    expected = ((400 * 120 + 300 * 105) / 700, (400 * 105 + 300 * 125) / 700)
    assert georef.project(UTM, place.lon, place.lat) == pytest.approx(expected, abs=1e-3)
    assert georef.ground_area_m2(UTM, detection, SIZE) == pytest.approx(700 * 4.0, rel=2e-3)


def test_polygon_without_area_is_placed_at_its_mean() -> None:
    line = Detection("change", 0.9, (0, 0, 20, 0), ((0.0, 0.0), (20.0, 0.0), (10.0, 0.0)))
    assert georef.contact_point(UTM, line) == (10.0, 0.0)


def test_box_is_placed_at_its_middle_with_the_rasters_error() -> None:
    place = georef.place(UTM, Detection("x", 0.9, (10, 20, 30, 60)), SIZE)
    assert isinstance(place, Placement)
    assert georef.project(UTM, place.lon, place.lat) == pytest.approx((20, 40), abs=1e-3)
    assert place.error_m == pytest.approx((5.0**2 + 2.0**2) ** 0.5, rel=1e-3)
    assert place.method == "raster"


def test_a_thinned_copy_gives_the_same_place() -> None:
    full = georef.place_point(UTM, (400.0, 300.0), SIZE)
    half = georef.place_point(UTM, (200.0, 150.0), (400, 300))
    assert isinstance(full, Placement) and isinstance(half, Placement)
    assert georef.distance_m(full, half) < 1e-6
    assert half.error_m > full.error_m


@pytest.mark.parametrize(
    ("grid", "size", "reason"),
    [
        (RasterGrid(UTM.affine, "", SIZE), SIZE, "no coordinate system"),
        (RasterGrid(UTM.affine, "EPSG:999999", SIZE), SIZE, "cannot be used"),
        (RasterGrid(UTM.affine, 'LOCAL_CS["a building site",UNIT["metre",1]]', SIZE), SIZE, "cannot be used"),
        (UTM, (800, 800), "another shape"),
        (RasterGrid((1.0, 0.0, 1e9, 0.0, -1.0, 1e9), "EPSG:32651", SIZE), SIZE, "outside the area"),
    ],
)
def test_what_cannot_be_placed_says_why(grid: RasterGrid, size: tuple[int, int], reason: str) -> None:
    place = georef.place_point(grid, (10.0, 10.0), size)
    assert isinstance(place, Unplaced)
    assert reason in place.reason
