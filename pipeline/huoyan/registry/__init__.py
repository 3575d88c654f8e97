"""The county's registers: read, checked and indexed."""

from __future__ import annotations

from huoyan.registry.entries import Footprint, Permit, Vehicle, Zone, plate_key
from huoyan.registry.index import FootprintMatch, Registry, ZoneMatch
from huoyan.registry.loading import empty, load
from huoyan.registry.spot import Spot

__all__ = [
    "Footprint",
    "FootprintMatch",
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
