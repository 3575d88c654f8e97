"""From a covariance on the ground to the one number an alert carries: the 68 % radius."""

from __future__ import annotations

from math import sqrt

# Radius of the circle that holds 68.27 % of a normal distribution with standard deviations 1 and q (q <= 1),
# for q = 0, 0.1, ... 1, from P(r) = 1/(2 pi q) * integral of (1 - exp(-a r²/2))/a over the angle t,
# a = cos²t + sin²t/q². The test integrates it again.
_RADII = (1.0, 1.0050, 1.0207, 1.0491, 1.0939, 1.1529, 1.2201, 1.2915, 1.3650, 1.4397, 1.5152)
CIRCULAR = 1.5152
"""68 % radius of a circular normal distribution in units of its standard deviation per axis."""


def radius68(xx: float, xy: float, yy: float) -> float:
    """68 % radius in metres of a covariance ((xx, xy), (xy, yy)) in square metres."""
    middle = (xx + yy) / 2.0
    reach = sqrt(((xx - yy) / 2.0) ** 2 + xy * xy)
    largest, smallest = middle + reach, max(middle - reach, 0.0)
    if largest <= 0.0:
        return 0.0
    steps = sqrt(smallest / largest) * (len(_RADII) - 1)
    index = min(int(steps), len(_RADII) - 2)
    return sqrt(largest) * (_RADII[index] + (steps - index) * (_RADII[index + 1] - _RADII[index]))
