"""GCJ-02 (the shifted coordinates of Chinese web maps) to WGS 84 and back.

For the edges only: points clicked on a Chinese web map on the way in, a platform that draws on one on the way
out. Inside Huoyan every coordinate is WGS 84.

The formula is not published; this is the widely used reconstruction (EvilTransform, googollee 2013, and
coordtransform, wandergis 2015, which agree): sums of sines on the Krasovsky 1940 ellipsoid. It agrees with
the map providers' own converters to a few decimetres. As in theirs, a rectangle round China decides where
the shift applies; the neighbours inside it are shifted too.
"""

from __future__ import annotations

from math import cos, pi, radians, sin, sqrt

from huoyan.records import Point

_SEMI_MAJOR_M = 6378245.0
_ECCENTRICITY2 = 0.00669342162296594323
_WEST, _EAST, _SOUTH, _NORTH = 72.004, 137.8347, 0.8293, 55.8271
_TOLERANCE_DEG = 1e-10
_MOST_STEPS = 30


def in_shifted_area(lon: float, lat: float) -> bool:
    """Whether GCJ-02 differs from WGS 84 here."""
    return _WEST <= lon <= _EAST and _SOUTH <= lat <= _NORTH


def wgs84_to_gcj02(lon: float, lat: float) -> Point:
    """(lon, lat) on a Chinese web map of a WGS 84 point; outside China the same point."""
    if not in_shifted_area(lon, lat):
        return lon, lat
    d_lon, d_lat = _shift(lon, lat)
    return lon + d_lon, lat + d_lat


def gcj02_to_wgs84(lon: float, lat: float) -> Point:
    """WGS 84 (lon, lat) of a point on a Chinese web map, by fixed-point iteration to 1e-10 degrees.

    The shift changes by about 1e-3 of the step, so each round gains three digits.
    """
    if not in_shifted_area(lon, lat):
        return lon, lat
    guess_lon, guess_lat = lon, lat
    for _ in range(_MOST_STEPS):
        d_lon, d_lat = _shift(guess_lon, guess_lat)
        next_lon, next_lat = lon - d_lon, lat - d_lat
        change = max(abs(next_lon - guess_lon), abs(next_lat - guess_lat))
        guess_lon, guess_lat = next_lon, next_lat
        if change < _TOLERANCE_DEG:
            break
    return guess_lon, guess_lat


def _shift(lon: float, lat: float) -> Point:
    """Degrees by which GCJ-02 lies east and north of WGS 84."""
    x, y = lon - 105.0, lat - 35.0
    ripple = (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + ripple
    north += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    north += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + ripple
    east += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    s = sin(radians(lat))
    magic = 1.0 - _ECCENTRICITY2 * s * s
    per_lat = radians(1.0) * _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY2) / (magic * sqrt(magic))
    per_lon = radians(1.0) * _SEMI_MAJOR_M / sqrt(magic) * cos(radians(lat))
    return east / per_lon, north / per_lat
