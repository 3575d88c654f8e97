"""Room on the state's disk: old pictures go first, new ones are not kept when it is nearly full, alerts always are.

Pictures are the evidence of alerts and the frames that were told about. A ballast file stands for the room that the
database needs to go on writing for a while when others have filled the disk: it is given up then, and laid down again
when there is room.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from huoyan.config_watch import Disk

log = logging.getLogger("huoyan.watch.disk")
FRAMES = "watch/frames"
_BALLAST = "watch/ballast"
_BALLAST_BYTES = 32 * 1024 * 1024
_STEP_S = 20.0
_COUNT_S = 600.0
_SLACK = 0.9
"""What is over a limit is cleared down to this share of it, so that it is not cleared again at once."""


@dataclass(frozen=True, slots=True)
class _Kept:
    time: float
    size: int
    path: str


class Room:
    """How much room there is. Call `refresh` now and then.

    Attributes:
        pictures: whether new pictures are kept.
        used: share of the disk that is used, 0 to 1.
        evidence_bytes: what pictures take, as of the last count.
        why: why no pictures are kept; empty while they are.
    """

    def __init__(self, state: Path, settings: Disk) -> None:
        self.state, self.settings = state, settings
        self.pictures, self.used, self.evidence_bytes, self.why = True, 0.0, 0, ""
        self._next = self._next_count = 0.0

    def refresh(self, now: float) -> None:
        """Measure, at most every 20 s (monotonic seconds); clear what is too old or too much."""
        if now < self._next:
            return
        self._next = now + _STEP_S
        try:
            self._look_after(now)
        except OSError as error:
            self._set(False, f"the disk cannot be looked after: {error}")

    def _look_after(self, now: float) -> None:
        self._measure()
        over = self.used >= self.settings.high_water
        if over or now >= self._next_count:
            self._next_count = now + _COUNT_S
            self._clear(over)
            self._measure()
        if self.used < self.settings.high_water:
            self._lay_ballast()

    def make(self) -> None:
        """The disk is full: give up the ballast and as many pictures as it takes, at once."""
        try:
            (self.state / _BALLAST).unlink(missing_ok=True)
        except OSError as error:
            log.error("the ballast cannot be given up: %s", error)
        try:
            self._clear(True)
            self._measure()
        except OSError as error:
            self._set(False, f"the disk cannot be looked after: {error}")

    def _measure(self) -> None:
        usage = shutil.disk_usage(self.state)
        # As df counts: what is kept for the administrator is no room for us.
        self.used = usage.used / max(1, usage.used + usage.free)
        full = self.used >= self.settings.high_water
        self._set(
            not full,
            f"the disk is {self.used:.0%} full (high water {self.settings.high_water:.0%})" if full else "",
        )

    def _set(self, pictures: bool, why: str) -> None:
        if pictures != self.pictures:
            log.warning(
                "pictures are kept again" if pictures else "no pictures are kept: %s",
                *([why] * (not pictures)),
            )
        self.pictures, self.why = pictures, why

    def _clear(self, over: bool) -> None:
        """Remove pictures that are too old, then the oldest until the rest is within bounds."""
        kept = sorted(_files(self.state), key=lambda one: one.time)
        total = sum(one.size for one in kept)
        limit = self.settings.evidence_gb * 1e9
        goal = limit * _SLACK if total > limit else limit
        if over:
            goal = min(goal, total - self._excess())
        oldest = time.time() - self.settings.evidence_days * 86400
        removed = 0
        for one in kept:
            if one.time >= oldest and total <= goal:
                break
            try:
                os.unlink(one.path)
            except OSError as error:
                log.error("%s cannot be removed: %s", one.path, error)
                continue
            total -= one.size
            removed += 1
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(one.path))
        self.evidence_bytes = total
        if removed:
            log.warning("removed %d old pictures; %.1f MB of pictures are left", removed, total / 1e6)

    def _excess(self) -> float:
        """Bytes by which the disk is over its high-water mark, and a little more."""
        usage = shutil.disk_usage(self.state)
        size = usage.used + usage.free
        return max(0.0, usage.used - size * self.settings.high_water) + size * self.settings.high_water * 0.01

    def _lay_ballast(self) -> None:
        path = self.state / _BALLAST
        if path.exists() or shutil.disk_usage(self.state).free < 4 * _BALLAST_BYTES:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _BALLAST_BYTES)
        except OSError as error:
            log.warning("no ballast could be laid: %s", error)
            path.unlink(missing_ok=True)


def _files(state: Path) -> Iterator[_Kept]:
    """Pictures of evidence and frames; those of vehicles at gates have a retention of their own."""
    for top in (state / "evidence", state / FRAMES):
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                try:
                    about = os.stat(path)
                except OSError:
                    continue
                yield _Kept(about.st_mtime, about.st_size, path)
