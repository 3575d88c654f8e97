from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from huoyan.gate.clocks import measure

NOW = datetime(2026, 3, 24, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("offsets", "corrected", "seconds"),
    [
        ([], False, 0),
        ([90_000, 90_000], False, 0),
        ([300, 200, 400], False, 0.3),
        ([4_900] * 9, False, 4.9),
        ([-89_500] * 5, True, -89.5),
        ([3_600_200] * 4, True, 3600.2),
        # Held up on the way, now and then.
        ([300, 40_000, 200, 700_000, 250], False, 0.3),
    ],
)
def test_the_median_of_what_comes_promptly(offsets: list[int], corrected: bool, seconds: float) -> None:
    skew = measure(offsets, 5.0)
    assert (skew.corrected, skew.seconds) == (corrected, pytest.approx(seconds))
    assert skew.ours(NOW) == NOW + timedelta(seconds=skew.seconds if corrected else 0)
    assert bool(skew.note) == corrected


def test_the_note_tells_which_way() -> None:
    assert measure([-90_000] * 3, 5.0).note == "its clock is 90.0 s ahead (median of 3 messages), corrected"
    assert "60.0 s behind" in measure([60_000] * 3, 5.0).note
