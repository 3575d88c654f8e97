"""Single pictures: decoding them, and the unit of work that each of them is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from huoyan.errors import FrameTooLarge, UnreadableFile
from huoyan.records import Caption, Frame, FrameRef, Ground, Image, Kind, Skip, TimeFrom, Unplaced, frame_id
from huoyan.sources.metadata import MAX_PIXELS

STILL_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class StillUnit:
    """One still. `index` tells stills of the same source and moment apart."""

    path: str
    source_id: str
    kind: Kind
    start: datetime
    time_from: TimeFrom
    size: tuple[int, int]
    index: int = 0
    ground: Ground = Unplaced("no calibration")
    captions: tuple[Caption, ...] = ()
    notes: tuple[str, ...] = ()
    expected: int = 1

    @property
    def frame_id(self) -> str:
        return frame_id(self.source_id, self.start, self.index)

    @property
    def unit_id(self) -> str:
        return self.frame_id

    def frames(self, skip: frozenset[str] = frozenset()) -> Iterator[Frame | Skip]:
        """The one frame, unless it is in `skip`."""
        if self.frame_id in skip:
            return
        ref = FrameRef(
            self.frame_id, self.source_id, self.kind, self.start, self.time_from, self.size, self.path
        )
        yield Frame(
            ref, partial(decode, self.path), ground=self.ground, captions=self.captions, notes=self.notes
        )


def decode(path: str | Path) -> Image:
    """Read a still as uint8 (height, width, 3), RGB, upright (its EXIF orientation applied).

    Sixteen-bit pictures lose their lower byte, transparency is dropped, grey becomes three equal bands.

    Raises:
        UnreadableFile: missing, empty, cut off or not a picture.
        FrameTooLarge: more pixels than a still may have.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise UnreadableFile("is not there", subject=str(path), code="missing") from error
    except OSError as error:
        raise UnreadableFile(
            f"cannot be read: {error.strerror}", subject=str(path), code="unreadable"
        ) from error
    if not data:
        raise UnreadableFile("is empty", subject=str(path), code="empty")
    if _cut_off(data):
        raise UnreadableFile("is cut off: the end is missing", subject=str(path), code="truncated")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise UnreadableFile(f"cannot be decoded: {error}", subject=str(path), code="damaged") from error
    if image is None:
        raise UnreadableFile("cannot be decoded", subject=str(path), code="damaged")
    if image.shape[0] * image.shape[1] > MAX_PIXELS:
        raise FrameTooLarge(f"has {image.shape[1]}x{image.shape[0]} pixels", subject=str(path))
    return np.asarray(image, dtype=np.uint8)


def _cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end. Decoders fill the rest with grey and only warn on standard error."""
    if data[:2] == b"\xff\xd8":
        scan = _start_of_scan(data)
        # In the scan every FF of the data is followed by 00, so FF D9 is the end and nothing else.
        return scan < 0 or data.rfind(b"\xff\xd9") < scan
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return b"IEND" not in data[-64:]
    return False


def _start_of_scan(data: bytes) -> int:
    """Offset of a JPEG's first scan, walking the segments (a thumbnail inside one has scans of its own)."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return -1
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker == 0xDA:
            return at
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return -1
