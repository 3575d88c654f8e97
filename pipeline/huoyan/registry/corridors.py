"""Corridors: the roads that vehicles are approved for, as lines with a width, and how a place lies to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from huoyan.registry import features
from huoyan.registry.entries import Corridor
from huoyan.registry.local import LocalPlane
from huoyan.registry.mistakes import Mistakes
from huoyan.registry.spot import Spot

LINES = ("LineString", "MultiLineString")
IntArray = npt.NDArray[np.intp]
_MAX_WIDTH_M = 1_000.0


def read_corridors(path: Path, mistakes: Mistakes) -> list[Corridor]:
    """Corridors of a GeoJSON, Shapefile or GeoPackage: lines with the properties id, name, width_m."""
    found: dict[str, Corridor] = {}
    for feature in features.read(path, LINES, mistakes):
        name = feature.text("id")
        if not name:
            feature.wrong("id", "is empty")
        elif name in found:
            feature.wrong("id", f"{name!r} is used twice")
        width = feature.metres("width_m", _MAX_WIDTH_M)
        if width is not None:
            found[name] = Corridor(name, feature.text("name") or name, width, feature.geometry)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class CorridorMatch:
    """A corridor and the metres from a place's best estimate to its middle line."""

    corridor: Corridor
    distance_m: float


class Corridors:
    """Corridors in the registry's plane: asked by id for a vehicle's own, by place for all."""

    def __init__(self, corridors: Iterable[Corridor], plane: LocalPlane) -> None:
        self.by_id = {corridor.id: corridor for corridor in corridors}
        self._list = list(self.by_id.values())
        self._lines: dict[str, BaseGeometry] = {c.id: plane.to_metres(c.geometry) for c in self._list}

    @cached_property
    def _segments(self) -> tuple[STRtree, IntArray]:
        """The tree of all segments, and the corridor of each: whole lines have bounds that overlap everywhere."""
        parts, owner = shapely.get_parts(list(self._lines.values()), return_index=True)
        points, line = shapely.get_coordinates(parts, return_index=True)
        joined = line[1:] == line[:-1]
        ends = np.stack([points[:-1][joined], points[1:][joined]], axis=1)
        segments = np.atleast_1d(np.asarray(shapely.linestrings(ends), dtype=object))
        return STRtree(segments), owner[line[1:][joined]]

    def match(self, spot: Spot, corridor_id: str) -> CorridorMatch:
        """How a place lies to one corridor."""
        distance = float(shapely.distance(self._lines[corridor_id], spot.point))
        return CorridorMatch(self.by_id[corridor_id], distance)

    def near(self, spot: Spot, metres: float) -> list[CorridorMatch]:
        """Corridors whose middle line is within `metres` of a place, the nearest first."""
        tree, owner = self._segments
        found = np.unique(owner[tree.query(spot.point, predicate="dwithin", distance=metres)])
        matches = [self.match(spot, self._list[int(index)].id) for index in found]
        return sorted(matches, key=lambda m: (m.distance_m, m.corridor.id))
