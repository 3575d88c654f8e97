"""How well a dust classifier tells pictures with dust from pictures without."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huoyan.errors import ConfigError, UnreadableFile
from huoyan.evaluate import pictures
from huoyan.perception.dust import DustClassifier

LABELS = "labels.csv"


def dust(
    folder: Path,
    model: str | Path = "dust-s",
    *,
    models_folder: Path | None = None,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge a dust classifier on labelled pictures, at the card's threshold.

    Args:
        folder: the set: `labels.csv` with the columns `file` (relative to the folder) and `dust` (1 or 0).
        model: a registered name, or the path of an ONNX file with its card beside it.
        models_folder: where registered models lie; default those that come with Huoyan.
        threads: threads inside one run; 0 takes all cores.
        progress: called with pictures done and in all.

    Returns:
        `f1`, `precision` and `recall` of dust, `false_alarm_rate` (the share of pictures without dust that are said
        to have some), each None where nothing can be said, and `n` pictures.

    Raises:
        ModelError: the model cannot be used.
        ConfigError: the labels or a picture cannot be used; the subject is `file:line`.
    """
    looks = DustClassifier(model, folder=models_folder, threads=threads)
    labelled = _read(folder)
    hits = alarms = dusty = 0
    for done, (path, truth, where) in enumerate(labelled, start=1):
        try:
            said = looks.look(pictures.read(path)).dusty
        except UnreadableFile as error:
            raise ConfigError(f"{path}: {error.message}", subject=where, code="labels") from error
        hits += said and truth
        alarms += said and not truth
        dusty += truth
        if progress is not None:
            progress(done, len(labelled))
    return {
        "f1": _share(2 * hits, hits + alarms + dusty),
        "precision": _share(hits, hits + alarms),
        "recall": _share(hits, dusty),
        "false_alarm_rate": _share(alarms, len(labelled) - dusty),
        "n": len(labelled),
    }


def _read(folder: Path) -> list[tuple[Path, bool, str]]:
    """Path, dust or not, and `file:line` of every row."""
    table = folder / LABELS
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot be read: {error}",
            subject=str(table),
            hint="a set is a folder with labels.csv (file,dust) and its pictures",
            code="labels",
        ) from error
    reader = csv.DictReader(lines)
    missing = {"file", "dust"} - set(reader.fieldnames or ())
    if missing:
        raise ConfigError(
            f"expected the columns file and dust, {' and '.join(sorted(missing))} missing",
            subject=f"{table}:1",
            code="labels",
        )
    rows: list[tuple[Path, bool, str]] = []
    lines_of: dict[str, int] = {}
    for row in reader:
        where = f"{table}:{reader.line_num}"
        name, said = (row["file"] or "").strip(), (row["dust"] or "").strip()
        if said not in ("0", "1"):
            raise ConfigError(f"expected dust to be 1 or 0, got {said!r}", subject=where, code="labels")
        if not name or not (folder / name).is_file():
            raise ConfigError(f"no such picture: {name!r}", subject=where, code="labels")
        if name in lines_of:
            raise ConfigError(
                f"{name} is labelled a second time, first in line {lines_of[name]}",
                subject=where,
                code="labels",
            )
        lines_of[name] = reader.line_num
        rows.append((folder / name, said == "1", where))
    if not rows:
        raise ConfigError("there is no picture in it", subject=str(table), code="labels")
    return rows


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
