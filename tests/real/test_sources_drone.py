"""Poses of real drone photos against what `index.csv` says that their tags say."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from huoyan.records import DronePose, Image
from huoyan.sources import drone, metadata, open_source, stills

UTC = ZoneInfo("UTC")


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> dict[str, dict[str, str]]:
    with (shared_data / "drone" / "index.csv").open() as file:
        return {row["photo"]: row for row in csv.DictReader(file)}


def size_of(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


def test_every_pose_is_what_the_tags_say(rows: dict[str, dict[str, str]], shared_data: Path) -> None:
    assert len(rows) == 22
    for name, row in rows.items():
        pose = drone.pose_of_photo(shared_data / "drone" / name, UTC)
        assert pose.size == size_of(row["size_px"]), name
        assert pose.model == row["model"], name
        if not row["lat"]:
            continue
        assert (pose.lon, pose.lat) == pytest.approx((float(row["lon"]), float(row["lat"])), abs=1e-6), name
        assert pose.height_m == float(row["rel_alt"]), name
        assert pose.altitude_m == pytest.approx(float(row["abs_alt"]), abs=0.01), name
        assert pose.pitch_deg == float(row["gimbal_pitch"]), name
        assert pose.yaw_deg == pytest.approx(float(row["gimbal_yaw"])), name
        assert not pose.notes, name


def test_focal_length_is_in_pixels_of_the_shrunk_file(
    rows: dict[str, dict[str, str]], shared_data: Path
) -> None:
    for name, row in rows.items():
        pose = drone.pose_of_photo(shared_data / "drone" / name, UTC)
        (width, height), (taken, _) = size_of(row["size_px"]), size_of(row["exif_size_px"])
        full_height = width * 3 / 4 if width * 9 == height * 16 else height
        diagonal = math.hypot(width, full_height)
        assert pose.focal_px == pytest.approx(float(row["focal_35mm"]) * diagonal / 43.2666, rel=1e-4), name
        assert taken >= width, name


def test_phantom_3_sees_what_its_maker_says(shared_data: Path) -> None:
    """FC300S: 94 degrees across the diagonal of the whole sensor, 84 across its width."""
    pose = drone.pose_of_photo(shared_data / "drone" / "duluth_0024.jpg", UTC)
    assert pose.focal_px is not None
    assert math.degrees(2 * math.atan(1600 / 2 / pose.focal_px)) == pytest.approx(82, abs=2)


def test_the_gimbal_counts_and_not_the_aircraft(shared_data: Path) -> None:
    pose = drone.pose_of_photo(shared_data / "drone" / "thermal_h20n_0006.jpg", UTC)
    assert (pose.yaw_deg, pose.pitch_deg, pose.height_m) == pytest.approx((-106.6, -32.9, 42.602))


def test_without_gps_and_angles_everything_is_none_and_said(shared_data: Path) -> None:
    pose = drone.pose_of_photo(shared_data / "drone" / "nogps_m30t_0003.jpg", UTC)
    assert pose.lon is pose.lat is pose.height_m is pose.altitude_m is None
    assert pose.yaw_deg is pose.pitch_deg is pose.roll_deg is None
    assert any("gimbal" in note for note in pose.notes)


def test_a_folder_of_drone_photos_is_known_as_such(shared_data: Path) -> None:
    frames = [one for one in open_source(shared_data / "drone")]
    kinds = {Path(one.ref.path).name: one.ref.kind for one in frames}  # type: ignore[union-attr]
    assert len(frames) == 22
    assert [name for name, kind in kinds.items() if kind != "drone"] == ["nogps_m30t_0003.jpg"]
    assert all(isinstance(one.ground, DronePose) for one in frames if one.ref.kind == "drone")  # type: ignore[union-attr]


def test_header_and_pixels_agree(shared_data: Path) -> None:
    for path in sorted((shared_data / "drone").glob("*.jpg")):
        image: Image = stills.decode(path)
        assert metadata.read(path, UTC).upright == (image.shape[1], image.shape[0])
