"""Picture damage as augmentation: blur, noise, JPEG blocks, lost resolution.

Several sources had boxes drawn into the pictures and were inpainted: faint smears near box corners remain,
and a detector would learn them. Damage hides them, and it is also what surveillance cameras deliver.
"""

from __future__ import annotations

import random
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def degrade(image: Picture, rng: random.Random) -> Picture:
    """One random kind of damage.

    Args:
        image: uint8 [height, width, 3].
        rng: source of chance.

    Returns:
        A picture of the same shape.
    """
    kind = rng.choice(("blur", "jpeg", "small", "noise", "motion"))
    height, width = image.shape[:2]
    if kind == "blur":
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.6)), dtype=np.uint8)
    if kind == "jpeg":
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(20, 70)])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    if kind == "small":
        scale = rng.uniform(0.4, 0.8)
        less = cv2.resize(image, (max(1, int(width * scale)), max(1, int(height * scale))))
        return np.asarray(cv2.resize(less, (width, height)), dtype=np.uint8)
    if kind == "noise":
        noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 10), image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)
    length = rng.randint(3, 7)
    kernel = np.zeros((length, length), dtype=np.float32)
    kernel[length // 2] = 1 / length
    return np.asarray(cv2.filter2D(image, -1, kernel), dtype=np.uint8)


class Degrade:
    """`degrade` as a step of Ultralytics' chain of augmentations."""

    def __init__(self, p: float, seed: int) -> None:
        self.p = p
        self._rng = random.Random(seed)

    def __call__(self, labels: dict[str, Any]) -> dict[str, Any]:
        if self._rng.random() < self.p:
            labels["img"] = np.ascontiguousarray(degrade(labels["img"], self._rng))
        return labels
