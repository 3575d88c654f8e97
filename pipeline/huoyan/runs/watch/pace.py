"""How the daemon slows down under load: intervals grow instead of a queue, and shrink again when there is room."""

from __future__ import annotations

UP, DOWN = 1.3, 0.9
PERIOD_S = 5.0
"""Between two steps: what the last one brought must be seen first."""
BUSY, IDLE = 0.9, 0.75
"""Share of the time that the models run: above, intervals grow; below, they shrink."""
LATE_S = 2.0
"""A picture that waits for longer tells that the models do not keep up."""
_STEADY = 2
"""So many quiet periods must follow one another before a step down: load comes in waves."""


class Pace:
    """Turns load into the factor by which all intervals are stretched.

    Attributes:
        stretch: the factor, 1 or more.
    """

    def __init__(self, slowest: float) -> None:
        self.slowest, self.stretch = slowest, 1.0
        self._since: float | None = None
        self._busy = 0.0
        self._dropped = False
        self._late = 0.0
        self._quiet = 0

    def worked(self, seconds: float) -> None:
        """A model ran for so long (of one process, divided by their number)."""
        self._busy += seconds

    def waited(self, oldest_s: float, dropped: bool) -> None:
        """What waits now, and whether a picture was dropped since the last call."""
        self._late = max(self._late, oldest_s)
        self._dropped = self._dropped or dropped

    def step(self, now: float) -> bool:
        """Adapt, once in `PERIOD_S`; True when the factor has changed."""
        if self._since is None:
            self._since = now
        elapsed = now - self._since
        if elapsed < PERIOD_S:
            return False
        busy, before = self._busy / elapsed, self.stretch
        if busy > BUSY or self._late > LATE_S or self._dropped:
            self.stretch = min(self.slowest, self.stretch * UP)
            self._quiet = 0
        elif busy < IDLE:
            self._quiet += 1
            if self._quiet >= _STEADY:
                self.stretch = max(1.0, self.stretch * DOWN)
        self._since, self._busy, self._late, self._dropped = now, 0.0, 0.0, False
        return self.stretch != before
