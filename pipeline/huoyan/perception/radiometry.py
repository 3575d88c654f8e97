"""What a change on the ground looks like in RGB: light made comparable, vegetation, bare soil, heaps.

Simple indices on visible bands, because that is what archives have. They tell soil from vegetation and roofs
well enough to name a change; they cannot tell a ploughed field from a building plot. The zones and permits of
the county do that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.records import Image

Floats = npt.NDArray[np.float32]

# Excess green (chromatic): lawns and crops 0.05 to 0.3, soil and roofs about 0.
_GREEN_BEFORE = 0.04
_GREEN_LOST = 0.06
_GREEN_LEFT = 0.03
# (R - B) / (R + B): soils are warm; grey roofs and concrete are about 0.
_WARM = 0.06
# (R - G) / (R + G): loess and sand 0.1, red earths up to 0.25; tiles and red sheet metal 0.3 to 0.5.
_ROOF_RED = (0.21, 0.33)
_SOIL_LUMA = 60.0
_BRIGHTER = 45.0
_UNCHANGED = 0.7
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Light:
    """How the light of one picture turns into that of another: gain and offset of each channel, (3,)."""

    gain: Floats
    offset: Floats

    def apply(self, image: npt.NDArray[np.uint8] | Floats) -> Floats:
        """(..., 3) in the other picture's light, float32, 0 to 255."""
        moved: Floats = np.clip(image * self.gain + self.offset, 0, 255).astype(np.float32)
        return moved


def compare_light(before: Image, after: Image) -> Light:
    """What gives `after` the light and tint of `before`; both uint8 (height, width, 3) of one size.

    Each channel is stretched so that mean and spread agree over the 70 % of the pixels that agree best: the
    pseudo-invariant features of Schott et al. (Remote Sensing of Environment 26, 1988), found by repetition.
    What has really changed is left out of the fit, and so stays changed. The gain stays within 0.5 to 2.
    """
    step = max(1, min(after.shape[:2]) // 128)
    old, new = (image[::step, ::step].reshape(-1, 3).astype(np.float32) for image in (before, after))
    gain = np.ones(3, np.float32)
    offset = np.median(old - new, axis=0)
    for _ in range(_ROUNDS):
        distance = np.abs(new * gain + offset - old) @ np.ones(3, np.float32)
        same = distance <= np.quantile(distance, _UNCHANGED)
        # The constant keeps the gain near 1 where a scene is all of one tone and its spread is noise.
        spread_old, spread_new = old[same].var(axis=0) + 25, new[same].var(axis=0) + 25
        gain = np.sqrt(spread_old / spread_new).clip(0.5, 2.0)
        offset = old[same].mean(axis=0) - new[same].mean(axis=0) * gain
    return Light(gain.astype(np.float32), offset.astype(np.float32))


def excess_green(image: Floats) -> Floats:
    """Chromatic excess green 2g - r - b of (..., 3), -1 to 2 (Woebbecke et al., Trans. ASAE 38(1), 1995)."""
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    index: Floats = (2 * green - red - blue) / (red + green + blue + 1)
    return index


def warmth(image: Floats) -> Floats:
    """(R - B) / (R + B) of (..., 3): high for soils, whose reflectance rises from blue to red."""
    ratio: Floats = (image[..., 0] - image[..., 2]) / (image[..., 0] + image[..., 2] + 1)
    return ratio


def redness(image: Floats) -> Floats:
    """(R - G) / (R + G) of (..., 3): low for soils, high for tiles."""
    ratio: Floats = (image[..., 0] - image[..., 1]) / (image[..., 0] + image[..., 1] + 1)
    return ratio


def luma(image: Floats) -> Floats:
    """Rec. 601 luma of (..., 3), 0 to 255."""
    weighted: Floats = image @ np.array([0.299, 0.587, 0.114], np.float32)
    return weighted


def soil_gained(before: Floats, after: Floats, sigma: float) -> Floats:
    """How surely vegetation has turned into bare soil, by pixel: float32 (height, width), 0 to 1.

    It is as sure as the weakest of five signs: green before, green lost, no green left, warm and not dark, not
    as red as a roof.

    Args:
        before, after: float32 (height, width, 3), in one light.
        sigma: pixels to smooth over first.
    """
    old, new = _blurred(before, sigma), _blurred(after, sigma)
    green_old, green_new = excess_green(old), excess_green(new)
    was_green = _ramp(green_old, _GREEN_BEFORE)
    lost = _ramp(green_old - green_new, _GREEN_LOST)
    bare = 1 - _ramp(green_new, _GREEN_LEFT)
    warm = _ramp(warmth(new), _WARM) * (luma(new) > _SOIL_LUMA)
    low, high = _ROOF_RED
    earthen = np.clip((high - redness(new)) / (high - low), 0, 1)
    warm = np.minimum(warm, earthen)
    surest: Floats = np.minimum(np.minimum(was_green, lost), np.minimum(bare, warm)).astype(np.float32)
    return surest


def brightened(before: Floats, after: Floats, sigma: float) -> Floats:
    """How surely something pale has come up, by pixel: float32 (height, width), 0 to 1; see `soil_gained`."""
    return _ramp(_blurred(luma(after) - luma(before), sigma), _BRIGHTER)


def _blurred(image: Floats, sigma: float) -> Floats:
    return cv2.GaussianBlur(image, (0, 0), sigma).astype(np.float32, copy=False)


def _ramp(values: Floats, middle: float) -> Floats:
    """0.5 at `middle`, 0 at nothing, 1 at twice of it."""
    ramp: Floats = np.clip(values / (2 * middle), 0, 1)
    return ramp
