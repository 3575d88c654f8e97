"""Areas in metres, indexed for questions about one place at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import floor

import shapely
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

CELL_M = 250.0
MOST_CELLS = 10_000
"""An area whose bounds cover more cells than this (a mistake, or a province) is looked at every time."""
Bounds = tuple[float, float, float, float]


@dataclass(slots=True)
class Area:
    """An area with what questions about it need again and again."""

    geometry: BaseGeometry
    boundary: BaseGeometry
    bounds: Bounds

    @classmethod
    def of(cls, geometry: BaseGeometry) -> Area:
        boundary = geometry.boundary
        shapely.prepare([geometry, boundary])
        return cls(geometry, boundary, geometry.bounds)

    def near_bounds(self, bounds: Bounds, metres: float) -> bool:
        """Whether other bounds come within `metres` of this area's bounds in both directions."""
        west, south, east, north = self.bounds
        return (
            bounds[0] - metres <= east
            and bounds[2] + metres >= west
            and bounds[1] - metres <= north
            and bounds[3] + metres >= south
        )


class Layer:
    """Areas found by place: a tree for outlines, a grid for points.

    A scalar query of shapely's tree costs some 30 microseconds, most of it on the way there and back; most
    places are near nothing, and the grid says so in one.
    """

    def __init__(self, areas: Sequence[BaseGeometry]) -> None:
        self.areas = [Area.of(area) for area in areas]
        self._grid: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._large: list[int] = []
        self._grown: dict[tuple[int, float], Area] = {}
        for index, area in enumerate(self.areas):
            cells = _cells(area.bounds)
            if cells is None:
                self._large.append(index)
            else:
                for cell in cells:
                    self._grid[cell].append(index)

    @cached_property
    def _tree(self) -> STRtree:
        return STRtree([area.geometry for area in self.areas])

    def near(self, bounds: Bounds, metres: float) -> list[int]:
        """Indices of the areas whose bounds come within `metres` of these, rising."""
        reach = (bounds[0] - metres, bounds[1] - metres, bounds[2] + metres, bounds[3] + metres)
        cells = _cells(reach)
        if cells is None:
            found = {int(index) for index in self._tree.query(shapely.box(*reach))}
        else:
            found = {index for cell in cells for index in self._grid.get(cell, ())}
            found.update(self._large)
        return [index for index in sorted(found) if self.areas[index].near_bounds(bounds, metres)]

    def grown(self, index: int, metres: float) -> Area:
        """An area grown by some metres; made once."""
        key = (index, metres)
        if key not in self._grown:
            self._grown[key] = Area.of(self.areas[index].geometry.buffer(metres))
        return self._grown[key]


def _cells(bounds: Bounds) -> Iterator[tuple[int, int]] | None:
    """The cells that bounds cover; None where they are too many to go through."""
    west, south, east, north = (floor(value / CELL_M) for value in bounds)
    if (east - west + 1) * (north - south + 1) > MOST_CELLS:
        return None
    return ((x, y) for x in range(west, east + 1) for y in range(south, north + 1))
