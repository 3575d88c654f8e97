"""Does a camera send one picture again and again? A quiet night is never quite still; a frozen encoder is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from huoyan.perception.thumbs import Floats, Luma

_WIDTH = 320
_GRID = (20, 12)
"""Columns and rows of blocks whose mean differences are looked at."""
_STILL = 2.0
_FROM_FIRST = 6.0
"""Grey levels by which no block's mean may differ from the last picture's, and from the first one's, of a picture
that an encoder sends again: key frames of one picture, coded anew, differed by 4 at first and 1.6 at most later."""
_ALIVE = 8.0
"""... from which a block shows something that moves."""
_IDENTICAL_S, _STILL_S = 20.0, 60.0
_LEAST_PICTURES = 4
_LONGER = 4.0
"""A source without noise must stand still for so many times as long as it ever did before."""
_LONGEST_S = 6 * 3600.0
_FAR_BELOW = 0.2
"""Share of a camera's own noise below which there is none."""
_LEAST_NOISE = 0.25
_KNOWN = 200
_BINS = 4

State = Mapping[str, Any]


class Stillness:
    """Of one camera.

    Frozen is what stays identical, bit for bit, for 20 s; or what stays nearly so for a minute while this camera in
    this light is never without noise. A source that has none (a drawing, a heavily denoised picture) betrays itself
    when something small moves in it and all the rest remains identical: from then on it must stand still for four
    times as long as it ever did.
    """

    def __init__(self, state: State | None = None) -> None:
        state = state or {}
        self.jump = 1.0
        """Share of the blocks in which the last picture differs from the one before."""
        self.difference = 0.0
        """Median over the blocks of their mean difference from the picture before, grey levels."""
        self._natural_s = float(state.get("natural_s", 0.0))
        self._noise = [float(value) for value in state.get("noise", [0.0] * _BINS)]
        self._looks = [int(value) for value in state.get("looks", [0] * _BINS)]
        self._last: Luma | None = None
        self._first: Luma | None = None
        self._identical_since = self._still_since = 0.0
        self._identical = self._still = 0
        self._differences = 0.0

    def state(self) -> dict[str, Any]:
        """JSON values from which it can go on after a restart."""
        return {
            "natural_s": round(self._natural_s, 1),
            "noise": [round(v, 4) for v in self._noise],
            "looks": self._looks,
        }

    def feed(self, y: Luma, clock: float, mean: float) -> bool:
        """Take a picture (uint8, height x width; its mean luma) and say whether the camera is frozen."""
        step = max(1, y.shape[1] // _WIDTH)
        small = np.ascontiguousarray(y[::step, ::step])
        last, self._last = self._last, small
        if last is None or self._first is None or last.shape != small.shape:
            self._begin(small, clock)
            return False
        blocks = _blocks(small, last)
        peak, self.difference = float(blocks.max()), float(np.median(blocks))
        self.jump = float((blocks >= _ALIVE).mean())
        self._count(blocks, peak, clock)
        if peak >= _STILL or float(_blocks(small, self._first).max()) >= _FROM_FIRST:
            self._learn_noise(mean)
            self._first, self._still, self._still_since, self._differences = small, 1, clock, 0.0
            return False
        self._still += 1
        self._differences += self.difference
        return self._is_frozen(clock, mean)

    def _begin(self, small: Luma, clock: float) -> None:
        self._first = small
        self._identical = self._still = 1
        self._identical_since = self._still_since = clock
        self._differences, self.jump, self.difference = 0.0, 1.0, 0.0

    def _count(self, blocks: Floats, peak: float, clock: float) -> None:
        """Count identical pictures; when they end by a small movement, the source is one without noise."""
        if peak == 0:
            self._identical += 1
            return
        if self._identical >= _LEAST_PICTURES and peak >= _ALIVE and float((blocks == 0).mean()) > 0.5:
            self._natural_s = max(self._natural_s, min(clock - self._identical_since, _LONGEST_S))
        self._identical, self._identical_since = 1, clock

    def _learn_noise(self, mean: float) -> None:
        at = _bin(mean)
        self._looks[at] = min(self._looks[at] + 1, 5 * _KNOWN)
        self._noise[at] += (self.difference - self._noise[at]) / self._looks[at]

    def _is_frozen(self, clock: float, mean: float) -> bool:
        longer = min(_LONGER * self._natural_s, _LONGEST_S)
        if self._identical >= _LEAST_PICTURES and clock - self._identical_since >= max(_IDENTICAL_S, longer):
            return True
        at, lasted = _bin(mean), clock - self._still_since
        if self._still < _LEAST_PICTURES or lasted < max(_STILL_S, longer) or self._looks[at] < _KNOWN:
            return False
        usual = self._noise[at]
        return usual >= _LEAST_NOISE and self._differences / (self._still - 1) < _FAR_BELOW * usual


def _blocks(one: Luma, other: Luma) -> Floats:
    """Mean absolute difference of each block, float32 (rows, columns)."""
    gap = cv2.absdiff(one, other).astype(np.float32)
    return cv2.resize(gap, _GRID, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def _bin(mean: float) -> int:
    return min(_BINS - 1, int(mean) * _BINS // 256)
