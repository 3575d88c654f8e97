"""What a still tells of itself without decoding it: EXIF and the DJI packet of XMP together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.errors import BadMetadata
from huoyan.sources import exif, header, xmp

_OFFSET = re.compile(rb"xmp:CreateDate\W+\d{4}-\d\d-\d\dT[\d:.]+([+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the header of a still says. Sizes are (width, height) of the picture as stored."""

    size: tuple[int, int]
    orientation: int = 1
    """EXIF's (1-8): how the stored picture is turned to be delivered upright."""
    time: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    altitude_m: float | None = None
    focal_35mm: float | None = None
    original_size: tuple[int, int] | None = None
    """The size that the tags name: another one where the picture was shrunk or cropped later."""
    model: str = ""
    dji: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def upright(self) -> tuple[int, int]:
        """(width, height) of the picture as it is delivered."""
        return header.Header(self.size, orientation=self.orientation).upright


def read(path: Path, zone: ZoneInfo) -> Metadata:
    """Read the header of a still.

    Args:
        path: the picture.
        zone: of EXIF times that name no offset.

    Raises:
        UnreadableFile: missing, no permission, empty, or not a picture.
        FrameTooLarge: it claims more than `header.MAX_PIXELS` pixels.
    """
    head = header.read(path)
    offset = _OFFSET.search(head.xmp)
    told = exif.read(head.exif, zone, offset[1].decode() if offset else "")
    notes = list(told.notes)
    try:
        dji = xmp.dji_fields(head.xmp)
    except BadMetadata as error:
        dji = {}
        notes.append(error.message)
    return Metadata(
        head.size,
        head.orientation,
        told.time,
        told.lon,
        told.lat,
        told.altitude_m,
        told.focal_35mm,
        told.size,
        told.model,
        dji,
        tuple(notes),
    )
