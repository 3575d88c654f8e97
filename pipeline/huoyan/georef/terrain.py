"""Height of the ground above sea level, for drones over ground unlike their take-off point."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isfinite
from pathlib import Path
from typing import Protocol

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from huoyan.errors import ConfigError
from huoyan.georef import raster
from huoyan.records import FloatArray, RasterGrid

_MOST_PIXELS = 16_000_000
"""A larger model is read thinned to this many pixels (64 MB)."""


class Terrain(Protocol):
    def height(self, lon: float, lat: float) -> float | None:
        """Metres above sea level; None where it is not known."""


@dataclass(frozen=True, slots=True)
class FlatTerrain:
    """Ground of one height."""

    ground_m: float

    def height(self, lon: float, lat: float) -> float | None:
        return self.ground_m


@dataclass(frozen=True, slots=True, eq=False)
class RasterTerrain:
    """An elevation model in memory: heights (rows, columns) in metres, NaN where unknown."""

    heights: FloatArray
    grid: RasterGrid

    def height(self, lon: float, lat: float) -> float | None:
        """Bilinear between the centres of the four nearest pixels; None outside and next to gaps."""
        pixel = raster.project(self.grid, lon, lat)
        if pixel is None:
            return None
        # Heights belong to the middle of their pixel.
        x, y = pixel[0] - 0.5, pixel[1] - 0.5
        rows, columns = self.heights.shape
        if not (-0.5 <= x <= columns - 0.5 and -0.5 <= y <= rows - 0.5):
            return None
        left, top = min(max(floor(x), 0), columns - 2), min(max(floor(y), 0), rows - 2)
        u, v = min(max(x - left, 0.0), 1.0), min(max(y - top, 0.0), 1.0)
        four = self.heights[top : top + 2, left : left + 2]
        found = float(
            (1 - v) * ((1 - u) * four[0, 0] + u * four[0, 1]) + v * ((1 - u) * four[1, 0] + u * four[1, 1])
        )
        return found if isfinite(found) else None


def read(path: Path) -> RasterTerrain:
    """Read an elevation model (first band, metres above sea level) from any raster that GDAL knows.

    Raises:
        ConfigError: it cannot be read, is smaller than 2 x 2 pixels, has no coordinate system or one that
            cannot be used.
    """
    try:
        with rasterio.open(path) as file:
            if file.crs is None or min(file.width, file.height) < 2:
                raise ConfigError(
                    "elevation model has no coordinate system or no extent",
                    subject=str(path),
                    hint="give a GeoTIFF of heights with its coordinate system",
                )
            step = max(1.0, (file.width * file.height / _MOST_PIXELS) ** 0.5)
            shape = max(2, round(file.height / step)), max(2, round(file.width / step))
            band = file.read(1, out_shape=shape, masked=True)
            fx, fy = file.width / shape[1], file.height / shape[0]
            a, b, c, d, e, f = tuple(file.transform)[:6]
            grid = RasterGrid((a * fx, b * fy, c, d * fx, e * fy, f), file.crs.to_wkt(), (shape[1], shape[0]))
    except (RasterioError, OSError) as error:
        raise ConfigError(
            f"elevation model cannot be read: {error}", subject=str(path), hint="give a GeoTIFF of heights"
        ) from error
    heights = np.ma.filled(band.astype(np.float64), np.nan)
    return RasterTerrain(heights, grid)
