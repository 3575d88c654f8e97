"""Counting frames: of archives each, of live cameras each period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from huoyan.scenes import Memory, persistence


def test_live_looks_count_by_period_and_an_archive_of_the_same_source_goes_on_counting() -> None:
    memory = Memory()
    start = datetime(2026, 3, 1, tzinfo=UTC)

    def count(at_s: float, period_s: float = 0.0) -> int:
        return persistence.count_frame(memory, "cam-1", start + timedelta(seconds=at_s), period_s)

    assert [count(at, 30.0) for at in (0, 2, 29, 30, 59, 61)] == [1, 1, 1, 2, 2, 3]
    assert [count(at) for at in (62, 63)] == [4, 5]
    # A clock that was set back begins a period anew instead of waiting for the old one to end.
    assert count(10, 30.0) == 6
