"""Satellite pictures: one date, or two dates of one place on a common grid, by windows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from affine import Affine
from rasterio.errors import RasterioError
from rasterio.warp import transform as warp_points

from huoyan.errors import GeoreferenceError
from huoyan.records import (
    Frame,
    FrameRef,
    Ground,
    Image,
    Kind,
    RasterGrid,
    Skip,
    TimeFrom,
    Unplaced,
    frame_id,
)
from huoyan.sources import raster, registration
from huoyan.sources.raster import RasterInfo
from huoyan.sources.registration import Shift

NO_CRS = Unplaced("no coordinate reference system")
RasterWindow = tuple[int, int, int, int]
_EDGE_POINTS = 21


@dataclass(frozen=True, slots=True)
class Pair:
    """Two dates of one place: `after` gives the grid, `overlap` (col, row, width, height) is on it."""

    before: RasterInfo
    after: RasterInfo
    overlap: RasterWindow
    shift: Shift


@dataclass(frozen=True, slots=True)
class WindowUnit:
    """One window of a raster, with the same place at the earlier date where there is one."""

    path: str
    source_id: str
    start: datetime
    time_from: TimeFrom
    index: int
    window: RasterWindow
    after: RasterInfo
    error_m: float
    before: RasterInfo | None = None
    shift: tuple[float, float] = (0.0, 0.0)
    notes: tuple[str, ...] = ()
    kind: Kind = "satellite"
    expected: int = 1

    @property
    def frame_id(self) -> str:
        return frame_id(self.source_id, self.start, self.index)

    @property
    def unit_id(self) -> str:
        return self.frame_id

    def frames(self, skip: frozenset[str] = frozenset()) -> Iterator[Frame | Skip]:
        """The one window, unless it is in `skip`."""
        if self.frame_id in skip:
            return
        locator: dict[str, Any] = {"raster": _packed(self.after), "window": list(self.window)}
        if self.before is not None:
            locator |= {"before": _packed(self.before), "shift": list(self.shift)}
        ref = FrameRef(
            self.frame_id,
            self.source_id,
            "satellite",
            self.start,
            self.time_from,
            (self.window[2], self.window[3]),
            self.path,
            locator,
        )
        before = partial(read_ref, ref, "before") if self.before is not None else None
        yield Frame(ref, partial(read_ref, ref, "now"), before, self._ground(), notes=self.notes)

    def _ground(self) -> Ground:
        if self.after.crs is None:
            return NO_CRS
        moved = Affine(*self.after.affine) * Affine.translation(self.window[0], self.window[1])
        size = (self.window[2], self.window[3])
        affine = (moved.a, moved.b, moved.c, moved.d, moved.e, moved.f)
        return RasterGrid(affine, self.after.crs, size, self.error_m, self.after.gsd_m)


def read_ref(ref: FrameRef, role: str) -> Image:
    """The pixels of a window, `now` or `before`. Where either date has no data, both are black: no change.

    Raises:
        UnreadableFile: a file is gone or damaged there.
    """
    after = _unpacked(ref.locator["raster"])
    col, row, width, height = ref.locator["window"]
    window = (col, row, width, height)
    if "before" not in ref.locator:
        return raster.read(after, window)[0]
    before, (x, y) = _unpacked(ref.locator["before"]), ref.locator["shift"]
    new, new_valid = raster.read(after, window)
    old, old_valid = raster.read_on_grid(before, after, (x, y), window)
    image = new if role == "now" else old
    image[~(new_valid & old_valid)] = 0
    return image


def make_pair(before: RasterInfo, after: RasterInfo) -> Pair:
    """Bring two dates onto the grid of the later one.

    Raises:
        GeoreferenceError: one has no coordinate reference system, or they do not overlap.
    """
    for one in (before, after):
        if one.crs is None:
            raise GeoreferenceError(
                "has no coordinate reference system, so it cannot be compared with another date",
                subject=one.path,
                code="no_crs",
                hint="assign one, for example with gdal_edit -a_srs",
            )
    overlap = _overlap(before, after)
    if overlap is None:
        raise GeoreferenceError(
            f"does not overlap {before.path}",
            subject=after.path,
            code="no_overlap",
            hint="give two dates of one place",
        )
    return Pair(before, after, overlap, registration.measure(before, after, overlap))


def windows(area: RasterWindow, side: int, shared: int) -> list[RasterWindow]:
    """Windows of `side` pixels that share `shared` with their neighbours and cover `area` exactly once over."""
    col, row, width, height = area
    return [
        (c, r, w, h)
        for r, h in _pieces(row, height, side, shared)
        for c, w in _pieces(col, width, side, shared)
    ]


def _pieces(start: int, length: int, side: int, shared: int) -> list[tuple[int, int]]:
    if length <= side:
        return [(start, length)]
    count = math.ceil((length - shared) / (side - shared))
    starts = [start + round(i * (length - side) / (count - 1)) for i in range(count)]
    return [(s, side) for s in starts]


def _overlap(before: RasterInfo, after: RasterInfo) -> RasterWindow | None:
    """The part of the later grid that the earlier raster covers, from its outline in pixels of that grid."""
    width, height = before.size
    steps = np.linspace(0.0, 1.0, _EDGE_POINTS)
    edge = [(s * width, y) for s in steps for y in (0.0, height)]
    edge += [(x, s * height) for s in steps for x in (0.0, width)]
    here = [Affine(*before.affine) * point for point in edge]
    try:
        xs, ys = warp_points(before.crs, after.crs, [p[0] for p in here], [p[1] for p in here])[:2]
    except RasterioError:
        return None
    back = ~Affine(*after.affine)
    there = np.array([back * point for point in zip(xs, ys, strict=True)])
    if not np.isfinite(there).all():
        return None
    left, top = np.maximum(np.floor(there.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(there.max(axis=0)), after.size).astype(int)
    if right - left < 16 or bottom - top < 16:
        return None
    return int(left), int(top), int(right - left), int(bottom - top)


def _packed(info: RasterInfo) -> dict[str, Any]:
    """What reading needs of a raster, as JSON values."""
    return {
        "path": info.path,
        "size": list(info.size),
        "bands": list(info.bands),
        "stretch": [list(pair) for pair in info.stretch],
        "affine": list(info.affine),
        "crs": info.crs,
    }


def _unpacked(values: dict[str, Any]) -> RasterInfo:
    return RasterInfo(
        values["path"],
        tuple(values["size"]),
        tuple(values["bands"]),
        tuple(tuple(pair) for pair in values["stretch"]),
        tuple(values["affine"]),
        values["crs"],
        None,
        1.0,
    )


def units_of_pair(
    pair: Pair, source_id: str, start: datetime, time_from: TimeFrom, side: int, shared: int, error_m: float
) -> list[WindowUnit]:
    """The windows of a pair; what was corrected is said in their notes."""
    notes = (pair.shift.words, *pair.after.notes)
    return [
        WindowUnit(
            pair.after.path,
            source_id,
            start,
            time_from,
            index,
            window,
            pair.after,
            error_m,
            pair.before,
            (pair.shift.x, pair.shift.y),
            notes,
        )
        for index, window in enumerate(windows(pair.overlap, side, shared))
    ]


def units_of_single(
    info: RasterInfo,
    source_id: str,
    start: datetime,
    time_from: TimeFrom,
    side: int,
    shared: int,
    error_m: float,
) -> list[WindowUnit]:
    """The windows of one date."""
    whole = (0, 0, *info.size)
    return [
        WindowUnit(info.path, source_id, start, time_from, index, window, info, error_m, notes=info.notes)
        for index, window in enumerate(windows(whole, side, shared))
    ]
