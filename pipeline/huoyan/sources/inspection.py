"""What a GeoTIFF is: its bands, its stretch, its grid, its size on the ground; measured once for a file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from pyproj import Geod
from rasterio.enums import ColorInterp, Resampling
from rasterio.warp import transform as warp_points
from rasterio.windows import Window

from huoyan.errors import FrameTooLarge, UnreadableFile
from huoyan.sources import affines, files, handles, stretch
from huoyan.sources.affines import AffineTuple
from huoyan.sources.raster import RasterInfo, Values
from huoyan.sources.stretch import Mask

_GEOD = Geod(ellps="WGS84")
_STATISTICS_PX = 768
_THIN_UP_TO_PX = 4096
_LATTICE = 8
_COUNTED_UP_TO_PX = 16_000_000
_LARGEST_BLOCK = 256 << 20
_NOT_SQUARE = 0.02
_COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_NAMES = (("red", "r", "b04", "b4"), ("green", "g", "b03", "b3"), ("blue", "b", "b02", "b2"))


def inspect(path: Path, gsd_hint: float | None = None) -> RasterInfo:
    """Open a raster and measure what reading its windows needs.

    Bands: by colour interpretation where red, green and blue are named, else by description (red, B04 and so
    on), else the first three in the order red, green, blue; fewer than three bands are grey. A near infrared
    band is thus left out wherever the file names its bands, or has them in the order R, G, B, NIR.
    Values: see `stretch`, measured per band on a thinned read of the file, the same for every window.

    Args:
        path: the file.
        gsd_hint: metres of a pixel where the file does not tell.

    Raises:
        UnreadableFile: not a raster, or not even a thinned read of it succeeds.
        FrameTooLarge: one of its blocks alone would take more memory than there should be used.
    """
    files.check(path)
    try:
        with handles.open_quietly(str(path)) as source:
            _check_blocks(source, str(path))
        return _inspect(path, gsd_hint)
    except PermissionError as error:
        raise files.unreadable(path, error) from error
    except handles.FAULTS as error:
        raise UnreadableFile(
            f"is not a raster that can be read: {error}", subject=str(path), code="damaged"
        ) from error


def _inspect(path: Path, gsd_hint: float | None) -> RasterInfo:
    with handles.open_quietly(str(path)) as plain:
        gcps, gcp_crs = plain.gcps
        from_gcps = bool(gcps) and gcp_crs is not None and plain.crs is None
        tags, imagery = plain.tags(), plain.tags(ns="IMAGERY")
        crs = _crs_text(gcp_crs if from_gcps else plain.crs)
    source = handles.source(str(path), crs if from_gcps else None)
    bands = rgb_bands(source)
    palette = _palette(source)
    values, valid = _sample(source, bands)
    affine = affines.of(source.transform)
    sides = ground_size(affine, crs, source.width, source.height)
    notes = ["placed by its ground control points"] if from_gcps else []
    if crs is not None and sides is None:
        notes.append("its coordinate reference system has no way to longitude and latitude")
    if sides and abs(sides[0] / sides[1] - 1) > _NOT_SQUARE:
        notes.append(f"pixels are not square: {sides[0]:.3g} x {sides[1]:.3g} m")
    return RasterInfo(
        str(path),
        (source.width, source.height),
        bands,
        () if palette else stretch.measure(values, valid),
        affine,
        crs,
        # The square of it is the area of a pixel.
        math.sqrt(sides[0] * sides[1]) if sides else gsd_hint,
        from_gcps,
        palette,
        _empty(source),
        str(imagery.get("ACQUISITIONDATETIME", "")),
        str(tags.get("TIFFTAG_DATETIME", "")),
        tuple(notes),
    )


def rgb_bands(source: Any) -> tuple[int, int, int]:
    """1-based band numbers of red, green and blue, see `inspect`."""
    by_colour = {colour: band for band, colour in enumerate(source.colorinterp, start=1)}
    if all(colour in by_colour for colour in _COLOURS):
        red, green, blue = (by_colour[colour] for colour in _COLOURS)
        return red, green, blue
    names = [(name or "").strip().lower() for name in source.descriptions]
    found = [next((band for band, name in enumerate(names, start=1) if name in known), 0) for known in _NAMES]
    if all(found):
        return found[0], found[1], found[2]
    return (1, 2, 3) if source.count >= 3 else (1, 1, 1)


def ground_size(affine: AffineTuple, crs: str | None, width: int, height: int) -> tuple[float, float] | None:
    """Metres on the ground of a pixel's (width, height) at the middle of the raster.

    Along the ellipsoid, because a degree, a foot and a metre of Web Mercator are no metres.
    """
    if crs is None:
        return None
    col, row = width / 2, height / 2
    points = affines.apply(affine, np.array([(col, row), (col + 1, row), (col, row + 1)]))
    try:
        lon, lat = warp_points(crs, "EPSG:4326", *points.T)[:2]
    except handles.FAULTS:
        return None
    sides = tuple(_GEOD.inv(lon[0], lat[0], lon[i], lat[i])[2] for i in (1, 2))
    return (sides[0], sides[1]) if all(math.isfinite(side) and side > 0 for side in sides) else None


def _check_blocks(source: Any, path: str) -> None:
    height, width = source.block_shapes[0]
    block = height * width * sum(np.dtype(kind).itemsize for kind in source.dtypes)
    if block > _LARGEST_BLOCK:
        raise FrameTooLarge(
            f"is stored in blocks of {width} x {height} px, {block / 1e6:.0f} MB each",
            subject=path,
            hint="rewrite it in tiles: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE",
        )
    if np.dtype(source.dtypes[0]).kind == "c":
        raise UnreadableFile("holds complex values, no picture", subject=path, code="not_an_image")


def _sample(source: Any, bands: tuple[int, int, int]) -> tuple[Values, Mask]:
    """Values (bands, height, width) from all over the raster, and which of them are valid.

    A thinned read where that is cheap. Thinning a large raster without overviews would decode all of it: there,
    and where parts of the file are damaged, a lattice of patches tells as much.
    """
    if max(source.width, source.height) <= _THIN_UP_TO_PX or source.overviews(bands[0]):
        scale = min(1.0, _STATISTICS_PX / max(source.width, source.height))
        shape = max(1, int(source.height * scale)), max(1, int(source.width * scale))
        try:
            values = source.read(bands, out_shape=(3, *shape), resampling=Resampling.nearest)
            mask = source.dataset_mask(out_shape=shape) > 0
        except handles.FAULTS:
            return _lattice(source, bands)
        return values, mask & np.isfinite(values).all(axis=0)
    return _lattice(source, bands)


def _lattice(source: Any, bands: tuple[int, int, int]) -> tuple[Values, Mask]:
    width, height = (min(_STATISTICS_PX // _LATTICE, side) for side in (source.width, source.height))
    parts, masks = [], []
    trouble: Exception | None = None
    for row in np.linspace(0, source.height - height, _LATTICE).astype(int):
        for col in np.linspace(0, source.width - width, _LATTICE).astype(int):
            window = Window(int(col), int(row), width, height)
            try:
                values = source.read(bands, window=window)
                mask = source.dataset_mask(window=window) > 0
            except handles.FAULTS as error:
                trouble = error
                continue
            parts.append(values)
            masks.append(mask & np.isfinite(values).all(axis=0))
    if not parts and trouble is not None:
        raise trouble
    return np.concatenate(parts, axis=1), np.concatenate(masks, axis=0)


def _empty(source: Any) -> bool:
    if source.width * source.height > _COUNTED_UP_TO_PX:
        return False
    try:
        valid = source.dataset_mask() > 0
        if np.dtype(source.dtypes[0]).kind == "f":
            valid &= np.isfinite(source.read(1))
    except handles.FAULTS:
        return False
    return not bool(valid.any())


def _palette(source: Any) -> tuple[tuple[int, int, int], ...]:
    if source.colorinterp[0] != ColorInterp.palette or source.dtypes[0] != "uint8":
        return ()
    table = source.colormap(1)
    return tuple(tuple(table.get(value, (0, 0, 0))[:3]) for value in range(256))


def _crs_text(crs: Any) -> str | None:
    """`EPSG:n` where the system is exactly that one, else its WKT: a similar code may be metres off."""
    if crs is None or not crs.to_wkt():
        return None
    code = crs.to_epsg(confidence_threshold=100)
    return f"EPSG:{code}" if code else str(crs.to_wkt())
