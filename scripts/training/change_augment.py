"""Augmentation of pairs: everything that makes two pictures of an unchanged place differ, and changes from elsewhere.

Light, season, haze, a shift of a pixel or two, another sharpness. Before and after change places at random, so
demolition teaches building. Changes are few, so they also travel: a window round a change of another pair is put
into both dates, and single roofs are put into one date (a change) or into both (none).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.change_data import Image, Mask, Pair

_ROOF_PIXELS = (60, 12000)
_LEAST_SOLID = 0.5


@dataclass(frozen=True, slots=True)
class Roof:
    """A building cut out: uint8 [h, w, 3] and its mask, bool [h, w]."""

    picture: Image
    mask: Mask


class Lender:
    """Changes and roofs of the pairs that are trained on, to be put into other pairs.

    Coarse pairs and fine ones do not lend each other changes: a house of 2.5 m pixels is a shed of 0.5 m ones.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._changed = {
            grain: [p for p in pairs if p.changed.any() and p.grain == grain] for grain in ("coarse", "fine")
        }
        self._roofs = [roof for p in self._changed["fine"] for roof in _roofs(p)]

    def pair(self, grain: str, rng: random.Random) -> Pair | None:
        """A pair with changes."""
        fitting = self._changed[grain]
        return rng.choice(fitting) if fitting else None

    def roof(self, grain: str, rng: random.Random) -> Roof | None:
        """A roof; none for coarse pictures."""
        return rng.choice(self._roofs) if self._roofs and grain == "fine" else None


def _roofs(pair: Pair) -> list[Roof]:
    """Buildings on the date on which they stand; only where the index says which date that is."""
    picture = {"demolition": pair.before, "new_building": pair.after}.get(pair.kind)
    if picture is None:
        return []
    count, labels, stats, _ = cv2.connectedComponentsWithStats(pair.changed.astype(np.uint8), connectivity=8)
    found = []
    for index in range(1, count):
        left, top, width, height, pixels = (int(v) for v in stats[index])
        # Crumbs of label and blocks of houses are no roofs.
        if _ROOF_PIXELS[0] <= pixels <= _ROOF_PIXELS[1] and pixels >= _LEAST_SOLID * width * height:
            window = np.s_[top : top + height, left : left + width]
            found.append(Roof(picture[window].copy(), labels[window] == index))
    return found


def augment(
    pair: Pair, settings: dict[str, Any], gsd_m: Sequence[float], lender: Lender, rng: random.Random
) -> tuple[Image, Image, Mask]:
    """A random crop of a pair under other light, another season, another resolution, a little shifted.

    Args:
        pair: what is shown.
        settings: `crop` in pixels; shares of crops: `crops_on_change`, `borrowed` (a window of another pair),
            `roofs` (put in), `same` (one date twice); by grain: `finest`, how much finer than they are pictures
            are shown, `weather`, from 0 (none) to 1, and `shift` in pixels.
        gsd_m: pixel sizes, from fine to coarse, that the model is to know.
        lender: of windows and roofs.
        rng: of all draws.
    """
    crop = int(settings["crop"])
    # Resample so that ground sampling distances between the two ends of the range are seen.
    coarsest = min(2.0, gsd_m[1] / pair.gsd_m)
    scale = 1 / rng.uniform(settings["finest"][pair.grain], max(0.8, coarsest))
    before, after, changed = _piece(pair, scale, crop, settings["crops_on_change"], rng)
    if rng.random() < settings["same"]:
        after, changed = before.copy(), np.zeros_like(changed)
    if rng.random() < settings["borrowed"]:
        _borrow((before, after, changed), lender.pair(pair.grain, rng), scale, rng)
    if rng.random() < settings["roofs"]:
        for _ in range(rng.randint(1, 3)):
            _build((before, after, changed), lender.roof(pair.grain, rng), scale, rng)
    if rng.random() < 0.5:
        before, after = after, before
    turns, flip = rng.randrange(4), rng.random() < 0.5
    before, after, changed = (
        np.ascontiguousarray(np.rot90(part[:, ::-1] if flip else part, turns))
        for part in (before, after, changed)
    )
    after = _shift(after, settings["shift"][pair.grain], rng)
    strength = settings["weather"][pair.grain]
    return weather(before, strength, rng), weather(after, strength, rng), changed.astype(bool)


def _piece(
    pair: Pair, scale: float, crop: int, on_change: float, rng: random.Random
) -> tuple[Image, Image, Image]:
    """A square of `crop` pixels at `scale`, writable; the label as uint8."""
    side = min(round(crop / scale), *pair.changed.shape)
    height, width = pair.changed.shape
    top, left = rng.randint(0, height - side), rng.randint(0, width - side)
    if rng.random() < on_change:
        ys, xs = np.nonzero(pair.changed)
        if len(ys):
            place = rng.randrange(len(ys))
            top = min(max(0, int(ys[place]) - rng.randrange(side)), height - side)
            left = min(max(0, int(xs[place]) - rng.randrange(side)), width - side)
    window = np.s_[top : top + side, left : left + side]
    parts = (pair.before[window], pair.after[window], pair.changed[window].astype(np.uint8))
    before, after, changed = (_resize(part, (crop, crop)) for part in parts)
    return before, after, changed


def _resize(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    shrinks = size[0] < image.shape[1]
    how = cv2.INTER_NEAREST if image.ndim == 2 else cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.array(cv2.resize(image, size, interpolation=how), dtype=np.uint8)


def _borrow(parts: tuple[Image, Image, Image], donor: Pair | None, scale: float, rng: random.Random) -> None:
    """Put a window round a change of `donor` into both dates and the label, in place."""
    if donor is None:
        return
    crop = parts[0].shape[0]
    side = rng.randint(crop // 5, crop // 2)
    window = _piece(donor, scale, side, 1.0, rng)
    top, left = rng.randint(0, crop - side), rng.randint(0, crop - side)
    for part, lent in zip(parts, window, strict=True):
        part[top : top + side, left : left + side] = lent


def _build(parts: tuple[Image, Image, Image], roof: Roof | None, scale: float, rng: random.Random) -> None:
    """Put a roof into the second date (a change) or into both (none), in place."""
    if roof is None:
        return
    before, after, changed = parts
    crop = before.shape[0]
    picture, mask = _turned(roof, scale * rng.uniform(0.7, 1.4), rng.uniform(0, 360))
    height, width = mask.shape
    if height >= crop or width >= crop or not mask.any():
        return
    top, left = rng.randint(0, crop - height), rng.randint(0, crop - width)
    window = np.s_[top : top + height, left : left + width]
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]
    gain = np.array([rng.uniform(0.75, 1.25)] * 3) * np.array([rng.uniform(0.9, 1.1) for _ in range(3)])
    both = rng.random() < 0.35
    for date in (before, after) if both else (after,):
        # As bright, on the whole, as the date that it comes to.
        light = np.clip(date.mean() / max(1.0, float(roof.picture.mean())), 0.6, 1.3)
        mixed = picture * (gain * light) * alpha + date[window] * (1 - alpha)
        date[window] = np.clip(mixed, 0, 255).astype(np.uint8)
    changed[window][mask] = 0 if both else 1


def _turned(roof: Roof, scale: float, angle: float) -> tuple[npt.NDArray[np.float32], Mask]:
    height, width = roof.mask.shape
    side = max(3, int(np.hypot(height, width) * scale) + 2)
    move = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    move[:, 2] += side / 2 - np.array([width, height]) / 2
    picture = cv2.warpAffine(roof.picture, move, (side, side), borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(roof.mask.astype(np.uint8) * 255, move, (side, side))
    return picture.astype(np.float32), mask > 127


def _shift(image: Image, most: float, rng: random.Random) -> Image:
    if rng.random() < 0.4:
        return image
    move = np.float32([[1, 0, rng.uniform(-most, most)], [0, 1, rng.uniform(-most, most)]])
    size = image.shape[1::-1]
    return np.asarray(cv2.warpAffine(image, move, size, borderMode=cv2.BORDER_REFLECT_101), dtype=np.uint8)


def weather(image: Image, strength: float, rng: random.Random) -> Image:
    """One picture under another light, in another season, through another air and another camera."""
    if rng.random() < 0.4 * strength:
        image = _another_season(image, strength, rng)
    image = np.asarray(cv2.LUT(image, _curves(strength, rng)), dtype=np.uint8)
    # Camera: sharpness, noise, compression.
    if rng.random() < 0.3 * strength:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2)), dtype=np.uint8)
    if rng.random() < 0.25 * strength:
        drawn = np.random.default_rng(rng.getrandbits(32))
        noise = drawn.standard_normal(image.shape, dtype=np.float32) * rng.uniform(1, 6)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.15 * strength:
        _, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, rng.randint(40, 90)])
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return image


def _another_season(image: Image, strength: float, rng: random.Random) -> Image:
    """Vegetation turns another colour, the more the greener it is."""
    values = image.astype(np.float32)
    green = np.clip(values[..., 1] - np.maximum(values[..., 0], values[..., 2]), 0, 40)[..., None]
    turn = np.array([rng.uniform(-0.5, 1.5), rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)])
    return np.clip(values + green * (strength * turn).astype(np.float32), 0, 255).astype(np.uint8)


def _curves(strength: float, rng: random.Random) -> npt.NDArray[np.uint8]:
    """What each value becomes in each channel, uint8 [256, 1, 3]: gain, tint, contrast, gamma, haze."""
    tint = np.array([rng.uniform(0.92, 1.08) for _ in range(3)])
    values = (np.arange(256.0)[:, None] - 110) * rng.uniform(0.75, 1.25) + 110
    values = values * (rng.uniform(0.75, 1.3) * tint) + rng.uniform(-20, 25)
    if rng.random() < 0.3:
        values = 255 * np.clip(values / 255, 0, 1) ** rng.uniform(0.7, 1.4)
    # Haze lightens and flattens.
    if rng.random() < 0.2:
        share = rng.uniform(0.1, 0.45)
        values = values * (1 - share) + share * rng.uniform(140, 220)
    values = strength * values + (1 - strength) * np.arange(256.0)[:, None]
    return np.clip(values, 0, 255).astype(np.uint8)[:, None]
