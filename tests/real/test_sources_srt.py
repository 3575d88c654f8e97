"""Every dialect of DJI's telemetry that we have a recorded file of."""

from __future__ import annotations

import csv
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from huoyan.errors import BadMetadata
from huoyan.sources import srt
from huoyan.sources.srt import Telemetry

# First block: at_s, (lon, lat), height, altitude, (yaw, pitch, roll), focal; as read by eye from the files.
FIRST: dict[str, tuple[float, Any, float | None, float | None, Any, float | None]] = {
    "mavic_pro_home_gps_barometer": (1, (149.0251, -20.2533), 1.9, None, None, None),
    "mavic_pro_buggy": (1, (-1.2218, 42.4668), 0.0, None, None, None),
    "broken_incomplete": (1, (-58.4563, -34.7383), 20.1, None, None, None),
    "old_hb_hs": (1, (149.0251, -20.2533), 1.9, None, None, None),
    "mavic_mini_f_ss_gps": (0, (-121.7458, 48.0771), 200.7, None, None, None),
    "p4_rtk_fpry_gpry": (0, (-58.851745, -34.237922), 85.8, None, (110.4, -24.4, 0.0), None),
    "mavic_2_style_no_timecode": (0, (149.0251, -20.2533), None, None, None, None),
    "mavic_2_zoom_framecnt_longtitude": (0, (74.398751, 31.452012), None, 213.983002, None, 24.0),
    "mavic_air_no_gps": (0, None, None, None, None, None),
    "mavic_air2_srtcnt": (0, (2.162162, 41.420684), 27.3, None, None, 24.0),
    "mavic_3_rel_abs_alt": (0, (-3.3744, 3.41531), -2.4, 0.401, None, 24.0),
    "mini_5_pro": (0, (6.460719, 53.365108), 6.0, -122.769, None, 24.0),
    "neo_2_pp_fields": (0, (13.75386, 45.607181), 0.0, 113.9, None, None),
    "matrice_300_gps_m_unit": (0, (-6.112, 36.6146), 0.3, None, None, None),
    "handmade_avata2_gps_function": (0, (116.391305, 39.906217), 91.2, None, None, None),
    "quoted_mavic_3_enterprise_gimbal": (0, (5.361783, 53.388452), 55.774, 98.364, (-83.6, -9.1, 0.0), 284.8),
}
BEGIN = {
    "mavic_pro_home_gps_barometer": datetime(2017, 8, 5, 14, 11, 50),
    "old_hb_hs": datetime(2017, 8, 5, 14, 11, 50),
    "mavic_mini_f_ss_gps": None,
    "mavic_2_zoom_framecnt_longtitude": datetime(2020, 4, 2, 15, 19, 58, 720764),
    "mavic_3_rel_abs_alt": datetime(2021, 12, 25, 12, 27, 52, 373000),
    "matrice_300_gps_m_unit": datetime(2022, 6, 21, 16, 6, 17),
    "handmade_avata2_gps_function": None,
}


def told(one: Telemetry) -> tuple[float, Any, float | None, float | None, Any, float | None]:
    place = None if one.lon is None else (one.lon, one.lat)
    angles = None if one.yaw_deg is None else (one.yaw_deg, one.pitch_deg, one.roll_deg)
    return one.at_s, place, one.height_m, one.altitude_m, angles, one.focal_35mm


@pytest.mark.parametrize("name", FIRST)
def test_first_block(name: str, shared_data: Path) -> None:
    track = srt.read(shared_data / "srt" / f"{name}.srt")
    assert told(track.blocks[0]) == FIRST[name]


def test_every_block_of_every_file_is_read_and_in_order(shared_data: Path) -> None:
    folder = shared_data / "srt"
    with (folder / "index.csv").open() as file:
        counts = {row["file"].removesuffix(".srt"): int(row["blocks"]) for row in csv.DictReader(file)}
    counts["broken_incomplete"] -= 1
    del counts["broken_one_line"]
    assert set(counts) == set(FIRST)
    for name, count in counts.items():
        track = srt.read(folder / f"{name}.srt")
        moments = [one.at_s for one in track.blocks]
        assert len(track.blocks) == count, name
        assert moments == sorted(set(moments)), name
        assert (track.fault is not None) == (name == "broken_incomplete"), name


def test_a_track_moves_as_a_drone_flies(shared_data: Path) -> None:
    """Coordinates in the wrong order, or of a cut number, would jump."""
    for name in FIRST:
        blocks = srt.read(shared_data / "srt" / f"{name}.srt").blocks
        places = [(one.lon, one.lat) for one in blocks if one.lon is not None and one.lat is not None]
        for (lon, lat), (next_lon, next_lat) in pairwise(places):
            assert abs(next_lon - lon) < 5e-4 and abs(next_lat - lat) < 5e-4, name  # type: ignore[operator]


def test_a_block_cut_anywhere_gives_no_wrong_value(shared_data: Path) -> None:
    """Whatever is left of the last block, the blocks before it are all there and nothing else is."""
    for name in FIRST:
        if name == "broken_incomplete":
            continue
        text = (shared_data / "srt" / f"{name}.srt").read_text("utf-8-sig").replace("\r", "").rstrip()
        whole, _ = srt.parse(text)
        start = text.rindex("\n\n")
        for end in range(start + 3, len(text), 7):
            cut, _ = srt.parse(text[:end])
            assert cut[: len(whole) - 1] == whole[:-1], (name, end)
            for one in cut[len(whole) - 1 :]:
                assert told(one)[1:3] in (told(whole[-1])[1:3], told(whole[-2])[1:3]), (name, text[start:end])


@pytest.mark.parametrize("name", BEGIN)
def test_the_video_begins_at_the_clock_less_the_time_code(name: str, shared_data: Path) -> None:
    assert srt.begin(shared_data / "srt" / f"{name}.srt") == BEGIN[name]


def test_a_cut_file_says_so(shared_data: Path) -> None:
    path = shared_data / "srt" / "broken_incomplete.srt"
    track = srt.read(path)
    assert track.fault is not None and (track.fault.code, track.fault.subject) == ("cut_telemetry", str(path))


def test_a_file_of_one_number_is_no_telemetry(shared_data: Path) -> None:
    with pytest.raises(BadMetadata) as caught:
        srt.read(shared_data / "srt" / "broken_one_line.srt")
    assert caught.value.code == "no_telemetry"
