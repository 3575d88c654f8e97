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


def check_pattern(pattern: str) -> None:
    """Make sure that a declared pattern can be read at all.

    Raises:
        ValueError: it holds a directive that `strptime` does not know.
    """
    try:
        datetime.strptime("", pattern)
    except ValueError as error:
        # The other complaint, that the empty name does not match, is what a sound pattern gives.
        if "does not match" not in str(error):
            raise
    except re.error as error:
        raise ValueError(str(error)) from error


def from_pattern(stem: str, pattern: str, zone: ZoneInfo) -> datetime | None:
    """The time that a declared `strptime` pattern reads from a file name without its ending, in UTC."""
    try:
        return to_utc(datetime.strptime(stem, pattern), zone)
    except (ValueError, OverflowError, re.error):
        return None


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
    year, month, day = (int(part) for part in match.groups())
    try:
        return to_utc(datetime(year, month, day, 12), zone)
    except ValueError:
        return None


def from_mtime(path: Path) -> datetime:
    """The file's date of change: the last resort, since copying may have changed it."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def of_file(
    path: Path, pattern: str | None, zone: ZoneInfo, exif: datetime | None
) -> tuple[datetime, TimeFrom]:
    """The time of a still and where it comes from: EXIF, the declared name, a usual name, mtime."""
    if exif is not None:
        return exif, "exif"
    declared = from_pattern(path.stem, pattern, zone) if pattern else None
    named = declared or from_name(path.stem, zone) or day_from_name(path.stem, zone)
    return (named, "name") if named else (from_mtime(path), "mtime")


def to_utc(time: datetime, zone: ZoneInfo) -> datetime:
    """`time` in UTC; a naive one is local time in `zone`."""
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)
