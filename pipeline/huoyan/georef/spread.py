"""From a covariance on the ground to the one number an alert carries: the 68 % radius."""

from __future__ import annotations

from math import sqrt

import numpy as np

from huoyan.records import FloatArray

# Radius of the circle that holds 68.27 % of a normal distribution with standard deviations 1 and q (q <= 1),
# for q = 0, 0.1, ... 1, from P(r) = 1/(2 pi q) * integral of (1 - exp(-a r²/2))/a over the angle t,
# a = cos²t + sin²t/q². The test integrates it again.
_RATIOS = np.linspace(0.0, 1.0, 11)
_RADII = np.array([1.0, 1.0050, 1.0207, 1.0491, 1.0939, 1.1529, 1.2201, 1.2915, 1.3650, 1.4397, 1.5152])
CIRCULAR = 1.5152
"""68 % radius of a circular normal distribution in units of its standard deviation per axis."""


def radius68(covariance: FloatArray) -> float:
    """68 % radius in metres of a 2x2 covariance in square metres."""
    a, b, c = float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])
    middle = (a + c) / 2.0
    reach = sqrt(max(((a - c) / 2.0) ** 2 + b * b, 0.0))
    largest, smallest = middle + reach, max(middle - reach, 0.0)
    if largest <= 0.0:
        return 0.0
    return sqrt(largest) * float(np.interp(sqrt(smallest / largest), _RATIOS, _RADII))
