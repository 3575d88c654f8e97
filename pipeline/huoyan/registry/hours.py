"""Hours of the week in which something is allowed: `Mo-Sa 19:00-05:00; Su 22:00-04:00`, in local time."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_CHINESE = "一二三四五六日"
_DAY_S = 86_400
_PART = re.compile(r"(?P<days>[^\d]*?)\s*(?P<times>\d.*)")
_TIMES = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?-(\d{1,2}):(\d{2})(?::(\d{2}))?")


@dataclass(frozen=True, slots=True)
class Window:
    """From one time of day to another, on the days on which it begins.

    `end_s` before `start_s` is on the next day: a window of Saturdays from 19:00 to 05:00 ends on Sunday.
    """

    days: frozenset[int]
    """0 is Monday."""
    start_s: int
    """Seconds of the day on the wall clock; the window's first second."""
    end_s: int
    """The first second after it, at most 86400."""

    def holds(self, weekday: int, second: float) -> bool:
        if self.start_s < self.end_s:
            return weekday in self.days and self.start_s <= second < self.end_s
        began_today = weekday in self.days and second >= self.start_s
        return began_today or ((weekday - 1) % 7 in self.days and second < self.end_s)


@dataclass(frozen=True, slots=True)
class Hours:
    """Windows of which one must hold; none at all: always."""

    windows: tuple[Window, ...] = ()
    text: str = ""
    """As the register has it."""

    def open_at(self, local: datetime) -> bool:
        """Whether a moment is within the hours, by what a clock on the wall shows at `local`.

        The wall clock is compared, never a difference of moments: so a window that clocks are changed in ends
        when the clock shows its end, and an hour that comes twice counts as inside both times.
        """
        second = local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6
        return not self.windows or any(w.holds(local.weekday(), second) for w in self.windows)


ALWAYS = Hours()


@lru_cache(maxsize=4096)
def parse(text: str) -> Hours:
    """Hours as a register writes them.

    Parts are separated by semicolons: days (`Mo`, `Mo-Fr`, `Mo,We-Fr`, `周一至周六`; none: every day), then times of
    day (`19:00-05:00`, several with commas), to the minute or the second. A window begins with its first second
    and ends before its last. Thousands of vehicles share a few texts, so they share the result.

    Raises:
        ValueError: what was expected and what is there.
    """
    folded = unicodedata.normalize("NFKC", text).replace("、", ",")
    folded = re.sub(r"\s*[-–—~至到]\s*", "-", folded)
    folded = re.sub(r"\s*,\s*", ",", folded)
    parts = [part.strip() for part in folded.split(";") if part.strip()]
    windows = [window for part in parts for window in _windows(part)]
    return Hours(tuple(windows), text.strip())


def _windows(part: str) -> list[Window]:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"expected days and times such as Mo-Sa 19:00-05:00, got {part!r}")
    days = _days(match["days"].strip())
    return [_window(days, times) for times in match["times"].split(",")]


def _window(days: frozenset[int], text: str) -> Window:
    match = _TIMES.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected times such as 19:00-05:00, got {text!r}")
    h1, m1, s1, h2, m2, s2 = (int(value or 0) for value in match.groups())
    start, end = _second(h1, m1, s1, text), _second(h2, m2, s2, text)
    if start == _DAY_S:
        start = 0
    if start == end:
        raise ValueError(f"{text} begins and ends at the same time; write 00:00-24:00 for a whole day")
    return Window(days, start, end)


def _second(hour: int, minute: int, second: int, text: str) -> int:
    total = hour * 3600 + minute * 60 + second
    if minute > 59 or second > 59 or total > _DAY_S:
        raise ValueError(f"no time of day: {text!r}")
    return total


def _days(text: str) -> frozenset[int]:
    if text in ("", "每天", "每日"):
        return frozenset(range(7))
    found: set[int] = set()
    for item in text.split(","):
        first, _, last = item.partition("-")
        start = _day(first)
        end = _day(last) if last else start
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(found)


def _day(text: str) -> int:
    word = text.strip()
    if word.title() in DAYS:
        return DAYS.index(word.title())
    chinese = re.sub(r"^(周|星期|礼拜)", "", word).replace("天", "日")
    if len(chinese) == 1 and chinese in _CHINESE:
        return _CHINESE.index(chinese)
    raise ValueError(f"unknown day {word!r}; known: {', '.join(DAYS)}, 周一 to 周日")
