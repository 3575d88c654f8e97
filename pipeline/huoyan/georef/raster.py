"""Georeferenced rasters: pixel to longitude and latitude through the affine and the CRS, and back.

The affine gives x (easting or longitude) and y (northing or latitude) whatever the order of axes that the
CRS's authority declares: that is how GDAL writes it, and `always_xy` is how PROJ is told.
"""

from __future__ import annotations

from functools import lru_cache
from math import hypot, isfinite

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from huoyan.georef import local
from huoyan.georef.picture import misfit, scale
from huoyan.records import FloatArray, Place, Placement, Point, RasterGrid, Ring, Unplaced

METHOD = "raster"
_CORNER = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
PIXEL_ERROR_PX = 1.0
"""68 % radius of where a detector puts a point, in pixels."""


def place_point(grid: RasterGrid, xy: Point, size: tuple[int, int]) -> Place:
    """The place of pixel (x, y) in a picture of `size` that shows the whole raster."""
    return place_outline(grid, xy, (), size)


def place_outline(grid: RasterGrid, xy: Point, ring: Ring, size: tuple[int, int]) -> Place:
    """As `place_point`, with `ring` (pixels) as the outline of the place."""
    factors = scale(size, grid.size)
    if factors is None:
        return Unplaced(misfit(size, grid.size, "its raster"))
    transformer = _to_wgs84(grid.crs)
    if isinstance(transformer, Unplaced):
        return transformer
    pixels = np.array([xy, *ring], dtype=np.float64) * factors
    lon, lat = transformer.transform(*_apply(grid.affine, pixels))
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return Unplaced("outside the area of its coordinate system")
    lon = (lon + 180.0) % 360.0 - 180.0
    error = hypot(grid.error_m, PIXEL_ERROR_PX * factors[0] * gsd_m(grid))
    outline = tuple((float(a), float(b)) for a, b in zip(lon[1:], lat[1:], strict=True))
    return Placement(float(lon[0]), float(lat[0]), error, METHOD, outline)


def project(grid: RasterGrid, lon: float, lat: float) -> Point | None:
    """Pixel (x, y) of the raster at a place; None where its coordinate system does not reach."""
    back = _from_wgs84(grid.crs)
    if isinstance(back, Unplaced):
        return None
    x, y = back.transform(lon, lat)
    a, b, c, d, e, f = grid.affine
    determinant = a * e - b * d
    if determinant == 0.0 or not (isfinite(x) and isfinite(y)):
        return None
    return (e * (x - c) - b * (y - f)) / determinant, (a * (y - f) - d * (x - c)) / determinant


@lru_cache(maxsize=1024)
def gsd_m(grid: RasterGrid) -> float:
    """Ground size of a pixel in true metres (mean of both sides) at the middle of the raster.

    Measured on the ellipsoid, because the units of the CRS may be degrees, feet, or the stretched metres of
    Web Mercator.

    Returns:
        `grid.gsd_m` where the raster's place cannot be computed; 0.0 if that is unknown too.
    """
    if grid.gsd_m is not None:
        return grid.gsd_m
    transformer = _to_wgs84(grid.crs)
    if isinstance(transformer, Unplaced):
        return 0.0
    middle = np.array(grid.size, dtype=np.float64) / 2.0
    lon, lat = transformer.transform(*_apply(grid.affine, middle + _CORNER))
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return 0.0
    across, along = (local.geodesic_m((lon[0], lat[0]), (lon[i], lat[i])) for i in (1, 2))
    return (across + along) / 2.0


def _apply(affine: tuple[float, ...], pixels: FloatArray) -> tuple[FloatArray, FloatArray]:
    a, b, c, d, e, f = affine
    col, row = pixels[:, 0], pixels[:, 1]
    return a * col + b * row + c, d * col + e * row + f


@lru_cache(maxsize=256)
def _to_wgs84(crs: str) -> Transformer | Unplaced:
    """Building a transformer costs milliseconds, using one microseconds."""
    return _transformer(crs, forward=True)


@lru_cache(maxsize=256)
def _from_wgs84(crs: str) -> Transformer | Unplaced:
    return _transformer(crs, forward=False)


def _transformer(crs: str, *, forward: bool) -> Transformer | Unplaced:
    if not crs.strip():
        return Unplaced("no coordinate system")
    try:
        # A height system does not move a pixel sideways, but may need grids that are not installed.
        own = CRS.from_user_input(crs).to_2d()
        wgs84 = CRS.from_epsg(4326)
        ends = (own, wgs84) if forward else (wgs84, own)
        return Transformer.from_crs(*ends, always_xy=True)
    except ProjError:
        return Unplaced(f"coordinate system cannot be used: {crs[:60]}")
