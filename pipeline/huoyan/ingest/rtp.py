"""Key pictures out of an interleaved RTSP connection (RFC 2326 §10.12, RFC 6184, RFC 7798).

Of 25 pictures a second at most one is wanted, so the others are passed over by the first bytes of their packets,
without being put together, copied or parsed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from huoyan.ingest.faults import Fault

Codec = Literal["h264", "hevc"]
START = b"\0\0\0\1"
_GARBAGE = 1 << 20
"""Bytes between packets that make no sense before a connection is given up."""
_LARGEST = 8 << 20
"""Bytes of a picture."""
_SENDER_REPORT = 200
_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900, where NTP begins, to 1970."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key picture, encoded.

    Attributes:
        codec: FFmpeg's name.
        data: what the decoder takes; for H.264 and H.265 of RTSP with start codes and parameter sets.
        clock: monotonic seconds at which it had been received.
        extradata: what the decoder must be given before.
        stream_s: its time by the stream's own clock, from an origin of its own; None: it tells none.
    """

    codec: str
    data: bytes = field(repr=False)
    clock: float
    extradata: bytes = field(default=b"", repr=False)
    stream_s: float | None = None


class Depacketiser:
    """RTP packets of H.264 or H.265 in, the newest key picture out.

    Attributes:
        key: the newest key picture that nobody has taken.
        pictures: key pictures so far.
        damaged: key pictures that had a gap.
        packets: of all kinds.
    """

    def __init__(self, codec: Codec, parameters: tuple[bytes, ...] = (), rate: int = 90_000) -> None:
        """
        Args:
            codec: of the two.
            parameters: NAL units of the session's description (SPS, PPS, VPS), without start codes.
            rate: ticks a second of the stream's clock.
        """
        self.codec = codec
        self.key: Key | None = None
        self.pictures = self.damaged = self.packets = 0
        self._wide = codec == "hevc"
        self._rate = rate
        self._parameters = list(parameters)
        self._news: list[bytes] = []
        self._parts: list[bytes] = []
        self._size = 0
        self._stamp = self._turns = -1
        self._origin: int | None = None
        self._next = -1
        self._open = self._broken = False
        self._marked = True
        """The last packet of a picture is marked; some cameras mark every slice."""
        self.take = self._take_h265 if self._wide else self._take_h264

    def _take_h264(self, data: bytes, at: int, end: int, clock: float) -> None:
        """A packet, at data[at:end]."""
        self.packets += 1
        if self._open:
            self._follow(data, at, clock)
        first = at + 12 + 4 * (data[at] & 15)
        if data[at] & 0x30:
            first, end = _inside(data, at, first, end)
        if first + 2 > end:
            return
        kind = data[first] & 31
        if kind == 28:
            kind = data[first + 1] & 31
            if kind != 5:
                return
            begins = data[first + 1] & 0x80
            head = bytes((data[first] & 0xE0 | 5,)) if begins else b""
            self._add(data, at, clock, head, data[first + 2 : end], bool(begins))
            return
        if kind == 5:
            self._add(data, at, clock, b"", data[first:end], True)
        elif kind in (7, 8):
            self._learn(data[first:end])
        elif kind == 24:
            for unit in _aggregated(data, first + 1, end):
                inner = unit[0] & 31
                if inner == 5:
                    self._add(data, at, clock, b"", unit, True)
                elif inner in (7, 8):
                    self._learn(unit)

    def _take_h265(self, data: bytes, at: int, end: int, clock: float) -> None:
        self.packets += 1
        if self._open:
            self._follow(data, at, clock)
        first = at + 12 + 4 * (data[at] & 15)
        if data[at] & 0x30:
            first, end = _inside(data, at, first, end)
        if first + 3 > end:
            return
        kind = data[first] >> 1 & 63
        if kind == 49:
            inner = data[first + 2] & 63
            if not 16 <= inner <= 21:
                return
            begins = data[first + 2] & 0x80
            head = bytes((data[first] & 0x81 | inner << 1, data[first + 1])) if begins else b""
            self._add(data, at, clock, head, data[first + 3 : end], bool(begins))
            return
        if 16 <= kind <= 21:
            self._add(data, at, clock, b"", data[first:end], True)
        elif 32 <= kind <= 34:
            self._learn(data[first:end])
        elif kind == 48:
            for unit in _aggregated(data, first + 2, end):
                inner = unit[0] >> 1 & 63
                if 16 <= inner <= 21:
                    self._add(data, at, clock, b"", unit, True)
                elif 32 <= inner <= 34:
                    self._learn(unit)

    def _follow(self, data: bytes, at: int, clock: float) -> None:
        """A packet after the first of a key picture: it belongs to it, or tells that it is over."""
        if int.from_bytes(data[at + 4 : at + 8], "big") != self._stamp:
            self._finish(clock)
            return
        number = data[at + 2] << 8 | data[at + 3]
        self._broken = self._broken or number != self._next
        self._next = number + 1 & 0xFFFF

    def _learn(self, unit: bytes) -> None:
        self._news.append(unit)
        if len(self._news) > 16:
            del self._news[0]

    def _add(self, data: bytes, at: int, clock: float, head: bytes, part: bytes, begins: bool) -> None:
        """A part of a key picture."""
        if not self._open:
            stamp = int.from_bytes(data[at + 4 : at + 8], "big")
            # Its first slice says so; where that one is lost, the rest is of no use.
            whole = begins and bool((head + part[:3])[2 if self._wide else 1] & 0x80)
            if stamp == self._stamp and not whole:
                self._marked = False
            self._open, self._broken, self._stamp = True, not whole, stamp
            self._next = (data[at + 2] << 8 | data[at + 3]) + 1 & 0xFFFF
            self._parts, self._size = [], 0
        self._size += len(part)
        self._broken = self._broken or self._size > _LARGEST
        if not self._broken:
            self._parts += (START, head, part) if begins else (part,)
        if self._marked and data[at + 1] & 0x80:
            self._finish(clock)

    def _finish(self, clock: float) -> None:
        self._open = False
        if self._broken:
            self.damaged += 1
        elif self._parts:
            self._settle()
            units = [piece for unit in self._parameters for piece in (START, unit)]
            self.key = Key(self.codec, b"".join([*units, *self._parts]), clock, b"", self._time())
            self.pictures += 1
        self._parts, self._size = [], 0

    def _settle(self) -> None:
        """Parameter sets in the stream take the place of those before, kind by kind."""
        if not self._news:
            return
        kinds = {self._kind(unit) for unit in self._news}
        kept = [unit for unit in self._parameters if self._kind(unit) not in kinds]
        fresh = list(dict.fromkeys(self._news))
        self._parameters = sorted([*kept, *fresh], key=self._kind)
        self._news = []

    def _kind(self, unit: bytes) -> int:
        return unit[0] >> 1 & 63 if self._wide else unit[0] & 31

    def _time(self) -> float:
        """Seconds of the stream's clock; its 32 bits turn over every 13 hours."""
        if self._origin is None:
            self._origin = self._turns = self._stamp
        step = (self._stamp - self._turns & 0xFFFFFFFF) - (
            (1 << 32) if self._stamp - self._turns & 0x80000000 else 0
        )
        self._turns += step
        return (self._turns - self._origin) / self._rate


def _inside(data: bytes, at: int, first: int, end: int) -> tuple[int, int]:
    """The payload's bounds where the packet has an extension or padding."""
    if data[at] & 0x10 and first + 4 <= end:
        first += 4 + 4 * (data[first + 2] << 8 | data[first + 3])
    if data[at] & 0x20 and end > first:
        end -= data[end - 1]
    return first, end


def _aggregated(data: bytes, at: int, end: int) -> list[bytes]:
    """NAL units that share a packet."""
    units = []
    while at + 3 <= end:
        size = data[at] << 8 | data[at + 1]
        if 0 < size <= end - at - 2:
            units.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return units


class Interleaved:
    """The bytes of an RTSP connection after PLAY: packets, reports, and answers in between.

    Attributes:
        skew_s: seconds by which the camera's clock is ahead of ours, by its own reports; None: it sends none, or
            has never been told the date.
    """

    def __init__(
        self,
        depacketiser: Depacketiser,
        channel: int,
        answered: Callable[[bytes], None],
        wall: Callable[[], float],
    ) -> None:
        """
        Args:
            depacketiser: of the pictures.
            channel: of their packets; the next one is of their reports.
            answered: takes the head of each answer to what was asked in the meantime.
            wall: seconds since 1970.
        """
        self._pictures, self._channel = depacketiser, channel
        self._answered, self._wall = answered, wall
        self._rest = b""
        self._garbage = 0
        self.skew_s: float | None = None

    def feed(self, data: bytes, clock: float) -> None:
        """Take bytes as they come.

        Raises:
            Fault: this is not what it should be.
        """
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        channel, take = self._channel, self._pictures.take
        while end - at >= 4:
            if data[at] == 0x24:
                after = at + 4 + (data[at + 2] << 8 | data[at + 3])
                if after > end:
                    break
                if data[at + 1] == channel:
                    if after - at >= 18:
                        take(data, at + 4, after, clock)
                elif data[at + 1] == channel + 1:
                    self._report(data[at + 4 : after])
                at = after
                continue
            reached = self._text(data, at)
            if reached == at:
                break
            at = reached
        self._rest = data[at:]

    def _text(self, data: bytes, at: int) -> int:
        """Where the text at `at` ends; `at`: its end has not come yet."""
        if data.startswith(b"RTSP/", at) or data[at : at + 1].isupper():
            head_end = data.find(b"\r\n\r\n", at)
            if head_end < 0:
                if len(data) - at > 1 << 16:
                    raise Fault("damaged", "what the camera sends is no RTSP")
                return at
            head = data[at:head_end]
            length = _length(head)
            if head_end + 4 + length > len(data):
                return at
            if head.startswith(b"RTSP/"):
                self._answered(head)
            return head_end + 4 + length
        after = data.find(b"$", at)
        after = len(data) if after < 0 else after
        self._garbage += after - at
        if self._garbage > _GARBAGE:
            raise Fault("damaged", "what the camera sends is no RTSP")
        return after

    def _report(self, report: bytes) -> None:
        if len(report) < 20 or report[1] != _SENDER_REPORT:
            return
        seconds = int.from_bytes(report[8:12], "big") + int.from_bytes(report[12:16], "big") / (1 << 32)
        told = seconds - _NTP_EPOCH
        # A clock that was never set counts from 1900, 1970 or 2000: it is no clock.
        self.skew_s = told - self._wall() if told > _SET_AFTER else None


_SET_AFTER = 1_300_000_000.0
"""2011: what tells an earlier time has never been told the date."""


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return min(int(value), _GARBAGE)
    return 0
