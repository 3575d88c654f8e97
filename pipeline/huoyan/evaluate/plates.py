"""How well a plate reader does on labelled crops."""

from __future__ import annotations

import csv
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huoyan.errors import ConfigError, SourceError
from huoyan.evaluate import pictures
from huoyan.perception import plate_grammar as grammar
from huoyan.perception.plates import READER, PlateRead, PlateReader

COLUMNS = ("file", "text", "colour", "type")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row of `labels.csv`: the crop, what stands on it, its colour and kind."""

    path: Path
    text: str
    colour: str
    kind: str


def plates(
    folder: Path,
    *,
    model: str | Path = READER,
    models_folder: Path | None = None,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge a plate reader on crops, one crop at a time, as a camera delivers them.

    Args:
        folder: `crops/` and `labels.csv` (file, text, colour, type).
        model: a registered name, or the path of an ONNX file with its card beside it.
        models_folder: where registered models lie; default those that come with Huoyan.
        threads: threads inside one run; 0 takes all cores.
        progress: called with crops done and in all.

    Returns:
        `exact`: share of crops whose likeliest text is the label, province included, whether or not it was sure
        enough to be told; `n`; `characters`: share of the labels' characters in their places; `ms_per_crop`:
        of processor time from the decoded crop to the text, the mean (some crops are looked at more than once;
        on one thread of an idle core the clock says the same); `by_colour` and `by_type`: {name: `exact`, `n`};
        `readable`: share told, `exact_readable`: share of those that are right; `colour`: share of right
        colours; `skipped`: crops that cannot be read. None where nothing can be said.

    Raises:
        ModelError: the model cannot be used.
        ConfigError: the set cannot be used, or a label is wrong; the subject is `file:line`.
    """
    reader = PlateReader(model, folder=models_folder, threads=threads)
    rows = read(folder)
    told: list[tuple[Labelled, PlateRead]] = []
    seconds: list[float] = []
    skipped = []
    for done, row in enumerate(rows, start=1):
        try:
            crop = pictures.read(row.path)
        except SourceError as error:
            skipped.append({"path": str(row.path), "reason": error.message})
        else:
            if not told:
                # The first run allocates memory; it says nothing of the second.
                reader.read([crop])
            started = time.process_time()
            answer = reader.read([crop])[0]
            seconds.append(time.process_time() - started)
            told.append((row, answer))
        if progress is not None:
            progress(done, len(rows))
    if not told:
        raise ConfigError("none of its crops can be read", subject=str(folder), code="no_set")
    sure = [(row, answer) for row, answer in told if answer.text]
    return {
        "exact": _exact(told),
        "n": len(told),
        "characters": _characters(told),
        "ms_per_crop": round(1000 * statistics.fmean(seconds), 3),
        "by_colour": _groups(told, lambda row: row.colour),
        "by_type": _groups(told, lambda row: row.kind),
        "readable": round(len(sure) / len(told), 4),
        "exact_readable": _exact(sure) if sure else None,
        "colour": round(sum(a.colour == r.colour for r, a in told) / len(told), 4),
        "skipped": skipped,
    }


def read(folder: Path) -> list[Labelled]:
    """The labelled crops of a folder.

    Raises:
        ConfigError: no such set, or a row that is wrong; the subject is `file:line`.
    """
    table = folder / "labels.csv"
    for part in (folder / "crops", table):
        if not part.exists():
            raise ConfigError(
                f"expected a folder with crops/ and labels.csv; {part.name} is missing",
                subject=str(folder),
                code="no_set",
            )
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", subject=str(table), code="labels") from error
    reader = csv.reader(lines)
    header = [name.strip() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise ConfigError(
            f"expected the columns {', '.join(COLUMNS)}; {', '.join(missing)} is missing",
            subject=f"{table}:1",
            code="labels",
        )
    rows, seen = [], set()
    for row in reader:
        if not row:
            continue
        labelled = _row(dict(zip(header, row, strict=False)), folder / "crops", f"{table}:{reader.line_num}")
        if labelled.path in seen:
            raise _wrong(f"{labelled.path.name} is labelled twice", f"{table}:{reader.line_num}")
        seen.add(labelled.path)
        rows.append(labelled)
    if not rows:
        raise ConfigError("there is no crop in it", subject=str(table), code="no_set")
    return rows


def _row(values: dict[str, str], crops: Path, where: str) -> Labelled:
    file, text, colour, kind = (values.get(name, "").strip() for name in COLUMNS)
    if not file or not (crops / file).is_file():
        raise _wrong(f"there is no crop {file!r} in {crops}", where)
    if kind not in grammar.NAMES:
        raise _wrong(f"unknown type {kind!r}; known: {', '.join(grammar.NAMES)}", where)
    if colour not in grammar.COLOURS:
        raise _wrong(f"unknown colour {colour!r}; known: {', '.join(grammar.COLOURS)}", where)
    if not grammar.matches(text, kind):
        raise _wrong(f"no plate of type {kind} reads {text!r}", where)
    return Labelled(crops / file, text, colour, kind)


def _wrong(message: str, where: str) -> ConfigError:
    return ConfigError(message, subject=where, hint="mend or remove the row", code="labels")


def _exact(told: Sequence[tuple[Labelled, PlateRead]]) -> float:
    return round(sum(answer.guess == row.text for row, answer in told) / len(told), 4)


def _characters(told: Sequence[tuple[Labelled, PlateRead]]) -> float:
    right = sum(sum(a == b for a, b in zip(row.text, answer.guess, strict=False)) for row, answer in told)
    return round(right / sum(len(row.text) for row, _ in told), 4)


def _groups(
    told: Iterable[tuple[Labelled, PlateRead]], key: Callable[[Labelled], str]
) -> dict[str, dict[str, float | int]]:
    groups: dict[str, list[tuple[Labelled, PlateRead]]] = defaultdict(list)
    for row, answer in told:
        groups[key(row)].append((row, answer))
    return {name: {"exact": _exact(group), "n": len(group)} for name, group in sorted(groups.items())}
