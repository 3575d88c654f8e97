"""Is a camera out of focus, or are there drops on its glass? Judged against itself, and fog is no blur.

The measure is a slope: how much energy fine detail has beside detail four times as coarse, in octaves. Fog takes
contrast from both alike and leaves the slope as it is; blur takes the fine detail. On real site and street pictures
the slope of the sharpest fields was -1.2 and more, blurred by 1.5 px -1.9 and less, and fog down to a tenth of the
contrast moved it by less than 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from huoyan.perception.thumbs import Floats, Luma, halved

_WIDTH = 480
"""Judged at 480 to 960 px of width."""
_FIELDS = 4
"""The picture is divided into 4 x 4 fields."""
_TEXTURE = 4.0
"""Energy of coarse detail from which a field says something."""
_LEAST_FIELDS = 4
_DROP = 1.0
"""Octaves below its own long-term slope from which a field is blurred."""
_NOT_SHARP = -1.6
"""Slope (median of the fields) above which a picture is sharp, or noisy, whatever it was before."""
_FADES, _WEATHER = 1.0, 0.5
"""Blur that costs an octave of slope costs less than so many of coarse detail; the weather may take another one."""
_SHARE = 0.6
"""Share of the fields that must be blurred."""
_NEVER_SHARP = -2.4
"""Slope of the sharpest field below which a camera that is not yet known is out of focus."""
_COVERED = 45.0
"""Energy of the coarse detail of the richest field below which, out of focus too, something covers the lens."""
_KNOWN = 20
_FALL = 1 / 20000
"""Weight with which the long-term slope falls, a sample: it takes days. It rises within an hour."""
_RISE = 1 / 200
_BINS = 4


class Sharpness:
    """Of one camera; one long-term slope for each field and each of four brightnesses.

    Attributes:
        slope: median of the fields that say something; nan before the first picture.
        covered: the last picture shows nothing but soft shapes.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self.slope = float("nan")
        self.covered = False
        fields = _FIELDS * _FIELDS
        self._usual = np.array(state.get("usual", [[0.0] * fields] * _BINS), np.float32).reshape(
            _BINS, fields
        )
        self._texture = np.array(state.get("texture", [[0.0] * fields] * _BINS), np.float32).reshape(
            _BINS, fields
        )
        self._looks = np.array(state.get("looks", [[0] * fields] * _BINS), np.int64).reshape(_BINS, fields)

    def state(self) -> dict[str, Any]:
        """JSON values from which it can go on after a restart."""
        return {
            "usual": np.round(self._usual.astype(float), 3).tolist(),
            "texture": np.round(self._texture.astype(float), 2).tolist(),
            "looks": self._looks.tolist(),
        }

    def feed(self, y: Luma, mean: float) -> bool | None:
        """Take a picture (uint8, height x width; its mean luma) and say whether it is blurred; None: cannot be told."""
        fine, coarse = _energies(halved(y, _WIDTH))
        says = coarse >= _TEXTURE
        self.covered = False
        if int(says.sum()) < _LEAST_FIELDS:
            return None
        slopes = np.log2((fine + 0.05) / (coarse + 0.05))
        self.slope = float(np.median(slopes[says]))
        soft = float(slopes[says].max()) < _NEVER_SHARP
        self.covered = soft and float(coarse.max()) < _COVERED
        at = min(_BINS - 1, int(mean) * _BINS // 256)
        usual, looks = self._usual[at], self._looks[at]
        texture = np.log2(coarse + 0.05)
        known = says & (looks >= _KNOWN)
        if int(known.sum()) >= _LEAST_FIELDS:
            blurred = self.slope < _NOT_SHARP and _is_blur(
                slopes[known] - usual[known], texture[known] - self._texture[at][known]
            )
        else:
            blurred = soft
        if not blurred:
            self._learn(at, slopes, texture, says)
        return blurred

    def _learn(self, at: int, slopes: Floats, texture: Floats, says: Any) -> None:
        """A mean at first; then the slope rises quickly and falls slowly."""
        usual, looks = self._usual[at], self._looks[at]
        looks[says] = np.minimum(looks[says] + 1, 10 * _KNOWN)
        first = 1 / np.maximum(1, looks)
        step = np.where(looks <= _KNOWN, first, np.where(slopes > usual, np.maximum(_RISE, first), _FALL))
        usual[says] += (step * (slopes - usual))[says]
        self._texture[at][says] += (np.maximum(_RISE, first) * (texture - self._texture[at]))[says]


def _is_blur(drop: Floats, faded: Floats) -> bool:
    """Whether most fields have lost fine detail, by octaves, and not the coarse one by far more, as fog takes it."""
    lost = float(np.median(drop))
    return float((drop < -_DROP).mean()) >= _SHARE and float(np.median(faded)) >= _FADES * lost - _WEATHER


def _energies(fine: Luma) -> tuple[Floats, Floats]:
    """Energy of steps over two pixels in a picture and in its quarter, each by field, float32 (16,)."""
    height, width = fine.shape
    coarse = cv2.resize(fine, (width // 4, height // 4), interpolation=cv2.INTER_AREA).astype(
        np.uint8, copy=False
    )
    return _energy(fine), _energy(coarse)


def _energy(picture: Luma) -> Floats:
    """Mean squared step to the right and downwards, by field."""
    across = cv2.absdiff(picture[:-2, 2:], picture[:-2, :-2])
    down = cv2.absdiff(picture[2:, :-2], picture[:-2, :-2])
    rows = [across.shape[0] * i // _FIELDS for i in range(_FIELDS + 1)]
    columns = [across.shape[1] * i // _FIELDS for i in range(_FIELDS + 1)]
    energies = []
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            parts = (across[top:bottom, left:right], down[top:bottom, left:right])
            squares = sum(cv2.norm(part, cv2.NORM_L2SQR) for part in parts)
            energies.append(squares / max(1, 4 * parts[0].size))
    return np.array(energies, np.float32)
