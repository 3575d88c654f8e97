"""Whether a place with an error lies in an area: as a probability, not as a yes or no."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log, pi, sqrt

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from huoyan.registry.layer import Area, Bounds

SIGMA_PER_RADIUS = 1.0 / sqrt(-2.0 * log(1.0 - 0.68))
"""A 68 % radius over the standard deviation per axis of a round normal distribution (Rayleigh): 1 / 1.51."""
_SAMPLES = 64


def _cloud() -> tuple[
    np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]
]:
    """Points of equal probability under a standard normal: Rayleigh quantiles on a golden spiral."""
    share = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    radius = np.sqrt(-2.0 * np.log(1.0 - share))
    angle = np.arange(_SAMPLES) * pi * (3.0 - sqrt(5.0))
    return radius * np.cos(angle), radius * np.sin(angle)


_CLOUD_X, _CLOUD_Y = _cloud()


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the registry's plane: metres east and north, error, and its outline where it has one."""

    x: float
    y: float
    error_m: float
    outline: BaseGeometry | None = None
    point: BaseGeometry = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "point", shapely.Point(self.x, self.y))

    @property
    def sigma_m(self) -> float:
        return self.error_m * SIGMA_PER_RADIUS

    @property
    def bounds(self) -> Bounds:
        """(west, south, east, north) in metres, without the error."""
        return (self.x, self.y, self.x, self.y) if self.outline is None else self.outline.bounds

    def distance_m(self, area: Area) -> float:
        """Metres from the best estimate to `area`, 0 inside."""
        return float(shapely.distance(area.geometry, self.outline or self.point))

    def share(self, area: Area) -> float:
        """How much of the place lies in `area`, from 0 to 1.

        For a point the probability that it lies inside, given its error radius (64 points of equal
        probability, so good to about 0.03). For an outline the share of its area.
        """
        if self.outline is not None:
            whole = self.outline.area
            return float(shapely.intersection(area.geometry, self.outline).area / whole) if whole else 0.0
        sigma = self.sigma_m
        if not area.near_bounds(self.bounds, 3.0 * sigma):
            return 0.0
        if not shapely.dwithin(area.boundary, self.point, 3.0 * sigma):
            return float(shapely.contains_xy(area.geometry, self.x, self.y))
        inside = shapely.contains_xy(area.geometry, self.x + sigma * _CLOUD_X, self.y + sigma * _CLOUD_Y)
        return float(np.count_nonzero(inside)) / _SAMPLES
