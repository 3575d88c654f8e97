"""Open rasters, kept open from one window to the next.

GDAL caches decoded blocks by open file: opening a striped file anew for each window would decode each strip once
for every window across. Handles belong to one thread of one process; a forked process starts with none.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import rasterio
from affine import Affine
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT

from huoyan.sources.affines import AffineTuple

try:
    # Seen to escape from damaged files; it is no RasterioError.
    from rasterio._err import CPLE_BaseError
except ImportError:  # a private name, which may move
    CPLE_BaseError = RasterioError

# A row of windows of two striped files of 20,000 columns. GDAL's default is 5 % of the machine's memory.
os.environ.setdefault("GDAL_CACHEMAX", "256")
# GDAL prints what it thinks of damaged files; what matters is raised, and told with the path.
os.environ.setdefault("CPL_LOG", os.devnull)
logging.getLogger("rasterio").addHandler(logging.NullHandler())
FAULTS: tuple[type[Exception], ...] = (RasterioError, CPLE_BaseError, OSError, ValueError, ArithmeticError)
"""What a damaged raster or a useless grid raises. (A CRSError is a ValueError.)"""
_KEPT = 4
_WARP_MEMORY_MB = 64


class _Open(threading.local):
    def __init__(self) -> None:
        self.process = os.getpid()
        self.datasets: OrderedDict[Hashable, Any] = OrderedDict()


_open = _Open()


def source(path: str, gcp_crs: str | None = None) -> Any:
    """An open dataset; with `gcp_crs`, warped north-up through its ground control points.

    Raises:
        RasterioError: it cannot be opened.
        OSError: it is not there or may not be read.
    """
    told = os.stat(path)
    key = (path, told.st_mtime_ns, told.st_size, gcp_crs)

    def make() -> Any:
        opened = open_quietly(path)
        return WarpedVRT(opened, **_options(opened, gcp_crs, gcp_crs)) if gcp_crs else opened

    return _kept(key, make)


def warped(
    path: str,
    crs: str,
    onto_crs: str,
    affine: AffineTuple,
    size: tuple[int, int],
    own_affine: AffineTuple | None,
    resampling: Resampling,
) -> Any:
    """A dataset warped to a grid on the fly.

    Args:
        path: the dataset.
        crs: its coordinate reference system.
        onto_crs: that of the grid.
        affine: of the grid.
        size: (width, height) of the grid.
        own_affine: the dataset's; None where it is placed by ground control points.
        resampling: how.

    Raises:
        RasterioError: it cannot be opened.
        OSError: it is not there or may not be read.
    """
    told = os.stat(path)
    key = (path, told.st_mtime_ns, told.st_size, onto_crs, affine, size, resampling)

    def make() -> Any:
        opened = open_quietly(path)
        options = _options(opened, crs, onto_crs)
        if own_affine is not None:
            options["src_transform"] = Affine(*own_affine)
        return WarpedVRT(
            opened, transform=Affine(*affine), width=size[0], height=size[1], resampling=resampling, **options
        )

    return _kept(key, make)


def open_quietly(path: str) -> Any:
    """An open dataset. That it has no georeference is found and told elsewhere, not as a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rasterio.open(path)


def _options(opened: Any, crs: str | None, onto_crs: str | None) -> dict[str, Any]:
    # Where the source has neither nodata nor alpha, what lies beyond it must still be told from black ground.
    plain = opened.nodata is None and ColorInterp.alpha not in opened.colorinterp
    return {
        "src_crs": crs,
        "crs": onto_crs,
        "add_alpha": plain,
        "warp_mem_limit": _WARP_MEMORY_MB,
    }


def _kept(key: Hashable, make: Callable[[], Any]) -> Any:
    if _open.process != os.getpid():
        # Files of the parent share their position with it: leave them alone.
        _open.__init__()  # type: ignore[misc]
    datasets = _open.datasets
    if key in datasets:
        datasets.move_to_end(key)
    else:
        datasets[key] = make()
        while len(datasets) > _KEPT:
            datasets.popitem(last=False)[1].close()
    return datasets[key]


def close_all() -> None:
    """Close what this thread holds open."""
    while _open.datasets:
        _open.datasets.popitem()[1].close()
