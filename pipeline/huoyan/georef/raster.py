"""Georeferenced rasters: pixel to longitude and latitude through the affine and the CRS, and back.

The affine gives x (easting or longitude) and y (northing or latitude) whatever the order of axes that the
CRS's authority declares: that is how GDAL writes it, and `always_xy` is how PROJ is told.
"""

from __future__ import annotations

from functools import lru_cache
from math import hypot, isfinite

from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from huoyan.georef import local
from huoyan.georef.picture import misfit, scale
from huoyan.records import Place, Placement, Point, RasterGrid, Ring, Unplaced

METHOD = "raster"
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
    a, b, c, d, e, f = grid.affine
    corners = []
    for col, row in ((x * factors[0], y * factors[1]) for x, y in (xy, *ring)):
        # One by one: PROJ takes a single point faster than an array, and rings are short.
        lon, lat = transformer.transform(a * col + b * row + c, d * col + e * row + f)
        if not (isfinite(lon) and isfinite(lat)):
            return Unplaced("outside the area of its coordinate system")
        corners.append(((lon + 180.0) % 360.0 - 180.0, lat))
    error = hypot(grid.error_m, PIXEL_ERROR_PX * factors[0] * gsd_m(grid))
    return Placement(*corners[0], error, METHOD, tuple(corners[1:]))


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
    a, b, c, d, e, f = grid.affine
    x, y = (
        grid.size[0] / 2.0 * a + grid.size[1] / 2.0 * b + c,
        grid.size[0] / 2.0 * d + grid.size[1] / 2.0 * e + f,
    )
    middle, right, below = (transformer.transform(x + dx, y + dy) for dx, dy in ((0.0, 0.0), (a, d), (b, e)))
    if not all(isfinite(value) for value in (*middle, *right, *below)):
        return 0.0
    return (local.geodesic_m(middle, right) + local.geodesic_m(middle, below)) / 2.0


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
