"""The log for others: any local day as CSV, JSON or Parquet, with totals by vehicle, company and site."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from huoyan.errors import MissingExtra
from huoyan.gate import log
from huoyan.gate.book import Book
from huoyan.sqlite import to_ms

Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "json", "parquet")
COLUMNS = (
    "time",
    "gate",
    "site",
    "direction",
    "plate",
    "company",
    "permit",
    "outcome",
    "why",
    "reasons",
    "review",
    "readings",
    "unknown",
    "gross_kg",
    "tare_kg",
    "net_kg",
    "washed",
    "plate_confidence",
    "event_id",
    "revision",
    "decided",
    "sources",
    "notes",
)
_LISTS = ("reasons", "readings", "unknown", "sources", "notes")
COUNTS = ("events", "entered", "left", "opened", "held", "reviewed", "flagged", "weighed")
"""Columns of totals beside the name and `net_kg`."""
_TOTALS = {"vehicle": "plate", "company": "company", "site": "site"}
_NUMBERS = ("gross_kg", "tare_kg", "net_kg", "plate_confidence")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_REDACTED = ("why", "review", "notes", "unknown")
"""Free text that may name plates."""


@dataclass(frozen=True, slots=True)
class Day:
    """One local day of a gate's log: an event a row as it stands, and totals."""

    day: date
    rows: list[dict[str, Any]]
    totals: dict[str, list[dict[str, Any]]]
    """By `vehicle`, `company` and `site`."""
    head: log.Head
    """The log's last entry when this was made: what it can be checked against."""


def day_of(
    book: Book, day: date, zone: ZoneInfo, sites: Mapping[str, str | None], *, redact: bool = False
) -> Day:
    """A local day's events, each as its latest entry tells it, in order of time.

    Args:
        book: with the log.
        day: local.
        zone: of the county.
        sites: site by gate.
        redact: no plates, permits or texts that may hold them; a vehicle gets a number that means it within this
            export alone.
    """
    begin = datetime.combine(day, time(), zone)
    # By the calendar: a day with a change of clocks has 23 or 25 hours.
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    latest: dict[str, dict[str, Any]] = {}
    for entry in log.entries(book.connection, to_ms(begin), to_ms(end)):
        if "lost" not in entry:
            latest[entry["event_id"]] = entry
    found = [row_of(entry, sites) for entry in latest.values()]
    # An amended time may have moved an event across midnight.
    found = [row for row in found if datetime.fromisoformat(row["time"]).date() == day]
    found.sort(key=lambda row: (row["time"], row["event_id"]))
    if redact:
        found = redacted(found)
    return Day(day, found, totals(found), log.head(book.connection))


def row_of(entry: Mapping[str, Any], sites: Mapping[str, str | None]) -> dict[str, Any]:
    """A log entry as a row of an export."""
    row = {name: entry.get(name) for name in COLUMNS}
    row["site"] = sites.get(entry["gate"])
    row["reasons"] = [reason["code"] for reason in entry["reasons"]]
    return row


def redacted(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows in which no vehicle can be recognised, but told from the others of the same export."""
    numbers: dict[str, str] = {}
    found = []
    for row in rows:
        plate = row["plate"]
        name = numbers.setdefault(plate, f"vehicle {len(numbers) + 1}") if plate else ""
        hidden = {key: [] if key in _LISTS else "" for key in (*_REDACTED, "readings")}
        found.append({**row, **hidden, "plate": name, "permit": ""})
    return found


def totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What the day comes to, by vehicle, company and site. Net weights count where both weighings are known."""
    return {name: _totals(rows, key) for name, key in _TOTALS.items()}


def write(day: Day, format: Format, path: Path) -> list[Path]:
    """Write a day; CSV and Parquet put the totals into files of their own beside it.

    Returns:
        The files that were written.

    Raises:
        MissingExtra: Parquet needs pyarrow.
        OSError: a file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "json":
        path.write_text(to_json(day), encoding="utf-8")
        return [path]
    tables: list[tuple[str, list[dict[str, Any]], Sequence[str]]] = [("", day.rows, COLUMNS)]
    tables += [(f"-by-{name}", day.totals[name], (key, *COUNTS, "net_kg")) for name, key in _TOTALS.items()]
    written = []
    for suffix, rows, columns in tables:
        file = path.with_name(f"{path.stem}{suffix}{path.suffix}")
        if format == "csv":
            # With a byte order mark, or Excel shows Chinese as noise.
            file.write_text(to_csv(rows, columns), encoding="utf-8-sig", newline="")
        else:
            _write_parquet(rows, columns, file)
        written.append(file)
    return written


def to_json(day: Day) -> str:
    """The day as one JSON object."""
    value = {
        "day": day.day.isoformat(),
        "log": {"entries": day.head.seq, "hash": day.head.hash},
        "events": day.rows,
        "totals": day.totals,
    }
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def to_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows for spreadsheets: lines end in CR LF, lists are joined with `; `, no text is taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return out.getvalue()


def _totals(rows: Sequence[Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row[key] or ""].append(row)
    return [
        {
            key: name,
            "events": len(some),
            "entered": sum(row["direction"] == "enter" for row in some),
            "left": sum(row["direction"] == "leave" for row in some),
            "opened": sum(row["outcome"] == "open" for row in some),
            "held": sum(row["outcome"] == "hold" for row in some),
            "reviewed": sum(row["outcome"] == "review" for row in some),
            "flagged": sum(bool(row["reasons"]) for row in some),
            "weighed": sum(row["net_kg"] is not None for row in some),
            "net_kg": round(sum(row["net_kg"] or 0.0 for row in some), 1),
        }
        for name, some in sorted(groups.items())
    ]


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _write_parquet(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], path: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra.named("pyarrow", "analyst") from error
    schema = pa.schema([(name, _arrow(pa, name)) for name in columns])
    values = [
        {**row, **{k: datetime.fromisoformat(row[k]) for k in ("time", "decided") if row.get(k)}}
        for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(values, schema=schema), path)


def _arrow(pa: Any, name: str) -> Any:
    """The Arrow type of a column: the same whatever the day holds."""
    if name in _LISTS:
        return pa.list_(pa.string())
    if name in _NUMBERS:
        return pa.float64()
    if name in ("time", "decided"):
        return pa.timestamp("ms", tz="UTC")
    if name in COUNTS or name == "revision":
        return pa.int64()
    return pa.bool_() if name == "washed" else pa.string()
