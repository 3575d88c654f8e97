"""Reading a labelled set: `images/`, `labels/` (YOLO text), `classes.txt`, optionally `labelled.csv`.

`classes.txt` may lie in the folder above instead, for a set in parts.

A picture without a label file holds no objects. `labelled.csv` names, for a picture's file stem, the classes
that are labelled completely in it, separated by spaces; a picture without a row there is labelled completely.
A class is judged only in pictures where it is labelled completely: elsewhere neither its boxes nor what a
detector says of it count.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from huoyan.errors import ConfigError
from huoyan.perception.boxes import Boxes

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
# Labels are rounded and boxes drawn a little over the edge: that far outside is no mistake.
_SLACK = 0.02


@dataclass(frozen=True, slots=True)
class Labelled:
    """One picture of a set: boxes (n, 4) xyxy in shares of the picture; classes (n,) indices of the set's."""

    path: Path
    boxes: Boxes
    classes: np.ndarray[tuple[int], np.dtype[np.intp]]
    complete: frozenset[str] | None
    """The classes that are labelled completely; None for all."""

    def judges(self, label: str) -> bool:
        return self.complete is None or label in self.complete


@dataclass(frozen=True, slots=True)
class LabelledSet:
    classes: tuple[str, ...]
    pictures: tuple[Labelled, ...]


def read(folder: Path) -> LabelledSet:
    """Read a labelled set.

    Raises:
        ConfigError: the folder is not such a set, or a row of it is wrong; the subject is `file:line`.
    """
    images = folder / "images"
    if not images.is_dir():
        raise ConfigError(
            "expected a folder with images/, labels/ and classes.txt; images/ is missing",
            subject=str(folder),
            code="no_set",
        )
    # A set that is divided into parts (train/, val/) often keeps its classes once, above them.
    named = next((p for p in (folder, folder.resolve().parent) if (p / "classes.txt").is_file()), folder)
    classes = _classes(named / "classes.txt")
    complete = _complete(folder / "labelled.csv", classes)
    paths = sorted(path for path in images.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise ConfigError("there is no picture in it", subject=str(images), code="no_set")
    pictures = []
    for path in paths:
        rows, indices = _labels(folder / "labels" / f"{path.stem}.txt", len(classes))
        pictures.append(Labelled(path, rows, indices, complete.get(path.stem)))
    return LabelledSet(classes, tuple(pictures))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", subject=str(path), code="labels") from error


def _classes(path: Path) -> tuple[str, ...]:
    names = tuple(line.strip() for line in _lines(path) if line.strip())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        message = f"classes named twice: {', '.join(twice)}" if twice else "no class is named"
        raise ConfigError(message, subject=str(path), hint="one class a line", code="labels")
    return names


def _complete(path: Path, classes: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Classes that are labelled completely, by file stem."""
    if not path.is_file():
        return {}
    found: dict[str, frozenset[str]] = {}
    for number, row in enumerate(csv.reader(_lines(path)), start=1):
        if not row or (number == 1 and row[0].strip().lower() in {"file", "stem", "image"}):
            continue
        where = f"{path}:{number}"
        if len(row) != 2:
            raise ConfigError(
                f"expected 2 columns, file stem and classes, got {len(row)}", subject=where, code="labels"
            )
        named = frozenset(row[1].split())
        unknown = sorted(named - set(classes))
        if unknown:
            raise ConfigError(
                f"not in classes.txt: {', '.join(unknown)}",
                subject=where,
                hint="mend the name",
                code="labels",
            )
        stem = row[0].strip()
        suffix = Path(stem).suffix.lower()
        found[stem[: -len(suffix)] if suffix in SUFFIXES else stem] = named
    return found


def _labels(path: Path, classes: int) -> tuple[Boxes, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    rows, indices = [], []
    for number, line in enumerate(_lines(path) if path.is_file() else [], start=1):
        if line.strip():
            index, box = _row(line.split(), classes, f"{path}:{number}")
            indices.append(index)
            rows.append(box)
    return np.array(rows, dtype=np.float32).reshape(-1, 4), np.array(indices, dtype=np.intp)


def _row(words: list[str], classes: int, where: str) -> tuple[int, tuple[float, float, float, float]]:
    if len(words) != 5:
        raise ConfigError(
            f"expected 5 numbers, class cx cy width height, got {len(words)}", subject=where, code="labels"
        )
    try:
        index, (x, y, width, height) = int(words[0]), (float(word) for word in words[1:])
    except ValueError as error:
        raise ConfigError(f"not a number: {error}", subject=where, code="labels") from error
    if not 0 <= index < classes:
        raise ConfigError(
            f"class {index} is not one of the {classes} in classes.txt (0 to {classes - 1})",
            subject=where,
            code="labels",
        )
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if not (width > 0 and height > 0 and all(-_SLACK <= edge <= 1 + _SLACK for edge in box)):
        raise ConfigError(
            f"expected a box inside the picture in shares of its sides, got {' '.join(words[1:])}",
            subject=where,
            code="labels",
        )
    return index, box
