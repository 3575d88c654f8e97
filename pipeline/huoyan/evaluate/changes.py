"""How well a change model does on labelled pairs."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from huoyan.errors import ConfigError, SourceError
from huoyan.evaluate import pictures
from huoyan.evaluate.yolo import SUFFIXES
from huoyan.perception.change import ChangeDetector
from huoyan.perception.regions import Mask

INDEX = "index.csv"


def change(
    model: str | Path,
    folder: Path,
    *,
    gsd_m: float | None = None,
    models_folder: Path | None = None,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge a change model pixel by pixel, at the pictures' own size and the card's point for their pixel size.

    Args:
        model: a registered name, or the path of an ONNX file with its card beside it.
        folder: `A/` before, `B/` after, `label/` (anything but 0 is changed), files of one stem each. An `index.csv`
            with the columns `tile` (the stem) and `gsd_m` says how many metres a pixel is.
        gsd_m: of pairs of which the index does not say it; None: unknown, the model's own guess picks the point.
        models_folder: where registered models lie; default those that come with Huoyan.
        threads: threads inside one run; 0 takes all cores.
        progress: called with pairs done and in all.

    Returns:
        `f1_pooled` over the pixels of all pairs together, `f1_mean` of the pairs (a pair without change
        counts 1 if nothing was marked, 0 otherwise), `iou` pooled, `n` pairs, `quiet` pairs without change,
        `quiet_marked` those of them in which something was marked, and `skipped`. None where nothing can be
        said.

    Raises:
        ModelError: the model cannot be used.
        ConfigError: the folder holds no such pairs, or its index a bad number; then the subject is `file:line`.
    """
    looks = ChangeDetector(model, folder=models_folder, threads=threads)
    triples = _triples(folder)
    sizes = _sizes(folder / INDEX)
    counts, skipped = [], []
    for done, (before, after, label) in enumerate(triples, start=1):
        try:
            counts.append(_count(looks, before, after, label, sizes.get(before.stem, gsd_m)))
        except SourceError as error:
            skipped.append({"path": error.subject or str(before), "reason": error.message})
        if progress is not None:
            progress(done, len(triples))
    if not counts:
        raise ConfigError("none of its pairs can be read", subject=str(folder), code="no_set")
    both, marked, changed = np.array(counts).sum(axis=0).tolist()
    quiet = [shown for _, shown, real in counts if not real]
    return {
        "f1_pooled": _f1(both, marked, changed),
        "f1_mean": round(float(np.mean([_f1(*pair) for pair in counts])), 4),
        "iou": round(both / (marked + changed - both), 4) if marked + changed else None,
        "n": len(counts),
        "quiet": len(quiet),
        "quiet_marked": sum(shown > 0 for shown in quiet),
        "skipped": skipped,
    }


def _triples(folder: Path) -> list[tuple[Path, Path, Path]]:
    parts = []
    for name in ("A", "B", "label"):
        if not (folder / name).is_dir():
            raise ConfigError(
                f"expected a folder with A/, B/ and label/; {name}/ is missing",
                subject=str(folder),
                code="no_set",
            )
        parts.append({p.stem: p for p in (folder / name).iterdir() if p.suffix.lower() in SUFFIXES})
    before, after, label = parts
    alone = sorted(set(before) ^ set(after) | set(before) ^ set(label))
    if alone:
        raise ConfigError(
            f"not in all of A/, B/ and label/: {', '.join(alone[:5])}{' …' if len(alone) > 5 else ''}",
            subject=str(folder),
            hint="a pair is three files of one stem",
            code="no_set",
        )
    return [(before[stem], after[stem], label[stem]) for stem in sorted(before)]


def _sizes(index: Path) -> dict[str, float]:
    """Metres a pixel by stem, where there is an index that says so."""
    if not index.is_file():
        return {}
    try:
        lines = index.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", subject=str(index), code="labels") from error
    reader = csv.DictReader(lines)
    sizes: dict[str, float] = {}
    for row in reader:
        told = (row.get("gsd_m") or "").strip()
        if not told:
            continue
        try:
            size = float(told)
        except ValueError:
            size = math.nan
        if not 0 < size < math.inf:
            raise ConfigError(
                f"expected gsd_m in metres, a number above 0, got {told!r}",
                subject=f"{index}:{reader.line_num}",
                code="labels",
            )
        sizes[(row.get("tile") or "").strip()] = size
    return sizes


def _count(
    looks: ChangeDetector, before: Path, after: Path, label: Path, gsd_m: float | None
) -> tuple[int, int, int]:
    """Pixels that are marked rightly, marked, changed."""
    marked: Mask = looks.marked(pictures.read(before), pictures.read(after), gsd_m)
    truth = pictures.read_mask(label) > 0
    if truth.shape != marked.shape:
        raise SourceError(
            f"label and pictures differ in size: {truth.shape[::-1]} and {marked.shape[::-1]}",
            subject=str(label),
            code="pair_size",
        )
    return int((marked & truth).sum()), int(marked.sum()), int(truth.sum())


def _f1(both: int, marked: int, changed: int) -> float:
    return round(2 * both / (marked + changed), 4) if marked + changed else 1.0
