"""Values of more than 8 bits as 8-bit ones: one way for stills and rasters alike.

Each band is stretched linearly so that the 2nd and the 98th percentile of its valid values become 0 and 255.
Values of 8 bits are left as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from huoyan.records import Image

PERCENTILES = (2.0, 98.0)
Stretch = tuple[tuple[float, float], ...]
"""(low, high) of each of the three bands; empty: the values are 8-bit already."""
Mask = npt.NDArray[np.bool_]


def measure(values: npt.NDArray[Any], valid: Mask) -> Stretch:
    """The stretch of `values` (bands, height, width) under a mask (height, width) of valid pixels."""
    if values.dtype == np.uint8:
        return ()
    if not valid.any():
        return ((0.0, 1.0),) * len(values)
    limits = []
    for band in values:
        low, high = (float(value) for value in np.percentile(band[valid].astype(np.float64), PERCENTILES))
        limits.append((low, high if high > low else low + 1.0))
    return tuple(limits)


def to_rgb(values: npt.NDArray[Any], stretch: Stretch) -> Image:
    """Values (3, height, width) as uint8 (height, width, 3)."""
    if not stretch:
        return np.ascontiguousarray(np.moveaxis(values, 0, 2).astype(np.uint8, copy=False))
    image = np.empty((*values.shape[1:], 3), np.uint8)
    for band, (low, high) in enumerate(stretch):
        scaled = (values[band].astype(np.float32) - np.float32(low)) * np.float32(255.0 / (high - low))
        image[..., band] = np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255)
    return image
