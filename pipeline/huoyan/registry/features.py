"""Reading features with their geometry: GeoJSON here, Shapefile and GeoPackage through GeoPandas."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from huoyan.errors import MissingExtra
from huoyan.registry.mistakes import Mistakes

TABLE_SUFFIXES = {".shp", ".gpkg", ".fgb"}
_WGS84 = ("CRS84", "EPSG::4326", "EPSG:4326")


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: its number in the file (1-based), its properties and its geometry in degrees."""

    file: str
    number: int
    properties: dict[str, Any]
    geometry: BaseGeometry
    mistakes: Mistakes

    def text(self, name: str) -> str:
        """A property as trimmed text; numbers as they are written, absent ones empty."""
        value = self.properties.get(name)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return str(value).strip()

    def metres(self, name: str, most: float) -> float | None:
        """A property as metres above 0 and up to `most`; anything else is a mistake, and None."""
        text = self.text(name)
        try:
            metres = float(text)
        except ValueError:
            metres = 0.0
        if not 0 < metres <= most:
            self.wrong(name, f"expected metres up to {most:.0f}, got {text!r}")
            return None
        return metres

    def wrong(self, name: str, text: str, hint: str = "") -> None:
        self.mistakes.add(self.file, f"feature {self.number}", name, text, hint)


def read(path: Path, kinds: tuple[str, ...], mistakes: Mistakes) -> Iterator[Feature]:
    """The features of a file whose geometry is one of `kinds` and valid; the others become mistakes.

    Args:
        path: GeoJSON (WGS 84), or Shapefile, GeoPackage or FlatGeobuf in any CRS.
        kinds: GeoJSON geometry types, such as Polygon.
        mistakes: where the mistakes go.

    Raises:
        MissingExtra: a Shapefile or GeoPackage without GeoPandas.
    """
    if path.suffix.lower() in TABLE_SUFFIXES:
        yield from _read_table(path, kinds, mistakes)
        return
    for number, raw in enumerate(_load(path, mistakes), 1):
        where = f"feature {number}"
        if not isinstance(raw, dict) or raw.get("type") != "Feature":
            mistakes.add(path.name, where, "type", "expected a Feature")
            continue
        properties = raw.get("properties") or {}
        if not isinstance(properties, dict):
            mistakes.add(path.name, where, "properties", "expected an object")
            continue
        if "id" in raw and properties.get("id") is None:
            properties = {**properties, "id": raw["id"]}
        geometry: Any = raw.get("geometry")
        fault = _coordinates_fault(geometry, kinds)
        if fault is None:
            made = shapely.force_2d(shape(geometry))
            fault = shape_fault(made)
            if fault is None:
                yield Feature(path.name, number, properties, made, mistakes)
                continue
        mistakes.add(path.name, where, "geometry", fault)


def swapped(lon: float, lat: float) -> bool:
    """Whether a pair looks like a place in China with longitude and latitude the wrong way round."""
    return 3.0 <= lon <= 54.0 and 73.0 <= lat <= 136.0


def position_fault(lon: float, lat: float) -> str | None:
    """What is wrong with a position in degrees, if anything."""
    if swapped(lon, lat):
        return f"longitude and latitude seem swapped: lon {lon:g}, lat {lat:g}"
    if not -180 <= lon <= 180:
        return f"longitude out of range: {lon:g}; expected degrees from -180 to 180"
    if not -90 <= lat <= 90:
        return f"latitude out of range: {lat:g}; expected degrees from -90 to 90"
    return None


def shape_fault(geometry: BaseGeometry) -> str | None:
    """What is wrong with the shape of a geometry, if anything (crossing itself, no area)."""
    if not geometry.is_valid:
        reason = shapely.is_valid_reason(geometry)
        return "has no area" if "Too few points" in reason else f"not a valid {geometry.geom_type}: {reason}"
    if geometry.is_empty or (geometry.geom_type.endswith("Polygon") and geometry.area == 0):
        return "has no area"
    return None


def _load(path: Path, mistakes: Mistakes) -> list[Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        mistakes.add(str(path), "", "", f"cannot be read: {error.strerror or error}")
        return []
    except UnicodeDecodeError:
        mistakes.add(path.name, "", "", "is not UTF-8 text", "GeoJSON is always UTF-8")
        return []
    except json.JSONDecodeError as error:
        mistakes.add(path.name, error.lineno, str(error.colno), f"not valid JSON: {error.msg}")
        return []
    except RecursionError:
        mistakes.add(path.name, "", "", "nested too deeply to be GeoJSON")
        return []
    if not isinstance(data, dict) or not isinstance(data.get("features"), list):
        mistakes.add(path.name, 1, "", "expected a GeoJSON FeatureCollection")
        return []
    crs = json.dumps(data.get("crs")) if data.get("crs") else ""
    if crs and not any(name in crs for name in _WGS84):
        mistakes.add(path.name, "", "crs", f"expected WGS 84 degrees, got {crs}", "reproject it to EPSG:4326")
        return []
    features: list[Any] = data["features"]
    return features


def _coordinates_fault(geometry: Any, kinds: tuple[str, ...]) -> str | None:
    if not isinstance(geometry, dict):
        return "is missing"
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in kinds:
        return f"expected {' or '.join(kinds)}, got {kind}"
    if not isinstance(coordinates, list):
        return "coordinates are missing"
    if kind == "Point":
        return _pair_fault(coordinates)
    if kind.endswith("LineString"):
        lines = coordinates if kind == "MultiLineString" else [coordinates]
        return next(filter(None, map(_line_fault, lines or [[]])), None)
    polygons = coordinates if kind == "MultiPolygon" else [coordinates]
    for polygon in polygons:
        if not isinstance(polygon, list) or not polygon:
            return "a polygon without rings"
        for ring in polygon:
            fault = _ring_fault(ring)
            if fault:
                return fault
    return None


def _line_fault(line: Any) -> str | None:
    if not isinstance(line, list) or len(line) < 2:
        return "a line needs at least two points"
    fault = next(filter(None, map(_pair_fault, line)), None)
    return fault or (
        "a line whose points are all the same" if all(p[:2] == line[0][:2] for p in line) else None
    )


def _ring_fault(ring: Any) -> str | None:
    if not isinstance(ring, list) or len(ring) < 3:
        return "a ring needs at least three corners and the first one again at its end"
    for pair in ring:
        fault = _pair_fault(pair)
        if fault:
            return fault
    if ring[0][:2] != ring[-1][:2]:
        return (
            f"a ring is not closed: it starts at {ring[0][:2]} and ends at {ring[-1][:2]}; repeat its start"
        )
    if len(ring) < 4:
        return "a ring needs at least three corners and the first one again at its end"
    return None


def _pair_fault(pair: Any) -> str | None:
    if not isinstance(pair, list) or len(pair) < 2:
        return f"expected [lon, lat], got {json.dumps(pair)[:60]}"
    lon, lat = pair[0], pair[1]
    for value in (lon, lat):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"expected numbers, got {json.dumps(pair)[:60]}"
    return position_fault(lon, lat)


def _read_table(path: Path, kinds: tuple[str, ...], mistakes: Mistakes) -> Iterator[Feature]:
    try:
        import geopandas
        import pyogrio.errors
    except ImportError as error:
        raise MissingExtra.named("geopandas", "analyst") from error
    try:
        frame = geopandas.read_file(path)
    except (OSError, ValueError, pyogrio.errors.DataSourceError) as error:
        mistakes.add(str(path), "", "", f"cannot be read: {error}")
        return
    if frame.crs is None:
        mistakes.add(path.name, "", "crs", "the file does not say its CRS", "add the .prj file")
        return
    frame = frame.to_crs(4326)
    names = [name for name in frame.columns if name != frame.geometry.name]
    for number, (geometry, row) in enumerate(
        zip(frame.geometry, frame[names].itertuples(index=False, name=None), strict=True), 1
    ):
        fault = _table_fault(geometry, kinds)
        if fault:
            mistakes.add(path.name, f"feature {number}", "geometry", fault)
            continue
        yield Feature(
            path.name, number, dict(zip(names, row, strict=True)), shapely.force_2d(geometry), mistakes
        )


def _table_fault(geometry: BaseGeometry | None, kinds: tuple[str, ...]) -> str | None:
    if geometry is None:
        return "is missing"
    if geometry.geom_type not in kinds:
        return f"expected {' or '.join(kinds)}, got {geometry.geom_type}"
    west, south, east, north = geometry.bounds
    return position_fault(west, south) or position_fault(east, north) or shape_fault(geometry)
