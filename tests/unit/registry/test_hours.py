"""Hours of the week: what is understood, to the second, across midnight and when clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan.registry import hours
from huoyan.registry.hours import DAYS

MONDAY = datetime(2026, 3, 9)
WEEK = 7 * 86_400
BERLIN = ZoneInfo("Europe/Berlin")

clock = st.integers(0, 86_399)
moment = st.integers(0, WEEK - 1)


def written(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


@given(st.integers(0, 6), st.integers(0, 6), clock, clock, moment)
def test_hours_are_what_counting_seconds_says(
    first: int, last: int, start: int, end: int, second: int
) -> None:
    """An independent count: a window of each day lasts from its start for its length, round the week."""
    if start == end:
        return
    found = hours.parse(f"{DAYS[first]}-{DAYS[last]} {written(start)}-{written(end)}")
    length = (end - start) % 86_400
    days = [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    allowed = any((second - day * 86_400 - start) % WEEK < length for day in days)
    assert found.open_at(MONDAY + timedelta(seconds=second)) == allowed


@given(clock, clock)
def test_the_first_second_counts_and_the_last_one_ends_it(start: int, end: int) -> None:
    if start == end:
        return
    found = hours.parse(f"{written(start)}-{written(end)}")
    opens, closes = MONDAY + timedelta(seconds=start), MONDAY + timedelta(days=1, seconds=end)
    assert found.open_at(opens) and not found.open_at(opens - timedelta(microseconds=1))
    assert found.open_at(closes - timedelta(microseconds=1)) and not found.open_at(closes)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("周一至周六 19:00-05:00", "Mo-Sa 19:00-05:00"),
        ("星期六-星期天 8:00-9:00", "Sa-Su 08:00-09:00"),
        ("Mo，We、Fr 19:00～23:00", "Mo,We,Fr 19:00-23:00"),
        ("每天 00:00-24:00", "Mo-Su 00:00-24:00"),
        ("MO-SA  19:00 - 05:00 ;; su 22:00-04:00", "Mo-Sa 19:00-05:00; Su 22:00-04:00"),
        ("Sa-Mo 10:00-11:00", "Mo,Sa,Su 10:00-11:00"),
        ("Mo 08:00-09:00,10:00-11:00", "Mo 08:00-09:00; Mo 10:00-11:00"),
    ],
)
def test_the_ways_of_writing_it(text: str, same: str) -> None:
    assert hours.parse(text).windows == hours.parse(same).windows
    assert hours.parse(text).text == text.strip()


def test_no_hours_are_all_hours() -> None:
    assert hours.parse("").open_at(MONDAY) and hours.parse(" ; ").open_at(MONDAY)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("19:00-19:00", "same time"),
        ("19:00", "expected times"),
        ("Mo-Xx 19:00-05:00", "unknown day 'Xx'"),
        ("25:00-05:00", "no time of day"),
        ("19:61-05:00", "no time of day"),
        ("19:00-24:00:01", "no time of day"),
        ("nights", "expected days and times"),
        ("Mo-Fr", "expected days and times"),
    ],
)
def test_what_is_not_understood_is_said(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        hours.parse(text)


@given(st.integers(0, 3 * 86_400))
def test_the_wall_clock_counts_when_clocks_are_changed(second: int) -> None:
    """Round both changes of 2026 in Berlin: open if and only if the clock on the wall is between the two times."""
    found = hours.parse("01:30-02:30")
    for start in (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)):
        local = (start + timedelta(seconds=second)).astimezone(BERLIN)
        assert found.open_at(local) == ("01:30:00" <= f"{local:%H:%M:%S}" < "02:30:00")


def test_an_hour_that_comes_twice_is_allowed_twice() -> None:
    found = hours.parse("02:00-03:00")
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC).astimezone(BERLIN) for hour in (0, 1))
    assert (first.hour, second.hour) == (2, 2) and found.open_at(first) and found.open_at(second)
