"""Cheap checks of what a picture is good for, on a thinned-out copy: night, blur, nothing to see."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.records import Image

_SIDE = 96
# Set by eye on some 900 street, site and weather-camera pictures, of which about 40 were taken at night.
_DARK_MEDIAN = 58.0
_DAY_SKY = 120.0
_INFRARED_CHROMA = 1.0
_INFRARED_MEDIAN = 120.0
_INFRARED_SKY = 135.0
_BLACK = 12.0
_FLAT = 4.0
_BLURRED = 30.0


@dataclass(frozen=True, slots=True)
class Quality:
    """`night`: dark, or infra-red by night. `empty`: black, white or one colour (lens covered, feed lost).
    `blurred`: no sharp edge anywhere (out of focus, drops on the lens)."""

    night: bool
    empty: bool
    blurred: bool


def is_night(image: Image) -> bool:
    """Was this taken at night?

    Either more than half of the picture is dark (street lamps and flash light up the rest), or it has no
    colour at all: a camera that has switched to infra-red. A bright upper third, a day's sky, speaks against
    both. Light from a flash on things near by can hide the night, deep shade without sky can pass for it.

    Args:
        image: uint8 (height, width, 3), RGB.
    """
    small = _thin(image)
    return _night(small, _luma(small))


def assess(image: Image) -> Quality:
    """All checks of an image, uint8 (height, width, 3), RGB."""
    small = _thin(image)
    luma = _luma(small)
    high = float(np.percentile(luma, 99))
    empty = high < _BLACK or float(luma.std()) < _FLAT
    return Quality(_night(small, luma), empty, not empty and _sharpness(image) < _BLURRED)


def _thin(image: Image) -> Image:
    """Every n-th pixel, so that about 96 rows or columns remain; no pixel between them is touched."""
    step = max(1, min(image.shape[:2]) // _SIDE)
    return np.ascontiguousarray(image[::step, ::step])


def _luma(small: Image) -> npt.NDArray[np.uint8]:
    """Rec. 601 luma."""
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def _night(small: Image, luma: npt.NDArray[np.uint8]) -> bool:
    median, sky = float(np.median(luma)), float(np.median(luma[: -(-len(luma) // 3)]))
    if median < _DARK_MEDIAN:
        return sky < _DAY_SKY
    return median < _INFRARED_MEDIAN and sky < _INFRARED_SKY and _chroma(small) < _INFRARED_CHROMA


def _chroma(small: Image) -> float:
    """Mean difference of the strongest and the weakest channel."""
    red, green, blue = cv2.split(small)
    strongest = cv2.max(cv2.max(red, green), blue)
    weakest = cv2.min(cv2.min(red, green), blue)
    return float(cv2.subtract(strongest, weakest).mean())


def _sharpness(image: Image) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al., ICPR 2000) at 320 px, best of 3 x 3 fields.

    The best field counts: a sharp street under an empty sky is sharp.
    """
    scale = 320 / max(image.shape[:2])
    size = (max(3, round(image.shape[1] * scale)), max(3, round(image.shape[0] * scale)))
    grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    fields = [f for band in np.array_split(edges, 3) for f in np.array_split(band, 3, axis=1) if f.size]
    return max(float(field.var()) for field in fields)
