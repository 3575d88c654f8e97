"""The cheap gate of a live camera: has anything come, gone or begun to move since the models last looked?

It compares area means of the luma (cells of about 1/80 of the width) with two backgrounds. `seen` is what the
models know: it follows within a minute or so, and takes in at once what stands still while the gate is open.
`usual` follows within half an hour: what returns to it (a lorry drives off) is no news. A cell has changed where
it differs from both, after the light has been allowed for, by more than it usually does.

What shall open no gate, and why it does not:

- light that changes (dawn, clouds, exposure): the ratio of both pictures, smoothed over a third of the view, is
  divided out;
- shake by a pixel or two: a cell may differ as much as its neighbours would let it by a part of a cell;
- rain, noise, leaves, water: each cell learns how much it usually differs, and single cells do not count;
- the whole view at once (infra-red switched on, a lamp): it is taken for the new background after one look;
- beams of headlights by night: what only grows brighter must still be there in the next picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.perception.thumbs import Floats, Luma, thumb
from huoyan.records import Ring

COLUMNS = 80
_SEEN_S, _USUAL_S, _STAYS_S = 75.0, 1500.0, 7200.0
"""Seconds in which the backgrounds follow by 63 %: what is seen, what is usual, and what is usual where something
stands that is not."""
_TAKEN_IN = 0.5
"""Share by which `seen` takes in what stands still while the gate is open, with each picture."""
_LEAST = 7.0
"""Grey levels by which a cell must differ at least."""
_TIMES = 3.0
"""... and so many times what it differs by in three pictures of four."""
_MOST_NOISE = 10.0
_SHAKE = 0.35
"""Part of a cell by which the picture may shake."""
_CLUSTER = 5 / 9 - 1e-3
"""Share of changed cells among a cell and its eight neighbours from which it counts."""
_OPEN_CELLS, _KEEP_CELLS = 8.0, 4.0
"""Changed cells that open the gate, and that keep it open, at a sensitivity of 1."""
_WHOLE_VIEW = 0.5
"""Share of the view from which a change is one of the light or of the pose."""
_NIGHT = 60.0
"""Mean luma below which headlights are reckoned with."""
_LOCAL, _LEVELS = 0.35, 8.0
"""Share, and grey levels, by which the light on a part of the view may differ from that on the whole."""
_MOST_GAIN = 6.0
_BURNT = 240.0
_FAINT = 0.6
"""Share of the limit from which a faint change counts that stays ..."""
_STAYS, _FORGETS = 2.1, 0.7
"""... for three pictures: how much is gathered, and how much of it is left at the next picture."""
_WARM_UP = 5
"""Pictures after which the backgrounds stand."""

Mask = npt.NDArray[np.uint8]


class Gate:
    """Of one camera. Feed it every sample; pictures of another size start it anew.

    Attributes:
        open: whether the last picture passes.
    """

    def __init__(self, ignore: Sequence[Ring] = (), sensitivity: float = 1.0) -> None:
        """
        Args:
            ignore: polygons in shares of width and height (0 to 1) where nothing counts.
            sensitivity: above 1 smaller and fainter changes count.
        """
        self.open = False
        self._ignore = tuple(ignore)
        self._sensitivity = sensitivity
        self._clock = 0.0
        self._count = 0
        self._watched: Mask = np.empty((0, 0), np.uint8)
        self._seen: Floats = np.empty((0, 0), np.float32)
        self._usual = self._noise = self._last = self._gathered = self._seen
        self._brightened = self._watched

    def feed(self, y: Luma, clock: float) -> float:
        """Take a picture and set `open`.

        Args:
            y: luma, uint8 (height, width).
            clock: monotonic seconds at which it was taken.

        Returns:
            The share of the watched view that has changed, 0 to 1.
        """
        now = thumb(y, COLUMNS)
        if now.shape != self._seen.shape:
            self._start(now)
        elapsed, self._clock = max(0.0, clock - self._clock), clock
        self._count += 1
        if self._count <= _WARM_UP:
            return self._warm_up(now)
        by_seen = _apart(now, self._seen)
        changed = self._changed(now, by_seen)
        share = float(cv2.countNonZero(changed)) / max(1, cv2.countNonZero(self._watched))
        self._decide(changed, by_seen, now, share)
        self._follow(now, by_seen, changed, elapsed)
        return share

    def _changed(self, now: Floats, by_seen: Floats) -> Mask:
        """Cells that have changed: by much, or by little for a while; and not back to what is usual."""
        limit = np.maximum(_LEAST, _TIMES * self._noise) / self._sensitivity
        size = np.abs(by_seen)
        faint = ((size > _FAINT * limit) & (self._watched > 0)).astype(np.float32)
        self._gathered = _FORGETS * self._gathered + faint
        changed = ((size > limit) & (faint > 0)) | (self._gathered >= _STAYS)
        changed = _clustered(changed.astype(np.uint8))
        if cv2.countNonZero(changed):
            changed &= (np.abs(_apart(now, self._usual)) > _FAINT * limit).astype(np.uint8)
        return changed

    def _start(self, now: Floats) -> None:
        rows, columns = now.shape
        self._watched = np.ones((rows, columns), np.uint8)
        for ring in self._ignore:
            corners = np.floor(np.array(ring) * (columns, rows)).astype(np.int32)
            cv2.fillPoly(self._watched, [corners], (0,))
        self._seen, self._usual, self._last = now, now, now
        self._noise = np.full_like(now, _LEAST / _TIMES)
        self._gathered = np.zeros_like(now)
        self._brightened = np.zeros((rows, columns), np.uint8)
        self._count = 0
        self.open = False

    def _warm_up(self, now: Floats) -> float:
        """The first pictures make the background; the first one passes, so that what is there is seen once."""
        self.open = self._count == 1
        self._seen = self._seen + np.float32(1 / self._count) * (now - self._seen)
        self._usual, self._last = self._seen, now
        return 0.0

    def _decide(self, changed: Mask, by_seen: Floats, now: Floats, share: float) -> None:
        counting = changed
        if float(now.mean()) < _NIGHT:
            brightened = changed & (by_seen > 0).astype(np.uint8)
            darkened = changed & (by_seen <= 0).astype(np.uint8)
            again = cv2.dilate(self._brightened, _NEIGHBOURS).astype(np.uint8, copy=False)
            counting = darkened | (brightened & again)
            self._brightened = brightened
        cells = cv2.countNonZero(counting) * self._sensitivity
        self.open = cells >= (_KEEP_CELLS if self.open else _OPEN_CELLS) or share >= _WHOLE_VIEW

    def _follow(self, now: Floats, by_seen: Floats, changed: Mask, elapsed: float) -> None:
        """Let the backgrounds and the noise follow."""
        if cv2.countNonZero(changed) >= _WHOLE_VIEW * changed.size:
            self._seen, self._usual, self._last = now, now, now
            return
        follow = 1.0 - exp(-elapsed / _SEEN_S)
        weight = np.full_like(now, follow)
        if self.open:
            still = np.abs(now - self._last) < _LEAST
            weight[still & (changed > 0)] = max(follow, _TAKEN_IN)
        self._seen = self._seen + weight * (now - self._seen)
        apart = now - self._usual
        slow, slower = (np.float32(1.0 - exp(-elapsed / lasts)) for lasts in (_USUAL_S, _STAYS_S))
        self._usual = self._usual + np.where(np.abs(apart) < 2 * _LEAST, slow, slower) * apart
        self._last = now
        # Steps of unequal size make it the level that three of four differences stay below.
        above = np.abs(by_seen) > self._noise
        self._noise = np.clip(self._noise * np.where(above, 1.06, 0.98), 1.0, _MOST_NOISE).astype(np.float32)


_NEIGHBOURS = np.ones((3, 3), np.uint8)


def _apart(now: Floats, background: Floats) -> Floats:
    """By how many grey levels each cell differs from a background in the light of now, beyond what shake explains."""
    expected = _in_light_of(now, background)
    most = cv2.dilate(expected, _NEIGHBOURS)
    least = cv2.erode(expected, _NEIGHBOURS)
    upper = expected + _SHAKE * (most - expected)
    # How bright a burnt-out cell really was is not known.
    upper += np.where(background >= _BURNT, _LOCAL * expected, 0)
    lower = np.minimum(expected, 255) - _SHAKE * (expected - least)
    apart: Floats = np.maximum(now - upper, 0) - np.maximum(lower - now, 0)
    return apart


def _in_light_of(now: Floats, background: Floats) -> Floats:
    """A background as it would look in another picture's light: brightness and contrast of the whole view, then light
    and shade of each part. Cells that differ by more than light does are things, and have no say in it."""
    size = (now.shape[1] // 3 | 1, now.shape[0] // 3 | 1)
    detail, detail_now = background - cv2.blur(background, size), now - cv2.blur(now, size)
    weight = np.ones_like(now)
    for _ in range(2):
        # Contrast is taken from detail: shade that lies on a part of the view changes its level more than its detail.
        weighted = weight * detail
        spread, common = float(np.vdot(weighted, detail)), float(np.vdot(weighted, detail_now))
        gain = min(_MOST_GAIN, max(1 / _MOST_GAIN, common / spread)) if spread > weight.size else 1.0
        total = max(1.0, float(weight.sum()))
        offset = (float(np.vdot(weight, now)) - gain * float(np.vdot(weight, background))) / total
        expected = np.float32(gain) * background + np.float32(offset)
        weight = (np.abs(now - expected) < _LOCAL * expected + _LEVELS).astype(np.float32)
    lit = cv2.blur(weight * now, size) + np.float32(_LEVELS)
    unlit = cv2.blur(weight * expected, size) + np.float32(_LEVELS)
    return np.asarray(expected * (lit / unlit), dtype=np.float32)


def _clustered(changed: Mask) -> Mask:
    """Only cells in company."""
    density = cv2.blur(changed.astype(np.float32), (3, 3))
    return changed & (density >= _CLUSTER).astype(np.uint8)
