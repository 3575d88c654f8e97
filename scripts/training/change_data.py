"""Pairs for the change detector: reading, and the split by place."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
COARSE_M = 2.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures of a place, uint8 [H, W, 3] RGB, and what changed, bool [H, W]."""

    name: str
    source: str
    split: str
    kind: str
    """What happened, where the index says so (`new_building`, `demolition`, `none`, …)."""
    gsd_m: float
    share: float
    """How often it is shown in an epoch."""
    before: Image
    after: Image
    changed: Mask

    @property
    def grain(self) -> str:
        """See `grain`."""
        return grain(self.gsd_m)


def grain(gsd_m: float) -> str:
    """`coarse` from `COARSE_M` metres a pixel on, where a house is a few pixels, else `fine`."""
    return "coarse" if gsd_m >= COARSE_M else "fine"


def collect(config: dict[str, Any], root: Path, more: Iterable[Path] = ()) -> list[Pair]:
    """Read all pairs of a configuration; splits are train, val (held back) and test.

    Args:
        config: see `scripts/configs/change.yaml`.
        root: folder of the data sets.
        more: folders of further pairs, each with A, B, label and an index of at least tile, scene and gsd_m.
    """
    pairs: list[Pair] = []
    for entry in config["sets"]:
        pairs += _read_set(entry, root, "train")
    for folder in more:
        pairs += _read_set({**config.get("more", {}), "folder": folder.name}, folder.parent, "train")
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
        kind = row.get("kind") or ""
        shares = entry.get("shares", {})
        share = shares.get(f"{source}/{kind}", shares.get(source, entry.get("share", 1.0)))
        before, after = (_rgb(folder / part / f"{row['tile']}.jpg") for part in ("A", "B"))
        label = cv2.imread(str(folder / "label" / f"{row['tile']}.png"), cv2.IMREAD_GRAYSCALE)
        if label is None:
            raise ValueError(f"{folder}: no label of {row['tile']}")
        pairs.append(
            Pair(
                row["tile"],
                source,
                "val" if held_back and split == "train" else split,
                kind,
                float(row.get("gsd_m") or entry["gsd_m"]),
                share,
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
