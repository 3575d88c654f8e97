"""Single pictures: decoding them, and the unit of work that each of them is."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.errors import UnreadableFile
from huoyan.records import Caption, Frame, FrameRef, Ground, Image, Kind, Skip, TimeFrom, Unplaced, frame_id
from huoyan.sources import files, header, quiet, stretch

STILL_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
NO_CALIBRATION = Unplaced("no calibration")
# What decoders say when part of a picture is grey for want of data; other warnings leave it whole.
_LOST = re.compile("premature end", re.IGNORECASE)
_PNG = b"\x89PNG\r\n\x1a\n"
_ROTATE = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}
# A mirrored orientation is a flip (cv2.flip's code) after the rotation of another one.
_MIRROR = {2: (1, 1), 4: (1, 0), 5: (6, 1), 7: (8, 1)}


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
    ground: Ground = NO_CALIBRATION
    captions: tuple[Caption, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def frame_id(self) -> str:
        return frame_id(self.source_id, self.start, self.index)

    @property
    def unit_id(self) -> str:
        # A unit of one frame goes by that frame's id: a run that goes on asks for it.
        return self.frame_id

    @property
    def expected(self) -> int:
        """Frames to expect, for the progress bar."""
        return 1

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

    Pictures of more than 8 bits are stretched (see `stretch`), transparency is dropped, grey becomes three
    equal bands.

    Raises:
        UnreadableFile: missing, empty, cut off, damaged or not a picture.
        FrameTooLarge: more pixels than a still may have; nothing is decoded then.
    """
    data = files.read_bytes(path)
    head = header.parse(io.BytesIO(data), str(path))
    if _cut_off(data, head):
        raise UnreadableFile(
            "is cut off: its end is missing", subject=str(path), code="truncated", hint="copy it again"
        )
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    if head.scan < 0:
        flags |= cv2.IMREAD_ANYDEPTH
    try:
        with quiet.overheard() as heard:
            values = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        raise UnreadableFile(f"cannot be decoded: {error}", subject=str(path), code="damaged") from error
    if values is None or any(_LOST.search(line) for line in heard):
        reason = f"is damaged: {heard[0]}" if heard else "cannot be decoded"
        raise UnreadableFile(reason, subject=str(path), code="damaged", hint="copy it again")
    return _upright(_eight_bit(values), head.orientation)


def _eight_bit(values: npt.NDArray[np.generic]) -> Image:
    if values.dtype == np.uint8:
        return np.asarray(values, dtype=np.uint8)
    bands = np.moveaxis(values, 2, 0)
    valid = np.isfinite(bands).all(axis=0)
    # One stretch for the three bands keeps their balance: a still's colours are meant to be compared.
    low_high = stretch.measure(bands.reshape(1, -1, bands.shape[2]), np.tile(valid, (3, 1)))
    return stretch.to_rgb(bands, low_high * 3)


def _upright(image: Image, orientation: int) -> Image:
    rotation, flip = _MIRROR.get(orientation, (orientation, None))
    turned = cv2.rotate(image, _ROTATE[rotation]) if rotation in _ROTATE else image
    return np.asarray(turned if flip is None else cv2.flip(turned, flip), dtype=np.uint8)


def _cut_off(data: bytes, head: header.Header) -> bool:
    """Whether a JPEG or PNG lacks its end. Decoders fill it with grey and only warn on standard error."""
    if head.scan >= 0:
        # In the scan every FF of the data is followed by 00, so FF D9 is the end and nothing else.
        return data.rfind(b"\xff\xd9") < head.scan
    return data.startswith(_PNG) and b"IEND" not in data[-64:]
