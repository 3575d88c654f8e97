"""What a vehicle looks like, as a short vector: to find it again on the next camera, or behind what hid it.

Colours of the upper and the lower half of the box (load and roof above; cab, wheels and flank below): for each half,
how much of it has which hue, weighted by how strong the colour is, and how its greys are spread from dark to light.
They are corrected for the light first (grey world: the mean of the surroundings is taken for grey), so that cameras
of different white balance agree better. The vector holds square roots and has length one, so that the product of two
is Bhattacharyya's coefficient: 1 for the same colours, 0 for none in common.

It knows nothing of shape. Two trucks of one fleet look alike to it: it may support a decision that place and time have
made likely, never make one.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.records import Box, Image

Vector = npt.NDArray[np.float32]

HUES, GREYS = 8, 4
LENGTH = 2 * (HUES + GREYS)
_SIDE = 32
# Only the middle of the box: its rim is road.
_MIDDLE = 0.8
# From this saturation (0 to 1) a pixel has a colour at all.
_COLOURED = 0.18


def look(image: Image, box: Box) -> Vector:
    """The vector, float32 [24], of what is in a box.

    Args:
        image: uint8 [H, W, 3] RGB.
        box: xyxy px, at least partly inside the picture.

    Returns:
        A unit vector; zeros where the box holds no pixels.
    """
    inner = _cut(image, box, _MIDDLE)
    if inner is None:
        return np.zeros(LENGTH, np.float32)
    around = _cut(image, box, 1.4)
    light = _light(inner if around is None else around)
    pixels = np.clip(inner.astype(np.float32) * light, 0, 255).astype(np.uint8)
    halves = [_half(pixels[: _SIDE // 2]), _half(pixels[_SIDE // 2 :])]
    vector = np.sqrt(np.concatenate(halves))
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-6), dtype=np.float32)


def likeness(a: Vector, b: Vector) -> float:
    """0 to 1; 1 where either is not known, for what is not known speaks against nothing."""
    if not a.size or not b.size or not a.any() or not b.any():
        return 1.0
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-6))


def _cut(image: Image, box: Box, share: float) -> Image | None:
    """A part round the middle of a box, brought to 32 x 32 px."""
    height, width = image.shape[:2]
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    w, h = share * (box[2] - box[0]) / 2, share * (box[3] - box[1]) / 2
    x1, y1, x2, y2 = max(0, int(x - w)), max(0, int(y - h)), min(width, int(x + w)), min(height, int(y + h))
    if x2 - x1 < 2 or y2 - y1 < 2:
        return None
    # Every n-th pixel first: averaging a million pixels for a thousand numbers tells no more.
    step = max(1, min(x2 - x1, y2 - y1) // (2 * _SIDE))
    part = np.ascontiguousarray(image[y1:y2:step, x1:x2:step])
    return np.asarray(cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _light(around: Image) -> Vector:
    """Factors for red, green and blue that make the mean grey, held within what lamps and lenses do."""
    mean = around.reshape(-1, 3).astype(np.float32).mean(axis=0)
    return np.asarray(np.clip(mean.mean() / np.maximum(mean, 1.0), 0.7, 1.4), dtype=np.float32)


def _half(pixels: Image) -> Vector:
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV).reshape(-1, 3).astype(np.float32)
    hue, saturation, value = (
        np.asarray(hsv[:, i] / most, np.float32) for i, most in enumerate((180, 255, 255))
    )
    # A dark pixel's hue is noise.
    coloured = np.asarray(
        np.clip((saturation - _COLOURED) / 0.3, 0, 1) * np.clip(value / 0.25, 0, 1), np.float32
    )
    hues = _spread(hue, coloured, HUES, circular=True)
    greys = _spread(value, np.asarray(1 - coloured, np.float32), GREYS)
    return np.asarray(np.concatenate([hues, greys]) / len(hsv), dtype=np.float32)


def _spread(values: Vector, weights: Vector, bins: int, *, circular: bool = False) -> Vector:
    """A histogram whose entries are shared between the two nearest bins, so that a little change is a little change."""
    at = values * bins - 0.5
    low = np.floor(at)
    share = at - low
    indices = np.stack([low, low + 1]).astype(np.int64)
    indices = indices % bins if circular else np.clip(indices, 0, bins - 1)
    both = np.stack([weights * (1 - share), weights * share])
    return np.bincount(indices.ravel(), both.ravel(), minlength=bins).astype(np.float32)
