"""DJI telemetry in `.SRT` files: every dialect we know of, read into one kind of record.

Three families: brackets with named values (`[latitude: ..] [rel_alt: .. abs_alt: ..]`), the functions
`GPS(..) BAROMETER:.. HOME(..)`, and the comma list `F/2.8, SS .., GPS (..), H ..m, G.PRY (..)`. The order of
the two coordinates in `GPS` depends on the dialect, see `_latitude_first`. A file of no known dialect gives
blocks without a position, never a guessed one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from huoyan.errors import BadMetadata, SourceError
from huoyan.sources import files

_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_CLOCK = re.compile(r"(\d+):(\d{2}):(\d{2})[,.](\d{1,3})\s*-->")
_DATE = re.compile(
    r"(\d{4})[-.](\d{1,2})[-.](\d{1,2}) +(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,3}))?(?:,(\d{3}))?"
)
_NAMED = re.compile(rf"\b([a-z_]+)\s*:\s*({_NUMBER})")
_GPS = re.compile(rf"\bGPS\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})(?:\s*,\s*({_NUMBER}\s*M?))?\s*\)")
_BAROMETER = re.compile(rf"\bBAROMETER\s*[:(]\s*({_NUMBER})\s*M?")
_HB = re.compile(rf"\bHb:\s*({_NUMBER})")
_H = re.compile(rf"(?<![.\w])H\s+({_NUMBER})\s*m")
_PRY = re.compile(rf"\bG\.PRY\s*\(\s*({_NUMBER})°?,\s*({_NUMBER})°?,\s*({_NUMBER})")
_BLOCK = re.compile(r"(?m)^\s*\d+\s*$")
_HEAD_BYTES = 64 << 10
REACH_S = 2.0
"""Telemetry further from a frame than this says nothing about it."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One block: `at_s` seconds from the start of the video, and what the drone reported then."""

    at_s: float
    clock: datetime | None = None
    """The drone's own clock, naive local time."""
    lon: float | None = None
    lat: float | None = None
    height_m: float | None = None
    """Above the take-off point."""
    altitude_m: float | None = None
    """Above sea level."""
    yaw_deg: float | None = None
    pitch_deg: float | None = None
    roll_deg: float | None = None
    focal_35mm: float | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """The complete blocks of a file in time order; `fault` says what was wrong with it."""

    blocks: tuple[Telemetry, ...] = ()
    fault: SourceError | None = None


def read(path: Path) -> Track:
    """All complete blocks of a file; a block that was cut in the middle is left out, and reported.

    Raises:
        UnreadableFile: the file cannot be read.
        BadMetadata: it holds not one block.
    """
    blocks, cut = parse(_text(files.read_bytes(path)))
    if not blocks:
        raise BadMetadata(
            "holds no telemetry", subject=str(path), code="no_telemetry", hint="expected a DJI .SRT"
        )
    reason = "ends within a block, which is left out"
    return Track(tuple(blocks), BadMetadata(reason, subject=str(path), code="cut_telemetry") if cut else None)


def begin(path: Path) -> datetime | None:
    """The drone's clock (naive local time) when the video began; None where its telemetry shows none.

    Only the head of the file is read.

    Raises:
        UnreadableFile: the file cannot be read.
    """
    files.check(path)
    try:
        with path.open("rb") as file:
            blocks, _ = parse(_text(file.read(_HEAD_BYTES)))
    except OSError as error:
        raise files.unreadable(path, error) from error
    return next((one.clock - timedelta(seconds=one.at_s) for one in blocks if one.clock), None)


def parse(text: str) -> tuple[list[Telemetry], bool]:
    """(complete blocks of a telemetry text in time order, whether its last one was cut)."""
    blocks = [block.strip() for block in _BLOCK.split(text.replace("\r", "")) if block.strip()]
    # Cut in the middle: its last number may have lost digits.
    cut = len(blocks) > 1 and _ending(blocks[-1]) != _ending(blocks[-2])
    latitude_first = _latitude_first(text)
    found = [one for block in blocks[: -1 if cut else None] if (one := _block(block, latitude_first))]
    if not cut and len(found) > 1 and _poorer(found[-1], found[-2]):
        cut = True
        found.pop()
    return _timed(found), cut


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace")


def _ending(block: str) -> str:
    """The last characters of a block, all digits alike."""
    return re.sub(r"\d", "0", block[-2:])


def _block(block: str, latitude_first: bool) -> Telemetry | None:
    clock, date = _CLOCK.search(block), _DATE.search(block)
    if clock is None and date is None:
        return None
    at = -1.0
    if clock:
        hours, minutes, seconds, fraction = clock.groups()
        at = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction) / 10 ** len(fraction)
    named = {key: float(value) for key, value in _NAMED.findall(block)}
    lon, lat = _coordinates(block, named, latitude_first)
    pitch, roll, yaw = _angles(block, named)
    return Telemetry(
        at,
        _date(date),
        lon,
        lat,
        _height(block, named),
        named.get("abs_alt", named.get("altitude") if "FrameCnt" in block else None),
        yaw,
        pitch,
        roll,
        _focal(block, named),
    )


def _date(match: re.Match[str] | None) -> datetime | None:
    if match is None:
        return None
    *parts, milli, micro = match.groups()
    year, month, day, hour, minute, second = (int(part) for part in parts)
    try:
        start = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    return start + timedelta(milliseconds=int((milli or "0").ljust(3, "0")), microseconds=int(micro or 0))


def _coordinates(
    block: str, named: dict[str, float], latitude_first: bool
) -> tuple[float | None, float | None]:
    """(lon, lat), or Nones where there is no fix."""
    lat = named.get("latitude")
    lon = named.get("longitude", named.get("longtitude"))
    if lat is None or lon is None:
        match = _GPS.search(block)
        if match is None:
            return None, None
        first, second = float(match[1]), float(match[2])
        lon, lat = (second, first) if latitude_first else (first, second)
    if (lon == 0 and lat == 0) or abs(lat) > 90 or abs(lon) > 180:
        return None, None
    return lon, lat


def _latitude_first(text: str) -> bool:
    """Whether the `GPS(..)` of a file holds latitude before longitude.

    Old consumer drones write longitude first, and a count of satellites third. Files whose third number is a
    height (with a point or a unit: Matrice, Avata) write latitude first. A number beyond 90 settles it for
    the whole file, because it can be no latitude.
    """
    found = _GPS.findall(text)
    if any(abs(float(first)) > 90 for first, _, _ in found):
        return False
    if any(abs(float(second)) > 90 for _, second, _ in found):
        return True
    return any("." in third or "M" in third for _, _, third in found)


def _height(block: str, named: dict[str, float]) -> float | None:
    if "rel_alt" in named:
        return named["rel_alt"]
    for pattern in (_BAROMETER, _HB, _H):
        match = pattern.search(block)
        if match:
            return float(match[1])
    # The Air 2 (SrtCnt) writes the height above take-off as [altitude: ..]; with FrameCnt it is above sea.
    return named.get("altitude") if "SrtCnt" in block else None


def _angles(block: str, named: dict[str, float]) -> tuple[float | None, float | None, float | None]:
    """Gimbal (pitch, roll, yaw); never those of the aircraft."""
    match = _PRY.search(block)
    if match:
        return float(match[1]), float(match[2]), float(match[3])
    return named.get("gb_pitch"), named.get("gb_roll"), named.get("gb_yaw")


def _focal(block: str, named: dict[str, float]) -> float | None:
    """35 mm equivalent; older dialects write tenths of a millimetre without a point (240)."""
    focal = named.get("focal_len")
    if focal is None or focal <= 0:
        return None
    written = re.search(r"focal_len\s*:\s*([\d.]+)", block)
    return focal / 10 if written and "." not in written[1] and focal >= 100 else focal


def _poorer(last: Telemetry, before: Telemetry) -> bool:
    """Whether the last block lacks what the one before had: it was cut."""
    names = ("lon", "height_m", "altitude_m", "yaw_deg", "pitch_deg")
    return any(getattr(last, name) is None and getattr(before, name) is not None for name in names)


def _timed(found: list[Telemetry]) -> list[Telemetry]:
    """Blocks in time order; in a file without time codes the drone's clock gives them."""
    coded = [one for one in found if one.at_s >= 0]
    if not coded:
        first = next((one.clock for one in found if one.clock), None)
        if first is None:
            return []
        coded = [replace(one, at_s=(one.clock - first).total_seconds()) for one in found if one.clock]
    return sorted(coded, key=lambda one: one.at_s)


def at(track: Sequence[Telemetry], seconds: float, reach_s: float = REACH_S) -> Telemetry | None:
    """What the drone reported at a moment of the video, interpolated between the blocks around it.

    Args:
        track: as `read` gives it.
        seconds: from the start of the video.
        reach_s: how far away a block may be; blocks further apart than twice that are not interpolated.

    Returns:
        None where no block is within reach.
    """
    after = bisect_right(track, seconds, key=lambda one: one.at_s)
    around = track[max(after - 1, 0) : after + 1]
    if not around:
        return None
    if len(around) == 1 or around[1].at_s - around[0].at_s > 2 * reach_s:
        nearest = min(around, key=lambda one: abs(one.at_s - seconds))
        return nearest if abs(nearest.at_s - seconds) <= reach_s else None
    a, b = around
    share = (seconds - a.at_s) / (b.at_s - a.at_s)
    return replace(
        a,
        at_s=seconds,
        lon=_turn(a.lon, b.lon, share),
        lat=_between(a.lat, b.lat, share),
        height_m=_between(a.height_m, b.height_m, share),
        altitude_m=_between(a.altitude_m, b.altitude_m, share),
        yaw_deg=_turn(a.yaw_deg, b.yaw_deg, share),
        pitch_deg=_between(a.pitch_deg, b.pitch_deg, share),
        roll_deg=_turn(a.roll_deg, b.roll_deg, share),
    )


def _between(a: float | None, b: float | None, share: float) -> float | None:
    return a if a is None or b is None else a + (b - a) * share


def _turn(a: float | None, b: float | None, share: float) -> float | None:
    """Between two angles along the shorter way."""
    if a is None or b is None:
        return a
    return (a + ((b - a + 180) % 360 - 180) * share + 180) % 360 - 180
