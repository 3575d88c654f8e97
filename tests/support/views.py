"""Drawn views of a fixed camera: walls, windows and ground with texture, and a sensor's noise."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
WIDTH, HEIGHT = 640, 360


def scene(seed: int = 0) -> Floats:
    """A view without noise, float32 (360, 640)."""
    random = np.random.default_rng(seed)
    view = np.full((HEIGHT, WIDTH), 120, np.float32)
    for scale, strength in ((8, 18), (24, 16), (80, 14)):
        coarse = random.normal(0, strength, (scale * 9 // 16 + 1, scale)).astype(np.float32)
        view += cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    view += random.normal(0, 7, view.shape).astype(np.float32)
    for _ in range(40):
        x, y = int(random.integers(0, WIDTH - 30)), int(random.integers(0, HEIGHT - 30))
        w, h = int(random.integers(10, 90)), int(random.integers(10, 70))
        view[y : y + h, x : x + w] += float(random.uniform(-45, 45))
    return np.clip(view, 5, 245)


@cache
def _grain(number: int) -> Floats:
    return np.random.default_rng(number).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)


def seen(view: Floats, number: int, noise: float = 2.0) -> Luma:
    """A picture of a view: uint8, with noise, which comes again after 31 pictures."""
    return np.clip(view + noise * _grain(number % 31), 0, 255).astype(np.uint8)


def turned(view: Floats, x: float = 0, y: float = 0, degrees: float = 0, zoom: float = 1) -> Floats:
    """The view of a camera that was turned: by pixels, degrees about its axis, and zoomed."""
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, zoom)
    matrix[:, 2] += (x, y)
    return cv2.warpAffine(view, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT).astype(np.float32)


def blurred(view: Floats, pixels: float) -> Floats:
    """The view out of focus."""
    return cv2.GaussianBlur(view, (0, 0), pixels).astype(np.float32)
