"""What is expected of control points before they are looked at, and what they then show."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations per axis: of a clicked pixel, and of a place on the map."""

    pixel_px: float
    ground_m: float

    def scaled(self, factor: float) -> Noise:
        return Noise(self.pixel_px * factor, self.ground_m * factor)


CLICKED = Noise(2.0, 0.5)
"""Points clicked in a picture and in a web map or orthophoto."""
MEASURED = Noise(2.0, 0.05)
"""Points whose metres were taken with a tape or a surveyor's instrument."""
_PRIOR_WEIGHT = 4.0


def scale(chi2: float, freedom: float) -> float:
    """Factor on the expected noise that residuals speak for.

    The expectation counts like four observations, so that a handful of points neither claims to be perfect
    because it fits exactly nor throws the expectation over.

    Args:
        chi2: sum of squared whitened residuals.
        freedom: observations less parameters.
    """
    return sqrt((_PRIOR_WEIGHT + chi2) / (_PRIOR_WEIGHT + max(freedom, 0.0)))
