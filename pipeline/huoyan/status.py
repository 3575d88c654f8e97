"""What is known of a running daemon at one moment. Metrics, health pages and `huoyan top` are functions of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Upper bounds of the buckets of latencies."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts per bucket of `BOUNDS_S` (not cumulative), the last one for all above; sum in seconds."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One camera. Counts are since the daemon started; times in seconds."""

    id: str
    state: str
    """waiting, opening, live, lost, fatal, stopped (see `sample.CameraState`), or elsewhere: another box has it."""
    why: str = ""
    age_s: float | None = None
    """Since the last picture; None before the first."""
    interval_s: float = 0.0
    connections: int = 0
    due: int = 0
    taken: int = 0
    passed: int = 0
    looked: int = 0
    dropped: int = 0
    """Passed the gate, but a newer picture took its place before it was looked at."""
    decode_s: float = 0.0
    infer_s: float = 0.0
    conditions: tuple[str, ...] = ()
    preset: str = ""
    night: bool = False
    passages: int = 0
    """Trucks that were followed over a road and judged."""
    road_looked: int = 0
    """Frames of a followed road that were looked at."""
    road_dropped: int = 0
    """Frames of a followed road that a newer one replaced before they were looked at."""
    road_age_s: float | None = None
    """Since the last frame of a followed road; None: no road is followed here, or there was none yet."""
    road_behind_s: float = 0.0
    """From a frame's arrival to its look, the longest of the last seconds."""
    road_why: str = ""
    """Why a road is not followed now; empty: it is, or it is none."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """A process of the daemon: main, ingest-0, inference-0, ..."""

    name: str
    pid: int
    alive: bool
    rss_bytes: int = 0
    cpu_s: float = 0.0
    threads: int = 0
    descriptors: int = 0
    restarts: int = 0
    silent_s: float = 0.0
    """Since it last gave a sign of life."""


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """One place that alerts are delivered to."""

    waiting: int = 0
    oldest_s: float = 0.0
    connected: bool = True
    why: str = ""
    delivered: int = 0
    dead: int = 0
    """Refused for good by the receiver; kept, see `huoyan queue`."""


@dataclass(frozen=True, slots=True)
class Status:
    """The daemon at one moment. Mappings are by name; counts are since it started."""

    time: datetime
    started: datetime
    version: str
    config_sha256: str
    box: str = ""
    ready: bool = False
    stopping: bool = False
    stretch: float = 1.0
    """Intervals are this many times as long as configured, because of load."""
    waiting: int = 0
    """Pictures that passed the gate and wait for a model."""
    in_flight: int = 0
    cameras: tuple[CameraStatus, ...] = ()
    processes: tuple[ProcessStatus, ...] = ()
    outbox: Mapping[str, OutboxStatus] = field(default_factory=dict)
    queue: Mapping[str, int] = field(default_factory=dict)
    """Alerts of the local queue by state."""
    alerts: Mapping[str, int] = field(default_factory=dict)
    """Alerts told, by scene."""
    verdicts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Verdicts of crews: scene -> verdict -> count, of all time."""
    latency: Histogram = Histogram()
    """From a picture's arrival to its judgement."""
    disk_used: float = 0.0
    """Share of the state's disk that is used, 0 to 1."""
    evidence_bytes: int = 0
    unwritten: str = ""
    """Why nothing can be written to the state now; empty: it can."""
    degraded: tuple[str, ...] = ()
    """What is not as it should be, in words: evidence not kept (disk), broker away, reload refused, ..."""
    reloads: int = 0
    """Times that it was asked to read its configuration again."""
    last_reload: str = ""
    """What came of the last reload, in words; empty: there was none."""

    def as_json(self) -> dict[str, Any]:
        """JSON values, times as ISO 8601."""
        values = asdict(self)
        values["time"], values["started"] = self.time.isoformat(), self.started.isoformat()
        return values
