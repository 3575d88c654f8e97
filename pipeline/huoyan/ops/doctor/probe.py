"""Trying a camera once, as its reader would, and measuring what it sends.

The reader of the daemon skips everything but key pictures; here every packet is looked at, so this is FFmpeg's reader
for all kinds of addresses. A probe has deadlines of its own, and whoever waits for it has another.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import Any

import av

from huoyan.ingest import snapshot
from huoyan.ingest.faults import Fault, of_error
from huoyan.sample import CameraPlan
from huoyan.sources.live import is_live

WATCHED_S = 6.0
"""Packets are counted for so long: reports with the camera's clock come every five seconds."""
_LEAST_S = 2.0
_SET_AFTER = 1_300_000_000.0
"""2011: what tells an earlier time has never been told the date."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a camera sends.

    Attributes:
        codec: FFmpeg's name.
        size: (width, height).
        opened_s: seconds until the login was done.
        first_s: seconds from the start until the first key picture was decoded.
        fps: pictures a second, counted; None: too few came.
        key_every_s: seconds between key pictures; None: fewer than two came.
        skew_s: seconds by which its clock is ahead of ours; None: it does not tell.
    """

    codec: str
    size: tuple[int, int]
    opened_s: float
    first_s: float
    fps: float | None = None
    key_every_s: float | None = None
    skew_s: float | None = None


def probe(plan: CameraPlan) -> Probe:
    """Log in, take pictures for some seconds, hang up.

    Raises:
        Fault: there are none; its words hold no password.
    """
    began = time.monotonic()
    try:
        return _snapshot(plan) if plan.snapshot else _stream(plan)
    except Fault:
        raise
    except Exception as error:
        fault = of_error(error)
        if fault.code == "damaged" and time.monotonic() - began >= 0.9 * plan.patience.open_s:
            # FFmpeg takes an answer that it had to stop waiting for as a broken one.
            fault = Fault("timeout", "nothing came in time")
        raise fault from error


def _snapshot(plan: CameraPlan) -> Probe:
    began = time.monotonic()
    data, told = snapshot.fetch(plan.address, plan.patience.open_s + plan.patience.read_s)
    skew_s = told - time.time() if told is not None and told > _SET_AFTER else None
    fetched = time.monotonic() - began
    context: Any = av.CodecContext.create("mjpeg", "r")
    frames = context.decode(av.Packet(data))
    if not frames:
        raise Fault("damaged", "the picture cannot be decoded")
    size = frames[0].width, frames[0].height
    return Probe("mjpeg", size, fetched, time.monotonic() - began, skew_s=skew_s)


def _stream(plan: CameraPlan) -> Probe:
    began = time.monotonic()
    patience = plan.patience
    live = is_live(plan.address)
    options: dict[str, str] = (
        {"rtsp_transport": plan.transport} if plan.address.lower().startswith("rtsp") else {}
    )
    with av.open(
        plan.address,
        timeout=(patience.open_s, patience.read_s),
        options=options,
        metadata_errors="ignore",
    ) as container:
        if not container.streams.video:
            raise Fault("no_pictures", "it holds no pictures")
        stream = container.streams.video[0]
        stream.thread_count = 1
        opened_s = time.monotonic() - began
        count = _Count(float(stream.time_base or 0))
        first_s: float | None = None
        for packet in container.demux(stream):
            now = time.monotonic()
            if first_s is None:
                if _decoded(packet):
                    first_s = time.monotonic() - began
                elif now - began > patience.open_s + patience.first_s:
                    raise Fault("no_pictures", f"no picture came within {patience.first_s:g} s")
            count.take(packet)
            # A file is read as fast as it goes: its own times tell how much of it was seen.
            watched = now - began - opened_s if live else count.span_s
            if first_s is not None and (watched > WATCHED_S or (watched > _LEAST_S and count.enough)):
                break
        if first_s is None:
            raise Fault("no_pictures", "no picture could be decoded")
        size = stream.codec_context.width, stream.codec_context.height
        return Probe(
            stream.codec_context.name, size, opened_s, first_s, count.fps, count.key_every_s, count.skew_s
        )


class _Count:
    """Packets by the stream's own times: they come in bursts."""

    def __init__(self, base: float) -> None:
        self._base = base
        self._stamps: list[float] = []
        self._keys: list[float] = []
        self.skew_s: float | None = None

    def take(self, packet: Any) -> None:
        if packet.pts is None:
            return
        stamp = packet.pts * self._base
        self._stamps.append(stamp)
        if packet.is_keyframe:
            self._keys.append(stamp)
        if packet.has_sidedata("prft"):
            told = struct.unpack_from("<q", bytes(packet.get_sidedata("prft")))[0] / 1e6
            if told > _SET_AFTER:
                self.skew_s = told - time.time()

    @property
    def span_s(self) -> float:
        return max(self._stamps) - min(self._stamps) if self._stamps else 0.0

    @property
    def fps(self) -> float | None:
        return (len(self._stamps) - 1) / self.span_s if self.span_s > 0 else None

    @property
    def key_every_s(self) -> float | None:
        """The longest time between two key pictures."""
        between = [after - before for before, after in zip(self._keys, self._keys[1:], strict=False)]
        return max((one for one in between if one > 0), default=None)

    @property
    def enough(self) -> bool:
        """Nothing more would be learned by waiting."""
        return self.skew_s is not None and len(self._keys) > 2


def _decoded(packet: Any) -> bool:
    try:
        return bool(packet.is_keyframe and packet.decode())
    except (av.error.FFmpegError, ValueError):
        return False
