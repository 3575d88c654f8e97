"""Green, yellow, red: by window, weights and trips, told in a few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan.config_vehicles import Levels
from huoyan.passage import Code
from huoyan.records import Priority
from huoyan.vehicles import levels
from huoyan.vehicles.levels import LEVELS, Violation, standing

NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)
CODES: tuple[Code, ...] = ("M01", "M03", "M06", "M08", "M11")


def held(code: Code, days_ago: float, story: str = "") -> Violation:
    return Violation(code, NOW - days_ago * DAY, story or f"trip-{code}-{days_ago}")


@pytest.mark.parametrize(
    ("violations", "level", "en", "zh"),
    [
        ([], "green", "green: none in 90 days", "绿：90天内无违规"),
        ([held("M03", 1)], "yellow", "yellow: 1 in 90 days: M03", "黄：90天内1次：M03"),
        (
            [held("M06", 2), held("M03", 1), held("M03", 5)],
            "red",
            "red: 3 in 90 days: M03 ×2, M06",
            "红：90天内3次：M03 ×2、M06",
        ),
        # The same reason seen by three cameras of one trip counts once; two reasons of one trip count twice.
        ([held("M03", 1, "t"), held("M03", 1.01, "t"), held("M03", 1.02, "t")], "yellow", None, None),
        ([held("M03", 1, "t"), held("M08", 1, "t")], "yellow", "yellow: 2 in 90 days: M03, M08", None),
        # Who tips outside a site is red at once.
        ([held("M11", 1)], "red", "red: 3 points in 90 days: M11 (3 each)", "红：90天内3分：M11（每次3分）"),
    ],
)
def test_levels(violations: list[Violation], level: str, en: str | None, zh: str | None) -> None:
    found = standing(violations, NOW, Levels())
    assert found.level == level
    assert en is None or found.en == en
    assert zh is None or found.zh == zh


def test_the_window_is_right_to_the_millisecond() -> None:
    tick = timedelta(milliseconds=1)
    edge = NOW - 90 * DAY
    assert standing([Violation("M03", edge, "t")], NOW, Levels()).level == "green"
    assert standing([Violation("M03", edge + tick, "t")], NOW, Levels()).level == "yellow"
    assert standing([Violation("M03", NOW, "t")], NOW, Levels()).level == "yellow"
    assert standing([Violation("M03", NOW + tick, "t")], NOW, Levels()).level == "green"


def test_weights() -> None:
    rule = Levels(window="12h", yellow=1, red=2, weights={"M07": 0.5, "M08": 0})
    one = [held("M07", 0.1), held("M08", 0.1)]
    assert standing(one, NOW, rule).level == "green"
    assert standing(one, NOW, rule).en == "green: 0.5 points in 12 hours: M07 (0.5 each)"
    four = [held("M07", 0.1 + 0.01 * n) for n in range(4)]
    assert standing(four, NOW, rule).en == "red: 2 points in 12 hours: M07 ×4 (0.5 each)"


def test_the_level_says_the_priority() -> None:
    assert [levels.priority(level, Levels()) for level in LEVELS] == [
        Priority.NORMAL,
        Priority.HIGH,
        Priority.URGENT,
    ]


moments = st.floats(0, 200).map(lambda days: NOW - days * DAY)
violations = st.lists(
    st.builds(Violation, st.sampled_from(CODES), moments, st.sampled_from(["a", "b", "c", "d"])), max_size=12
)


@given(violations, st.randoms())
def test_order_and_repetition_change_nothing(found: list[Violation], dice: object) -> None:
    again = [*found, *found[: len(found) // 2]]
    dice.shuffle(again)  # type: ignore[attr-defined]
    assert standing(again, NOW, Levels()) == standing(found, NOW, Levels())


@given(violations, st.builds(Violation, st.sampled_from(CODES), moments, st.just("new")))
def test_one_violation_more_never_makes_it_better(found: list[Violation], more: Violation) -> None:
    before, after = standing(found, NOW, Levels()), standing([*found, more], NOW, Levels())
    assert LEVELS.index(after.level) >= LEVELS.index(before.level)
    assert after.points >= before.points


@given(violations, st.floats(0, 300))
def test_it_heals_with_time(found: list[Violation], days: float) -> None:
    """No violation in between: the level never gets worse, and is green when the window is over."""
    now, later = standing(found, NOW, Levels()), standing(found, NOW + days * DAY, Levels())
    assert later.points <= now.points
    if days >= 90:
        assert later.level == "green"


@given(violations)
def test_the_words_say_what_was_counted(found: list[Violation]) -> None:
    told = standing(found, NOW, Levels())
    assert told.en.startswith(f"{told.level}: ")
    for code in CODES:
        assert (code in told.en) == (code in told.counts)
    assert told.points == sum(n * (3 if code == "M11" else 1) for code, n in told.counts.items())
