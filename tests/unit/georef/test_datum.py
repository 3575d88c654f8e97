from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan import georef
from huoyan.georef import datum


def test_published_example() -> None:
    """The example of wandergis/coordtransform's README."""
    assert datum.wgs84_to_gcj02(116.404, 39.915) == pytest.approx(
        (116.41024449916938, 39.91640428150164), abs=1e-9
    )


@given(lon=st.floats(75, 134), lat=st.floats(5, 54))
def test_there_and_back_is_the_same_place(lon: float, lat: float) -> None:
    assert datum.gcj02_to_wgs84(*datum.wgs84_to_gcj02(lon, lat)) == pytest.approx((lon, lat), abs=1e-9)


@given(lon=st.floats(75, 134), lat=st.floats(18, 53))
def test_the_shift_is_some_hundred_metres(lon: float, lat: float) -> None:
    assert 20.0 < georef.distance_m((lon, lat), datum.wgs84_to_gcj02(lon, lat)) < 1000.0


@pytest.mark.parametrize("place", [(-122.3, 47.6), (2.35, 48.85), (151.2, -33.9), (139.7, 35.7)])
def test_outside_china_nothing_is_shifted(place: tuple[float, float]) -> None:
    assert datum.wgs84_to_gcj02(*place) == place
    assert datum.gcj02_to_wgs84(*place) == place
