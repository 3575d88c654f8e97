"""The invented place on the map: local metres <-> UTM 51N <-> WGS 84."""

from __future__ import annotations

import functools

CRS = "EPSG:32651"
#: Easting and northing of the local frame's zero. Nothing real stands there.
ORIGIN = (296400.0, 3265200.0)
#: Height of the local z = 0 above sea level, metres (only used in drone metadata).
GROUND_ELEVATION_M = 34.0


@functools.cache
def _transformer(inverse: bool):
    from pyproj import Transformer

    pair = ("EPSG:4326", CRS) if inverse else (CRS, "EPSG:4326")
    return Transformer.from_crs(*pair, always_xy=True)


def to_map(x: float, y: float) -> tuple[float, float]:
    """Local metres (east, north) to easting and northing in `CRS`."""
    return ORIGIN[0] + x, ORIGIN[1] + y


def to_lonlat(x: float, y: float) -> tuple[float, float]:
    """Local metres (east, north) to longitude and latitude in degrees, 8 decimals (about 1 mm)."""
    lon, lat = _transformer(False).transform(*to_map(x, y))
    return round(lon, 8), round(lat, 8)


def to_local(lon: float, lat: float) -> tuple[float, float]:
    """Longitude and latitude in degrees to local metres (east, north)."""
    east, north = _transformer(True).transform(lon, lat)
    return east - ORIGIN[0], north - ORIGIN[1]


def grid_convergence_deg() -> float:
    """Angle from true north to grid north at the origin, degrees clockwise (negative west of 123 E here)."""
    (x0, y0), lon_lat = (0.0, 0.0), to_lonlat(0.0, 0.0)
    x1, y1 = to_local(lon_lat[0], lon_lat[1] + 0.001)
    import math

    return -math.degrees(math.atan2(x1 - x0, y1 - y0))
