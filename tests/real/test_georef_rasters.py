"""Every raster that has a coordinate system, against GDAL's own transformation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp

from huoyan import georef
from huoyan.georef import raster
from huoyan.records import Placement, RasterGrid

RASTERS = (
    "aerial_rotated180_lo25.tif",
    "aster_utm39n_date1.tif",
    "colorado_ortho_15cm_utm13n.tif",
    "dem_24m_lo25_customcrs_nan.tif",
    "drone_ortho_35cm_utm50s_alpha.tif",
    "landsat7_utm18n_rgb.tif",
    "nasty_south_up_epsg4326_float.tif",
    "ortho_60cm_epsg3857.tif",
    "pair_epsg4326_after.tif",
    "pair_utm50n_before.tif",
    "uint16_200m_utm29n.tif",
    "uint16_rgb_epsg4326.tif",
    "uint16_rgba_mostly_empty_utm12n.tif",
)


@pytest.mark.parametrize("name", RASTERS)
def test_places_are_those_of_gdal(shared_data: Path, name: str) -> None:
    with rasterio.open(shared_data / "raster" / name) as file:
        crs, affine, size = file.crs, file.transform, (file.width, file.height)
    grid = RasterGrid(tuple(affine)[:6], crs.to_wkt(), size)
    for share in (0.1, 0.5, 0.9):
        xy = (size[0] * share, size[1] * (1 - share))
        a, b, c, d, e, f = grid.affine
        x, y = a * xy[0] + b * xy[1] + c, d * xy[0] + e * xy[1] + f
        (lon,), (lat,) = rasterio.warp.transform(crs, "EPSG:4326", [x], [y])
        place = georef.place_point(grid, xy, size)
        assert isinstance(place, Placement)
        # Datums a metre apart (NAD 83) may be tied in different ways.
        assert georef.distance_m(place, (lon, lat)) < 2.0
        assert georef.project(grid, place.lon, place.lat) == pytest.approx(xy, abs=0.01)


def test_pixel_of_web_mercator_is_smaller_on_the_ground(shared_data: Path) -> None:
    with rasterio.open(shared_data / "raster" / "ortho_60cm_epsg3857.tif") as file:
        grid = RasterGrid(tuple(file.transform)[:6], file.crs.to_wkt(), (file.width, file.height))
    assert raster.gsd_m(grid) == pytest.approx(0.597 * np.cos(np.radians(37.6)), rel=0.01)
