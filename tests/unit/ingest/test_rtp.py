"""Key pictures come out of RTP packets whole, whatever lies between them and however the bytes are cut."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huoyan.ingest.faults import Fault
from huoyan.ingest.rtp import START, Depacketiser, Interleaved

SPS, PPS = bytes((0x67, 1, 2, 3)), bytes((0x68, 4, 5))
IDR = bytes((0x65, 0x88)) + bytes(range(200))
LATER = bytes((0x65, 0x30)) + bytes(range(100))
"""A second slice of a picture: its first macroblock is not the picture's."""
SLICE = bytes((0x41,)) + bytes(60)


class Sender:
    """Makes the packets of a camera."""

    def __init__(self) -> None:
        self.number = 65_530

    def packet(
        self, payload: bytes, stamp: int, mark: bool, *, extension: bytes = b"", padding: int = 0
    ) -> bytes:
        self.number = self.number + 1 & 0xFFFF
        first = 0x80 | (0x10 if extension else 0) | (0x20 if padding else 0)
        head = struct.pack(">BBHII", first, 96 | (0x80 if mark else 0), self.number, stamp, 7)
        if extension:
            head += struct.pack(">HH", 1, len(extension) // 4) + extension
        tail = bytes(padding - 1) + bytes((padding,)) if padding else b""
        body = head + payload + tail
        return struct.pack(">cBH", b"$", 0, len(body)) + body

    def fragments(self, unit: bytes, stamp: int, size: int = 50) -> list[bytes]:
        parts = [unit[1:][at : at + size] for at in range(0, len(unit) - 1, size)]
        made = []
        for index, part in enumerate(parts):
            flags = (0x80 if index == 0 else 0) | (0x40 if index == len(parts) - 1 else 0)
            head = bytes((unit[0] & 0xE0 | 28, flags | unit[0] & 31))
            made.append(self.packet(head + part, stamp, index == len(parts) - 1))
        return made


def stream(pictures: Depacketiser, answers: list[bytes] | None = None) -> Interleaved:
    heard = answers if answers is not None else []
    return Interleaved(pictures, 0, heard.append, lambda: 1_800_000_000.0)


def whole(*units: bytes) -> bytes:
    return b"".join(START + unit for unit in units)


def test_a_picture_in_fragments_with_its_parameter_sets() -> None:
    sender, pictures = Sender(), Depacketiser("h264")
    bytes_ = [sender.packet(unit, 100, False) for unit in (SPS, PPS)]
    bytes_ += sender.fragments(IDR, 100)
    bytes_ += [sender.packet(SLICE, 3700, True), *sender.fragments(SLICE, 7300, 20)]
    stream(pictures).feed(b"".join(bytes_), 5.0)
    assert pictures.key is not None
    assert pictures.key.data == whole(SPS, PPS, IDR)
    assert (pictures.key.clock, pictures.key.stream_s) == (5.0, 0.0)
    assert (pictures.pictures, pictures.damaged) == (1, 0)
    assert pictures.packets == len(bytes_)


@given(st.lists(st.integers(1, 90), max_size=30), st.booleans(), st.integers(0, 7))
@settings(max_examples=50, deadline=None)
def test_however_the_bytes_are_cut(cuts: list[int], extended: bool, padding: int) -> None:
    sender, pictures, answers = Sender(), Depacketiser("h264", (SPS, PPS)), []
    extension = b"\xbe\xde\0\1" if extended else b""
    sent = b"".join(
        [
            sender.packet(SLICE, 10, True, padding=padding),
            b"RTSP/1.0 200 OK\r\nCSeq: 5\r\nContent-Length: 3\r\n\r\nabc",
            sender.packet(IDR, 100, True, extension=extension, padding=padding),
            sender.packet(SLICE, 190, True),
        ]
    )
    reader, at = stream(pictures, answers), 0
    for cut in cuts:
        reader.feed(sent[at : at + cut], 1.0)
        at += cut
    reader.feed(sent[at:], 2.0)
    assert pictures.key is not None and pictures.key.data == whole(SPS, PPS, IDR)
    assert [answer.split(b"\r\n")[0] for answer in answers] == [b"RTSP/1.0 200 OK"]


def test_several_slices_are_one_picture() -> None:
    sender, pictures = Sender(), Depacketiser("h264", (SPS, PPS))
    stream(pictures).feed(sender.packet(IDR, 9, False) + b"".join(sender.fragments(LATER, 9)), 1.0)
    assert pictures.key is not None and pictures.key.data == whole(SPS, PPS, IDR, LATER)


def test_parameter_sets_between_slices_are_no_gap() -> None:
    sender, pictures = Sender(), Depacketiser("h264", (SPS, PPS))
    parts = [sender.packet(IDR, 9, False), sender.packet(SPS, 9, False), sender.packet(PPS, 9, False)]
    stream(pictures).feed(b"".join([*parts, sender.packet(LATER, 9, True)]), 1.0)
    assert pictures.key is not None and pictures.key.data == whole(SPS, PPS, IDR, LATER)
    assert pictures.damaged == 0


def test_a_picture_whose_end_is_not_marked_ends_with_the_next() -> None:
    sender, pictures = Sender(), Depacketiser("h264", (SPS, PPS))
    reader = stream(pictures)
    reader.feed(sender.packet(IDR, 9, False) + sender.packet(LATER, 9, False), 1.0)
    assert pictures.key is None
    reader.feed(sender.packet(SLICE, 99, False), 2.0)
    assert pictures.key is not None and pictures.key.data == whole(SPS, PPS, IDR, LATER)


def test_a_camera_that_marks_every_slice_is_seen_through() -> None:
    sender, pictures = Sender(), Depacketiser("h264", (SPS, PPS))
    reader = stream(pictures)
    for stamp in (9, 99):
        reader.feed(sender.packet(IDR, stamp, True) + sender.packet(LATER, stamp, True), 1.0)
        reader.feed(sender.packet(SLICE, stamp + 1, True), 2.0)
    assert pictures.key is not None and pictures.key.data == whole(SPS, PPS, IDR, LATER)


def test_a_picture_without_its_first_slice_is_none() -> None:
    sender, pictures = Sender(), Depacketiser("h264", (SPS, PPS))
    stream(pictures).feed(sender.packet(LATER, 9, True), 1.0)
    assert pictures.key is None and pictures.damaged == 1


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_picture_with_a_gap_is_none(lost: int) -> None:
    sender, pictures = Sender(), Depacketiser("h264", (SPS, PPS))
    parts = sender.fragments(IDR, 9)
    del parts[lost]
    stream(pictures).feed(b"".join(parts), 1.0)
    assert pictures.key is None and pictures.damaged == 1
    stream(pictures).feed(b"".join(sender.fragments(IDR, 99)), 2.0)
    assert pictures.key is not None


def test_units_that_share_a_packet() -> None:
    sender, pictures = Sender(), Depacketiser("h264")
    shared = bytes((24,)) + b"".join(struct.pack(">H", len(unit)) + unit for unit in (SPS, PPS, IDR))
    stream(pictures).feed(sender.packet(shared, 9, True), 1.0)
    assert pictures.key is not None and pictures.key.data == whole(SPS, PPS, IDR)


def test_new_parameter_sets_take_the_place_of_the_old() -> None:
    sender, pictures = Sender(), Depacketiser("h264", (SPS, PPS))
    other = bytes((0x67, 9, 9))
    stream(pictures).feed(sender.packet(other, 9, False) + sender.packet(IDR, 9, True), 1.0)
    assert pictures.key is not None and pictures.key.data == whole(other, PPS, IDR)


def test_h265() -> None:
    vps, sps, pps = (bytes((kind << 1, 1, 7)) for kind in (32, 33, 34))
    idr = bytes((19 << 1, 1, 0x80)) + bytes(range(99))
    sender, pictures = Sender(), Depacketiser("hevc", (vps, sps, pps))
    parts = [idr[2:][at : at + 40] for at in range(0, 100, 40)]
    packets = [sender.packet(bytes((1 << 1, 1)) + bytes(30), 1, True)]
    for index, part in enumerate(parts):
        flags = (0x80 if index == 0 else 0) | (0x40 if index == 2 else 0)
        packets.append(sender.packet(bytes((49 << 1, 1, flags | 19)) + part, 2, index == 2))
    stream(pictures).feed(b"".join(packets), 1.0)
    assert pictures.key is not None and pictures.key.data == whole(vps, sps, pps, idr)


def test_the_streams_clock_goes_on_when_its_32_bits_turn_over() -> None:
    sender, pictures = Sender(), Depacketiser("h264", (SPS, PPS))
    reader, times = stream(pictures), []
    for stamp in (0xFFFFFFFF - 90_000, 0xFFFFFFFF, 89_999):
        reader.feed(sender.packet(IDR, stamp, True), 1.0)
        assert pictures.key is not None and pictures.key.stream_s is not None
        times.append(round(pictures.key.stream_s, 3))
    assert times == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("told", "skew"), [(1_800_000_060.5, 60.5), (1_799_999_000.0, -1000.0), (86_400.0, None)]
)
def test_the_cameras_clock(told: float, skew: float | None) -> None:
    ntp = told + 2_208_988_800
    report = struct.pack(">BBHIIIIII", 0x80, 200, 6, 7, int(ntp), int(ntp % 1 * 2**32), 0, 1, 1)
    reader = stream(Depacketiser("h264"))
    reader.feed(struct.pack(">cBH", b"$", 1, len(report)) + report, 1.0)
    assert reader.skew_s == (pytest.approx(skew, abs=0.01) if skew is not None else None)


def test_what_is_no_rtsp_is_refused_soon() -> None:
    reader = stream(Depacketiser("h264"))
    with pytest.raises(Fault, match="no RTSP"):
        for _ in range(100):
            reader.feed(bytes(range(1, 36)) * 3000, 1.0)


@given(st.binary(max_size=400))
@settings(max_examples=50, deadline=None)
def test_no_bytes_break_it(data: bytes) -> None:
    for codec in ("h264", "hevc"):
        sender, pictures = Sender(), Depacketiser(codec)
        reader = stream(pictures)
        reader.feed(sender.packet(data, 5, True), 1.0)
        try:
            reader.feed(data, 1.0)
        except Fault as fault:
            assert fault.code in ("damaged", "ended")
