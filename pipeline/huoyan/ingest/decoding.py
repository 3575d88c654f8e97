"""Key pictures decoded, each by itself, to the planes of I420.

One decoder serves all cameras whose pictures are made alike: a key picture needs nothing that came before it, so a
camera needs no decoder of its own with its memory, and none is asked for pictures that nobody wants.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError

from huoyan.ingest.faults import Fault
from huoyan.ingest.rtp import Key

Plane = npt.NDArray[np.uint8]
_KEPT = 8
"""Decoders that are kept."""
_PLAIN = frozenset({"yuv420p", "yuvj420p"})
_SIDE = 16384


@dataclass(frozen=True, slots=True)
class Planes:
    """Y, U and V, uint8, U and V of half the size; rows may be padded. Writeable: nobody else sees them."""

    y: Plane = field(repr=False)
    u: Plane = field(repr=False)
    v: Plane = field(repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), both even."""
        return self.y.shape[1], self.y.shape[0]

    def i420(self) -> bytes:
        """The planes one after the other, rows without padding."""
        return b"".join(plane.tobytes() for plane in (self.y, self.u, self.v))


class Decoders:
    """Of all cameras, for one thread."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, bytes], Any] = OrderedDict()

    def decode(self, key: Key) -> Planes:
        """
        Raises:
            Fault: it is damaged.
        """
        kind = key.codec, key.extradata
        context = self._made.pop(kind, None) or _decoder(key)
        try:
            frames = [*context.decode(av.Packet(key.data)), *context.decode(None)]
            context.flush_buffers()
        except (FFmpegError, ValueError, MemoryError) as error:
            # It may be left in any state; the next picture gets a new one.
            raise Fault("damaged", "a picture could not be decoded") from error
        self._made[kind] = context
        if len(self._made) > _KEPT:
            self._made.popitem(last=False)
        sound = [frame for frame in frames if not frame.is_corrupt]
        if not sound:
            raise Fault("damaged", "a picture could not be decoded")
        return planes(sound[-1])


def planes(frame: Any) -> Planes:
    """Of a decoded `av.VideoFrame`.

    Raises:
        Fault: it is too small or too large to be a camera's.
    """
    width, height = frame.width & ~1, frame.height & ~1
    if not (16 <= width <= _SIDE and 16 <= height <= _SIDE):
        raise Fault("damaged", f"a picture of {frame.width} x {frame.height} px is none of a camera")
    if frame.format.name not in _PLAIN:
        frame = frame.reformat(format="yuv420p")
    y, u, v = (
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: height // part, : width // part]
        for plane, part in zip(frame.planes, (1, 2, 2), strict=True)
    )
    return Planes(y, u, v)


def _decoder(key: Key) -> Any:
    try:
        context = av.CodecContext.create(key.codec, "r")
        context.thread_count = 1
        if key.extradata:
            context.extradata = key.extradata
    except (FFmpegError, ValueError) as error:
        raise Fault("unsupported", f"there is no decoder for {key.codec}") from error
    return context
