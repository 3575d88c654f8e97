"""`captions.csv` in a folder of stills: what people or other systems already say about boxes in them."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

from huoyan.records import Caption

NAME = "captions.csv"
_COLUMNS = ("file", "label", "x1", "y1", "x2", "y2")


def read(folder: Path) -> tuple[dict[str, tuple[Caption, ...]], list[str]]:
    """Captions by file name, and what is wrong with rows that were left out.

    Columns: file, label, plate, plate_colour, x1, y1, x2, y2 (pixels; the box may be written in any order).
    """
    path = folder / NAME
    if not path.is_file():
        return {}, []
    try:
        rows = list(csv.DictReader(_text(path).splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        return {}, [f"{path}: cannot be read ({error}); no captions are used"]
    found: dict[str, list[Caption]] = defaultdict(list)
    notes = []
    for number, row in enumerate(rows, start=2):
        try:
            missing = [column for column in _COLUMNS if not (row.get(column) or "").strip()]
            if missing:
                raise ValueError(f"{', '.join(missing)} missing")
            x1, y1, x2, y2 = (float(row[column]) for column in _COLUMNS[2:])
            if not all(map(math.isfinite, (x1, y1, x2, y2))) or x1 == x2 or y1 == y2:
                raise ValueError(f"({x1}, {y1}, {x2}, {y2}) is no box")
        except (ValueError, TypeError) as error:
            notes.append(f"{path}:{number}: caption left out: {error}")
            continue
        colour = (row.get("plate_colour") or "").strip()
        found[row["file"].strip()].append(
            Caption(
                row["label"].strip(),
                (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)),
                (row.get("plate") or "").strip(),
                {"plate_colour": colour} if colour else {},
            )
        )
    notes += [f"{path}: {name} is not there" for name in found if not (folder / name).is_file()]
    return {name: tuple(captions) for name, captions in found.items()}, notes


def _text(path: Path) -> str:
    """UTF-8, or what Chinese spreadsheets write.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is neither.
    """
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030")
