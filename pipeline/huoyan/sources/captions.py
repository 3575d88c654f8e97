"""`captions.csv` in a folder of stills: what people or other systems already say about boxes in them."""

from __future__ import annotations

import csv
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
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
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
    return {name: tuple(captions) for name, captions in found.items()}, notes
