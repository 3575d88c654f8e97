"""Pauses between attempts: they double to a longest one, with chance in them, and never end."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Of one camera."""

    def __init__(
        self, first_s: float, longest_s: float, chance: Callable[[float, float], float] = random.uniform
    ) -> None:
        """
        Args:
            first_s: seconds of the first pause, or somewhat less.
            longest_s: ... of the longest; none is longer.
            chance: gives a number between two: many cameras of one recorder must not come back at once.
        """
        self._first_s, self._longest_s, self._chance = first_s, longest_s, chance
        self._next_s = first_s

    def pause(self, fatal: bool = False) -> float:
        """Seconds to wait now. After what only people can mend it is the longest at once."""
        pause = self._longest_s if fatal else self._next_s
        self._next_s = min(2 * self._next_s, self._longest_s)
        return pause * self._chance(0.6, 1.0)

    def reset(self) -> None:
        """It worked."""
        self._next_s = self._first_s
