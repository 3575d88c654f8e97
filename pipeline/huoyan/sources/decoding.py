"""Decoding videos with PyAV: which frames to take, and taking them.

A video is walked twice. The first walk reads packets only and plans: the first frame at or after each
multiple of the sampling interval, by its time stamp (frame numbers say nothing in a video with a gap or a
variable rate). The second walk decodes the groups of pictures that hold a planned frame, and nothing else.
Every group is decoded on its own, from its key frame, so that a frame has the same pixels whenever it is
read again; what comes before the first key frame is grey smear and is never given.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from huoyan.errors import FrameTooLarge, UnreadableFile
from huoyan.records import Image
from huoyan.sources import files
from huoyan.sources.header import MAX_PIXELS

_DEFAULT_RATE = Fraction(25)
_EPSILON_S = 1e-6
_LISTS = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"v=0")


@dataclass(frozen=True, slots=True)
class Planned:
    """A frame to take."""

    pts: int
    """Time stamp in units of the stream; the frame's number where the stream has none."""
    key: int
    """That of the key frame which its group begins with."""
    seconds: float
    """From the start of the video."""


@dataclass(slots=True)
class Faults:
    """What was wrong with a video: how many parts, and the first in words."""

    count: int = 0
    first: str = ""

    def add(self, error: object) -> None:
        """Count a fault."""
        self.count += 1
        self.first = self.first or words(error)


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """An open container whose first video stream is decoded by one thread.

    Raises:
        UnreadableFile: missing, no permission, empty, not a video, or without pictures.
        FrameTooLarge: its frames are larger than stills may be.
    """
    files.check(path)
    _refuse_lists(path)
    try:
        container = av.open(path, metadata_errors="ignore")
    except (FFmpegError, OSError, ValueError) as error:
        if isinstance(error, PermissionError | FileNotFoundError):
            raise files.unreadable(path, error) from error
        raise UnreadableFile(
            f"is not a video that can be opened: {words(error)}", subject=path, code="not_a_video"
        ) from error
    try:
        if not container.streams.video:
            raise UnreadableFile("holds no pictures", subject=path, code="not_a_video")
        stream = container.streams.video[0]
        # Looking runs in one process a core already; and one thread decodes alike everywhere.
        stream.thread_count = 1
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MAX_PIXELS:
            raise FrameTooLarge(f"claims frames of {width} x {height} pixels", subject=path)
        yield container
    finally:
        container.close()


def _refuse_lists(path: str) -> None:
    """Play lists would lead FFmpeg to other files and to the network, and to wait there."""
    try:
        with open(path, "rb") as file:
            start = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    except OSError as error:
        raise files.unreadable(path, error) from error
    if start.startswith(_LISTS):
        raise UnreadableFile("is a play list, not a video", subject=path, code="not_a_video")


def plan(path: str, every_s: float, faults: Faults) -> list[Planned]:
    """The frames to take from a video, in time order.

    Args:
        path: the video.
        every_s: sampling interval; the first frame at or after each of its multiples is taken.
        faults: filled with what breaks the walk off.

    Raises:
        UnreadableFile: see `opened`.
        FrameTooLarge: see `opened`.
    """
    with opened(path) as container:
        stream = container.streams.video[0]
        base = stream.time_base
        found: list[Planned] = []
        first: int | None = stream.start_time
        due = 0.0
        for group in _groups(container, stream, faults):
            if group.counted:
                base = 1 / (stream.average_rate or _DEFAULT_RATE)
            if first is None:
                first = min(group.stamps)
            for pts in sorted(group.stamps):
                seconds = float((pts - first) * base)
                # A clock that jumps back (a joined recording) must not give a moment twice.
                if seconds < due - _EPSILON_S:
                    continue
                found.append(Planned(pts, group.key, max(seconds, 0.0)))
                due = (math.floor(seconds / every_s + _EPSILON_S) + 1) * every_s
        return found


def decode(path: str, wanted: Iterable[Planned], faults: Faults) -> Iterator[tuple[int, Image]]:
    """(time stamp, picture) of the wanted frames in time order.

    Frames that are damaged are left out; what was wrong is added to `faults`.

    Raises:
        UnreadableFile: see `opened`.
        FrameTooLarge: see `opened`.
    """
    by_key: dict[int, set[int]] = defaultdict(set)
    for one in wanted:
        by_key[one.key].add(one.pts)
    with opened(path) as container:
        yield from _taken(container, by_key, faults)


def decode_one(path: str, pts: int, key: int) -> Image:
    """The frame with time stamp `pts` in the group that begins with `key`: the same pixels as `decode` gives.

    Raises:
        UnreadableFile: the video is gone, damaged there, or has no such frame.
        FrameTooLarge: see `opened`.
    """
    faults = Faults()
    with opened(path) as container:
        try:
            container.seek(key, stream=container.streams.video[0], backward=True)
            for _, image in _taken(container, {key: {pts}}, faults):
                return image
        except FFmpegError as error:
            faults.add(error)
    # A container without an index cannot jump: from the start.
    for _, image in decode(path, [Planned(pts, key, 0.0)], faults):
        return image
    raise UnreadableFile(
        f"the frame at {pts} cannot be decoded {faults.first}".rstrip(), subject=path, code="no_frames"
    )


def words(error: object) -> str:
    """FFmpeg's message without its number, in one line."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())


@dataclass(slots=True)
class _Group:
    """The packets from one key frame to the next."""

    key: int
    counted: bool
    """Whether the stream has no time stamps, so that frames are numbered instead."""
    stamps: list[int]


def _groups(container: Any, stream: Any, faults: Faults) -> Iterator[_Group]:
    before: _Group | None = None
    group: _Group | None = None
    for packet, stamp, counted in _packets(container, stream, faults):
        if packet.is_keyframe:
            if before:
                yield before
            before, group = group, _Group(stamp, counted, [])
        if group and stamp >= group.key:
            group.stamps.append(stamp)
        elif before:
            # Shown before its key frame: it leans on the group before.
            before.stamps.append(stamp)
    yield from (one for one in (before, group) if one)


def _packets(container: Any, stream: Any, faults: Faults) -> Iterator[tuple[Any, int, bool]]:
    """(packet, its time stamp, whether that is a mere number), up to the end or the first break."""
    counted: bool | None = None
    number = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except (FFmpegError, OSError, ValueError, MemoryError) as error:
            faults.add(error)
            return
        if not packet.size:
            continue
        if counted is None:
            counted = packet.pts is None and packet.dts is None
        stamp = number if counted else packet.pts if packet.pts is not None else packet.dts
        number += 1
        if stamp is not None:
            yield packet, stamp, counted


def _taken(container: Any, wanted: dict[int, set[int]], faults: Faults) -> Iterator[tuple[int, Image]]:
    stream = container.streams.video[0]
    decoder = stream.codec_context
    left = {key: set(stamps) for key, stamps in wanted.items()}
    group: _Decoding | None = None
    for packets, key, counted in _steps(container, stream, faults):
        if key is not None:
            if group:
                # What is shown before the new key frame is the end of this group.
                yield from group.feed(packets)
                yield from group.finish()
                decoder.flush_buffers()
            group = _Decoding(decoder, left.pop(key), key, counted, faults) if key in left else None
            if group is None and not left:
                return
        if group:
            yield from group.feed(packets)
    if group:
        yield from group.finish()
    for _ in range(sum(len(stamps) for stamps in left.values())):
        faults.add("a part that was there when it was planned could not be read")


def _steps(container: Any, stream: Any, faults: Faults) -> Iterator[tuple[list[Any], int | None, bool]]:
    """(packets, time stamp of their key frame, whether that is a mere number).

    A key frame comes with the packets that are decoded after it but shown before it; every other packet comes
    alone and without a key.
    """
    opening: list[Any] = []
    key, numbered = 0, False
    for packet, stamp, counted in _packets(container, stream, faults):
        if opening and (packet.is_keyframe or stamp >= key):
            yield opening, key, numbered
            opening = []
        if packet.is_keyframe:
            opening, key, numbered = [packet], stamp, counted
        elif opening:
            opening.append(packet)
        else:
            yield [packet], None, counted
    if opening:
        yield opening, key, numbered


class _Decoding:
    """One group of pictures being decoded."""

    def __init__(self, decoder: Any, wanted: set[int], key: int, counted: bool, faults: Faults) -> None:
        self.decoder, self.wanted, self.faults = decoder, wanted, faults
        self.number = key if counted else None
        self.broken = False

    def feed(self, packets: Iterable[Any]) -> Iterator[tuple[int, Image]]:
        """Decode packets; nothing more is decoded once every wanted frame is out, or after damage."""
        for packet in packets:
            if not self.wanted or self.broken:
                return
            try:
                frames = self.decoder.decode(packet)
            except (FFmpegError, OSError, ValueError, MemoryError) as error:
                self.faults.add(error)
                # What follows leans on what is missing, up to the next key frame.
                yield from self._held_back()
                self.broken = True
                return
            yield from self._wanted(frames)

    def finish(self) -> Iterator[tuple[int, Image]]:
        """The frames that the decoder still holds back; wanted ones that never came are faults."""
        if self.wanted and not self.broken:
            yield from self._held_back()
        for _ in self.wanted:
            self.faults.add("a frame could not be decoded")

    def _held_back(self) -> Iterator[tuple[int, Image]]:
        try:
            frames = self.decoder.decode(None)
        except (FFmpegError, OSError, ValueError, MemoryError) as error:
            self.faults.add(error)
            return
        yield from self._wanted(frames)

    def _wanted(self, frames: Iterable[Any]) -> Iterator[tuple[int, Image]]:
        for frame in frames:
            stamp = frame.pts
            if self.number is not None:
                stamp = self.number
                self.number += 1
            elif stamp is None:
                stamp = frame.dts
            if frame.is_corrupt:
                self.faults.add("a frame is damaged")
                self.broken = True
            if self.broken or stamp not in self.wanted:
                continue
            self.wanted.discard(stamp)
            yield stamp, upright(frame)


def upright(frame: Any) -> Image:
    """uint8 (height, width, 3), RGB, turned as the video says (rotation is counterclockwise)."""
    image: Image = frame.to_ndarray(format="rgb24")
    # A damaged header gives rotations beyond any turn.
    turns = round(frame.rotation / 90) % 4 if abs(frame.rotation) <= 360 else 0
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
