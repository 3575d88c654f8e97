"""A day of the gates' log, written for others."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.errors import ConfigError, StorageError
from huoyan.gate import export as exports
from huoyan.gate.book import open_book
from huoyan.runs.prepare import locate_config


def export(
    config: Path, day: date, out: Path, *, state: Path | None = None, redact: bool = False
) -> list[Path]:
    """Write a local day of the log into `out` and, for CSV and Parquet, its totals beside it.

    Raises:
        ConfigError: the configuration holds mistakes, or the ending of `out` tells no format.
        MissingExtra: Parquet needs pyarrow.
        StorageError: there is no log, or a file cannot be written.
    """
    format = next((one for one in exports.FORMATS if out.suffix.lower() == f".{one}"), None)
    if format is None:
        raise ConfigError(f"--out: expected a file that ends in .csv, .json or .parquet, got {out.name!r}")
    loaded = locate_config(config, state)
    zone = ZoneInfo(loaded.config.county.timezone)
    sites = {gate.id: gate.site for gate in loaded.config.gates}
    with open_book(loaded.state, read_only=True) as book:
        found = exports.day_of(book, day, zone, sites, redact=redact)
    try:
        return exports.write(found, format, out)
    except OSError as error:
        raise StorageError(
            f"cannot be written: {error.strerror}", subject=str(out), hint="check the folder and its space"
        ) from error
