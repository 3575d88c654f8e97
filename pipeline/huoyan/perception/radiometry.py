"""What a change on the ground looks like in RGB: light made comparable, vegetation, bare soil, heaps.

Simple indices on visible bands, because that is what archives have. They tell soil from vegetation and roofs
well enough to name a change; they cannot tell a ploughed field from a building plot. The zones and permits of
the county do that.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.records import Image

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# Excess green (chromatic): lawns and crops 0.05 to 0.3, soil and roofs about 0.
_GREEN_BEFORE = 0.04
_GREEN_LOST = 0.06
_GREEN_LEFT = 0.03
# (R - B) / (R + B): soils are warm; grey roofs and concrete are about 0.
_WARM = 0.06
_SOIL_LUMA = 60.0
_BRIGHTER = 45.0
_SMOOTH_M = 1.5
_UNCHANGED = 0.7
_ROUNDS = 5
_DEFAULT_GSD_M = 1.0


def match_light(before: Image, after: Image) -> Floats:
    """`after` (uint8 height, width, 3) as float32 with the light and tint of `before`.

    Each channel is stretched so that mean and spread agree over the 70 % of the pixels that agree best: the
    pseudo-invariant features of Schott et al. (Remote Sensing of Environment 26, 1988), found by repetition.
    What has really changed is left out of the fit, and so stays changed. The gain stays within 0.5 to 2.
    """
    step = max(1, min(after.shape[:2]) // 128)
    old, new = (image[::step, ::step].reshape(-1, 3).astype(np.float32) for image in (before, after))
    gain = np.ones(3, np.float32)
    offset = np.median(old - new, axis=0)
    for _ in range(_ROUNDS):
        distance = np.abs(new * gain + offset - old).sum(axis=1)
        same = distance <= np.quantile(distance, _UNCHANGED)
        # The constant keeps the gain near 1 where a scene is all of one tone and its spread is noise.
        spread_old, spread_new = old[same].var(axis=0) + 25, new[same].var(axis=0) + 25
        gain = np.sqrt(spread_old / spread_new).clip(0.5, 2.0)
        offset = old[same].mean(axis=0) - new[same].mean(axis=0) * gain
    matched: Floats = (after * gain + offset).clip(0, 255).astype(np.float32)
    return matched


def excess_green(image: Floats) -> Floats:
    """Chromatic excess green 2g - r - b of (..., 3), -1 to 2 (Woebbecke et al., Trans. ASAE 38(1), 1995)."""
    total = image.sum(axis=-1) + 1.0
    green: Floats = (3.0 * image[..., 1] - image.sum(axis=-1)) / total
    return green


def warmth(image: Floats) -> Floats:
    """(R - B) / (R + B) of (..., 3), as in the redness indices of soils (Mathieu et al., 1998)."""
    ratio: Floats = (image[..., 0] - image[..., 2]) / (image[..., 0] + image[..., 2] + 1.0)
    return ratio


def luma(image: Floats) -> Floats:
    """Rec. 601 luma of (..., 3), 0 to 255."""
    weighted: Floats = image @ np.array([0.299, 0.587, 0.114], np.float32)
    return weighted


def soil_gained(before: Floats, after: Floats, gsd_m: float | None) -> Floats:
    """How surely vegetation has turned into bare soil, by pixel: float32 (height, width), 0 to 1.

    Args:
        before, after: float32 (height, width, 3), light already matched.
        gsd_m: metres per pixel; 1 is assumed where it is not known.
    """
    sigma = max(0.8, _SMOOTH_M / (gsd_m or _DEFAULT_GSD_M))
    old, new = _blurred(before, sigma), _blurred(after, sigma)
    green_old, green_new = excess_green(old), excess_green(new)
    was_green = _ramp(green_old, _GREEN_BEFORE)
    lost = _ramp(green_old - green_new, _GREEN_LOST)
    bare = 1 - _ramp(green_new, _GREEN_LEFT)
    warm = _ramp(warmth(new), _WARM) * (luma(new) > _SOIL_LUMA)
    surest: Floats = np.minimum.reduce([was_green, lost, bare, warm]).astype(np.float32)
    return surest


def brightened(before: Floats, after: Floats, gsd_m: float | None) -> Floats:
    """How surely something pale has come up, by pixel: float32 (height, width), 0 to 1; see `soil_gained`."""
    sigma = max(0.8, 0.5 * _SMOOTH_M / (gsd_m or _DEFAULT_GSD_M))
    old, new = _blurred(before, sigma), _blurred(after, sigma)
    gain: Floats = _ramp(luma(new) - luma(old), _BRIGHTER)
    return gain


def _blurred(image: Floats, sigma: float) -> Floats:
    return cv2.GaussianBlur(image, (0, 0), sigma).astype(np.float32, copy=False)


def _ramp(values: Floats, middle: float) -> Floats:
    """0.5 at `middle`, 0 at nothing, 1 at twice of it."""
    ramp: Floats = np.clip(values / (2 * middle), 0, 1)
    return ramp
