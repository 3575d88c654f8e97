"""Zones as they lie in a picture, for drawing."""

from __future__ import annotations

import shapely
from shapely.geometry.base import BaseGeometry

from huoyan import georef
from huoyan.records import Finding, Ground, Ring
from huoyan.runs.prepare import Prepared

_STEP_DEGREES = 2e-5
_REACH = 3.0
"""How far outside the picture, in its sizes, a corner may lie and still be drawn."""


def zone_outlines(finding: Finding, prepared: Prepared) -> list[Ring]:
    """Outlines, in pixels, of the zones of a finding as its camera sees them; none where it is not calibrated."""
    frame = finding.frame
    ground = prepared.settings.grounds.get(frame.source_id)
    if frame.kind != "camera" or ground is None:
        return []
    rings = []
    for name in finding.zones:
        zone = prepared.registry.zones.get(name)
        if zone is not None:
            rings += rings_in_picture(zone.geometry, ground, frame.size)
    return rings


def rings_in_picture(geometry: BaseGeometry, ground: Ground, size: tuple[int, int]) -> list[Ring]:
    """The outer rings of an area (lon, lat) in pixels of a picture of `size`, as far as they can be seen.

    The edge is walked in steps of about two metres, because the part of it behind the camera has no pixel.
    """
    rings = []
    for part in getattr(geometry, "geoms", [geometry]):
        corners = shapely.segmentize(part.exterior, _STEP_DEGREES).coords
        seen = [georef.project(ground, lon, lat, size) for lon, lat, *_ in corners]
        near = [p for p in seen if p is not None and _near(p, size)]
        if len(near) >= 3:
            rings.append(tuple(near))
    return rings


def _near(point: tuple[float, float], size: tuple[int, int]) -> bool:
    return all(
        -_REACH * side <= value <= (1 + _REACH) * side for value, side in zip(point, size, strict=True)
    )
