"""A drone camera's lens in pixels of the picture as it lies in the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from huoyan.records import Point
from huoyan.sources.metadata import Metadata
from huoyan.sources.numbers import number

FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)
_WIDE = 16 / 9
_SHAPE_TOLERANCE = 0.01
# Widths of DJI's one-inch sensors (Phantom 4 Pro, Mavic 2 Pro, Air 2S), which are 3:2; all others are 4:3.
_THREE_TO_TWO = frozenset({5472, 5464})


@dataclass(frozen=True, slots=True)
class Lens:
    """Focal length, principal point (None: the middle) and Brown's (k1, k2, p1, p2, k3)."""

    focal_px: float | None = None
    centre: Point | None = None
    distortion: tuple[float, ...] = ()


def of_photo(meta: Metadata) -> tuple[Lens, list[str]]:
    """The lens of a photo and what a user should know of it.

    DewarpData (calibrated in the factory) goes before CalibratedFocalLength, and that before the 35 mm
    equivalent. All three are for the original picture; one that was shrunk later has them scaled.
    """
    original = meta.original_size or meta.size
    scale = meta.size[0] / original[0]
    if abs(meta.size[1] / original[1] - scale) > _SHAPE_TOLERANCE * scale:
        return Lens(), [
            f"the picture was cropped later from {original[0]} x {original[1]} px: its focal length is unknown"
        ]
    lens = _dewarp(meta.dji, original) or _calibrated(meta.dji, original)
    if lens is None and meta.focal_35mm is not None:
        lens = Lens(focal_from_35mm(meta.focal_35mm, original))
    if lens is None or lens.focal_px is None:
        return Lens(), ["no focal length in the metadata"]
    centre = (lens.centre[0] * scale, lens.centre[1] * scale) if lens.centre else None
    return Lens(lens.focal_px * scale, centre, lens.distortion), []


def focal_from_35mm(focal_35mm: float, size: tuple[int, int]) -> float:
    """Focal length in pixels from the 35 mm equivalent.

    The equivalent compares diagonals (CIPA DCG-001): a Mavic Pro's 4.73 mm on a sensor of 7.67 mm diagonal
    are written as 26 mm, where the ratio of widths would give 27.6. A 16:9 picture is a crop of the whole
    width of
    a 4:3 sensor (3:2 for the one-inch ones), so the diagonal of the uncropped picture counts.

    Args:
        focal_35mm: millimetres.
        size: (width, height) of the picture as it was taken.
    """
    long, short = float(max(size)), float(min(size))
    if long / short > _WIDE * 0.98:
        short = long * (2 / 3 if max(size) in _THREE_TO_TWO else 3 / 4)
    return focal_35mm / FULL_FRAME_DIAGONAL_MM * math.hypot(long, short)


def _dewarp(dji: Mapping[str, str], size: tuple[int, int]) -> Lens | None:
    """DewarpData `date;fx,fy,cx,cy,k1,k2,p1,p2,k3`, the centre as an offset from the middle."""
    values = dji.get("DewarpData", "").rpartition(";")[2].split(",")
    try:
        fx, fy, cx, cy, *distortion = (float(value) for value in values)
    except ValueError:
        return None
    if fx <= 0 or fy <= 0 or len(distortion) != 5:
        return None
    # A set DewarpFlag says that the camera has rectified the picture already.
    rectified = dji.get("DewarpFlag") == "1"
    return Lens((fx + fy) / 2, (size[0] / 2 + cx, size[1] / 2 + cy), () if rectified else tuple(distortion))


def _calibrated(dji: Mapping[str, str], size: tuple[int, int]) -> Lens | None:
    focal = number(dji, "CalibratedFocalLength")
    if focal is None or focal <= 0:
        return None
    x, y = (number(dji, f"CalibratedOpticalCenter{axis}") for axis in "XY")
    if x is None or y is None or not (0 < x < size[0] and 0 < y < size[1]):
        return Lens(focal)
    return Lens(focal, (x, y))
