"""How the daemon slows down under load: intervals grow instead of a queue, and shrink again when there is room.

What is measured is demand: how long the models would take for all that asks for a look, whether they get to it or not.
Twice the intervals ask about half as often, so demand times the factor says which factor is right; it is approached in
steps, because the longer the interval the more has changed and the more passes the gate.
"""

from __future__ import annotations

PERIOD_S = 5.0
"""Between two steps: what the last one brought must be seen first."""
AIM = 0.8
"""Share of their time that the models are to run."""
UP, DOWN = 1.5, 0.9
"""The largest steps. Down in small ones: load comes in waves."""
_BAND = 0.1
"""Closer than this to what is right, relatively, the factor stays."""
_NEWEST = 0.3
"""Weight of the last period in the smoothed demand."""
_WAVE_S, _DRAIN_S = 2.0, 10.0
"""Work that waits counts from so many seconds of it on, and is to be done within so many."""


class Pace:
    """Turns load into the factor by which all intervals are stretched.

    Attributes:
        stretch: the factor, 1 or more.
    """

    def __init__(self, slowest: float, processes: int) -> None:
        """Set up.

        Args:
            slowest: the largest factor.
            processes: that run models.
        """
        self.slowest, self.stretch = slowest, 1.0
        self._processes = processes
        self._since: float | None = None
        self._asked = 0
        self._look_s: float | None = None
        self._demand: float | None = None

    def asked(self) -> None:
        """A picture asks for a look."""
        self._asked += 1

    def worked(self, seconds: float) -> None:
        """A look took a model so long."""
        self._look_s = seconds if self._look_s is None else 0.95 * self._look_s + 0.05 * seconds

    def step(self, now: float, waiting: int) -> bool:
        """Adapt, once in `PERIOD_S`; True: the factor has changed.

        Args:
            now: monotonic seconds.
            waiting: pictures that wait for a look.
        """
        if self._since is None:
            self._since, self._asked = now, 0
        elapsed = now - self._since
        if elapsed < PERIOD_S:
            return False
        each = (self._look_s or 0.0) / self._processes
        demand = self.stretch * self._asked * each / elapsed
        self._demand = demand if self._demand is None else (1 - _NEWEST) * self._demand + _NEWEST * demand
        self._since, self._asked = now, 0
        late = max(0.0, waiting * each - _WAVE_S) / _DRAIN_S
        right = min(self.slowest, max(1.0, self._demand / AIM * (1 + late)))
        before = self.stretch
        if abs(right / before - 1) > _BAND or right in (1.0, self.slowest):
            self.stretch = min(before * UP, max(before * DOWN, right))
        return self.stretch != before
