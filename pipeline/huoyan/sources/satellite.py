"""Satellite pictures: one date, or two dates of one place on a common grid, by windows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from rasterio.warp import transform as warp_points

from huoyan.errors import GeoreferenceError, SourceError, UnreadableFile
from huoyan.records import Box, Frame, FrameRef, Ground, Image, Kind, Skip, TimeFrom, Unplaced, frame_id
from huoyan.sources import affines, handles, raster, registration
from huoyan.sources.raster import RasterInfo, RasterWindow
from huoyan.sources.registration import Shift
from huoyan.sources.stretch import Mask

NO_CRS = Unplaced("no coordinate reference system")
SMALLEST_OVERLAP_PX = 16
_EDGE_POINTS = 33


@dataclass(frozen=True, slots=True)
class Pair:
    """Two dates of one place: `after` gives the grid, `overlap` is on it."""

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
    """(x, y) pixels by which the earlier date lay off and is moved back."""
    notes: tuple[str, ...] = ()
    core: Box | None = None
    """See `Frame.core`."""

    @property
    def frame_id(self) -> str:
        return frame_id(self.source_id, self.start, self.index)

    @property
    def unit_id(self) -> str:
        # A unit of one frame goes by that frame's id: a run that goes on asks for it.
        return self.frame_id

    @property
    def kind(self) -> Kind:
        return "satellite"

    @property
    def expected(self) -> int:
        """Frames to expect, for the progress bar."""
        return 1

    def frames(self, skip: frozenset[str] = frozenset()) -> Iterator[Frame | Skip]:
        """The one window, unless it is in `skip`.

        A Skip goes before it where parts of it are damaged, and stands for it (code `nodata`) where a date
        shows nothing there.
        """
        if self.frame_id in skip:
            return
        faults: list[UnreadableFile] = []
        try:
            now, before, valid = _read(self.after, self.before, self.shift, self.window, faults)
        except SourceError as error:
            yield Skip(self.source_id, self.path, error.code, str(error))
            return
        for fault in faults:
            yield Skip(self.source_id, fault.subject, "damaged_part", f"{fault}; the rest of it is used")
        if not valid.any():
            col, row, width, height = self.window
            where = f"columns {col} to {col + width}, rows {row} to {row + height}"
            yield Skip(self.source_id, self.path, "nodata", f"{self.path}: {where} hold only nodata")
            return
        yield Frame(
            self._ref(),
            partial(_same, now),
            None if before is None else partial(_same, before),
            self._ground(),
            core=self.core,
            notes=self.notes,
        )

    def _ref(self) -> FrameRef:
        locator: dict[str, Any] = {"raster": _packed(self.after), "window": list(self.window)}
        if self.before is not None:
            locator |= {"before": _packed(self.before), "shift": list(self.shift)}
        return FrameRef(
            self.frame_id,
            self.source_id,
            "satellite",
            self.start,
            self.time_from,
            (self.window[2], self.window[3]),
            self.path,
            locator,
        )

    def _ground(self) -> Ground:
        return self.after.grid(self.error_m, self.window) or NO_CRS


def read_ref(ref: FrameRef, role: str) -> Image:
    """The pixels of a window again, `now` or `before`, as its frame had them.

    Raises:
        UnreadableFile: a file is gone or damaged there.
    """
    col, row, width, height = ref.locator["window"]
    before, shift = None, (0.0, 0.0)
    if "before" in ref.locator:
        before = _unpacked(ref.locator["before"])
        x, y = ref.locator["shift"]
        shift = (float(x), float(y))
    now, then, _ = _read(_unpacked(ref.locator["raster"]), before, shift, (col, row, width, height), [])
    return now if role == "now" or then is None else then


def make_pair(before: RasterInfo, after: RasterInfo) -> Pair:
    """Bring two dates onto the grid of the later one, and measure by how much they are off each other.

    Raises:
        GeoreferenceError: one has no coordinate reference system, or they do not overlap.
    """
    for one in (before, after):
        if one.crs is None:
            raise GeoreferenceError(
                "has no coordinate reference system, so it cannot be compared with another date",
                subject=one.path,
                code="no_crs",
                hint="assign one, for example with gdal_edit.py -a_srs EPSG:32650",
            )
    overlap = overlap_of(before, after)
    if overlap is None:
        raise GeoreferenceError(
            f"does not overlap the earlier date {before.path}",
            subject=after.path,
            code="no_overlap",
            hint="give two dates of one place",
        )
    return Pair(before, after, overlap, registration.measure(before, after, overlap))


def units_of_pair(
    pair: Pair,
    source_id: str,
    start: datetime,
    time_from: TimeFrom,
    layout: tuple[int, int],
    error_m: float,
    notes: tuple[str, ...] = (),
) -> list[WindowUnit]:
    """The windows of a pair; what was corrected is said in their notes. `layout` is (side, overlap)."""
    said = (pair.shift.words, *notes)
    shift = pair.shift.correction
    found = windows(pair.overlap, *layout)
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
            shift,
            said,
            core,
        )
        for index, (window, core) in enumerate(zip(found, cores(found), strict=True))
    ]


def units_of_single(
    info: RasterInfo,
    source_id: str,
    start: datetime,
    time_from: TimeFrom,
    layout: tuple[int, int],
    error_m: float,
    notes: tuple[str, ...] = (),
) -> list[WindowUnit]:
    """The windows of one date. `layout` is (side, overlap)."""
    whole = (0, 0, *info.size)
    return [
        WindowUnit(info.path, source_id, start, time_from, index, window, info, error_m, notes=notes)
        for index, window in enumerate(windows(whole, *layout))
    ]


def windows(area: RasterWindow, side: int, shared: int) -> list[RasterWindow]:
    """Windows of `side` pixels that cover `area`, row by row; neighbours share at least `shared` pixels."""
    col, row, width, height = area
    return [
        (c, r, w, h)
        for r, h in _pieces(row, height, side, shared)
        for c, w in _pieces(col, width, side, shared)
    ]


def cores(found: Sequence[RasterWindow]) -> list[Box]:
    """The core of each of `windows`, in pixels of that window: neighbours' meet amid what they share.

    A change that one window shows whole so comes out once: either window puts the centre of what it sees of it
    on the same side of the line. Only what reaches across all that two windows share comes out twice, in pieces.
    """
    across = _halves({(col, width) for col, _, width, _ in found})
    down = _halves({(row, height) for _, row, _, height in found})
    return [(across[col][0], down[row][0], across[col][1], down[row][1]) for col, row, _, _ in found]


def _halves(pieces: set[tuple[int, int]]) -> dict[int, tuple[float, float]]:
    """Start of each piece -> where its core begins and ends, counted from its start; outermost: at no end."""
    ordered = sorted(pieces)
    lines = [(one + length + other) / 2 for (one, length), (other, _) in pairwise(ordered)]
    bounds = [-math.inf, *lines, math.inf]
    return {
        start: (low - start, high - start)
        for (start, _), low, high in zip(ordered, bounds, bounds[1:], strict=False)
    }


def overlap_of(before: RasterInfo, after: RasterInfo) -> RasterWindow | None:
    """The part of the later grid that the earlier raster covers, from its outline in pixels of that grid."""
    width, height = before.size
    steps = np.linspace(0.0, 1.0, _EDGE_POINTS)
    edge = [(s * width, y) for s in steps for y in (0.0, height)]
    edge += [(x, s * height) for s in steps for x in (0.0, width)]
    here = affines.apply(before.affine, np.array(edge))
    try:
        if before.crs != after.crs:
            here = np.column_stack(warp_points(before.crs, after.crs, *here.T)[:2])
        there = affines.apply(affines.inverse(after.affine), here)
    except handles.FAULTS:
        return None
    # Corners of a raster of the whole globe may have no place in another projection.
    there = there[np.isfinite(there).all(axis=1)]
    if len(there) == 0:
        return None
    left, top = np.maximum(np.floor(there.min(axis=0) + 1e-6), 0).astype(int)
    right, bottom = np.minimum(np.ceil(there.max(axis=0) - 1e-6), after.size).astype(int)
    if right - left < SMALLEST_OVERLAP_PX or bottom - top < SMALLEST_OVERLAP_PX:
        return None
    return int(left), int(top), int(right - left), int(bottom - top)


def _pieces(start: int, length: int, side: int, shared: int) -> list[tuple[int, int]]:
    if length <= side:
        return [(start, length)]
    count = math.ceil((length - shared) / (side - shared))
    return [(start + round(i * (length - side) / (count - 1)), side) for i in range(count)]


def _read(
    after: RasterInfo,
    before: RasterInfo | None,
    shift: tuple[float, float],
    window: RasterWindow,
    faults: list[UnreadableFile],
) -> tuple[Image, Image | None, Mask]:
    """The window at both dates. Where either has no data both are black, so that nothing seems to change there."""
    now, valid = raster.read(after, window, faults)
    if before is None:
        return now, None, valid
    then, valid_then = raster.read_on_grid(before, after, shift, window, faults)
    valid &= valid_then
    now[~valid] = 0
    then[~valid] = 0
    return now, then, valid


def _same(image: Image) -> Image:
    return image


def _packed(info: RasterInfo) -> dict[str, Any]:
    """What reading needs of a raster, as JSON values."""
    packed: dict[str, Any] = {
        "path": info.path,
        "size": list(info.size),
        "bands": list(info.bands),
        "stretch": [list(limits) for limits in info.stretch],
        "affine": list(info.affine),
        "crs": info.crs,
    }
    if info.from_gcps:
        packed["from_gcps"] = True
    if info.palette:
        packed["palette"] = [list(colour) for colour in info.palette]
    return packed


def _unpacked(values: dict[str, Any]) -> RasterInfo:
    red, green, blue = values["bands"]
    width, height = values["size"]
    a, b, c, d, e, f = values["affine"]
    return RasterInfo(
        values["path"],
        (width, height),
        (red, green, blue),
        tuple((low, high) for low, high in values["stretch"]),
        (a, b, c, d, e, f),
        values["crs"],
        from_gcps=values.get("from_gcps", False),
        palette=tuple((r, g, b) for r, g, b in values.get("palette", ())),
    )
