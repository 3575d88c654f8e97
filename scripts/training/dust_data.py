"""Pictures for the dust classifier: what is in the air of each, where, and which belong to one place.

A label is 1, 0 or None: nobody knows, so it must not be taught. A set is a folder with a table (`file`, `dust`,
optionally `smoke` and `haze`), or a folder of pictures of which the configuration says what is in none of them.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training import plume
from training.degrade import degrade

CLASSES = ("dust", "smoke", "haze")
# Share of crops in clear air that are shown in fog: fog comes over every kind of place.
_FOG = 0.12
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
Label = float | None
Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 as shares of width and height."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its labels in the order of `CLASSES`."""

    path: Path
    group: str
    """Pictures of one group show one place: they are trained on, or judged on, together."""
    labels: tuple[Label, ...]
    boxes: Mapping[str, tuple[Box, ...]]
    """Boxes by class; a class that is present but not in here has no known place."""
    weight: float = 1.0
    crops: int = 1
    """How many augmented crops of it are trained on."""
    plumes: int = 0
    """How many further crops get a painted plume."""
    part: str = ""
    """Under which name it is judged."""


def collect(config: Mapping[str, Any], data: Path) -> list[Picture]:
    """All pictures of the sets that a configuration names.

    Raises:
        ValueError: a table or label is wrong; the message names file and line.
        FileNotFoundError: a set is missing that is not marked `optional`.
    """
    found: list[Picture] = []
    for entry in config["sets"]:
        folder = data / entry["folder"]
        if not folder.is_dir():
            if entry.get("optional"):
                continue
            raise FileNotFoundError(f"no such set: {folder}")
        rows = _table(folder, entry["table"]) if "table" in entry else _absent(folder, entry["absent"])
        overrides = entry.get("labels", {})
        boxes_of = _boxes_reader(folder, entry.get("boxes", {}))
        for path, labels in rows:
            if any(fnmatch(path.stem, pattern) for pattern in entry.get("left_out", ())):
                continue
            boxes = boxes_of(path)
            labels = {**labels, **_implied(boxes), **overrides.get(path.stem, {})}
            found.append(
                Picture(
                    path,
                    group_of(path.stem, config.get("groups", {})),
                    tuple(labels.get(name) for name in CLASSES),
                    boxes,
                    float(entry.get("weight", 1.0)),
                    config["train"]["crops_of_dust"] if labels.get("dust") == 1 else entry.get("crops", 1),
                    0 if labels.get("dust") == 1 else entry.get("plumes", 0),
                    entry.get("part", ""),
                )
            )
    return found


def group_of(stem: str, groups: Mapping[str, Sequence[str]]) -> str:
    """The group whose patterns fit a file's stem; else its source and the ten of its number."""
    for name, patterns in groups.items():
        if any(fnmatch(stem, pattern) for pattern in patterns):
            return name
    source, _, number = stem.rpartition("_")
    return f"{source}_{int(number) // 10}" if number.isdigit() else stem


def folds(pictures: Sequence[Picture], count: int) -> list[list[int]]:
    """Split into folds by group, the largest groups first, dust and no dust balanced.

    Returns:
        Indices of the pictures that each fold holds back.
    """
    members: dict[str, list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        members[picture.group].append(index)
    result: list[list[int]] = [[] for _ in range(count)]
    loads = np.zeros((count, 2))
    for indices in sorted(members.values(), key=lambda group: (-len(group), group)):
        dusty = sum(pictures[i].labels[0] == 1 for i in indices)
        own = np.array([dusty, len(indices) - dusty])
        # Where it makes the least uneven picture: each kind counts as a share of itself.
        costs = [(((loads[f] + own) ** 2) - loads[f] ** 2) @ (1.0, 0.3) for f in range(count)]
        best = int(np.argmin(costs))
        loads[best] += own
        result[best] += indices
    return [sorted(fold) for fold in result]


def read(path: Path, longest: int = 720) -> Pixels:
    """A picture as uint8 [height, width, 3], RGB, its longer side at most `longest` pixels."""
    image = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError(f"{path}: not a picture")
    scale = longest / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(image, dtype=np.uint8)


def augment(
    picture: Picture, image: Pixels, size: tuple[int, int], rng: random.Random, painted: bool = False
) -> tuple[Pixels, tuple[Label, ...], dict[str, tuple[Box, ...]]]:
    """A random crop with its own labels.

    Args:
        picture: what is known of the whole.
        image: its pixels.
        size: height and width to return.
        rng: source of chance.
        painted: paint a plume into it. Some others, without dust and smoke, get fog.

    Returns:
        uint8 [height, width, 3], labels, and boxes as shares of the crop. A class whose place is unknown is
        unknown in a crop that may have cut it off.
    """
    height, width = image.shape[:2]
    share = rng.uniform(0.35, 1.0) if rng.random() < 0.75 else 1.0
    aspect = rng.uniform(0.85, 1.2)
    wide = min(1.0, (share * aspect) ** 0.5)
    high = min(1.0, (share / aspect) ** 0.5)
    left, top = rng.uniform(0, 1 - wide), rng.uniform(0, 1 - high)
    window = (left, top, left + wide, top + high)
    labels, boxes = _cut(picture, window)
    x1, y1 = int(left * width), int(top * height)
    x2, y2 = max(x1 + 8, int((left + wide) * width)), max(y1 + 8, int((top + high) * height))
    crop = cv2.resize(image[y1:y2, x1:x2], (size[1], size[0]), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
        boxes = {k: tuple((1 - b[2], b[1], 1 - b[0], b[3]) for b in v) for k, v in boxes.items()}
    crop = np.ascontiguousarray(crop)
    if painted:
        crop, box = plume.dust(crop, rng)
        labels, boxes = (1.0, *labels[1:]), {**boxes, "dust": (box,)}
    elif labels[0] == 0 and labels[1] == 0 and labels[2] != 1 and rng.random() < _FOG:
        crop = plume.fog(crop, rng)
        labels = (0.0, 0.0, 1.0)
    return _light(crop, rng), labels, boxes


def _cut(picture: Picture, window: Box) -> tuple[tuple[Label, ...], dict[str, tuple[Box, ...]]]:
    wide, high = window[2] - window[0], window[3] - window[1]
    labels: list[Label] = []
    boxes: dict[str, tuple[Box, ...]] = {}
    for name, label in zip(CLASSES, picture.labels, strict=True):
        known = picture.boxes.get(name, ())
        if label != 1 or name == "haze":
            # Haze lies over all of a picture.
            labels.append(label)
            continue
        if not known:
            labels.append(1.0 if wide * high > 0.8 else None)
            continue
        kept, most, least = [], 0.0, 0.0
        for box in known:
            part = (
                max(box[0], window[0]),
                max(box[1], window[1]),
                min(box[2], window[2]),
                min(box[3], window[3]),
            )
            area = max(0.0, part[2] - part[0]) * max(0.0, part[3] - part[1])
            whole = (box[2] - box[0]) * (box[3] - box[1])
            most = max(most, area / whole, 2.5 * area / (wide * high))
            least = max(least, area / whole, 8 * area / (wide * high))
            if area > 0:
                kept.append(
                    (
                        (part[0] - window[0]) / wide,
                        (part[1] - window[1]) / high,
                        (part[2] - window[0]) / wide,
                        (part[3] - window[1]) / high,
                    )
                )
        labels.append(1.0 if most >= 0.45 else 0.0 if least < 0.08 else None)
        if labels[-1] == 1:
            boxes[name] = tuple(kept)
    return tuple(labels), boxes


def _light(image: Pixels, rng: random.Random) -> Pixels:
    """Exposure, contrast, colour cast and saturation of another camera; sometimes damage."""
    pixels = image.astype(np.float32)
    pixels *= rng.uniform(0.7, 1.3)
    pixels = (pixels - pixels.mean()) * rng.uniform(0.75, 1.25) + pixels.mean()
    pixels *= np.array([rng.uniform(0.92, 1.08) for _ in range(3)], dtype=np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    # Colour must not be the only cue: concrete dust is grey, dirt roads are brown without dust.
    saturation = 0.0 if rng.random() < 0.08 else rng.uniform(0.5, 1.3)
    pixels = grey + (pixels - grey) * saturation
    result = np.clip(pixels, 0, 255).astype(np.uint8)
    return degrade(result, rng) if rng.random() < 0.3 else result


def _table(folder: Path, name: str) -> list[tuple[Path, dict[str, Label]]]:
    path = folder / name
    rows = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if not row.get("file") or not (folder / row["file"]).is_file():
                raise ValueError(f"{where}: no such picture: {row.get('file')!r}")
            rows.append((folder / row["file"], {key: _label(row.get(key), where, key) for key in CLASSES}))
    return rows


def _label(text: str | None, where: str, column: str) -> Label:
    if text in (None, ""):
        return None
    if text not in ("0", "1"):
        raise ValueError(f"{where}: {column} is 1, 0 or empty, got {text!r}")
    return float(text)


def _absent(folder: Path, names: Sequence[str]) -> list[tuple[Path, dict[str, Label]]]:
    images = folder / "images" if (folder / "images").is_dir() else folder
    labels: dict[str, Label] = dict.fromkeys(names, 0.0)
    return [(p, dict(labels)) for p in sorted(images.iterdir()) if p.suffix.lower() in SUFFIXES]


def _boxes_reader(folder: Path, names: Mapping[str, str]) -> Any:
    """Reads the YOLO labels beside a picture; `names` gives our class for a name of the set's classes.txt."""
    if not names:
        return lambda path: {}
    listing = next(p / "classes.txt" for p in (folder, folder.parent) if (p / "classes.txt").is_file())
    classes = [names.get(line.strip()) for line in listing.read_text(encoding="utf-8").splitlines()]

    def read_boxes(path: Path) -> dict[str, tuple[Box, ...]]:
        labels = path.parent.parent / "labels" / f"{path.stem}.txt"
        boxes: dict[str, list[Box]] = defaultdict(list)
        for line in labels.read_text(encoding="utf-8").splitlines() if labels.is_file() else ():
            number, cx, cy, w, h = line.split()[:5]
            name = classes[int(number)]
            if name is not None:
                x, y, half_w, half_h = float(cx), float(cy), float(w) / 2, float(h) / 2
                boxes[name].append((x - half_w, y - half_h, x + half_w, y + half_h))
        return {name: tuple(found) for name, found in boxes.items()}

    return read_boxes


def _implied(boxes: Iterable[str]) -> dict[str, Label]:
    return dict.fromkeys(boxes, 1.0)
