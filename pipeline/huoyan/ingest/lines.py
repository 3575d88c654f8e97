"""Connections to cameras, all alike to who looks after them: begun, read without waiting, closed at any time.

What has to wait (a login, FFmpeg, a web server) waits in a daemon thread of its own. Whoever closes a line never waits
for that thread: it finds out by itself, at the latest when its own deadlines pass.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import Any

import av
import av.stream

from huoyan.ingest import rtsp, snapshot
from huoyan.ingest.auth import place
from huoyan.ingest.faults import Fault, of_error
from huoyan.ingest.rtp import Key
from huoyan.sample import CameraPlan
from huoyan.sources.live import is_live

GRACE_S = 5.0
"""A thread has deadlines of its own; who still hangs so long after them hangs for ever."""
_MICRO = 1_000_000
_ROUND_S = 0.2
"""A file is looked at so often for whether it is still wanted."""


class Line(ABC):
    """One connection, or one attempt at it.

    Attributes:
        opened: it stands; pictures may come.
        heard: monotonic seconds at which anything came last.
        silent_s: seconds without anything after which it is dead.
        keys_needed: it is dead, too, if no key pictures come.
        skew_s: the camera's clock against ours, if it tells (see `rtp.Interleaved`).
    """

    keys_needed = True

    def __init__(self, plan: CameraPlan) -> None:
        self.plan = plan
        self.silent_s = plan.patience.read_s
        self.opened = False
        self.heard = time.monotonic()
        self.skew_s: float | None = None
        self._key: Key | None = None
        self._fault: Fault | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera {plan.id}", daemon=True)
        self._thread.start()

    def read(self) -> Key | None:
        """The newest key picture that nobody has taken; never waits.

        Raises:
            Fault: the line is dead; close it.
        """
        key, self._key = self._key, None
        if key is None and self._fault is not None:
            raise self._fault
        return key

    def close(self) -> None:
        """Give it up; legal at any time, never waits."""
        self._closed.set()

    @property
    def ended(self) -> bool:
        """Whether its thread has come to its end."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self._fault = of_error(error)

    @abstractmethod
    def _work(self) -> None:
        """What the thread does; an error ends the line."""


class RtspLine(Line):
    """RTSP over TCP: the thread only logs in."""

    def __init__(self, plan: CameraPlan) -> None:
        self._session: rtsp.Session | None = None
        self._hang_up = threading.Lock()
        super().__init__(plan)

    def _work(self) -> None:
        session = rtsp.log_in(self.plan.address, self.plan.patience.open_s, self._closed.is_set)
        with self._hang_up:
            if self._closed.is_set():
                session.close()
                return
            self._session = session
        self.heard, self.opened = session.heard, True

    def read(self) -> Key | None:
        session = self._session
        if session is None:
            return super().read()
        session.read()
        self.heard, self.skew_s = session.heard, session.skew_s
        key, session.pictures.key = session.pictures.key, None
        return key

    def close(self) -> None:
        with self._hang_up:
            super().close()
            if self._session is not None:
                self._session.close()
                self._session = None


class LibraryLine(Line):
    """Whatever FFmpeg can open, in a thread: RTSP over UDP, HTTP-FLV, HLS, other codecs."""

    def _work(self) -> None:
        patience = self.plan.patience
        # Packets between key pictures may be skipped inside the library: it is the socket that has the short deadline.
        deadlines = (patience.open_s, max(patience.first_s, patience.read_s))
        self.silent_s = deadlines[1] + GRACE_S
        with av.open(
            self.plan.address, timeout=deadlines, options=self._options(), metadata_errors="ignore"
        ) as container:
            stream = _pictures(container)
            self.opened = True
            self._follow(container, stream)

    def _follow(self, container: Any, stream: Any) -> None:
        codec, extradata = stream.codec_context.name, stream.codec_context.extradata or b""
        base = float(stream.time_base or 0)
        for packet in container.demux(stream):
            if self._closed.is_set():
                return
            self.heard = time.monotonic()
            if packet.is_keyframe and packet.size:
                at = None if packet.pts is None else packet.pts * base
                self._key = Key(codec, bytes(packet), self.heard, extradata, at)
        raise Fault("ended", "the stream ended")

    def _options(self) -> dict[str, str]:
        address, patience = self.plan.address.lower(), self.plan.patience
        read_us = str(round(patience.read_s * _MICRO))
        options = {"probesize": "500000", "analyzeduration": "1500000"}
        if address.startswith(("rtsp://", "rtsps://")):
            # What one network loses is seldom worth waiting for: a picture with a gap is dropped.
            options |= {
                "rtsp_transport": self.plan.transport,
                "timeout": read_us,
                "allowed_media_types": "video",
                "buffer_size": "1048576",
            }
        elif address.startswith(("http://", "https://")):
            # Of HLS only the newest part.
            options |= {"rw_timeout": read_us, "live_start_index": "-1", "max_reload": "5"}
        else:
            options |= {"rw_timeout": read_us}
        return options


class FileLine(Line):
    """A file, played again and again at its own pace, as if it were a camera."""

    keys_needed = False

    def _work(self) -> None:
        while not self._closed.is_set():
            self._play()

    def _play(self) -> None:
        with av.open(self.plan.address, metadata_errors="ignore") as container:
            stream = _pictures(container)
            self.opened = True
            codec, extradata = stream.codec_context.name, stream.codec_context.extradata or b""
            base = float(stream.time_base or 0)
            began, first, pictures, last = time.monotonic(), None, 0, 0.0
            for packet in container.demux(stream):
                if packet.pts is None or not packet.size or not packet.is_keyframe:
                    continue
                first = packet.pts if first is None else first
                last = (packet.pts - first) * base
                if not self._wait(began + last):
                    return
                self.heard = time.monotonic()
                self._key = Key(codec, bytes(packet), self.heard, extradata, None)
                pictures += 1
            if not pictures:
                raise Fault("no_pictures", "the file holds no key picture")
            length = (container.duration or 0) / av.time_base
            self._wait(began + max(length, last + _ROUND_S))

    def _wait(self, until: float) -> bool:
        """Sleep; False: nobody wants it any more."""
        while (left := until - time.monotonic()) > 0:
            if self._closed.wait(min(left, _ROUND_S)):
                return False
            # A file that waits for its next picture is not dead.
            self.heard = time.monotonic()
        return not self._closed.is_set()


class SnapshotLine(Line):
    """A picture by its address: the thread fetches it once."""

    def _work(self) -> None:
        patience = self.plan.patience
        data, told = snapshot.fetch(self.plan.address, patience.open_s + patience.read_s)
        self.heard = time.monotonic()
        self.skew_s = None if told is None else told - time.time()
        self._key = Key("mjpeg", data, self.heard)
        self.opened = True


def line_for(plan: CameraPlan, *, library: bool = False) -> Line:
    """Begin the connection that a camera's address wants.

    Args:
        plan: of the camera.
        library: let FFmpeg do it: our own reader does not know this camera's codec.
    """
    address = plan.address.lower()
    if plan.snapshot:
        return SnapshotLine(plan)
    if not is_live(plan.address):
        return FileLine(plan)
    own = address.startswith(("rtsp://", "rtsps://")) and plan.transport == "tcp"
    return RtspLine(plan) if own and not library else LibraryLine(plan)


def _pictures(container: Any) -> Any:
    """The stream of pictures, of which only key pictures are to be read.

    Raises:
        Fault: there is none.
    """
    if not container.streams.video:
        raise Fault("no_pictures", "it holds no pictures")
    stream = container.streams.video[0]
    # Older releases of PyAV cannot skip inside the library; the packets are then passed over one by one.
    if discard := getattr(av.stream, "Discard", None):
        for other in container.streams:
            other.discard = discard.nonkey if other.index == stream.index else discard.all
    return stream


def host_of(plan: CameraPlan) -> str:
    """Whose seats a camera's logins take; empty: nobody's, it is a file."""
    if not is_live(plan.address):
        return ""
    try:
        return place(plan.address).host
    except Fault:
        return "?"
