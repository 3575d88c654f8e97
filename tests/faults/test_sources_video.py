"""Videos that are damaged, and telemetry that is: what can be used is used, the rest is told."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from huoyan.records import DronePose, Frame, Skip, Unplaced

from ..support.imagery import found_in, looked_at, save_jpeg, save_video

SRT = """{n}
00:00:{n:02d},000 --> 00:00:{next:02d},000
<font size="28">FrameCnt: {n}, DiffTime: 1000ms
2026-03-12 08:30:{n:02d}.500
[latitude: 29.5] [longitude: 120.9] [rel_alt: 80.0 abs_alt: 120.0] [gb_yaw: 30.0 gb_pitch: -60.0] </font>

"""


def telemetry(blocks: int) -> str:
    return "".join(SRT.format(n=n, next=n + 1) for n in range(blocks))


def outcome(path: Path) -> tuple[list[Frame], list[Skip]]:
    """Frames and skips of a camera that has this one video, every frame sampled."""
    found = found_in(
        path.parents[2], cameras=[{"id": path.parent.name, "sampling": "1ms", "start": "2026-03-12T08:00:00"}]
    )
    frames, skips = looked_at(found)
    return [frame for frame, _ in frames], skips


def place(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / "camera" / "c1" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """4 s at 25 frames a second, a key frame every 10 frames."""
    return save_video(tmp_path_factory.mktemp("v") / "a.mp4", range(0, 4000, 40)).read_bytes()


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.mp4", b"", "empty"),
        ("a.mp4", b"\0" * 5000, "not_a_video"),
        ("a.avi", b"<html>404</html>" * 20, "not_a_video"),
        ("a.ts", b"#EXTM3U\n#EXTINF:9,\nhttp://192.0.2.1/a.ts\n", "not_a_video"),
        ("a.mkv", b"ffconcat version 1.0\nfile /etc/passwd\n", "not_a_video"),
    ],
)
def test_no_video_at_all(
    name: str, data: bytes, code: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = place(tmp_path, name, data)
    frames, skips = outcome(path)
    assert not frames
    assert [(skip.path, skip.code) for skip in skips] == [(str(path), code)]
    assert str(path) in skips[0].reason
    assert capfd.readouterr().err == ""


def test_the_end_is_missing(sound: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = place(tmp_path, "a.mp4", sound[: len(sound) * 2 // 3])
    frames, skips = outcome(path)
    assert 40 <= len(frames) < 100
    assert [skip.code for skip in skips] == ["damaged_video"]
    assert capfd.readouterr().err == ""


def test_no_key_frame(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A bare stream whose only key frame was cut off at its front."""
    whole = save_video(tmp_path / "a.h264", range(0, 2000, 40), group=250).read_bytes()
    units = [unit for unit in re.split(b"\0*\0\0\1", whole) if unit]
    kept = [unit for unit in units if unit[0] & 31 != 5]
    assert len(kept) < len(units)
    path = place(tmp_path, "b.h264", b"".join(b"\0\0\0\1" + unit for unit in kept))
    frames, skips = outcome(path)
    assert not frames
    assert [(skip.path, skip.code) for skip in skips] == [(str(path), "no_frames")]
    assert capfd.readouterr().err == ""


def test_damage_in_the_middle_costs_its_group_only(sound: bytes, tmp_path: Path) -> None:
    whole, _ = outcome(place(tmp_path, "a.mp4", sound))
    path = tmp_path / "camera" / "c1" / "a.mp4"
    data = bytearray(sound)
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(bytes(data))
    frames, skips = outcome(path)
    assert len(whole) == 100
    assert 70 <= len(frames) < 100
    assert {frame.ref.frame_id for frame in frames} < {frame.ref.frame_id for frame in whole}
    assert [skip.code for skip in skips] == ["damaged_video"]


# What a good reader does with each of the collected files; see their INDEX.csv.
REAL = {
    "decord_corrupted.mp4": (
        29,
        (1280, 720),
        {"damaged_video"},
    ),  # 28 come out at once, the 29th waits in the decoder
    "decord_video_90.mov": (3, (320, 568), set()),
    "tc_h265_video.mp4": (10, (128, 128), set()),
    "mp4parse_no_timescale.mp4": (0, None, {"no_frames"}),  # its frames are green but for a corner
    "mp4parse_bipbop_nonfragment_header.mp4": (0, None, {"no_frames"}),
    "pp_valid.flv": (0, None, {"not_a_video"}),
    "recorder_zero_bytes.avi": (0, None, {"empty"}),
    "recorder_cut_no_index.avi": (636, (640, 480), {"damaged_video"}),
    "made_truncated_no_moov.mp4": (0, None, {"not_a_video"}),
    "made_no_sps_pps.h264": (0, None, {"no_frames"}),
    "made_joined_mid_gop.h264": (100, (352, 288), set()),
    "made_vfr_with_4s_gap.mp4": (78, (352, 288), set()),
    "made_mjpeg.avi": (16, (352, 288), set()),
}


@pytest.mark.parametrize("name", REAL)
def test_collected_videos(
    name: str, shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "camera" / "c1"
    folder.mkdir(parents=True)
    (folder / name).symlink_to(shared_data / "video" / "broken" / name)
    frames, skips = outcome(folder / name)
    count, size, codes = REAL[name]
    assert {skip.code for skip in skips} == codes
    assert len(frames) == count
    assert {frame.ref.size for frame in frames} == ({size} if size else set())
    assert all(skip.path == str(folder / name) and str(folder / name) in skip.reason for skip in skips)
    assert capfd.readouterr().err == ""


def test_every_collected_video_is_told_of_here(shared_data: Path) -> None:
    with (shared_data / "video" / "broken" / "INDEX.csv").open() as file:
        names = {row["file"] for row in csv.DictReader(file)}
    assert names == {*REAL, "hls_ok_then_stall/live.m3u8"}


def flight(tmp_path: Path, text: str | bytes) -> tuple[list[Frame], list[Skip]]:
    video = save_video(tmp_path / "drone" / "f1" / "DJI_0001.MP4", range(0, 5000, 200))
    data = text.encode() if isinstance(text, str) else text
    video.with_suffix(".SRT").write_bytes(data)
    frames, skips = looked_at(found_in(tmp_path))
    return [frame for frame, _ in frames], skips


def test_sound_telemetry(tmp_path: Path) -> None:
    frames, skips = flight(tmp_path, telemetry(6))
    assert not skips
    assert {frame.ref.time_from for frame in frames} == {"srt"}
    assert [frame.ref.time.isoformat() for frame in frames] == [
        f"2026-03-12T00:30:0{second}.500000+00:00" for second in (0, 2, 4)
    ]
    for frame in frames:
        assert isinstance(frame.ground, DronePose)
        told = frame.ground.lon, frame.ground.lat, frame.ground.height_m
        assert told == pytest.approx((120.9, 29.5, 80.0))


@pytest.mark.parametrize("kept", [20, 120, 200])
def test_telemetry_cut_in_mid_block(kept: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = telemetry(2) + telemetry(3)[len(telemetry(2)) :][:kept].rstrip()
    frames, skips = flight(tmp_path, text)
    assert len(frames) == 3
    assert [(Path(skip.path).name, skip.code) for skip in skips] == [("DJI_0001.SRT", "cut_telemetry")]
    placed = [isinstance(frame.ground, DronePose) and frame.ground.lat == 29.5 for frame in frames]
    assert placed == [True, True, False], "nothing is told of a moment 3 s after the last block"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("text", ["", "1\n", b"\xff\xfe\x00\x01" * 30, "not telemetry\n" * 9], ids=range(4))
def test_telemetry_of_no_kind(text: str | bytes, tmp_path: Path) -> None:
    frames, skips = flight(tmp_path, text)
    assert len(frames) == 3, "the video is looked at all the same"
    assert all(isinstance(frame.ground, Unplaced) for frame in frames)
    assert [Path(skip.path).name for skip in skips] == ["DJI_0001.SRT"]


def test_a_fresh_process_prints_nothing(sound: bytes, tmp_path: Path, shared_data: Path) -> None:
    """Here no test harness has taken over logging and warnings."""
    place(tmp_path, "a.mp4", sound[: len(sound) // 2])
    place(tmp_path, "b.mp4", b"rubbish" * 99)
    jpeg = save_jpeg(tmp_path / "camera" / "c2" / "a.jpg", (300, 200)).read_bytes()
    (tmp_path / "camera" / "c2" / "b.jpg").write_bytes(jpeg[: len(jpeg) // 2] + b"\xff\xd9")
    satellite = tmp_path / "satellite" / "20260301"
    satellite.mkdir(parents=True)
    for path in (shared_data / "raster").glob("nasty_*.tif"):
        (satellite / path.name).symlink_to(path)
    program = (
        "import sys; from huoyan.sources import open_source; from huoyan.records import Skip\n"
        "from huoyan.errors import SourceError\n"
        "for one in open_source(sys.argv[1]):\n"
        "    try:\n"
        "        if not isinstance(one, Skip): one.image()\n"
        "    except SourceError: pass\n"
        "print('end')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("end\n", "")
