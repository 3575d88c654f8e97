"""Reading GeoTIFFs by windows as 8-bit RGB, whatever their bands, bits, grid and holes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import Resampling
from rasterio.windows import Window

from huoyan.errors import UnreadableFile
from huoyan.records import Image, RasterGrid
from huoyan.sources import affines, handles, stretch
from huoyan.sources.affines import AffineTuple
from huoyan.sources.stretch import Mask, Stretch

RasterWindow = tuple[int, int, int, int]
"""(col, row, width, height) in pixels."""
Values = npt.NDArray[Any]
_ALIGNED_PX = 1e-3
_FAULTS = handles.FAULTS
_PART_PX = 128
Faults = list[UnreadableFile] | None
ReadPart = Callable[[RasterWindow], tuple[Image, Mask]]


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What reading a GeoTIFF needs to know of it, measured once (`inspection.inspect`)."""

    path: str
    size: tuple[int, int]
    bands: tuple[int, int, int]
    """1-based band numbers of red, green and blue; thrice the same for grey."""
    stretch: Stretch
    affine: AffineTuple
    crs: str | None
    gsd_m: float | None = None
    from_gcps: bool = False
    """Its grid is the one that its ground control points were warped to."""
    palette: tuple[tuple[int, int, int], ...] = ()
    """RGB of each value, for rasters with a colour table."""
    empty: bool = False
    """Whether it holds nothing but nodata (counted exactly, so never said of a raster too large to count)."""
    acquired: str = ""
    """Time of acquisition (ISO 8601, UTC) where IMAGERY metadata tell it."""
    tagged: str = ""
    """TIFFTAG_DATETIME: often of acquisition, often only of processing."""
    notes: tuple[str, ...] = ()

    def grid(self, error_m: float, window: RasterWindow | None = None) -> RasterGrid | None:
        """The grid of a window (default all) as the georeferencing needs it; None without a CRS."""
        if self.crs is None:
            return None
        window = window or (0, 0, *self.size)
        affine = affines.moved(self.affine, window[0], window[1])
        return RasterGrid(affine, self.crs, (window[2], window[3]), error_m, self.gsd_m)


def inspect(path: Path, gsd_hint: float | None = None) -> RasterInfo:
    """Open a raster and measure what reading it needs, see `inspection.inspect`.

    Raises:
        UnreadableFile: not a raster.
        FrameTooLarge: one of its blocks alone would take more memory than should be used.
    """
    from huoyan.sources import inspection

    return inspection.inspect(path, gsd_hint)


def overview(info: RasterInfo, long_side: int) -> Image:
    """The whole raster thinned to at most `long_side` pixels, as RGB.

    Raises:
        UnreadableFile: the file is gone or damaged.
    """
    scale = min(1.0, long_side / max(info.size))
    shape = max(1, round(info.size[1] * scale)), max(1, round(info.size[0] * scale))
    try:
        return _read(_source(info), info, (0, 0, *info.size), shape)[0]
    except _FAULTS as error:
        raise _damaged(info.path, (0, 0, *info.size), error) from error


def read(info: RasterInfo, window: RasterWindow, faults: Faults = None) -> tuple[Image, Mask]:
    """Read a window as RGB (height, width, 3) with its mask of valid pixels (height, width).

    Args:
        info: the raster.
        window: within it.
        faults: where given, a window of which parts are damaged is read without them: they are not valid, and
            the first of them is added here.

    Raises:
        UnreadableFile: the file is gone or damaged there; with `faults`, nothing of the window can be read.
    """
    return _whole_or_parts(info.path, window, lambda part: _read(_source(info), info, part), faults)


def read_on_grid(
    info: RasterInfo,
    onto: RasterInfo,
    shift: tuple[float, float],
    window: RasterWindow,
    faults: Faults = None,
) -> tuple[Image, Mask]:
    """Read what `info` shows in a window of the grid of `onto`.

    Where both grids are the same but for whole pixels and there is no shift, pixels are copied; else they are
    warped (bilinear, on the fly).

    Args:
        info: the raster to read.
        onto: whose grid the window is of.
        shift: (x, y) in pixels of that grid by which `info` lies off and is moved back.
        window: see `read`.
        faults: see `read`.

    Raises:
        UnreadableFile: see `read`.
    """
    offset = _aligned(info, onto) if shift == (0.0, 0.0) else None
    if offset is not None:
        col, row = offset
        return _whole_or_parts(
            info.path,
            window,
            lambda part: _copied(_source(info), info, (part[0] + col, part[1] + row, *part[2:])),
            faults,
        )
    affine = affines.moved(onto.affine, *shift)
    own_affine = None if info.from_gcps else info.affine
    method = Resampling.nearest if info.palette else Resampling.bilinear

    def warped(part: RasterWindow) -> tuple[Image, Mask]:
        source = handles.warped(
            info.path, info.crs or "", onto.crs or "", affine, onto.size, own_affine, method
        )
        return _read(source, info, part)

    return _whole_or_parts(info.path, window, warped, faults)


def _whole_or_parts(
    path: str, window: RasterWindow, read_part: ReadPart, faults: Faults
) -> tuple[Image, Mask]:
    try:
        return read_part(window)
    except _FAULTS as error:
        damage = _damaged(path, window, error)
        if faults is None:
            raise damage from error
    col, row, width, height = window
    image, valid = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
    readable = False
    for top in range(0, height, _PART_PX):
        for left in range(0, width, _PART_PX):
            side = min(_PART_PX, width - left), min(_PART_PX, height - top)
            place = slice(top, top + side[1]), slice(left, left + side[0])
            try:
                image[place], valid[place] = read_part((col + left, row + top, *side))
                readable = True
            except _FAULTS:
                continue
    if not readable:
        raise damage
    faults.append(damage)
    return image, valid


def _damaged(path: str, window: RasterWindow, error: Exception) -> UnreadableFile:
    col, row, width, height = window
    where = f"columns {col} to {col + width}, rows {row} to {row + height}"
    reason = error.__cause__ or error
    return UnreadableFile(f"cannot be read at {where}: {reason}", subject=path, code="damaged")


def _source(info: RasterInfo) -> Any:
    return handles.source(info.path, info.crs if info.from_gcps else None)


def _read(
    source: Any, info: RasterInfo, window: RasterWindow, shape: tuple[int, int] | None = None
) -> tuple[Image, Mask]:
    place = Window(*window)
    method = Resampling.nearest if info.palette or shape is None else Resampling.average
    # Grey rasters are read once, not once a band.
    grey = len(set(info.bands)) == 1
    bands = info.bands[:1] if grey else info.bands
    values = source.read(
        bands, window=place, out_shape=(len(bands), *shape) if shape else None, resampling=method
    )
    valid = np.asarray(source.dataset_mask(window=place, out_shape=shape) > 0)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)
    if info.palette:
        image = np.array(info.palette, dtype=np.uint8)[np.minimum(values[0], len(info.palette) - 1)]
    else:
        image = stretch.to_rgb(np.repeat(values, 3, axis=0) if grey else values, info.stretch)
    image[~valid] = 0
    return image, valid


def _copied(source: Any, info: RasterInfo, window: RasterWindow) -> tuple[Image, Mask]:
    """As `_read`, for a window that may reach beyond the raster."""
    col, row, width, height = window
    left, top = max(col, 0), max(row, 0)
    right, bottom = min(col + width, info.size[0]), min(row + height, info.size[1])
    image = np.zeros((height, width, 3), np.uint8)
    valid = np.zeros((height, width), bool)
    if left < right and top < bottom:
        part, there = _read(source, info, (left, top, right - left, bottom - top))
        rows, columns = slice(top - row, bottom - row), slice(left - col, right - col)
        image[rows, columns], valid[rows, columns] = part, there
    return image, valid


def _aligned(info: RasterInfo, onto: RasterInfo) -> tuple[int, int] | None:
    """Whole pixels from the grid of `onto` to that of `info`; None where the grids differ by more."""
    if info.crs != onto.crs:
        return None
    a, b, c, d, e, f = affines.after(affines.inverse(info.affine), onto.affine)
    turned = max(abs(a - 1), abs(b), abs(d), abs(e - 1)) * max(onto.size)
    col, row = round(c), round(f)
    return (col, row) if max(turned, abs(c - col), abs(f - row)) <= _ALIGNED_PX else None
