"""The half that looks, on roads: a video of a road camera becomes passages, each with what else its frames show."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from huoyan.config import LoadedConfig
from huoyan.passage import Passage
from huoyan.perception.passages import View
from huoyan.records import (
    Detection,
    Frame,
    FrameRef,
    Ground,
    Image,
    Kind,
    Observations,
    Ring,
    Skip,
    Unit,
    frame_id,
)
from huoyan.runs.passages import SAMPLING_S, PassageEyes, passages, place_on
from huoyan.sources.live import LiveFrames
from huoyan.sources.video import VideoUnit

CORES = 0.6
"""Of a processor that a followed live road takes at 1080p25 (`scripts/bench_gate.py`: two take 1.24)."""
SAMPLED = 214
"""Live cameras that are sampled every two seconds take a core in all (`scripts/bench_county.py`)."""


@dataclass(frozen=True, slots=True)
class RoadUnit:
    """A video of a road camera, looked at for passages: a piece of work beside the video's own."""

    video: VideoUnit

    @property
    def unit_id(self) -> str:
        """Another one when the file has grown or is looked at in another span of time: passages may be longer then."""
        video = self.video
        span = [time.isoformat() if time else "" for time in (video.since, video.until)]
        key = "|".join(["road", video.source_id, str(video.index), f"{video.duration_s}", *span])
        return frame_id(key, video.start, -1)

    @property
    def source_id(self) -> str:
        return self.video.source_id

    @property
    def kind(self) -> Kind:
        return self.video.kind

    @property
    def start(self) -> datetime:
        return self.video.start

    @property
    def path(self) -> str:
        return self.video.path

    @property
    def expected(self) -> int:
        return self.video.expected

    def frames(self, skip: frozenset[str] = frozenset()) -> Iterator[Frame | Skip]:
        """All frames, whatever was judged before: a passage needs its past."""
        return self.video.frames()


@dataclass(frozen=True, slots=True)
class Passed:
    """A passage with all that was seen in the frames that show it, by frame id."""

    passage: Passage
    others: Mapping[str, tuple[Detection, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoadEnd:
    """A road's unit was looked at to its end."""

    frame: FrameRef
    """Stands for the unit: its id is the unit's."""


Seen = Observations | Skip | Passed | RoadEnd
"""What *look* gives to *judge*."""


def units(found: Sequence[Unit], loaded: LoadedConfig) -> list[Unit]:
    """The units of an archive with those of its roads added, each behind the video that it is about."""
    roads = road_cameras(loaded)
    both: list[Unit] = []
    for unit in found:
        both.append(unit)
        if isinstance(unit, VideoUnit) and unit.kind == "camera" and unit.source_id in roads:
            both.append(RoadUnit(replace(unit, sampling_s=SAMPLING_S)))
    return both


def road_cameras(loaded: LoadedConfig) -> frozenset[str]:
    """Ids of the cameras that look at roads."""
    return frozenset(camera.id for camera in loaded.config.cameras if camera.road)


def crowded(roads: int, sampled: int) -> str:
    """Why this machine will not keep up with so many roads followed live and cameras sampled; empty: it will."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    needed = roads * CORES + sampled / SAMPLED
    if not roads or needed <= cores:
        return ""
    return (
        f"stream.passages: {roads} roads are followed live, each takes {CORES} of a core at 1080p25; with all else"
        f" about {needed:.1f} cores, and there are {cores}: frames will be dropped, and plates missed"
    )


def look_road(eyes: PassageEyes, unit: RoadUnit, ground: Ground | None) -> Iterator[Seen]:
    """The passages of a road's video, as they end; behind them the unit's end.

    Args:
        eyes: the models.
        unit: the video.
        ground: how its camera sees the ground; None: passages get no place.

    Yields:
        `Passed` for each vehicle, `RoadEnd` last.
    """
    # What cannot be used of the video is told by its own unit.
    yield from follow(eyes, unit, ground)
    yield RoadEnd(FrameRef(unit.unit_id, unit.source_id, unit.kind, unit.start, "stream", (0, 0), unit.path))


def follow(
    eyes: PassageEyes,
    source: RoadUnit | LiveFrames,
    ground: Ground | None,
    *,
    ignore: tuple[Ring, ...] = (),
    keep: Callable[[FrameRef, Image], FrameRef] | None = None,
    skipped: Callable[[Skip], None] | None = None,
    looked: Callable[[FrameRef], None] = lambda frame: None,
) -> Iterator[Passed]:
    """The passages of a road, as they end.

    Args:
        eyes: the models.
        source: a video of an archive, or a live camera.
        ground: how the camera sees the ground; None: passages get no place.
        ignore, keep, skipped: see `runs.passages.passages`.
        looked: is given each frame that was looked at.
    """
    place = place_on(ground) if ground is not None else None
    view = View(source.source_id, labels=eyes.settings.labels, place=place)
    known: dict[str, tuple[Detection, ...]] = {}

    def remember(frame: FrameRef, found: Sequence[Detection], shown: frozenset[str]) -> None:
        for name in known.keys() - shown:
            del known[name]
        known[frame.frame_id] = tuple(found)
        looked(frame)

    for passage in passages(source, view, eyes, keep=keep, skipped=skipped, seen=remember, ignore=ignore):
        ids = {sight.frame.frame_id for sight in passage.sights}
        yield Passed(passage, {name: known[name] for name in ids & known.keys()})
