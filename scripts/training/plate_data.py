"""Real crops of number plates with their texts, split by plate, and batches of real and rendered ones."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.perception import plate_grammar as grammar
from huoyan.perception.plate_shape import to_input
from training import plate_render as render
from training.plate_splice import Placed, Splicer

Image = npt.NDArray[np.uint8]
# Rendered plates kept to be shown again.
_POOL = 512


@dataclass(frozen=True)
class Labelled:
    """A real crop."""

    name: str
    source: str
    text: str
    kind: str
    held_back: bool
    image: Image


def collect(config: dict[str, Any], data: Path, more: Sequence[Path] = ()) -> list[Labelled]:
    """All real crops of the configured folders, and those of `more` that teach.

    The split is by text: the same plate, seen twice, from another source or on the next frame, is on one side. So
    what judges is the same whatever is in `more`, and no crop of a plate that judges is taken from there.

    Raises:
        ValueError: a label that the grammar does not allow; names the file and line.
    """
    held = config["held_back_one_in"]
    crops = [
        replace(crop, held_back=is_held_back(crop.text, held.get(crop.kind, held["default"])))
        for folder in config["crops"]
        for crop in _crops(data / folder)
    ]
    judging = {crop.text for crop in crops if crop.held_back}
    return crops + [crop for folder in more for crop in _crops(folder) if crop.text not in judging]


def _crops(folder: Path) -> Iterator[Labelled]:
    table = folder / "labels.csv"
    with table.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            if row["type"] not in grammar.NAMES or not grammar.matches(row["text"], row["type"]):
                raise ValueError(f"{table}:{line}: no {row['type']} plate reads {row['text']!r}")
            path = folder / "crops" / row["file"]
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                raise ValueError(f"{table}:{line}: {path} cannot be read")
            source = Path(row["file"]).name.rsplit("_", 1)[0]
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            yield Labelled(row["file"], source, row["text"], row["type"], False, image)


def is_held_back(text: str, one_in: int) -> bool:
    """Whether plates of this text judge and do not teach: one text in so many, the same in every run."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % one_in == 0


class Batches:
    """Endless batches of real crops (augmented) and rendered ones.

    Args:
        crops: real crops to learn from; empty: rendered ones only.
        press: draws plates.
        config: `train` of the configuration: `batch`, `real`, `splice`, `kinds`, `strength`, `repeats`
            and `rare`.
        seed: of every random choice.
        placed: the crops in the reader's size with the places of their characters, in the same order; None where
            nobody knows them yet: then none is spliced.
    """

    def __init__(
        self,
        crops: Sequence[Labelled],
        press: render.Press,
        config: dict[str, Any],
        seed: int,
        placed: Sequence[Placed | None] | None = None,
    ) -> None:
        self._crops, self._press, self._config = crops, press, config
        self._placed = placed
        self._splicer = Splicer([p for p in placed or () if p])
        self._rng = np.random.default_rng(seed)
        self._kinds = tuple(config["kinds"])
        shares = np.array([config["kinds"][kind] for kind in self._kinds], dtype=np.float64)
        self._shares = shares / shares.sum()
        # Kinds and provinces of few crops are shown more often, within bounds: they would be learnt by heart.
        kinds, provinces = Counter(c.kind for c in crops), Counter(c.text[0] for c in crops)
        rare = config["rare"]
        weights = np.array([(kinds[c.kind] ** -rare) * (provinces[c.text[0]] ** -rare) for c in crops])
        self._weights = weights / weights.sum() if len(crops) else weights
        self._drawn: list[tuple[render.Plate, render.Crop]] = []

    def draw(self) -> tuple[Image, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """One batch: pictures [N, 48, 160, 3], classes by slot, kinds, centres (NaN where unknown)."""
        count = self._config["batch"]
        real = round(count * self._config["real"]) if self._crops else 0
        images, texts, kinds, centres = [], [], [], []
        chosen = self._rng.choice(len(self._crops), real, p=self._weights) if real else ()
        for index in chosen:
            labelled = self._crops[int(index)]
            image, text = self._real(int(index))
            images.append(to_input(augment(image, self._rng)))
            texts.append(grammar.encode(text))
            kinds.append(grammar.NAMES.index(labelled.kind))
            centres.append(np.full((grammar.SLOTS, 2), np.nan, np.float32))
        for _ in range(count - real):
            plate, crop = self._rendered()
            strength = float(self._rng.uniform(*self._config["strength"]))
            images.append(to_input(render.weather(crop.image, self._rng, strength)))
            texts.append(grammar.encode(plate.text))
            kinds.append(grammar.NAMES.index(plate.kind))
            centres.append(crop.centres)
        return np.stack(images), np.array(texts), np.array(kinds), np.stack(centres)

    def _real(self, index: int) -> tuple[Image, str]:
        """A real crop and its text, now and then with characters of others."""
        placed = self._placed[index] if self._placed else None
        if placed and self._rng.random() < self._config["splice"] and self._splicer.takes(placed):
            return self._splicer.splice(placed, self._rng)
        return self._crops[index].image, self._crops[index].text

    def _rendered(self) -> tuple[render.Plate, render.Crop]:
        """A plate as it was cut out. Each is shown a few times, under another weather: drawing costs most."""
        if len(self._drawn) < _POOL or self._rng.random() < 1 / self._config["repeats"]:
            kind = self._kinds[self._rng.choice(len(self._kinds), p=self._shares)]
            plate = self._press.plate(kind, self._rng)
            fresh = (plate, render.crop(plate, self._rng))
            if len(self._drawn) < _POOL:
                self._drawn.append(fresh)
            else:
                self._drawn[self._rng.integers(_POOL)] = fresh
            return fresh
        return self._drawn[self._rng.integers(_POOL)]


def augment(image: Image, rng: np.random.Generator) -> Image:
    """A real crop cut a little otherwise, under another light, now and then dirtier or through a worse camera."""
    if rng.random() < 0.35:
        image = _tilted(image, rng)
    height, width = image.shape[:2]
    if rng.random() < 0.8:
        # Corners move by a few hundredths: the cut is never the same, nor is the side it is seen from.
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        reach = np.array([width, height]) * rng.choice((0.015, 0.03, 0.05))
        common = rng.normal(0, 0.02) * np.array([[1, 0], [1, 0], [-1, 0], [-1, 0]]) * width
        target = source + rng.normal(0, 1, (4, 2)) * reach * 0.6 + common
        turn = cv2.getPerspectiveTransform(source, target.astype(np.float32))
        image = cv2.warpPerspective(
            image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    if rng.random() < 0.4:
        image = render.soil(image, rng)
    if rng.random() < 0.3 and width > 60:
        shrink = max(rng.uniform(0.3, 0.9), 42 / width)
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return render.weather(image, rng, strength=float(rng.uniform(0, 0.75)))


def _tilted(image: Image, rng: np.random.Generator) -> Image:
    """A crop whose row runs across it and sags, as an upright box cuts a plate that is bent, askew or seen from the
    side."""
    height, width = image.shape[:2]
    rise, sag, lean = rng.uniform(-0.6, 0.6), rng.normal(0, 0.05), rng.normal(0, 0.15)
    across = np.linspace(0, 1, width, dtype=np.float32)
    drop = height * (rise * across + 4 * sag * across * (1 - across))
    # Upright boxes are drawn round the plate, often a little inside its outermost corners.
    inside = rng.uniform(0, 0.3) * abs(rise) * height
    down = np.arange(drop.min() + inside, drop.max() + height - inside, dtype=np.float32)
    y = down[:, None] - drop
    x = np.arange(width, dtype=np.float32) + (y - height / 2) * np.float32(lean)
    # Between the plate and the box is the bumper: the edge continued, or a plain tone.
    border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_CONSTANT
    tone = tuple(float(v) for v in rng.uniform(0, 255) + rng.normal(0, 20, 3))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=border, borderValue=tone)
