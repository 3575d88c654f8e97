"""A live camera: frames at an interval, through cuts, stalls and restarts of the camera, until somebody says stop.

A thread reads and decodes; whoever looks takes the newest frames from a short queue. There are deadlines for opening
and for every packet, so a camera that goes silent is given up and opened again, after a pause that grows from one
second to a minute, with some chance in it so that many cameras do not come back at once. Who
looks too slowly loses the oldest waiting frames, who decodes too slowly those up to the next key picture, and they are
counted; a stream never waits for us.

Times are ours (a monotonic clock set by the wall clock once a connection), less the delay inside the stream: stream
times jump back when a camera restarts, and its clock may be wrong. Between two frames of one connection the stream's
own spacing is believed as long as it keeps pace.

A file can be played as if it were a camera (`pace`): for trying out a gate, and for measuring one.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import av
from av.error import FFmpegError, HTTPForbiddenError, HTTPUnauthorizedError

from huoyan.records import Frame, FrameRef, Image, Skip, frame_id
from huoyan.redaction import redact
from huoyan.sample import Patience
from huoyan.sources import decoding

SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "http://", "https://", "srt://", "udp://", "tcp://")
_FIRST_INDEX = 3_000_000
# How far a stream's own clock may drift from ours within a connection before ours is taken.
_DRIFT_S = 2.0
# So far behind, pictures are passed over unread until the next key picture: a server or the network holds them for us,
# and what we cannot decode in time would come later and later.
_BEHIND_S = 1.0
# What is unread comes at once; who is still behind after so long has a stream whose stamps have jumped.
_DRAINED_S = 5.0


def is_live(source: str) -> bool:
    """Whether a source is a stream's address, not a file."""
    return source.lower().startswith(SCHEMES)


def without_password(address: str) -> str:
    """A text with addresses as it may be shown: no account before a host, no password in a path or a query."""
    return redact(address)


class LiveFrames:
    """Frames of a camera in time order. Iterate once, in one thread.

    Attributes:
        late: frames that were thrown away because nobody had taken or decoded them in time.
        connections: times that the stream was opened.
        asked: monotonic seconds at which a frame was last asked for.
        stirred: the same of the last frame or attempt; who has done neither for long hangs.
    """

    def __init__(
        self,
        address: str,
        source_id: str,
        sampling_s: float = 0.2,
        patience: Patience = Patience(),
        *,
        pace: bool = False,
        waiting: int = 2,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        options: dict[str, str] | None = None,
        paint: Callable[[Image], None] | None = None,
    ) -> None:
        """Set up; nothing is opened before the first frame is asked for.

        Args:
            address: of a stream, or a file.
            source_id: of the camera.
            sampling_s: seconds between frames.
            patience: deadlines.
            pace: play a file once, at its own speed, and end with it.
            waiting: frames that may wait to be looked at; more of them only make what is told late.
            now: the wall clock.
            options: for FFmpeg, beside RTSP over TCP.
            paint: changes each picture in place before anybody sees it (privacy masks).
        """
        self.address, self.source_id, self.sampling_s = address, source_id, sampling_s
        self.late = 0
        self.connections = 0
        self._patience, self._pace, self._now, self._paint = patience, pace, now, paint
        self._options = {"rtsp_transport": "tcp", **(options or {})}
        self._queue: queue.Queue[Frame | Skip | None] = queue.Queue(maxsize=max(1, waiting))
        self._stop = threading.Event()
        self._seen = self.asked = self.stirred = time.monotonic()
        self._latest = datetime.min.replace(tzinfo=UTC)

    @property
    def age_s(self) -> float:
        """Seconds since the last frame, or since the start."""
        return time.monotonic() - self._seen

    def stop(self) -> None:
        """End the iteration; legal at any time, from any thread."""
        self._stop.set()

    def __iter__(self) -> Iterator[Frame | Skip | None]:
        """Frames; a `Skip` each time that the stream is lost (`live_lost`) or cannot be opened (`live_closed`); None
        while nothing comes, so that who waits for something else may look after it."""
        thread = threading.Thread(target=self._run, name=f"live {self.source_id}", daemon=True)
        thread.start()
        try:
            while not self._stop.is_set():
                self.asked = time.monotonic()
                try:
                    item = self._queue.get(timeout=0.2)
                except queue.Empty:
                    if not thread.is_alive():
                        return
                    yield None
                    continue
                if item is None:
                    return
                yield item
        finally:
            self._stop.set()

    def _run(self) -> None:
        pause = self._patience.pause_s
        while not self._stop.is_set():
            before, self.stirred, refused = self._seen, time.monotonic(), False
            try:
                self._read()
                fault = ("live_lost", "the stream ended")
            except (FFmpegError, OSError, ValueError, MemoryError) as error:
                opened = self._seen != before
                # Who knocks on with a wrong password is locked out.
                refused = isinstance(error, HTTPUnauthorizedError | HTTPForbiddenError)
                fault = ("live_lost" if opened else "live_closed", decoding.words(error))
            if self._stop.is_set():
                return
            if self._pace:
                self._give(None)
                return
            if self._seen != before:
                pause = self._patience.pause_s
            if refused:
                pause = self._patience.longest_pause_s
            code, reason = fault
            shown = without_password(self.address)
            reason = f"{shown}: {without_password(reason)}; trying again in about {pause:.0f} s"
            self._give(Skip(self.source_id, shown, code, reason))
            self._stop.wait(pause * random.uniform(0.7, 1.3))
            pause = min(2 * pause, self._patience.longest_pause_s)

    def _read(self) -> None:
        """One connection, until it breaks."""
        patience = self._patience
        deadlines = (patience.open_s, max(patience.first_s, patience.read_s))
        self.connections += 1
        # A file takes no options of protocols.
        options = self._options if is_live(self.address) else {}
        with av.open(self.address, timeout=deadlines, options=options, metadata_errors="ignore") as container:
            if not container.streams.video:
                raise ValueError("holds no pictures")
            stream = container.streams.video[0]
            stream.thread_count = 1
            started = time.monotonic()
            # A burst may have run ahead of our clock before the cut: times never go back.
            clock = _Clock(max(self._now(), self._latest + timedelta(milliseconds=1)), started)
            due, backlog = 0.0, _Backlog(clock)
            # A file waits for us, and the parts of HLS come at once.
            steady = not self._pace and container.format.name != "hls"
            for packet in container.demux(stream):
                if self._stop.is_set():
                    return
                if steady and backlog.holds(packet, time.monotonic()):
                    self._seen = self.stirred = time.monotonic()
                    told = self._seen - started - backlog.late_s
                    if told + 1e-6 >= due:
                        due = self._next(told)
                        self.late += 1
                    continue
                for frame in _decoded(packet):
                    told = clock.at(_seconds(frame), time.monotonic())
                    if self._pace:
                        self._stop.wait(max(0.0, started + told - time.monotonic()))
                    self._seen = self.stirred = time.monotonic()
                    if told + 1e-6 < due:
                        continue
                    due = self._next(told)
                    self._latest = clock.start + timedelta(seconds=told)
                    self._give(self._frame(self._latest, decoding.upright(frame)))

    def _next(self, told: float) -> float:
        """When the next frame is due, after one at `told`; both in seconds of the connection."""
        return (int(told / self.sampling_s + 1e-6) + 1) * self.sampling_s

    def _give(self, item: Frame | Skip | None) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put_nowait(item)
                return
            except queue.Full:
                if self._pace and item is None:
                    # The end must not push out what is still waiting.
                    time.sleep(0.05)
                    continue
                try:
                    self.late += isinstance(self._queue.get_nowait(), Frame)
                except queue.Empty:
                    continue

    def _frame(self, moment: datetime, image: Image) -> Frame:
        if self._paint is not None:
            self._paint(image)
        size = image.shape[1], image.shape[0]
        ref = FrameRef(
            frame_id(self.source_id, moment, _FIRST_INDEX),
            self.source_id,
            "camera",
            moment,
            "stream",
            size,
            without_password(self.address),
            {"live": True},
        )
        return Frame(ref, partial(_same, image), sequence=f"live:{self.source_id}:{self.connections}")


class _Clock:
    """Seconds since the start of a connection, from the stream's stamps as long as they keep pace with ours."""

    def __init__(self, start: datetime, monotonic: float) -> None:
        self.start = start
        self._began = monotonic
        self._shift: float | None = None
        self._last = 0.0

    def at(self, stamp: float | None, monotonic: float) -> float:
        """The moment of a frame with this stamp (seconds, or None) that came at `monotonic`; never goes back."""
        ours = monotonic - self._began
        told = ours
        if stamp is not None:
            if self._shift is None or abs(stamp + self._shift - ours) > _DRIFT_S:
                self._shift = ours - stamp
            told = stamp + self._shift
        self._last = max(self._last, told)
        return self._last

    def late_s(self, stamp: float | None, monotonic: float) -> float:
        """Seconds by which what comes with this stamp at `monotonic` is later than what came before; 0: not known."""
        if stamp is None or self._shift is None:
            return 0.0
        return monotonic - self._began - stamp - self._shift

    def forget(self) -> None:
        """Believe the next stamp anew."""
        self._shift = None


class _Backlog:
    """Tells which packets are passed over because those before them were decoded too slowly.

    Attributes:
        late_s: seconds by which the last packet was later than it should be.
    """

    def __init__(self, clock: _Clock) -> None:
        self.late_s = 0.0
        self._clock = clock
        self._since: float | None = None

    def holds(self, packet: Any, monotonic: float) -> bool:
        """Whether this packet, taken up at `monotonic`, is to be passed over: up to a key picture that is in time."""
        self.late_s = self._clock.late_s(_seconds(packet), monotonic)
        if self.late_s > _BEHIND_S:
            self._since = monotonic if self._since is None else self._since
            if monotonic - self._since > _DRAINED_S:
                self._clock.forget()
        elif packet.is_keyframe:
            self._since = None
        return self._since is not None


def _decoded(packet: Any) -> list[Any]:
    try:
        return [frame for frame in packet.decode() if not frame.is_corrupt]
    except (FFmpegError, ValueError):
        # A damaged packet spoils a picture or two, not the connection.
        return []


def _seconds(item: Any) -> float | None:
    """The stamp of a packet or a frame."""
    return None if item.pts is None or item.time_base is None else float(item.pts * item.time_base)


def _same(image: Image) -> Image:
    return image
