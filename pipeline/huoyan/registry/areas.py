"""Registers with geometry: zones, footprints and venues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import Point

from huoyan.registry import features, tables
from huoyan.registry.entries import ZONE_KINDS, Footprint, Zone
from huoyan.registry.features import Feature
from huoyan.registry.local import LocalPlane
from huoyan.registry.mistakes import Mistakes, did_you_mean

AREAS = ("Polygon", "MultiPolygon")
VENUE_PREFIX = "venue_"
_MAX_RADIUS_M = 20_000.0


def read_zones(path: Path, scenes: Collection[str], mistakes: Mistakes) -> list[Zone]:
    """Zones of a GeoJSON, Shapefile or GeoPackage: properties id, name, kind, scenes."""
    zones: list[Zone] = []
    for feature in features.read(path, AREAS, mistakes):
        kind = feature.text("kind")
        if kind not in ZONE_KINDS:
            feature.wrong("kind", f"unknown kind {kind!r}", did_you_mean(kind, ZONE_KINDS))
        name = feature.text("id")
        if not name:
            feature.wrong("id", "is empty")
        elif any(zone.id == name for zone in zones):
            feature.wrong("id", f"{name!r} is used twice")
        watched = _scenes(feature, "scenes", scenes)
        zones.append(Zone(name, feature.text("name") or name, kind, watched, feature.geometry))
    return zones


def read_footprints(path: Path, mistakes: Mistakes) -> list[Footprint]:
    """Building outlines; a feature without an id gets one made from its outline, the same on every run."""
    found: list[Footprint] = []
    seen: set[str] = set()
    for feature in features.read(path, AREAS, mistakes):
        given = feature.text("id")
        name = given or _outline_id(feature, seen)
        if given and given in seen:
            feature.wrong("id", f"{given!r} is used twice")
        seen.add(name)
        found.append(Footprint(name, feature.geometry, _storeys(feature)))
    return found


def read_venues(path: Path, scenes: Collection[str], mistakes: Mistakes) -> list[Zone]:
    """Venues as zones of kind `venue`: an area as it is, a point grown by its radius.

    From a CSV (id, name, kind, lon, lat, radius_m, topics) or from features with the properties id, name,
    radius_m (points) and topics.
    """
    if path.suffix.lower() == ".csv":
        return _venue_rows(path, scenes, mistakes)
    venues = []
    for feature in features.read(path, ("Point", *AREAS), mistakes):
        name = feature.text("id")
        if not name:
            feature.wrong("id", "is empty")
        geometry = feature.geometry
        if isinstance(geometry, Point):
            radius = feature.metres("radius_m", _MAX_RADIUS_M)
            if radius is None:
                continue
            geometry = circle(geometry.x, geometry.y, radius)
        watched = _scenes(feature, "topics", scenes)
        venues.append(Zone(name, feature.text("name") or name, "venue", watched, geometry))
    return venues


def circle(lon: float, lat: float, radius_m: float) -> shapely.Polygon:
    """A disc on the ground in degrees, as a polygon of 64 corners."""
    plane = LocalPlane(lon, lat)
    disc = Point(0.0, 0.0).buffer(radius_m, quad_segs=16)
    return plane.to_degrees(disc)


def _venue_rows(path: Path, scenes: Collection[str], mistakes: Mistakes) -> list[Zone]:
    venues = []
    for row in tables.read(path, ("id", "lon", "lat", "radius_m"), ("name", "kind", "topics"), mistakes):
        name = row.required("id")
        lon, lat, radius = row.number("lon"), row.number("lat"), row.number("radius_m")
        for column, value in (("lon", lon), ("lat", lat), ("radius_m", radius)):
            if value is None and not row.text(column):
                row.wrong(column, "is empty")
        if lon is None or lat is None or radius is None:
            continue
        fault = features.position_fault(lon, lat)
        if fault:
            row.wrong("lon", fault)
            continue
        if not 0 < radius <= _MAX_RADIUS_M:
            row.wrong("radius_m", f"expected metres up to {_MAX_RADIUS_M:.0f}, got {radius:g}")
            continue
        topics, unknown = known_scenes(row.words("topics"), scenes)
        for word in unknown:
            row.wrong("topics", f"unknown topic {word!r}", did_you_mean(word, scenes))
        venues.append(Zone(name, row.text("name") or name, "venue", topics, circle(lon, lat, radius)))
    return venues


def known_scenes(words: list[str], scenes: Collection[str]) -> tuple[frozenset[str], list[str]]:
    """The scene ids that `words` name (`air` stands for `venue_air`), and the words that name none."""
    found, unknown = set(), []
    for word in words:
        match = next((name for name in (word, VENUE_PREFIX + word) if name in scenes), None)
        if match:
            found.add(match)
        else:
            unknown.append(word)
    return frozenset(found), unknown


def _scenes(feature: Feature, column: str, scenes: Collection[str]) -> frozenset[str]:
    value: Any = feature.properties.get(column)
    if value is None or (isinstance(value, float) and value != value):
        return frozenset()
    words = tables.split_words(value) if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        feature.wrong(column, f"expected a list of scene ids, got {json.dumps(value, default=str)[:60]}")
        return frozenset()
    found, unknown = known_scenes(words, scenes)
    for word in unknown:
        feature.wrong(column, f"unknown scene {word!r}", did_you_mean(word, scenes))
    return found


def _storeys(feature: Feature) -> int | None:
    text = feature.text("storeys")
    if not text:
        return None
    if not text.isdecimal() or int(text) > 200:
        feature.wrong("storeys", f"expected a whole number, got {text!r}")
        return None
    return int(text)


def _outline_id(feature: Feature, seen: Collection[str]) -> str:
    outline = shapely.to_wkb(shapely.set_precision(feature.geometry.normalize(), 1e-7))
    stem = "b-" + hashlib.sha256(outline).hexdigest()[:10]
    name, copy = stem, 2
    while name in seen:
        name, copy = f"{stem}-{copy}", copy + 1
    return name
