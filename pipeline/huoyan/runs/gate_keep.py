"""Retention at a gate: what is older than the county may keep goes, once a day."""

from __future__ import annotations

import logging
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from huoyan.config import seconds
from huoyan.config_vehicles import Retention
from huoyan.errors import StorageError
from huoyan.gate.book import Book
from huoyan.gate.intake import PICTURES
from huoyan.runs.gate_watch import FRAMES

log = logging.getLogger("huoyan.gate")
EVERY = timedelta(days=1)
MESSAGES = timedelta(days=7)
"""What devices said is in the events; beyond this nobody sends it again."""


class Keeper:
    """Removes what is too old from the gate's book and its folders of pictures.

    Log entries are kept as long as violations: `huoyan gate log verify` goes on from what is left.
    """

    def __init__(self, book: Book, retention: Retention) -> None:
        self._book, self._retention = book, retention
        self._last: datetime | None = None

    def when_due(self, now: datetime) -> bool:
        """Keep to the retention if a day has gone since the last time in this run; whether it was done.

        A database that cannot be written now is tried again the next day: deciding goes on.
        """
        if self._last is not None and abs(now - self._last) < EVERY:
            return False
        self._last = now
        try:
            self.purge(now)
        except (StorageError, OSError) as error:
            log.error("what is too old could not be removed: %s", error)
        return True

    def purge(self, now: datetime) -> None:
        """Remove what is too old.

        Raises:
            StorageError, OSError: something could not be removed; the next call tries again.
        """
        keep = self._retention
        self._book.prune(
            messages=now - MESSAGES,
            events=now - timedelta(seconds=seconds(keep.passages)),
            entries=now - timedelta(seconds=seconds(keep.violations)),
        )
        before = now - timedelta(seconds=seconds(keep.pictures))
        for folder in (FRAMES, PICTURES):
            for day in _days(self._book.folder / folder):
                # A day's folder goes when all of the day is too old, in whatever zone.
                if day.name < f"{before - EVERY:%Y%m%d}":
                    shutil.rmtree(day)


def _days(folder: Path) -> list[Path]:
    """Folders of days (yyyymmdd) in a folder."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if path.is_dir() and len(path.name) == 8 and path.name.isdigit())
