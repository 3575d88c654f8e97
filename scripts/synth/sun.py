"""Where the sun stands: low-precision almanac formula, good to about 0.1 degree."""

from __future__ import annotations

import datetime as dt
import math


def sun_position(when: dt.datetime, lon: float, lat: float) -> tuple[float, float]:
    """Height above the horizon and bearing (clockwise from north) of the sun, degrees.

    Args:
        when: an aware time.
        lon: longitude, degrees east.
        lat: latitude, degrees north.

    The formula is the Astronomical Almanac's low-precision one (mean longitude and anomaly of date).
    """
    days = (when.astimezone(dt.UTC) - dt.datetime(2000, 1, 1, 12, tzinfo=dt.UTC)).total_seconds() / 86400
    mean_longitude = math.radians((280.460 + 0.9856474 * days) % 360)
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360)
    ecliptic = mean_longitude + math.radians(1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 0.0000004 * days)
    right_ascension = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(tilt) * math.sin(ecliptic))
    sidereal = math.radians((280.46062 + 360.98564737 * days + lon) % 360)
    hour, phi = sidereal - right_ascension, math.radians(lat)
    height = math.asin(
        math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(hour)
    )
    bearing = math.atan2(
        -math.sin(hour), math.tan(declination) * math.cos(phi) - math.sin(phi) * math.cos(hour)
    )
    return math.degrees(height), math.degrees(bearing) % 360
