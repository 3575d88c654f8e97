"""Load stretches intervals, and they come back when there is room."""

from __future__ import annotations

from huoyan.runs.watch.pace import PERIOD_S, Pace


def run(
    pace: Pace, periods: int, busy: float, oldest_s: float = 0.0, dropped: bool = False, start: int = 0
) -> int:
    """Periods of one load; how often the factor changed."""
    changes = 0
    for index in range(start, start + periods):
        pace.worked(busy * PERIOD_S)
        pace.waited(oldest_s, dropped)
        changes += pace.step((index + 1) * PERIOD_S)
    return changes


def started() -> Pace:
    pace = Pace(slowest=8.0)
    assert not pace.step(0.0)
    return pace


def test_a_quiet_daemon_keeps_its_intervals() -> None:
    pace = started()
    assert run(pace, 20, busy=0.5) == 0
    assert pace.stretch == 1.0


def test_busy_models_late_pictures_and_drops_stretch_up_to_the_limit() -> None:
    for load in ({"busy": 0.95}, {"busy": 0.5, "oldest_s": 3.0}, {"busy": 0.5, "dropped": True}):
        pace = started()
        assert run(pace, 2, **load) == 2  # type: ignore[arg-type]
        assert pace.stretch > 1.5
        run(pace, 50, start=2, **load)  # type: ignore[arg-type]
        assert pace.stretch == 8.0


def test_it_comes_back_slowly_and_holds_in_between() -> None:
    pace = started()
    run(pace, 3, busy=1.0)
    top = pace.stretch
    assert run(pace, 20, busy=0.82, start=3) == 0
    assert pace.stretch == top
    run(pace, 1, busy=0.3, start=23)
    assert pace.stretch == top
    run(pace, 40, busy=0.3, start=24)
    assert pace.stretch == 1.0
