"""Videos: frames at an interval, decoded by PyAV; a damaged one gives what it still holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import av
import numpy as np
from av.error import FFmpegError

from huoyan.errors import BadMetadata, UnreadableFile
from huoyan.records import Frame, FrameRef, Ground, Image, Kind, Skip, TimeFrom, Unplaced, frame_id
from huoyan.sources import drone, srt, times

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".avi", ".mkv", ".flv", ".ts", ".m4v", ".h264", ".h265", ".mpg", ".webm"}
)
# From this interval on it is cheaper to jump to the key frame before the next moment than to decode all between.
_JUMP_FROM_S = 5.0
_MOST_FAULTS = 200


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
    telemetry: str | None = None
    """Path of the `.SRT` beside a drone's video."""
    since: datetime | None = None
    until: datetime | None = None
    notes: tuple[str, ...] = ()

    @property
    def unit_id(self) -> str:
        return frame_id(self.source_id, self.start, -1)

    @property
    def expected(self) -> int:
        return 1 if not self.duration_s else int(self.duration_s / self.sampling_s) + 1

    def frames(self, skip: frozenset[str] = frozenset()) -> Iterator[Frame | Skip]:
        """Sampled frames in time order, then what was wrong with the video. `skip` is not used: tracks need
        their past."""
        track, notes = self._track()
        count = 0
        faults: list[str] = []
        try:
            with _open(self.path) as container:
                for frame, seconds in _sampled(container, self.sampling_s, self.duration_s, faults):
                    made = self._frame(frame, seconds, count, track, notes)
                    count += 1
                    if made is not None:
                        yield made
        except UnreadableFile as error:
            yield Skip(self.source_id, self.path, error.code, str(error))
            return
        except (FFmpegError, OSError, ValueError, MemoryError) as error:
            faults.append(str(error))
        if count == 0:
            yield Skip(
                self.source_id, self.path, "no_frames", f"{self.path}: holds no frame that can be decoded"
            )
        elif faults:
            yield Skip(
                self.source_id,
                self.path,
                "damaged_video",
                f"{self.path}: {len(faults)} damaged parts were left out after {count} frames ({faults[0]})",
            )

    def _track(self) -> tuple[list[srt.Telemetry], tuple[str, ...]]:
        if self.telemetry is None:
            return [], self.notes
        try:
            return srt.read(Path(self.telemetry)), self.notes
        except (UnreadableFile, BadMetadata) as error:
            return [], (*self.notes, str(error))

    def _frame(
        self, frame: Any, seconds: float, index: int, track: list[srt.Telemetry], notes: tuple[str, ...]
    ) -> Frame | None:
        time = self.start + timedelta(seconds=seconds)
        if (self.since and time < self.since) or (self.until and time >= self.until):
            return None
        image = _upright(frame)
        size = image.shape[1], image.shape[0]
        ref = FrameRef(
            frame_id(self.source_id, time, index),
            self.source_id,
            self.kind,
            time,
            self.time_from,
            size,
            self.path,
            {"pts": int(frame.pts), "seconds": round(seconds, 6)},
        )
        ground: Ground = Unplaced("no calibration")
        if self.kind == "drone":
            told = srt.at(track, seconds)
            ground = drone.from_telemetry(told, size) if told else Unplaced("no telemetry for this moment")
        return Frame(ref, partial(_same, image), ground=ground, sequence=self.unit_id, notes=notes)


def probe(path: Path) -> VideoInfo:
    """What a video's header tells, without decoding.

    Raises:
        UnreadableFile: empty, not a video, or without a picture stream.
    """
    with _open(str(path)) as container:
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
    """When a video begins: as the configuration states, else its own tag, its name, or mtime less its length."""
    if stated is not None:
        return times.to_utc(stated, zone), "config"
    if info.created is not None:
        return info.created, "tag"
    named = times.from_pattern(path.stem, pattern, zone) if pattern else times.from_name(path.stem, zone)
    if named is not None:
        return named, "name"
    return times.from_mtime(path) - timedelta(seconds=info.duration_s or 0.0), "mtime"


def decode_at(path: str, pts: int) -> Image:
    """The frame with presentation time stamp `pts` again.

    Raises:
        UnreadableFile: the video is gone, damaged, or has no such frame.
    """
    try:
        with _open(path) as container:
            stream = container.streams.video[0]
            try:
                container.seek(pts, stream=stream, backward=True)
            except FFmpegError:
                container.seek(0)
            for frame in _decoded(container, stream, []):
                if frame.pts == pts:
                    return _upright(frame)
                if frame.pts is not None and frame.pts > pts:
                    break
    except (FFmpegError, OSError) as error:
        raise UnreadableFile(f"cannot be decoded: {error}", subject=path, code="damaged") from error
    raise UnreadableFile(f"has no frame at {pts}", subject=path, code="no_frames")


def _open(path: str) -> Any:
    file = Path(path)
    try:
        if file.stat().st_size == 0:
            raise UnreadableFile("is empty", subject=path, code="empty")
        container = av.open(path, metadata_errors="ignore")
    except FileNotFoundError as error:
        raise UnreadableFile("is not there", subject=path, code="missing") from error
    except PermissionError as error:
        raise UnreadableFile("may not be read: no permission", subject=path, code="no_permission") from error
    except (FFmpegError, OSError) as error:
        reason = str(error).split(":")[0].removeprefix("[Errno 1094995529] ")
        raise UnreadableFile(
            f"is not a video that can be opened: {reason}", subject=path, code="not_a_video"
        ) from error
    if not container.streams.video:
        container.close()
        raise UnreadableFile("holds no pictures", subject=path, code="not_a_video")
    # One thread: looking runs in one process per core already, and one thread decodes alike everywhere.
    container.streams.video[0].thread_count = 1
    return container


def _sampled(
    container: Any, every_s: float, duration_s: float | None, faults: list[str]
) -> Iterator[tuple[Any, float]]:
    """(frame, seconds from the first frame) of the first frame at or after each multiple of `every_s`."""
    stream = container.streams.video[0]
    base: Fraction = stream.time_base
    first: int | None = None
    due = 0.0
    jump = every_s >= _JUMP_FROM_S and duration_s is not None
    while True:
        found = None
        for frame in _decoded(container, stream, faults):
            if frame.pts is None:
                continue
            first = frame.pts if first is None else first
            seconds = float((frame.pts - first) * base)
            if seconds < due - 1e-6:
                continue
            found = seconds
            yield frame, seconds
            due = (int(seconds / every_s + 1e-6) + 1) * every_s
            if jump:
                break
        if not jump or found is None or first is None or due > (duration_s or 0.0):
            return
        try:
            container.seek(first + int(due / base), stream=stream, backward=True)
        except FFmpegError:
            jump = False  # not seekable: decode on from here


def _decoded(container: Any, stream: Any, faults: list[str]) -> Iterator[Any]:
    """Decoded frames; damaged packets are noted and passed over."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError as error:
            faults.append(str(error))
            return
        try:
            yield from packet.decode()
        except FFmpegError as error:
            faults.append(str(error))
            if len(faults) >= _MOST_FAULTS:
                return


def _upright(frame: Any) -> Image:
    """uint8 (height, width, 3), RGB, turned as the video says."""
    image: Image = frame.to_ndarray(format="rgb24")
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _created(container: Any) -> datetime | None:
    for tags in (container.metadata, container.streams.video[0].metadata):
        try:
            time = datetime.fromisoformat(tags["creation_time"])
        except (KeyError, ValueError):
            continue
        # Recorders without a clock write 1904 or 1970.
        if time.year >= 1990:
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    return None


def _same(image: Image) -> Image:
    return image
