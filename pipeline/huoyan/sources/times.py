"""When a picture was taken, from the best witness there is: EXIF, its name, or the file's own date."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.records import TimeFrom

# Years 2000-2099, so that serial numbers are not taken for dates; separators as cameras and recorders
# write them.
_STAMP = re.compile(
    r"(?<!\d)(20\d{2})[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])"
    r"[T_ .-]?([01]\d|2[0-3])[-_.:]?([0-5]\d)[-_.:]?([0-5]\d)(?:[.,_-]?(\d{3}))?(Z|[+-]\d{2}:?\d{2})?(?!\d)"
)
_DAY = re.compile(r"(?<!\d)(20\d{2})[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")


def from_pattern(stem: str, pattern: str, zone: ZoneInfo) -> datetime | None:
    """The time that a declared `strptime` pattern reads from a file name without its ending, in UTC."""
    try:
        found = datetime.strptime(stem, pattern)
    except ValueError:
        return None
    return to_utc(found, zone)


def from_name(stem: str, zone: ZoneInfo) -> datetime | None:
    """The time that a name shows in a usual form (20260312T083000+0800, 2026-03-12_08-30-00), in UTC."""
    match = _STAMP.search(stem)
    if match is None:
        return None
    year, month, day, hour, minute, second, milli, offset = match.groups()
    text = f"{year}-{month}-{day}T{hour}:{minute}:{second}.{milli or '000'}{offset or ''}"
    try:
        return to_utc(datetime.fromisoformat(text), zone)
    except ValueError:
        return None


def day_from_name(name: str, zone: ZoneInfo) -> datetime | None:
    """Noon of the day that a folder's or file's name shows (20260401, 2026-04-01), in UTC."""
    match = _DAY.search(name)
    if match is None:
        return None
    try:
        return to_utc(datetime(*(int(part) for part in match.groups()), 12), zone)  # type: ignore[arg-type, call-arg]
    except ValueError:
        return None


def from_mtime(path: Path) -> datetime:
    """The file's date of change: the last resort, since copying may have changed it."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def of_file(
    path: Path, pattern: str | None, zone: ZoneInfo, exif: datetime | None
) -> tuple[datetime, TimeFrom]:
    """The time of a still and where it comes from: EXIF, else the declared (or a usual) name, else mtime."""
    if exif is not None:
        return exif, "exif"
    named = from_pattern(path.stem, pattern, zone) if pattern else from_name(path.stem, zone)
    if named is not None:
        return named, "name"
    return from_mtime(path), "mtime"


def to_utc(time: datetime, zone: ZoneInfo) -> datetime:
    """`time` in UTC; a naive one is local time in `zone`."""
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)
