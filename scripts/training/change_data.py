"""Pairs for the change detector: reading, split by place, augmentation.

The augmentations are what makes two pictures of one unchanged place differ: light, season, haze, a shift of
a pixel or two, another sharpness. Before and after change places at random, so demolition teaches building.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures of a place, uint8 [H, W, 3] RGB, and what changed, bool [H, W]."""

    name: str
    source: str
    split: str
    gsd_m: float
    share: float
    """How often it is shown in an epoch."""
    before: Image
    after: Image
    changed: Mask


def collect(config: dict[str, Any], root: Path) -> list[Pair]:
    """Read all pairs of a configuration; splits are train, val (held back) and test."""
    pairs: list[Pair] = []
    for entry in config["sets"]:
        pairs += _read_set(entry, root, "train")
    for entry in config["tests"]:
        pairs += _read_set(entry, root, "test")
    return pairs


def _read_set(entry: dict[str, Any], root: Path, split: str) -> list[Pair]:
    folder = root / entry["folder"]
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = []
    for row in rows:
        source = row.get("source_id") or row["tile"].rpartition("_")[0]
        if source in entry.get("left_out", ()):
            continue
        held_back = (
            int(row.get("grid_row") or -1) in entry.get("held_back_rows", ())
            or row.get("scene") in entry.get("held_back_scenes", ())
            or source in entry.get("held_back_sources", ())
        )
        before, after = (_rgb(folder / part / f"{row['tile']}.jpg") for part in ("A", "B"))
        label = cv2.imread(str(folder / "label" / f"{row['tile']}.png"), cv2.IMREAD_GRAYSCALE)
        if label is None:
            raise ValueError(f"{folder}: no label of {row['tile']}")
        pairs.append(
            Pair(
                row["tile"],
                source,
                "val" if held_back and split == "train" else split,
                float(row.get("gsd_m") or entry["gsd_m"]),
                entry.get("shares", {}).get(source, entry.get("share", 1.0)),
                before,
                after,
                label > 0,
            )
        )
    return pairs


def _rgb(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path}: cannot be read as a picture")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def epoch(pairs: Sequence[Pair], rng: random.Random) -> list[Pair]:
    """The pairs of one epoch in random order, each as often as its share says."""
    chosen: list[Pair] = []
    for pair in pairs:
        times, rest = divmod(pair.share, 1.0)
        chosen += [pair] * (int(times) + (rng.random() < rest))
    rng.shuffle(chosen)
    return chosen


def augment(
    pair: Pair, crop: int, on_change: float, gsd_m: Sequence[float], rng: random.Random
) -> tuple[Image, Image, Mask]:
    """A random crop of a pair under other light, another season, another resolution, a little shifted."""
    before, after = pair.before, pair.after
    changed = pair.changed.astype(np.uint8)
    if rng.random() < 0.5:
        before, after = after, before
    # Resample so that ground sampling distances between the two ends of the range are seen.
    coarsest = min(2.0, gsd_m[1] / pair.gsd_m)
    scale = 1 / rng.uniform(0.65, max(0.8, coarsest))
    before, after, changed = (_resize(part, scale, crop) for part in (before, after, changed))
    before, after, changed = _crop(before, after, changed, crop, on_change, rng)
    turns, flip = rng.randrange(4), rng.random() < 0.5
    before, after, changed = (
        np.ascontiguousarray(np.rot90(part[:, ::-1] if flip else part, turns))
        for part in (before, after, changed)
    )
    after = _shift(after, rng)
    return _weather(before, rng), _weather(after, rng), changed.astype(bool)


def _resize(image: npt.NDArray[np.uint8], scale: float, least: int) -> npt.NDArray[np.uint8]:
    size = tuple(max(least, round(side * scale)) for side in image.shape[1::-1])
    how = cv2.INTER_NEAREST if image.ndim == 2 else cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.uint8)


def _crop(
    before: Image, after: Image, changed: Image, crop: int, on_change: float, rng: random.Random
) -> tuple[Image, Image, Image]:
    height, width = changed.shape
    top, left = rng.randint(0, height - crop), rng.randint(0, width - crop)
    ys, xs = np.nonzero(changed)
    if len(ys) and rng.random() < on_change:
        place = rng.randrange(len(ys))
        top = min(max(0, int(ys[place]) - rng.randrange(crop)), height - crop)
        left = min(max(0, int(xs[place]) - rng.randrange(crop)), width - crop)
    window = np.s_[top : top + crop, left : left + crop]
    return before[window], after[window], changed[window]


def _shift(image: Image, rng: random.Random) -> Image:
    if rng.random() < 0.4:
        return image
    move = np.float32([[1, 0, rng.uniform(-2, 2)], [0, 1, rng.uniform(-2, 2)]])
    size = image.shape[1::-1]
    return np.asarray(cv2.warpAffine(image, move, size, borderMode=cv2.BORDER_REFLECT_101), dtype=np.uint8)


def _weather(image: Image, rng: random.Random) -> Image:
    values = image.astype(np.float32)
    # Season: vegetation turns. Light: every channel brighter or duller, haze lifts the dark end.
    if rng.random() < 0.4:
        green = np.clip(values[..., 1] - np.maximum(values[..., 0], values[..., 2]), 0, 40)[..., None]
        values += green * np.array([rng.uniform(-0.5, 1.5), rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5)])
    gain = rng.uniform(0.75, 1.3) * np.array([rng.uniform(0.92, 1.08) for _ in range(3)])
    values = (values - 110) * rng.uniform(0.75, 1.25) + 110
    values = values * gain + rng.uniform(-20, 25)
    if rng.random() < 0.3:
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.3:
        values += np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(1, 6), values.shape)
    return np.clip(values, 0, 255).astype(np.uint8)
