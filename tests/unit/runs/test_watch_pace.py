"""Load stretches intervals to what is right for it, and they come back when there is room."""

from __future__ import annotations

import pytest

from huoyan.runs.watch.pace import AIM, PERIOD_S, Pace

LOOK_S = 0.05


class County:
    """Cameras that ask for looks at a rate that falls as intervals grow, and models that do what they can."""

    def __init__(self, demand: float, *, processes: int = 1, sticky: float = 0.0) -> None:
        self.pace = Pace(8.0, processes)
        self.demand, self.sticky = demand, sticky
        self.processes = processes
        self.waiting = 0.0
        self.clock = 0.0
        self.history: list[float] = []
        assert not self.pace.step(0.0, 0)

    def run(self, periods: int) -> None:
        """`demand`: seconds of models that all pictures want in a second at the configured intervals; `sticky`: how
        much of it does not fall as intervals grow (0 to 1)."""
        for _ in range(periods):
            load = self.demand * (self.sticky + (1 - self.sticky) / self.pace.stretch)
            asked = round(load * PERIOD_S / LOOK_S)
            done = min(self.waiting + asked, self.processes * PERIOD_S / LOOK_S)
            self.waiting += asked - done
            for _ in range(asked):
                self.pace.asked()
            self.pace.worked(LOOK_S)
            self.clock += PERIOD_S
            self.pace.step(self.clock, round(self.waiting))
            self.history.append(self.pace.stretch)


def test_a_quiet_daemon_keeps_its_intervals() -> None:
    county = County(0.6)
    county.run(20)
    assert set(county.history) == {1.0}


def test_a_wave_that_drains_by_itself_stretches_nothing() -> None:
    county = County(0.4)
    county.waiting = 1.5 / LOOK_S
    county.run(10)
    assert set(county.history) == {1.0}


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("sticky", [0.0, 0.2])
def test_overload_settles_where_the_models_have_enough_to_do_and_no_more(
    sticky: float, processes: int
) -> None:
    county = County(2.0 * processes, sticky=sticky, processes=processes)
    county.run(80)
    held = county.history[40:]
    load = county.demand / processes * (sticky + (1 - sticky) / county.pace.stretch)
    assert 0.8 * AIM < load < 1.0
    assert max(held) / min(held) < 1.3
    assert county.waiting * LOOK_S < 2.0


def test_it_does_not_overshoot() -> None:
    county = County(1.6)
    county.run(60)
    assert max(county.history) < 1.5 * 1.6 / AIM


def test_it_stops_at_the_limit() -> None:
    county = County(100.0)
    county.run(60)
    assert county.pace.stretch == 8.0


def test_it_comes_back_when_the_load_has_gone() -> None:
    county = County(2.0)
    county.run(30)
    assert county.pace.stretch > 2.0
    county.demand = 0.3
    county.run(1)
    assert county.pace.stretch > 1.5
    county.run(40)
    assert county.pace.stretch == 1.0
