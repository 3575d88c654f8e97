"""The header of a still: size, depth, EXIF block and XMP packet, without decoding a pixel.

JPEG segments are walked here: that costs a tenth of what opening the picture with Pillow costs, and a
camera's archive holds hundreds of thousands of them. All other formats are left to Pillow.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image as Pil
from PIL import UnidentifiedImageError

from huoyan.errors import FrameTooLarge, UnreadableFile
from huoyan.sources import files

MAX_PIXELS = 300_000_000
"""Stills beyond it are taken for decompression bombs; larger pictures are read as GeoTIFF, by windows."""
_MOST = f"{MAX_PIXELS // 1_000_000} million"
_EXIF, _XMP = b"Exif\x00\x00", b"http://ns.adobe.com/xap/1.0/\x00"
_ORIENTATION = 0x0112
_SIDEWAYS = (5, 6, 7, 8)
# Markers that carry no length: TEM, RST0-7, SOI.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
# Start-of-frame markers C0-CF but for DHT, JPG and DAC.
_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, slots=True)
class Header:
    """`size` is (width, height) as stored; `orientation` is EXIF's (1-8) and says how to turn it upright."""

    size: tuple[int, int]
    exif: bytes = b""
    """TIFF structure of the EXIF block."""
    xmp: bytes = b""
    orientation: int = 1
    scan: int = -1
    """Offset of a JPEG's first scan; -1 for other formats."""

    @property
    def upright(self) -> tuple[int, int]:
        """(width, height) of the picture as it is delivered."""
        return (self.size[1], self.size[0]) if self.orientation in _SIDEWAYS else self.size


def read(path: Path) -> Header:
    """Read the header of a still.

    Raises:
        UnreadableFile: missing, no permission, empty, or not a picture.
        FrameTooLarge: it claims more than `MAX_PIXELS` pixels.
    """
    files.check(path)
    try:
        with path.open("rb") as file:
            return parse(file, str(path))
    except OSError as error:
        raise files.unreadable(path, error) from error


def parse(file: BinaryIO, subject: str) -> Header:
    """As `read`, from an open file; `subject` is what errors call it."""
    start = file.read(2)
    file.seek(0)
    header = _jpeg(file, subject) if start == b"\xff\xd8" else _other(file, subject)
    if header.size[0] * header.size[1] > MAX_PIXELS:
        raise FrameTooLarge(
            f"claims {header.size[0]} x {header.size[1]} pixels; more than {_MOST} are not read",
            subject=subject,
            hint="give large pictures as GeoTIFF under satellite/",
        )
    return header


def exif_of(block: bytes) -> Any:
    """A block of EXIF as Pillow's mapping by tag; an empty one where it is damaged."""
    exif = Pil.Exif()
    if block:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exif.load(block)
                exif.get(_ORIENTATION)
            except Exception:
                # Pillow raises whatever a stranger's bytes provoke; a broken block is no block.
                return Pil.Exif()
    return exif


def _jpeg(file: BinaryIO, subject: str) -> Header:
    size, exif, xmp = None, b"", b""
    file.seek(2)
    while True:
        marker = _next_marker(file)
        if marker is None:
            raise UnreadableFile("is cut off within its header", subject=subject, code="truncated")
        at = file.tell() - 2
        if marker in _BARE:
            continue
        length = int.from_bytes(file.read(2), "big") - 2
        if length < 0:
            raise UnreadableFile("has a damaged header", subject=subject, code="damaged")
        if marker == 0xDA:
            break
        if marker in _FRAME:
            body = file.read(length)
            size = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
        elif marker == 0xE1:
            body = file.read(length)
            if body.startswith(_EXIF) and not exif:
                exif = body[len(_EXIF) :]
            elif body.startswith(_XMP) and not xmp:
                xmp = body[len(_XMP) :]
        else:
            file.seek(length, io.SEEK_CUR)
    if size is None or 0 in size:
        raise UnreadableFile("has a damaged header: no picture size", subject=subject, code="damaged")
    return Header(size, exif, xmp, _orientation(exif_of(exif)), at)


def _next_marker(file: BinaryIO) -> int | None:
    """The next marker's second byte; None at the end of the file or where there is no marker."""
    if file.read(1) != b"\xff":
        return None
    while True:
        byte = file.read(1)
        if not byte:
            return None
        if byte != b"\xff":
            return byte[0]


def _other(file: BinaryIO, subject: str) -> Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Pil.open(file) as picture:
                exif = _exif_beside(picture)
                # Pillow turns a TIFF's size by its orientation already; the tags hold the size as stored.
                stored = getattr(picture, "tag_v2", {})
                size = int(stored.get(256, picture.width)), int(stored.get(257, picture.height))
                packet = picture.info.get("xmp", b"")
                return Header(
                    size,
                    exif.tobytes() if len(exif) else b"",
                    packet if isinstance(packet, bytes) else b"",
                    _orientation(exif),
                )
        except UnidentifiedImageError as error:
            raise UnreadableFile(
                "is not a picture in a known format", subject=subject, code="not_an_image"
            ) from error
        except Pil.DecompressionBombError as error:
            raise FrameTooLarge(
                f"claims too many pixels; more than {_MOST} are not read", subject=subject
            ) from error
        except Exception as error:  # Pillow raises whatever a stranger's bytes provoke.
            raise UnreadableFile(f"has a damaged header: {error}", subject=subject, code="damaged") from error


def _exif_beside(picture: Any) -> Any:
    """The EXIF of a picture that is not a JPEG.

    Pillow would decode a whole PNG to look for a block behind its pixels; cameras write it before them.
    """
    return exif_of(picture.info.get("exif", b"")) if picture.format == "PNG" else picture.getexif()


def _orientation(exif: Any) -> int:
    value = exif.get(_ORIENTATION)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
