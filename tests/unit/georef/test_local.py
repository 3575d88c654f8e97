from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from huoyan import georef
from huoyan.georef import local
from huoyan.records import Placement

LATITUDES = st.floats(-80, 80)
LONGITUDES = st.floats(-180, 180)
METRES = st.floats(-5000, 5000)


@given(lon=LONGITUDES, lat=LATITUDES, east=METRES, north=METRES)
def test_there_and_back_is_the_same_place(lon: float, lat: float, east: float, north: float) -> None:
    back = local.to_metres(*local.to_degrees(east, north, (lon, lat)), (lon, lat))
    assert back == pytest.approx((east, north), abs=1e-4)


@pytest.mark.parametrize("lat", [-60.0, -23.5, 0.0, 29.5, 48.0, 70.0])
def test_agrees_with_an_azimuthal_projection(lat: float) -> None:
    origin = (120.0, lat)
    exact = Transformer.from_crs(
        "EPSG:4326", f"+proj=aeqd +lon_0=120 +lat_0={lat} +ellps=WGS84", always_xy=True
    )
    bearing = np.linspace(0, 2 * np.pi, 24)
    for reach, tolerance in ((2000.0, 0.002), (10000.0, 0.15)):
        lon, lat_there = local.to_degrees(reach * np.sin(bearing), reach * np.cos(bearing), origin)
        east, north = exact.transform(lon, lat_there)
        assert np.hypot(east - reach * np.sin(bearing), north - reach * np.cos(bearing)).max() < tolerance


def test_arrays_and_numbers_give_the_same() -> None:
    origin = (120.9, 29.5)
    east, north = local.to_metres([120.91, 120.92], [29.51, 29.49], origin)
    assert (east[1], north[1]) == local.to_metres(120.92, 29.49, origin)


def test_longitude_180_is_no_edge() -> None:
    east, _ = local.to_metres(-179.999, 0.0, (179.999, 0.0))
    assert east == pytest.approx(222.64, abs=0.01)
    lon, _ = local.to_degrees(222.64, 0.0, (179.999, 0.0))
    assert lon == pytest.approx(-179.999, abs=1e-6)
    assert georef.distance_m((179.999, 10.0), (-179.999, 10.0)) == pytest.approx(219.28, abs=0.05)


def test_distance_takes_places_and_points() -> None:
    length = Geod(ellps="WGS84").inv(120.0, 30.0, 121.0, 31.0)[2]
    assert georef.distance_m(Placement(120.0, 30.0, 1.0, "x"), (121.0, 31.0)) == pytest.approx(length)


def test_area_of_a_ring_does_not_depend_on_its_direction() -> None:
    square = [(100.0, 100.0), (110.0, 100.0), (110.0, 120.0), (100.0, 120.0)]
    assert local.polygon_area_m2(square) == local.polygon_area_m2(square[::-1]) == pytest.approx(200.0)
