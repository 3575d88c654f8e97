"""Clocks of devices: how far each is off, measured by its messages, and corrected where it is too far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

SAMPLES = 31
"""Latest messages that count: few enough to follow a clock that was set."""
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Skew:
    """How a device's clock goes: seconds from its time to ours, the way of the message included."""

    seconds: float = 0.0
    samples: int = 0
    corrected: bool = False

    def ours(self, time: datetime) -> datetime:
        """A device's time by our clock."""
        return time + timedelta(seconds=self.seconds) if self.corrected else time

    @property
    def note(self) -> str:
        """For the log; empty where nothing was corrected."""
        if not self.corrected:
            return ""
        way = "behind" if self.seconds > 0 else "ahead"
        return f"its clock is {abs(self.seconds):.1f} s {way} (median of {self.samples} messages), corrected"


def measure(offsets_ms: Sequence[int], tolerance_s: float) -> Skew:
    """The skew of a device.

    The median, so that a message that was held up on the way says nothing about the clock.

    Args:
        offsets_ms: received less device time of its latest messages.
        tolerance_s: what is left alone.
    """
    if len(offsets_ms) < FEWEST:
        return Skew(samples=len(offsets_ms))
    seconds = median(offsets_ms) / 1000.0
    return Skew(seconds, len(offsets_ms), abs(seconds) > tolerance_s)
