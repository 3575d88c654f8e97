"""Reading GeoTIFFs by windows as 8-bit RGB, whatever their bands, bits, grid and holes."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from pyproj import Geod
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform as warp_points
from rasterio.windows import Window

from huoyan.errors import UnreadableFile
from huoyan.records import Image, RasterGrid

# GDAL's block cache defaults to 5 % of the memory of the machine; windows are read once.
os.environ.setdefault("GDAL_CACHEMAX", "128")
_GEOD = Geod(ellps="WGS84")
_STATISTICS_PX = 768
_PERCENTILES = (2.0, 98.0)
Stretch = tuple[tuple[float, float], ...]
"""(low, high) of each of the three bands; empty: the values are 8-bit already."""
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What a GeoTIFF is, measured once: bands in RGB order, stretch, grid, and whether anything is in it."""

    path: str
    size: tuple[int, int]
    bands: tuple[int, int, int]
    stretch: Stretch
    affine: tuple[float, float, float, float, float, float]
    crs: str | None
    gsd_m: float | None
    valid_share: float
    tagged_time: str = ""
    notes: tuple[str, ...] = ()

    def grid(self, error_m: float) -> RasterGrid | None:
        """The grid as the georeferencing needs it; None without a coordinate reference system."""
        if self.crs is None:
            return None
        return RasterGrid(self.affine, self.crs, self.size, error_m, self.gsd_m)


def inspect(path: Path, gsd_hint: float | None = None) -> RasterInfo:
    """Open a raster and measure what reading its windows needs.

    Bands: by colour interpretation where red, green and blue are named; else the first three (a single or
    second band is grey). Values: 8-bit ones stay; others are stretched between their 2nd and 98th percentile
    per band over a thinned read of the whole file, the same for every window.

    Raises:
        UnreadableFile: not a raster, or not even a thinned read of it succeeds.
    """
    try:
        if path.stat().st_size == 0:
            raise UnreadableFile("is empty", subject=str(path), code="empty")
        with rasterio.open(path) as source:
            bands = _rgb_bands(source)
            thin, valid = _thinned(source, bands)
            notes = []
            affine, crs = source.transform, source.crs
            if crs is None and source.gcps[0]:
                notes.append("has ground control points only: placed by the affine fitted to them")
                affine, crs = rasterio.transform.from_gcps(source.gcps[0]), source.gcps[1]
            return RasterInfo(
                str(path),
                (source.width, source.height),
                bands,
                _stretch(thin, valid, source.dtypes[bands[0] - 1]),
                (affine.a, affine.b, affine.c, affine.d, affine.e, affine.f),
                _crs_text(crs),
                _gsd(affine, crs, source.width, source.height) or gsd_hint,
                float(valid.mean()),
                source.tags().get("TIFFTAG_DATETIME", ""),
                tuple(notes),
            )
    except PermissionError as error:
        raise UnreadableFile(
            "may not be read: no permission", subject=str(path), code="no_permission"
        ) from error
    except (RasterioError, OSError, ValueError) as error:
        raise UnreadableFile(
            f"is not a raster that can be read: {error}", subject=str(path), code="damaged"
        ) from error


def read(info: RasterInfo, window: tuple[int, int, int, int]) -> tuple[Image, Mask]:
    """Read a window (col, row, width, height) as RGB with its mask of valid pixels (height, width).

    Raises:
        UnreadableFile: the file is gone or damaged there.
    """
    try:
        with rasterio.open(info.path) as source:
            return _read(source, info, Window(*window))
    except (RasterioError, OSError, ValueError) as error:
        raise _damaged(info.path, window, error) from error


def read_on_grid(
    info: RasterInfo, onto: RasterInfo, shift: tuple[float, float], window: tuple[int, int, int, int]
) -> tuple[Image, Mask]:
    """Read what `info` shows in a window of the grid of `onto`, warped there (bilinear).

    Args:
        info: the raster to read.
        onto: whose grid the window (col, row, width, height) is of.
        shift: (x, y) in pixels of that grid by which `info` lies off and is moved back.
        window: see `read`.

    Raises:
        UnreadableFile: the file is gone or damaged there.
    """
    affine = Affine(*onto.affine) * Affine.translation(*shift)
    try:
        with (
            rasterio.open(info.path) as source,
            WarpedVRT(
                source,
                crs=onto.crs,
                src_crs=info.crs,
                transform=affine,
                width=onto.size[0],
                height=onto.size[1],
                resampling=Resampling.bilinear,
                add_alpha=source.nodata is None and ColorInterp.alpha not in source.colorinterp,
            ) as warped,
        ):
            return _read(warped, info, Window(*window))
    except (RasterioError, OSError, ValueError) as error:
        raise _damaged(info.path, window, error) from error


def overview(info: RasterInfo, long_side: int) -> Image:
    """The whole raster thinned to `long_side` pixels, as RGB.

    Raises:
        UnreadableFile: the file is gone or damaged.
    """
    scale = min(1.0, long_side / max(info.size))
    shape = max(1, round(info.size[1] * scale)), max(1, round(info.size[0] * scale))
    try:
        with rasterio.open(info.path) as source:
            values = source.read(info.bands, out_shape=(3, *shape), resampling=Resampling.average)
    except (RasterioError, OSError, ValueError) as error:
        raise _damaged(info.path, (0, 0, *info.size), error) from error
    return _to_rgb(values, info.stretch)


def _damaged(path: str, window: tuple[int, ...], error: Exception) -> UnreadableFile:
    return UnreadableFile(f"cannot be read at window {window}: {error}", subject=path, code="damaged")


def _read(source: Any, info: RasterInfo, window: Window) -> tuple[Image, Mask]:
    values = source.read(info.bands, window=window)
    valid = source.dataset_mask(window=window) > 0
    if values.dtype.kind == "f":
        finite = np.isfinite(values).all(axis=0)
        valid &= finite
        values = np.where(finite, values, 0)
    image = _to_rgb(values, info.stretch)
    image[~valid] = 0
    return image, valid


def _to_rgb(values: npt.NDArray[Any], stretch: Stretch) -> Image:
    if not stretch:
        return np.ascontiguousarray(np.moveaxis(values, 0, 2).astype(np.uint8, copy=False))
    image = np.empty((*values.shape[1:], 3), np.uint8)
    for band, (low, high) in enumerate(stretch):
        scaled = (values[band].astype(np.float32) - low) * (255.0 / (high - low))
        image[..., band] = np.clip(np.nan_to_num(scaled), 0, 255)
    return image


def _rgb_bands(source: Any) -> tuple[int, int, int]:
    named = {colour: band for band, colour in enumerate(source.colorinterp, start=1)}
    rgb = tuple(named.get(colour) for colour in (ColorInterp.red, ColorInterp.green, ColorInterp.blue))
    if None not in rgb:
        return rgb  # type: ignore[return-value]
    return (1, 2, 3) if source.count >= 3 else (1, 1, 1)


def _thinned(source: Any, bands: tuple[int, int, int]) -> tuple[npt.NDArray[np.float64], Mask]:
    scale = min(1.0, _STATISTICS_PX / max(source.width, source.height))
    shape = max(1, int(source.height * scale)), max(1, int(source.width * scale))
    values = source.read(bands, out_shape=(3, *shape), resampling=Resampling.nearest).astype(np.float64)
    mask = source.dataset_mask(out_shape=shape) > 0
    return values, mask & np.isfinite(values).all(axis=0)


def _stretch(values: npt.NDArray[np.float64], valid: Mask, dtype: str) -> Stretch:
    if dtype == "uint8":
        return ()
    if not valid.any():
        return ((0.0, 1.0),) * 3
    limits = []
    for band in values:
        low, high = np.percentile(band[valid], _PERCENTILES)
        limits.append((float(low), float(high) if high > low else float(low) + 1.0))
    return tuple(limits)


def _crs_text(crs: Any) -> str | None:
    if crs is None:
        return None
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _gsd(affine: Affine, crs: Any, width: int, height: int) -> float | None:
    """Metres on the ground a pixel is wide, at the middle of the raster: the geometric mean of both axes.

    Along the ellipsoid, because a degree, and a metre of Web Mercator, are no fixed lengths.
    """
    if crs is None:
        return None
    col, row = width / 2, height / 2
    points = [affine * point for point in ((col, row), (col + 1, row), (col, row + 1))]
    try:
        lon, lat = warp_points(crs, "EPSG:4326", [p[0] for p in points], [p[1] for p in points])[:2]
        across = _GEOD.inv(lon[0], lat[0], lon[1], lat[1])[2]
        down = _GEOD.inv(lon[0], lat[0], lon[2], lat[2])[2]
    except (RasterioError, ValueError):
        return None
    gsd = math.sqrt(across * down)
    return gsd if math.isfinite(gsd) and gsd > 0 else None
