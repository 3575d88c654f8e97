"""What the daemon knows of itself: figures by camera, processes, latencies; from them the snapshot that others read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from huoyan.runs.watch.following import Progress
from huoyan.sample import CameraEvent, Sample, Tally
from huoyan.status import BOUNDS_S, CameraStatus, Histogram, ProcessStatus

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass
class Book:
    """Figures of one camera, since the daemon started."""

    state: str = "waiting"
    why: str = ""
    clock: float | None = None
    """When its last picture came."""
    connections: int = 0
    before: int = 0
    """Connections of reader processes that are gone."""
    due: int = 0
    due_before: int = 0
    taken: int = 0
    passed: int = 0
    looked: int = 0
    decode_s: float = 0.0
    infer_s: float = 0.0
    conditions: tuple[str, ...] = ()
    preset: str = ""
    night: bool = False
    passages: int = 0
    road_looked: int = 0
    road_dropped: int = 0
    road_clock: float | None = None
    """When the last frame of a followed road was looked at."""
    road_behind_s: float = 0.0
    road_why: str = ""

    def sample(self, sample: Sample) -> None:
        self.clock, self.taken = sample.clock, self.taken + 1
        self.passed += bool(sample.passed)
        self.decode_s += sample.decode_s
        self.conditions = tuple(sorted(sample.conditions))
        self.preset, self.night = sample.preset, sample.night

    def progress(self, progress: Progress) -> None:
        self.road_looked += progress.looked
        self.road_dropped += progress.dropped
        self.road_clock = progress.seen if progress.seen is not None else self.road_clock
        self.road_behind_s, self.road_why = progress.behind_s, progress.why

    def event(self, event: CameraEvent) -> None:
        if event.connections < self.connections - self.before:
            self.before = self.connections
        self.state, self.why = event.state, event.why
        self.connections = self.before + event.connections


class Books:
    """The figures of all cameras."""

    def __init__(self) -> None:
        self.cameras: dict[str, Book] = {}
        self.alerts: Counter[str] = Counter()
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def of(self, camera: str) -> Book:
        """The book of a camera, opened when it is first met."""
        return self.cameras.setdefault(camera, Book())

    def tally(self, tally: Tally) -> None:
        """Take what a reader process counted."""
        for camera, due in tally.due.items():
            book = self.of(camera)
            if due < book.due - book.due_before:
                book.due_before = book.due
            book.due = book.due_before + due

    def waited(self, seconds: float) -> None:
        """A picture took so long from its arrival to its judgement."""
        index = next((i for i, bound in enumerate(BOUNDS_S) if seconds <= bound), len(BOUNDS_S))
        self._buckets[index] += 1
        self._sum_s += seconds

    @property
    def latency(self) -> Histogram:
        return Histogram(tuple(self._buckets), self._sum_s)

    def snapshot(
        self,
        now: float,
        intervals: Mapping[str, float],
        dropped: Mapping[str, int],
        elsewhere: Iterable[str],
    ) -> tuple[CameraStatus, ...]:
        """All cameras of the configuration, by id.

        Args:
            now: monotonic seconds.
            intervals: seconds between samples, by camera; what is not here is not shown.
            dropped: pictures that a newer one replaced.
            elsewhere: cameras that another box watches.
        """
        others = frozenset(elsewhere)
        return tuple(
            self._one(camera, now, intervals[camera], dropped.get(camera, 0), camera in others)
            for camera in sorted(intervals)
        )

    def _one(self, camera: str, now: float, interval_s: float, dropped: int, elsewhere: bool) -> CameraStatus:
        book = self.of(camera)
        return CameraStatus(
            camera,
            "elsewhere" if elsewhere else book.state,
            book.why,
            None if book.clock is None else max(0.0, now - book.clock),
            interval_s,
            book.connections,
            book.due,
            book.taken,
            book.passed,
            book.looked,
            dropped,
            book.decode_s,
            book.infer_s,
            book.conditions,
            book.preset,
            book.night,
            book.passages,
            book.road_looked,
            book.road_dropped,
            None if book.road_clock is None else max(0.0, now - book.road_clock),
            book.road_behind_s,
            book.road_why,
        )


@dataclass(frozen=True, slots=True)
class Member:
    """A process of the daemon, as whoever keeps it knows it."""

    name: str
    pid: int
    restarts: int = 0
    silent_s: float = 0.0


def process_status(member: Member) -> ProcessStatus:
    """What the system says of a process: memory, CPU seconds, threads, open descriptors (Linux; else zeros)."""
    folder = Path(f"/proc/{member.pid}")
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        rss = int((folder / "statm").read_text().split()[1]) * _PAGE
        descriptors = len(os.listdir(folder / "fd"))
    except (OSError, ValueError, IndexError):
        return ProcessStatus(
            member.name, member.pid, False, restarts=member.restarts, silent_s=member.silent_s
        )
    # Fields after the name, from the state on: utime and stime are the 12th and 13th, threads the 18th.
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS
    return ProcessStatus(
        member.name,
        member.pid,
        fields[0] != "Z",
        rss,
        cpu_s,
        int(fields[17]),
        descriptors,
        member.restarts,
        member.silent_s,
    )
