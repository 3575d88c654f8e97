"""The county's registers: read, checked and indexed."""

from __future__ import annotations

from huoyan.registry.corridors import CorridorMatch
from huoyan.registry.entries import Corridor, Footprint, Permit, Vehicle, Zone, plate_key
from huoyan.registry.hours import Hours
from huoyan.registry.index import FootprintMatch, Registry, ZoneMatch
from huoyan.registry.loading import empty, load
from huoyan.registry.spot import Spot

__all__ = [
    "Corridor",
    "CorridorMatch",
    "Footprint",
    "FootprintMatch",
    "Hours",
    "Permit",
    "Registry",
    "Spot",
    "Vehicle",
    "Zone",
    "ZoneMatch",
    "empty",
    "load",
    "plate_key",
]
