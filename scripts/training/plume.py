"""Painted plumes: dust before pictures of sites and streets, where real dust is rare, and fog over them.

After Koschmieder, picture = t * picture + (1 - t) * airlight, with the opacity 1 - t from fractal noise under a soft
envelope. Without them a classifier learns the place instead of the dust: dirt roads have it, sites never.
"""

from __future__ import annotations

import random

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]


def dust(image: Pixels, rng: random.Random) -> tuple[Pixels, Box]:
    """A plume somewhere in the lower two thirds.

    Args:
        image: uint8 [height, width, 3], RGB.
        rng: source of chance.

    Returns:
        The picture, and the box of what is visible of the plume, x1, y1, x2, y2 as shares.
    """
    height, width = image.shape[:2]
    wide, high = rng.uniform(0.2, 0.75), rng.uniform(0.12, 0.5)
    x, foot = rng.uniform(0.1, 0.9), rng.uniform(0.5, 0.98)
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    ys, xs = ys / height, xs / width
    # Blown aside with height: one flank is steep where it is raised, the other trails off.
    lean = rng.uniform(-0.8, 0.8) * (foot - ys)
    across = (xs - x - lean) / (wide / 2)
    up = (foot - ys) / high
    envelope = np.exp(-(across**2) * 1.6) * np.clip(1.15 - np.abs(up - 0.35) * 1.25, 0, 1)
    envelope *= 1 / (1 + np.exp(-(up + 0.08) * 25))
    texture = _noise(height, width, rng, rough=rng.uniform(0.45, 0.7))
    cover = np.clip(envelope * (0.45 + 1.1 * texture), 0, 1)
    opacity = (cover * rng.uniform(0.6, 1.0)).astype(np.float32)
    light = float(np.percentile(image, 90)) / 255
    # From the grey of concrete over tan to the red of laterite, lit as the picture is.
    tone = np.array(
        rng.choice(((205, 203, 200), (222, 210, 190), (208, 180, 145), (196, 150, 112))), np.float32
    )
    tone = tone * np.clip(light + rng.uniform(-0.1, 0.2), 0.45, 1.12)
    shade = 1 + rng.uniform(0.05, 0.3) * (_noise(height, width, rng, rough=0.5) - 0.5)
    result = _veil(image, opacity, tone[None, None] * shade[..., None])
    seen = opacity > 0.15
    if seen.mean() < 0.02:
        return dust(image, rng)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return result, (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def fog(image: Pixels, rng: random.Random) -> Pixels:
    """Even fog, denser towards a horizon: grey, smooth, everywhere."""
    height, width = image.shape[:2]
    ys = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    horizon = rng.uniform(0.25, 0.55)
    far = np.exp(-np.clip(ys - horizon, 0, 1) * rng.uniform(1.0, 4.0))
    opacity = rng.uniform(0.35, 0.85) * far * np.ones((1, width), np.float32)
    level = float(np.clip(np.percentile(image, 85) + rng.uniform(-15, 25), 110, 240))
    tone = level + np.array((rng.uniform(-6, 4), 0, rng.uniform(-4, 8)), np.float32)
    return _veil(image, opacity.astype(np.float32), np.broadcast_to(tone, image.shape))


def _veil(image: Pixels, opacity: Floats, airlight: npt.NDArray[np.float32]) -> Pixels:
    mixed = image * (1 - opacity[..., None]) + airlight * opacity[..., None]
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _noise(height: int, width: int, rng: random.Random, rough: float) -> Floats:
    """Fractal noise, 0 to 1: octaves of random grids, each of half the size and `rough` times the height."""
    chance = np.random.default_rng(rng.getrandbits(32))
    total, weight = np.zeros((height, width), np.float32), 1.0
    for octave in range(5):
        side = 3 * 2**octave
        grid = chance.random((side, side)).astype(np.float32)
        total += weight * np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC))
        weight *= rough
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / max(high - low, 1e-6), dtype=np.float32)
