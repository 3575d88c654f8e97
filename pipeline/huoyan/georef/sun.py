"""How high the sun stands: enough to know day from night."""

from __future__ import annotations

from datetime import UTC, datetime
from math import asin, cos, degrees, pi, radians, sin

_EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)


def elevation_deg(lon: float, lat: float, time: datetime) -> float:
    """Height of the sun's middle above the horizon, degrees, without refraction; good to about 0.1 degrees.

    The low-precision formulas of the Astronomical Almanac: mean longitude and anomaly, ecliptic longitude, obliquity.

    Args:
        lon, lat: degrees, WGS 84.
        time: aware.
    """
    days = (time - _EPOCH).total_seconds() / 86400.0
    anomaly = radians((357.528 + 0.9856003 * days) % 360)
    mean = 280.460 + 0.9856474 * days
    ecliptic = radians((mean + 1.915 * sin(anomaly) + 0.020 * sin(2 * anomaly)) % 360)
    obliquity = radians(23.439 - 4e-7 * days)
    declination = asin(sin(obliquity) * sin(ecliptic))
    # Right ascension lies in the quadrant of the ecliptic longitude.
    east = cos(obliquity) * sin(ecliptic) / max(1e-12, cos(declination))
    ascension = asin(max(-1.0, min(1.0, east)))
    if cos(ecliptic) < 0:
        ascension = pi - ascension
    hour = radians((280.46061837 + 360.98564736629 * days + lon) % 360) - ascension
    height = sin(radians(lat)) * sin(declination) + cos(radians(lat)) * cos(declination) * cos(hour)
    return degrees(asin(max(-1.0, min(1.0, height))))
