"""Contact sheets to look at: what a detector hits, misses and invents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training import scoring
from training.data import Picture

Image = npt.NDArray[np.uint8]
COLUMNS, ROWS, CELL = 5, 4, 384
HIT, MISSED, FALSE, OPEN = (0, 200, 0), (255, 160, 0), (255, 0, 0), (120, 120, 255)


def write(
    pictures: Sequence[Picture],
    found: Sequence[scoring.Found],
    classes: Sequence[str],
    thresholds: Mapping[str, float],
    read: Callable[[Path], Image],
    folder: Path,
) -> Iterator[Path]:
    """Write sheets of 20 pictures: green hits, orange misses, red false alarms, blue where nobody knows.

    Yields:
        Paths of the PNG files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    per_sheet = COLUMNS * ROWS
    for start in range(0, len(pictures), per_sheet):
        sheet = np.full((ROWS * CELL, COLUMNS * CELL, 3), 30, dtype=np.uint8)
        part = zip(pictures[start : start + per_sheet], found[start : start + per_sheet], strict=True)
        for number, (picture, seen) in enumerate(part):
            cell = _cell(read(picture.path), picture, seen, classes, thresholds)
            top, left = number // COLUMNS * CELL, number % COLUMNS * CELL
            sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
        path = folder / f"sheet_{start // per_sheet:02d}.png"
        cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        yield path


def plain(cells: Sequence[tuple[Image, str]], path: Path) -> Path:
    """Write one sheet of pictures, uint8 RGB, with a line of text under each."""
    rows = -(-len(cells) // COLUMNS)
    sheet = np.full((rows * CELL, COLUMNS * CELL, 3), 30, dtype=np.uint8)
    for number, (image, text) in enumerate(cells):
        scale = CELL / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:CELL, :CELL]
        top, left = number // COLUMNS * CELL, number % COLUMNS * CELL
        sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
        below = (left + 3, top + CELL - 6)
        cv2.putText(sheet, text, below, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 0), 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    return path


def _cell(
    image: Image,
    picture: Picture,
    seen: scoring.Found,
    classes: Sequence[str],
    thresholds: Mapping[str, float],
) -> Image:
    scale = CELL / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:CELL, :CELL].copy()
    size = np.array([small.shape[1], small.shape[0]] * 2)
    for number, label in enumerate(classes):
        boxes = scoring.corners([b for b in picture.boxes if b.label == label])
        mine = (seen.classes == number) & (seen.scores >= thresholds.get(label, 0.5))
        shown = scoring.Found(seen.boxes[mine], seen.scores[mine], seen.classes[mine])
        order = np.argsort(-shown.scores, kind="stable")
        _, hits = scoring.match(shown, boxes, number, 0.3)
        for place, hit in zip(order, hits, strict=True):
            colour = HIT if hit else FALSE if label in picture.known else OPEN
            _draw(small, shown.boxes[place] * size, colour, f"{label[:12]} {shown.scores[place]:.2f}")
        overlaps = scoring.iou_matrix(boxes, shown.boxes)
        for box, row in zip(boxes, overlaps, strict=True):
            if not row.size or row.max() < 0.3:
                _draw(small, box * size, MISSED, label[:12])
    bottom = (3, small.shape[0] - 4)
    cv2.putText(small, picture.path.stem, bottom, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0), 1)
    return small


def _draw(image: Image, box: npt.NDArray[Any], colour: tuple[int, int, int], text: str) -> None:
    left, top, right, bottom = (int(v) for v in box)
    cv2.rectangle(image, (left, top), (right, bottom), colour, 1)
    cv2.putText(image, text, (left + 1, max(9, top + 9)), cv2.FONT_HERSHEY_SIMPLEX, 0.32, colour, 1)
