"""What EXIF says: when, where, how high, through which lens."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from huoyan.sources import header
from huoyan.sources.times import to_utc

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_MODEL, _MODIFIED, _ORIGINAL, _DIGITIZED = 0x0110, 0x0132, 0x9003, 0x9004
_OFFSETS = {_ORIGINAL: 0x9011, _DIGITIZED: 0x9012, _MODIFIED: 0x9010}
_FRACTIONS = {_ORIGINAL: 0x9291, _DIGITIZED: 0x9292, _MODIFIED: 0x9290}
_FOCAL_35, _WIDTH, _HEIGHT = 0xA405, 0xA002, 0xA003


@dataclass(frozen=True, slots=True)
class Exif:
    """The tags that matter here; what is absent or makes no sense is None, the latter with a note."""

    time: datetime | None = None
    lon: float | None = None
    lat: float | None = None
    altitude_m: float | None = None
    """Above sea level."""
    focal_35mm: float | None = None
    size: tuple[int, int] | None = None
    """The size that the tags name: another one where the picture was shrunk or cropped later."""
    model: str = ""
    notes: tuple[str, ...] = ()


def read(block: bytes, zone: ZoneInfo, offset: str = "") -> Exif:
    """Read a block of EXIF.

    Args:
        block: as `header.Header.exif`.
        zone: of times that name no offset.
        offset: such as `+08:00`, told elsewhere (XMP); goes before `zone`.
    """
    tags = header.exif_of(block)
    details, gps = _ifd(tags, _EXIF_IFD), _ifd(tags, _GPS_IFD)
    notes: list[str] = []
    lon, lat = _position(gps, notes)
    return Exif(
        _time(tags, details, zone, offset, notes),
        lon,
        lat,
        _altitude(gps),
        _number(details.get(_FOCAL_35)) or None,
        _pair(details.get(_WIDTH), details.get(_HEIGHT)),
        _text(tags.get(_MODEL)),
        tuple(notes),
    )


def _ifd(exif: Any, tag: int) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(tag))
    except Exception:  # Pillow raises whatever a stranger's bytes provoke; a broken block is no block.
        return {}


def _time(
    tags: Mapping[int, Any], details: Mapping[int, Any], zone: ZoneInfo, offset: str, notes: list[str]
) -> datetime | None:
    """DateTimeOriginal, else DateTimeDigitized, else DateTime, which older cameras write alone."""
    merged = {_MODIFIED: tags.get(_MODIFIED), **details}
    for tag in (_ORIGINAL, _DIGITIZED, _MODIFIED):
        text = _text(merged.get(tag))
        # Cameras without a set clock write zeros, colons only, or the first second of their epoch.
        if not re.search(r"[1-9]", text) or text.startswith(("1970:01:01", "1980:01:01", "1904:")):
            continue
        own = _text(merged.get(_OFFSETS[tag])) or offset
        fraction = re.sub(r"\D", "", _text(merged.get(_FRACTIONS[tag])))[:6].ljust(6, "0")
        try:
            time = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(microsecond=int(fraction))
            if re.fullmatch(r"[+-]\d{2}:\d{2}", own):
                time = datetime.fromisoformat(time.isoformat() + own)
            return to_utc(time, zone)
        except (ValueError, OverflowError):
            notes.append(f"the EXIF time {text!r} is not a time")
    return None


def _position(gps: Mapping[int, Any], notes: list[str]) -> tuple[float | None, float | None]:
    """(lon, lat). Without its hemisphere a position could be a mirror image: it is not used."""
    if 2 not in gps or 4 not in gps:
        return None, None
    lat, lon = _degrees(gps[2]), _degrees(gps[4])
    south_north, west_east = (_text(gps.get(key)).upper() for key in (1, 3))
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
    return -height if gps.get(5) in (1, b"\x01") else height


def _degrees(value: Any) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    total = degrees + minutes / 60 + seconds / 3600
    return total if math.isfinite(total) else None


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
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return str(value or "").strip("\x00 ")
