"""What a still tells of itself without decoding it: size, EXIF time and position, the DJI packet of XMP."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from PIL import Image as Pil
from PIL import UnidentifiedImageError

from huoyan.errors import FrameTooLarge, UnreadableFile
from huoyan.sources.times import to_utc

MAX_PIXELS = 150_000_000
"""Stills beyond it are taken for decompression bombs; larger pictures belong into GeoTIFFs, read by windows."""
_HEAD_BYTES = 1 << 20
_PACKET = re.compile(rb"<x:xmpmeta.*?</x:xmpmeta>|<rdf:RDF.*?</rdf:RDF>", re.DOTALL)
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_ORIGINAL, _DIGITIZED, _OFFSET, _SUBSEC = 0x9003, 0x9004, 0x9011, 0x9291
_FOCAL_35, _WIDTH, _HEIGHT, _ORIENTATION, _MODEL = 0xA405, 0xA002, 0xA003, 0x0112, 0x0110


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the header of a still says. `size` is that of the picture as it is delivered (upright)."""

    size: tuple[int, int]
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


def read(path: Path, zone: ZoneInfo) -> Metadata:
    """Read the header of a still.

    Args:
        path: the picture.
        zone: of EXIF times that name no offset.

    Raises:
        UnreadableFile: missing, no permission, empty, or not a picture.
        FrameTooLarge: it claims more than `MAX_PIXELS` pixels.
    """
    try:
        if path.stat().st_size == 0:
            raise UnreadableFile("is empty", subject=str(path), code="empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Pil.open(path) as picture:
                size, exif = picture.size, picture.getexif()
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    except Pil.DecompressionBombError as error:
        raise FrameTooLarge("claims too many pixels to be a still", subject=str(path)) from error
    except (ValueError, SyntaxError, TypeError, KeyError, ArithmeticError) as error:
        raise UnreadableFile(f"has a damaged header: {error}", subject=str(path), code="damaged") from error
    if size[0] * size[1] > MAX_PIXELS:
        raise FrameTooLarge(
            f"claims {size[0]}x{size[1]} pixels, at most {MAX_PIXELS} are read",
            subject=str(path),
            hint="give large pictures as GeoTIFF under satellite/",
        )
    return _tell(size, exif, head, zone)


def _unreadable(path: Path, error: OSError) -> UnreadableFile:
    if isinstance(error, UnidentifiedImageError):
        return UnreadableFile("is not a picture that can be read", subject=str(path), code="not_an_image")
    if isinstance(error, PermissionError):
        return UnreadableFile("may not be read: no permission", subject=str(path), code="no_permission")
    if isinstance(error, FileNotFoundError):
        return UnreadableFile("is not there", subject=str(path), code="missing")
    return UnreadableFile(f"cannot be read: {error}", subject=str(path), code="damaged")


def _tell(size: tuple[int, int], exif: Any, head: bytes, zone: ZoneInfo) -> Metadata:
    notes: list[str] = []
    details, gps = _ifd(exif, _EXIF_IFD), _ifd(exif, _GPS_IFD)
    original = _pair(details.get(_WIDTH), details.get(_HEIGHT))
    if exif.get(_ORIENTATION) in (5, 6, 7, 8):
        size = size[1], size[0]
        original = (original[1], original[0]) if original else None
    lon, lat = _position(gps, notes)
    return Metadata(
        size,
        _time(details, zone, notes),
        lon,
        lat,
        _altitude(gps),
        _number(details.get(_FOCAL_35)) or None,
        original,
        str(exif.get(_MODEL) or "").strip("\x00 "),
        dji_fields(head, notes),
        tuple(notes),
    )


def dji_fields(head: bytes, notes: list[str]) -> dict[str, str]:
    """The fields of DJI's namespace in an XMP packet, by local name; as attributes or as elements."""
    found: dict[str, str] = {}
    for packet in _PACKET.findall(head):
        if b"drone-dji" not in packet:
            continue
        try:
            root = ElementTree.fromstring(_closed(packet))
        except (ElementTree.ParseError, DefusedXmlException, ValueError):
            notes.append("the XMP packet is damaged; its angles and heights are not used")
            continue
        for element in root.iter():
            for key, value in [*element.attrib.items(), (element.tag, element.text or "")]:
                space, _, name = key.rpartition("}")
                if "dji.com" in space and "drone" in space and value.strip():
                    found[name] = value.strip()
    return found


def _closed(packet: bytes) -> bytes:
    """A bare rdf:RDF declares its prefix elsewhere; give it one."""
    if packet.startswith(b"<x:xmpmeta") or b"xmlns:rdf" in packet:
        return packet
    return packet.replace(b"<rdf:RDF", b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"', 1)


def _ifd(exif: Any, tag: int) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(tag))
    except Exception:  # Pillow raises whatever a stranger's bytes provoke; a broken block is no block.
        return {}


def _time(details: Mapping[int, Any], zone: ZoneInfo, notes: list[str]) -> datetime | None:
    text = str(details.get(_ORIGINAL) or details.get(_DIGITIZED) or "").strip("\x00 ")
    if not text:
        return None
    offset = str(details.get(_OFFSET) or "").strip("\x00 ")
    fraction = re.sub(r"\D", "", str(details.get(_SUBSEC) or ""))[:6].ljust(6, "0")
    try:
        time = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(microsecond=int(fraction))
        if re.fullmatch(r"[+-]\d{2}:\d{2}", offset):
            time = datetime.fromisoformat(time.isoformat() + offset)
        return to_utc(time, zone)
    except (ValueError, OverflowError):
        notes.append(f"the EXIF time {text!r} is not a time")
        return None


def _position(gps: Mapping[int, Any], notes: list[str]) -> tuple[float | None, float | None]:
    """(lon, lat). Without its hemisphere a position could be a mirror image of the true one: it is not used."""
    if 2 not in gps or 4 not in gps:
        return None, None
    lat, lon = _degrees(gps[2]), _degrees(gps[4])
    south_north, west_east = (str(gps.get(k) or "").strip("\x00 ").upper() for k in (1, 3))
    if south_north not in ("N", "S") or west_east not in ("E", "W"):
        notes.append("the EXIF position names no hemisphere (GPSLatitudeRef, GPSLongitudeRef): not used")
        return None, None
    if lat is None or lon is None or lat > 90 or lon > 180:
        notes.append("the EXIF position is not a position")
        return None, None
    if lat == 0 and lon == 0:
        notes.append("the EXIF position is 0, 0: no fix")
        return None, None
    return (lon if west_east == "E" else -lon), (lat if south_north == "N" else -lat)


def _altitude(gps: Mapping[int, Any]) -> float | None:
    """Metres above sea level; GPSAltitudeRef 1 means below."""
    height = _number(gps.get(6))
    if height is None:
        return None
    below = gps.get(5) in (1, b"\x01")
    return -height if below else height


def _degrees(value: Any) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    total = degrees + minutes / 60 + seconds / 3600
    return total if total == total else None


def _pair(width: Any, height: Any) -> tuple[int, int] | None:
    try:
        pair = int(width), int(height)
    except (TypeError, ValueError):
        return None
    return pair if min(pair) > 0 else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if number == number else None
