"""A plane in metres round a place, for shapes: distances and areas within a county."""

from __future__ import annotations

from math import cos, radians, sin, sqrt
from typing import TypeVar

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from huoyan.records import FloatArray

_A = 6378137.0
_E2 = 0.0066943799901413165
_Shape = TypeVar("_Shape", bound=BaseGeometry)


class LocalPlane:
    """East and north in metres of an origin, by the radii of the WGS 84 ellipsoid there.

    Both directions are linear, so straight edges stay straight. Lengths east-west are off by
    tan(latitude) times the angle north of the origin: at 30 degrees of latitude 0.1 % of a length per 11 km.
    """

    def __init__(self, lon: float, lat: float) -> None:
        self.lon, self.lat = lon, lat
        s = sin(radians(lat))
        across = _A / sqrt(1.0 - _E2 * s * s)
        self.per_lon = radians(1.0) * across * max(cos(radians(lat)), 1e-6)
        self.per_lat = radians(1.0) * across * (1.0 - _E2) / (1.0 - _E2 * s * s)

    def xy(self, lon: float, lat: float) -> tuple[float, float]:
        """(east, north) in metres of a point in degrees."""
        return ((lon - self.lon + 180.0) % 360.0 - 180.0) * self.per_lon, (lat - self.lat) * self.per_lat

    def to_metres(self, geometry: _Shape) -> _Shape:
        """A geometry in degrees as one in metres."""

        def move(points: FloatArray) -> FloatArray:
            lon = (points[:, 0] - self.lon + 180.0) % 360.0 - 180.0
            return np.column_stack((lon * self.per_lon, (points[:, 1] - self.lat) * self.per_lat))

        return shapely.transform(geometry, move)

    def to_degrees(self, geometry: _Shape) -> _Shape:
        """A geometry in metres as one in degrees."""

        def move(points: FloatArray) -> FloatArray:
            return np.column_stack(
                (points[:, 0] / self.per_lon + self.lon, points[:, 1] / self.per_lat + self.lat)
            )

        return shapely.transform(geometry, move)
