"""Videos as units of work: frames at an interval; a damaged video gives what it still holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import av

from huoyan.errors import SourceError
from huoyan.records import Frame, FrameRef, Ground, Image, Kind, Skip, TimeFrom, Unplaced, frame_id
from huoyan.sources import decoding, drone, srt, times
from huoyan.sources.decoding import Faults, Planned
from huoyan.sources.stills import NO_CALIBRATION

_SUFFIXES = ".mp4 .mov .m4v .avi .mkv .webm .flv .ts .mpg .mpeg .wmv .h264 .h265"
VIDEO_SUFFIXES = frozenset(_SUFFIXES.split())
# Frames of videos are numbered from here on, so that none has the id of a still of the same moment.
_FIRST_INDEX = 1_000_000
_FIRST_YEAR = 1990


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video's header tells."""

    size: tuple[int, int]
    duration_s: float | None
    created: datetime | None


@dataclass(frozen=True, slots=True)
class VideoUnit:
    """One video, looked at every `sampling_s` seconds from `start`."""

    path: str
    source_id: str
    kind: Kind
    start: datetime
    time_from: TimeFrom
    size: tuple[int, int]
    sampling_s: float
    duration_s: float | None
    index: int = 0
    """Tells videos of the same source and start apart."""
    telemetry: str | None = None
    """Path of the `.SRT` beside a drone's video."""
    since: datetime | None = None
    until: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def unit_id(self) -> str:
        return frame_id(self.source_id, self.start, -1 - self.index)

    @property
    def expected(self) -> int:
        """Frames to expect, for the progress bar; 1 where the header does not tell the length."""
        if not self.duration_s:
            return 1
        end = self.start + timedelta(seconds=self.duration_s)
        first = max(self.start, self.since) if self.since else self.start
        last = min(end, self.until) if self.until else end
        return max(1, int((last - first).total_seconds() / self.sampling_s) + 1)

    def frames(self, skip: frozenset[str] = frozenset()) -> Iterator[Frame | Skip]:
        """Sampled frames in time order; before them what is wrong with the telemetry, behind with the video.

        Tracks need their past, so a video that still has a frame to look at gives all of them again, those in
        `skip` too; one that has none is not decoded.
        """
        faults = Faults()
        given = 0
        try:
            planned = {
                one.pts: one for one in decoding.plan(self.path, self.sampling_s, faults) if self._wanted(one)
            }
            todo = any(self._id(one) not in skip for one in planned.values())
            if todo:
                track = self._track()
                if track.fault is not None:
                    yield self._skip(track.fault.code, str(track.fault), track.fault.subject)
                for pts, image in decoding.decode(self.path, planned.values(), faults):
                    given += 1
                    yield self._frame(planned[pts], image, track)
        except SourceError as error:
            yield self._skip(error.code, str(error))
            return
        if faults.count and given:
            reason = f"{self.path}: {given} frames used, {faults.count} faults passed over ({faults.first})"
            yield self._skip("damaged_video", reason)
        elif not given and (todo or not (planned or self._bounded)):
            reason = f"{self.path}: holds no frame that can be decoded"
            yield self._skip("no_frames", f"{reason} ({faults.first})" if faults.first else reason)

    def _skip(self, code: str, reason: str, path: str = "") -> Skip:
        return Skip(self.source_id, path or self.path, code, reason)

    @property
    def _bounded(self) -> bool:
        return self.since is not None or self.until is not None

    def _time(self, one: Planned) -> datetime:
        return self.start + timedelta(seconds=one.seconds)

    def _id(self, one: Planned) -> str:
        return frame_id(self.source_id, self._time(one), _FIRST_INDEX + self.index)

    def _wanted(self, one: Planned) -> bool:
        time = self._time(one)
        return not ((self.since and time < self.since) or (self.until and time >= self.until))

    def _track(self) -> srt.Track:
        if self.telemetry is None:
            return srt.Track()
        try:
            return srt.read(Path(self.telemetry))
        except SourceError as error:
            return srt.Track(fault=error)

    def _frame(self, one: Planned, image: Image, track: srt.Track) -> Frame:
        size = image.shape[1], image.shape[0]
        ref = FrameRef(
            self._id(one),
            self.source_id,
            self.kind,
            self._time(one),
            self.time_from,
            size,
            self.path,
            {"pts": one.pts, "key": one.key, "seconds": round(one.seconds, 6)},
        )
        ground: Ground = NO_CALIBRATION
        if self.kind == "drone":
            told = srt.at(track.blocks, one.seconds)
            ground = drone.from_telemetry(told, size) if told else Unplaced("no telemetry for this moment")
        return Frame(ref, partial(_same, image), ground=ground, sequence=self.unit_id, notes=self.notes)


def probe(path: Path) -> VideoInfo:
    """What a video's header tells, without decoding.

    Raises:
        UnreadableFile: empty, not a video, or without a picture stream.
        FrameTooLarge: its frames are larger than stills may be.
    """
    with decoding.opened(str(path)) as container:
        stream = container.streams.video[0]
        duration = None
        if stream.duration and stream.time_base:
            duration = float(stream.duration * stream.time_base)
        elif container.duration:
            duration = container.duration / av.time_base
        size = stream.codec_context.width, stream.codec_context.height
        return VideoInfo(size, duration if duration and duration > 0 else None, _created(container))


def start_of(
    path: Path, info: VideoInfo, pattern: str | None, stated: datetime | None, zone: ZoneInfo
) -> tuple[datetime, TimeFrom]:
    """When a video begins.

    The declared name pattern goes first, because who declares one knows the recorder; then the container's
    own tag, a usual name, the start that the configuration states, and last the file's date less its length.
    """
    declared = times.from_pattern(path.stem, pattern, zone) if pattern else None
    if declared is not None:
        return declared, "name"
    if info.created is not None:
        return info.created, "tag"
    named = times.from_name(path.stem, zone)
    if named is not None:
        return named, "name"
    if stated is not None:
        return times.to_utc(stated, zone), "config"
    return times.from_mtime(path) - timedelta(seconds=info.duration_s or 0.0), "mtime"


def _created(container: Any) -> datetime | None:
    for tags in (container.metadata, container.streams.video[0].metadata):
        try:
            time = datetime.fromisoformat(tags["creation_time"])
        except (KeyError, ValueError):
            continue
        # Recorders without a clock write 1904 or 1970.
        if time.year >= _FIRST_YEAR:
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    return None


def _same(image: Image) -> Image:
    return image
