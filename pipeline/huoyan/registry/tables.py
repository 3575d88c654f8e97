"""Reading CSV registers: the encodings that offices export, the header, rows with their line numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from huoyan.registry.mistakes import Mistakes, did_you_mean


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it starts on (1-based) and its cells by column, trimmed."""

    file: str
    line: int
    cells: dict[str, str]
    mistakes: Mistakes

    def text(self, column: str) -> str:
        return self.cells.get(column, "")

    def required(self, column: str) -> str:
        """The cell; an empty one is a mistake."""
        value = self.text(column)
        if not value:
            self.wrong(column, "is empty")
        return value

    def words(self, column: str) -> list[str]:
        """The cell's words, separated by blanks, commas or semicolons."""
        return split_words(self.text(column))

    def number(self, column: str) -> float | None:
        """The cell as a finite number; None where it is empty or wrong (then it is a mistake)."""
        value = self.text(column)
        if not value:
            return None
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if number - number != 0:
            self.wrong(column, f"expected a number, got {value!r}")
            return None
        return number

    def day(self, column: str) -> date | None:
        """The cell as a day; None where it is empty or wrong (then it is a mistake)."""
        value = self.text(column)
        if not value:
            return None
        parts = value.replace("/", "-").replace(".", "-").split("-")
        try:
            year, month, day = (int(part) for part in parts)
            return date(year, month, day)
        except ValueError:
            self.wrong(column, f"expected a day such as 2026-03-31, got {value!r}")
            return None

    def wrong(self, column: str, text: str, hint: str = "") -> None:
        self.mistakes.add(self.file, self.line, column, text, hint)


def split_words(text: str) -> list[str]:
    for separator in ",;，；、|":
        text = text.replace(separator, " ")
    return text.split()


def read(path: Path, required: Sequence[str], optional: Sequence[str], mistakes: Mistakes) -> Iterator[Row]:
    """The rows of a CSV file; whatever is wrong with the file or its header becomes a mistake.

    UTF-8 with or without a byte order mark and GB 18030 (what spreadsheet programs on Chinese systems write)
    are understood. Empty rows are passed over.
    """
    text = _decode(path, mistakes)
    if text is None:
        return
    reader = csv.reader(io.StringIO(text, newline=""))
    header: list[str] | None = None
    line = 1
    try:
        for cells in reader:
            start, line = line, reader.line_num + 1
            values = [cell.strip() for cell in cells]
            if not any(values):
                continue
            if header is None:
                header = values
                if not _check_header(path.name, start, header, required, optional, mistakes):
                    return
                continue
            if len(values) > len(header) and any(values[len(header) :]):
                mistakes.add(
                    path.name,
                    start,
                    "",
                    f"{len(values)} cells, but the header has {len(header)} columns",
                    "put cells with commas in quotes",
                )
                continue
            yield Row(path.name, start, dict(zip(header, values, strict=False)), mistakes)
    except csv.Error as error:
        mistakes.add(path.name, reader.line_num, "", f"not valid CSV: {error}")
    if header is None:
        mistakes.add(path.name, 1, "", "the file is empty", f"its first row names {', '.join(required)}")


def _decode(path: Path, mistakes: Mistakes) -> str | None:
    try:
        data = path.read_bytes()
    except OSError as error:
        mistakes.add(str(path), "", "", f"cannot be read: {error.strerror or error}")
        return None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    mistakes.add(path.name, "", "", "is neither UTF-8 nor GB 18030 text", "save it as CSV in UTF-8")
    return None


def _check_header(
    file: str,
    line: int,
    header: list[str],
    required: Sequence[str],
    optional: Sequence[str],
    mistakes: Mistakes,
) -> bool:
    """Whether the header can be worked with; a wrong one would only make every row wrong too."""
    before = len(mistakes.lines)
    known = (*required, *optional)
    unknown = [name for name in header if name not in known]
    missing = [name for name in required if name not in header]
    if len(header) == 1 and len(known) > 1 and any(mark in header[0] for mark in ";\t|"):
        mistakes.add(file, line, "", "the columns are not separated by commas", "save it as CSV with commas")
        return False
    for name in unknown:
        hint = did_you_mean(name, missing or [n for n in known if n not in header])
        mistakes.add(file, line, name or "(no name)", "unknown column", hint)
    for name in missing:
        mistakes.add(file, line, name, "this column is missing", f"expected {', '.join(known)}")
    for name in {name for name in header if header.count(name) > 1 and name in known}:
        mistakes.add(file, line, name, "this column is there twice")
    return len(mistakes.lines) == before
