"""Zones, buildings and permits at a place with an error."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, box

from huoyan.records import Placement
from huoyan.registry import Registry, Spot
from huoyan.registry.layer import Area
from huoyan.registry.local import LocalPlane

from .conftest import at, collection, feature

Load = Callable[..., Registry]


def place(
    east: float, north: float, error: float = 1.0, outline: list[tuple[float, float]] | None = None
) -> Placement:
    lon, lat = at(east, north)
    return Placement(lon, lat, error, "test", tuple(at(x, y) for x, y in outline or ()))


@pytest.mark.parametrize(
    ("east", "error", "share", "distance"),
    [
        (0, 5, 1.0, 0.0),
        (100, 10, 0.5, 0.0),
        (110, 10, 0.07, 10.0),
        (90, 10, 0.93, 0.0),
        (130, 5, 0.0, 30.0),
    ],
)
def test_a_place_is_in_a_zone_by_its_probability(
    load: Load, east: float, error: float, share: float, distance: float
) -> None:
    """The zone ends at 100 m east. A radius is 1.51 standard deviations, so 10 m off is a tail of 0.07."""
    registry = load()
    spot = registry.spot(place(east, 0, error))
    matches = {m.zone.id: m for m in registry.zones_near(spot, 50)}
    assert matches["plot"].share == pytest.approx(share, abs=0.035)
    assert matches["plot"].distance_m == pytest.approx(distance, abs=0.5)


def test_zones_out_of_reach_are_not_mentioned(load: Load) -> None:
    registry = load()
    assert registry.zones_near(registry.spot(place(300, 0, 10)), 50) == []


def test_a_zone_grown_by_some_metres(load: Load) -> None:
    registry = load()
    spot = registry.spot(place(140, 0, 1))
    assert registry.share_within(spot, "plot", 50) == 1.0
    assert registry.share_within(spot, "plot", 30) == 0.0


def test_an_outline_is_in_a_zone_by_its_area(load: Load) -> None:
    registry = load()
    outline = [(80, 0), (120, 0), (120, 10), (80, 10)]
    spot = registry.spot(place(100, 5, 5, outline))
    assert registry.zones_near(spot)[0].share == pytest.approx(0.5, abs=0.02)


def test_a_crossed_outline_still_has_an_area(load: Load) -> None:
    registry = load()
    spot = registry.spot(place(0, 0, 5, [(0, 0), (10, 10), (10, 0), (0, 10)]))
    assert registry.zones_near(spot)[0].share == pytest.approx(1.0)


def test_the_building_under_a_place(load: Load) -> None:
    registry = load()
    match = registry.footprint_at(registry.spot(place(20, 20, 2)))
    assert match is not None and match.footprint.id == "b-1" and match.share > 0.9
    assert registry.footprint_at(registry.spot(place(40, 20, 2))) is None


def test_permits_by_zone_building_and_circle(load: Load) -> None:
    registry = load()
    here = registry.spot(place(20, 20, 2))
    assert [m.permit.id for m in registry.permits_at(here, "earthwork")] == ["P1", "P3"]
    assert [m.permit.id for m in registry.permits_at(here, "roof_addition")] == ["P2", "P3"]
    assert registry.permits_at(registry.spot(place(300, 0, 2)), "earthwork") == []
    assert [p.id for p in registry.permits_in_zone("plot", "scaffolding")] == ["P1"]
    assert registry.permits_in_zone("plot", "roof_addition") == []


def test_a_registry_without_anything_answers() -> None:
    registry = Registry()
    spot = registry.spot(Placement(120.0, 30.0, 5.0, "test"))
    assert registry.zones_near(spot, 100) == []
    assert registry.footprint_at(spot) is None
    assert registry.permits_at(spot, "earthwork") == []


def test_a_zone_as_large_as_a_continent_and_a_place_known_to_a_province(load: Load) -> None:
    vast = collection(
        feature(
            [[[70.0, 10.0], [130.0, 10.0], [130.0, 60.0], [70.0, 60.0], [70.0, 10.0]]],
            id="asia",
            kind="control",
        )
    )
    registry = load(zones=vast, permits=None, vehicles=None)
    assert [m.zone.id for m in registry.zones_near(registry.spot(place(0, 0, 5)))] == ["asia"]
    registry = load()
    found = {m.zone.id: m.share for m in registry.zones_near(registry.spot(place(0, 0, 50_000)))}
    assert set(found) == {"plot", "yard", "stadium"} and max(found.values()) < 0.05


@given(
    x=st.floats(-60, 60),
    y=st.floats(-60, 60),
    error=st.floats(1, 40),
    half=st.floats(1, 50),
    other=st.floats(1, 50),
)
def test_shares_of_two_halves_add_up(x: float, y: float, error: float, half: float, other: float) -> None:
    spot = Spot(x, y, error)
    left, right = box(-half, -half, 0, other), box(0, -half, half, other)
    whole = spot.share(Area.of(box(-half, -half, half, other)))
    assert 0.0 <= whole <= 1.0
    # Either way of reckoning is good to a few of 64 points; near an edge of one half the whole may be sure.
    assert spot.share(Area.of(left)) + spot.share(Area.of(right)) == pytest.approx(whole, abs=0.05)


@given(
    lon=st.floats(-179, 179),
    lat=st.floats(-80, 80),
    east=st.floats(-5000, 5000),
    north=st.floats(-5000, 5000),
)
def test_the_plane_goes_there_and_back(lon: float, lat: float, east: float, north: float) -> None:
    plane = LocalPlane(lon, lat)
    back = plane.to_metres(plane.to_degrees(Point(east, north)))
    assert back.distance(Point(east, north)) < 1e-3


def test_the_plane_agrees_with_the_ellipsoid() -> None:
    from pyproj import Geod

    plane = LocalPlane(120.9, 29.5)
    for lon, lat in [(120.91, 29.5), (120.9, 29.51), (120.95, 29.53)]:
        x, y = plane.xy(lon, lat)
        true = Geod(ellps="WGS84").inv(120.9, 29.5, lon, lat)[2]
        assert (x * x + y * y) ** 0.5 == pytest.approx(true, rel=2e-3)
