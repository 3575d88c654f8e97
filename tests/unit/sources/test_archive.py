"""What discovery finds, in which order and under which ids."""

from __future__ import annotations

import os
import pickle
import shutil
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from huoyan import config
from huoyan.errors import ConfigError
from huoyan.records import Frame, Skip
from huoyan.sources import Discovered, discover, open_source, reopen

from ...support.imagery import (
    GIMBAL,
    ORIENTATION,
    ORIGINAL,
    dji_packet,
    found_in,
    save_jpeg,
    save_raster,
    save_video,
    texture,
)

NOON = datetime(2026, 3, 12, 4, tzinfo=UTC)
"""12:00 in China."""


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """Two cameras (stills; a video), a flight (photo; video with telemetry), two dates of a satellite."""
    root = tmp_path / "county"
    for second in range(3):
        save_jpeg(root / "camera" / "c1" / f"20260312_12000{second}.jpg", seed=second)
    save_video(root / "camera" / "c2" / "20260312_120000.mp4", range(0, 4000, 100))
    save_jpeg(root / "drone" / "f1" / "20260312_130000.jpg", xmp=dji_packet(GIMBAL))
    save_video(root / "drone" / "f1" / "20260312_130100.mp4", range(0, 3000, 100))
    ground = np.moveaxis(texture(700, 500), 2, 0)
    save_raster(root / "satellite" / "20260101" / "a.tif", ground)
    save_raster(root / "satellite" / "20260301" / "a.tif", ground)
    return root


def everything(found: Discovered) -> list[Frame]:
    frames = []
    for unit in found.units:
        for one in unit.frames():
            assert not isinstance(one, Skip), one
            frames.append(one)
    return frames


def ids(found: Discovered) -> list[str]:
    return [frame.ref.frame_id for frame in everything(found)]


def test_all_kinds_by_convention(county: Path) -> None:
    found = found_in(county, cameras=[{"id": "c2", "sampling": "1s"}], satellite={"window": 512})
    kinds = [(unit.kind, unit.source_id) for unit in found.units]
    assert kinds == [
        *[("satellite", "satellite:20260101-20260301:a")] * 2,
        ("camera", "c1"),
        ("camera", "c2"),
        ("camera", "c1"),
        ("camera", "c1"),
        ("drone", "drone:f1"),
        ("drone", "drone:f1"),
    ]
    assert found.skips == []
    frames = everything(found)
    assert len(frames) == 2 + 3 + 4 + 1 + 2 == sum(unit.expected for unit in found.units)  # type: ignore[attr-defined]
    assert [frame.ref.time for frame in frames[:2]] == [datetime(2026, 3, 1, 4, tzinfo=UTC)] * 2
    assert len(set(ids(found))) == len(frames)


def test_units_come_in_the_order_of_their_start(county: Path) -> None:
    units = found_in(county).units
    keys = [(unit.start, unit.source_id) for unit in units]
    assert keys == sorted(keys)


def test_windows_come_row_by_row(county: Path) -> None:
    """In any other order, strips that neighbours share would be decoded again and again."""
    units = [unit for unit in found_in(county, satellite={"window": 256}).units if unit.kind == "satellite"]
    corners = [unit.window[1::-1] for unit in units]  # type: ignore[attr-defined]
    assert len(corners) > 5
    assert corners == sorted(corners)


def test_the_same_ids_wherever_the_archive_lies(county: Path, tmp_path: Path) -> None:
    before = ids(found_in(county))
    moved = tmp_path / "elsewhere" / "档案"
    shutil.copytree(county, moved)
    assert ids(found_in(moved)) == before


def test_the_order_of_the_disk_does_not_matter(county: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ids(found_in(county))
    true_listdir, true_iterdir = os.listdir, Path.iterdir
    monkeypatch.setattr(os, "listdir", lambda *args: true_listdir(*args)[::-1])
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(list(true_iterdir(self))[::-1]))
    assert ids(found_in(county)) == before


def test_stills_added_later_leave_other_ids_alone(county: Path) -> None:
    before = set(ids(found_in(county)))
    save_jpeg(county / "camera" / "c1" / "20260312_115959.jpg")
    save_jpeg(county / "camera" / "c1" / "20260312_120001_b.jpg")
    after = ids(found_in(county))
    assert before < set(after)
    assert len(after) == len(before) + 2


def test_stills_of_one_second_are_told_apart_by_name(tmp_path: Path) -> None:
    details = {ORIGINAL: "2026:03:12 12:00:00"}
    for name in ("b.jpg", "a.jpg", "c.jpg"):
        save_jpeg(tmp_path / "camera" / "c1" / name, details=details)
    units = found_in(tmp_path).units
    assert len({unit.unit_id for unit in units}) == 3
    assert {Path(unit.path).name: unit.index for unit in units} == {"a.jpg": 0, "b.jpg": 1, "c.jpg": 2}  # type: ignore[attr-defined]


def test_a_video_and_a_still_of_one_moment_are_told_apart(tmp_path: Path) -> None:
    save_jpeg(tmp_path / "camera" / "c1" / "20260312_120000.jpg")
    for name in ("20260312_120000.mp4", "20260312_120000_b.mp4"):
        save_video(tmp_path / "camera" / "c1" / name, [0, 40])
    found = found_in(tmp_path)
    assert len({unit.unit_id for unit in found.units}) == 3
    assert len(set(ids(found))) == 3


def test_units_and_frames_survive_pickling(county: Path) -> None:
    found = found_in(county)
    again = pickle.loads(pickle.dumps(found.units))
    assert again == found.units
    for unit, copy in zip(found.units, again, strict=True):
        for one, other in zip(unit.frames(), copy.frames(), strict=True):
            assert one.ref == other.ref  # type: ignore[union-attr]
            shipped = pickle.loads(pickle.dumps(other))
            assert np.array_equal(one.image(), shipped.image())  # type: ignore[union-attr]


def test_reopening_gives_the_same_pixels(county: Path) -> None:
    for frame in everything(found_in(county, satellite={"window": 512})):
        ref = pickle.loads(pickle.dumps(frame.ref))
        assert np.array_equal(reopen(ref), frame.image()), ref
        if frame.load_before is not None:
            assert np.array_equal(reopen(ref, "before"), frame.load_before())
        assert frame.ref.size == (frame.image().shape[1], frame.image().shape[0])


def test_frames_already_done_are_not_given_again(county: Path) -> None:
    found = found_in(county)
    done = frozenset(ids(found))
    assert [one for unit in found.units for one in unit.frames(done)] == []


@pytest.mark.parametrize(
    ("since", "until", "stills", "video"),
    [
        (None, None, 3, 4),
        (NOON + timedelta(seconds=1), None, 2, 3),
        (None, NOON + timedelta(seconds=1), 1, 1),
        (NOON + timedelta(seconds=1), NOON + timedelta(seconds=3), 2, 2),
        (NOON + timedelta(hours=2), None, 0, 0),
        (None, NOON - timedelta(days=30), 0, 0),
    ],
)
def test_since_and_until(
    since: datetime | None, until: datetime | None, stills: int, video: int, county: Path
) -> None:
    made = config.Config.model_validate({"archive": county, "cameras": [{"id": "c2", "sampling": "1s"}]})
    whole = {
        frame.ref.frame_id for frame in everything(found_in(county, cameras=[{"id": "c2", "sampling": "1s"}]))
    }
    found = discover(config.LoadedConfig(made, county, None, ""), since, until)
    frames = [frame for frame in everything(found) if frame.ref.kind == "camera"]
    counted = [sum(frame.ref.source_id == source for frame in frames) for source in ("c1", "c2")]
    assert counted == [stills, video]
    assert {frame.ref.frame_id for frame in frames} <= whole, "a span does not change ids"
    for frame in frames:
        assert (since is None or frame.ref.time >= since) and (until is None or frame.ref.time < until)


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not there"):
        found_in(tmp_path / "gone")


def test_a_configured_camera_without_pictures_is_told(county: Path) -> None:
    found = found_in(county, cameras=[{"id": "c9"}])
    assert any("c9" in text for text in [*found.notes, *(skip.reason for skip in found.skips)])


def test_a_camera_may_lie_anywhere_in_the_archive(tmp_path: Path) -> None:
    save_jpeg(tmp_path / "old" / "north" / "20260312_120000.jpg")
    (unit,) = found_in(tmp_path, cameras=[{"id": "c1", "archive": "old/north"}]).units
    assert unit.source_id == "c1"


def test_loose_files_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    save_jpeg(tmp_path / "drone" / "20260312_120000.jpg", xmp=dji_packet(GIMBAL))
    save_jpeg(tmp_path / "camera" / "20260312_120000.jpg")
    found = found_in(tmp_path)
    assert [unit.kind for unit in found.units] == ["drone"]
    assert any("camera" in note and "left out" in note for note in found.notes)


def test_single_files_and_flat_folders(tmp_path: Path) -> None:
    still = save_jpeg(tmp_path / "flat" / "20260312_120000.jpg")
    video = save_video(tmp_path / "flat" / "20260312_120100.mp4", [0, 40])
    raster = save_raster(tmp_path / "flat" / "20260301.tif", np.moveaxis(texture(64, 64), 2, 0))
    for target, kinds in (
        (still, ["camera"]),
        (video, ["camera"]),
        (raster, ["satellite"]),
        (tmp_path / "flat", ["satellite", "camera", "camera"]),
    ):
        assert [one.ref.kind for one in open_source(target)] == kinds  # type: ignore[union-attr]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_delivered_upright(orientation: int, tmp_path: Path) -> None:
    """Against Pillow's reading of the same tag."""
    from PIL import Image as Pil
    from PIL import ImageOps

    path = save_jpeg(tmp_path / "a.jpg", (40, 24), tags={ORIENTATION: orientation})
    (frame,) = open_source(path)
    with Pil.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    image = frame.image()  # type: ignore[union-attr]
    assert frame.ref.size == (image.shape[1], image.shape[0])  # type: ignore[union-attr]
    assert np.abs(image.astype(int) - expected).max() <= 4


def test_a_long_video_is_walked_in_little_memory(tmp_path: Path) -> None:
    save_video(tmp_path / "camera" / "c1" / "20260312_120000.mp4", range(0, 40_000, 40), size=(320, 240))
    (unit,) = found_in(tmp_path, cameras=[{"id": "c1", "sampling": "100ms"}]).units
    tracemalloc.start()
    count = sum(1 for _ in unit.frames())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400
    assert peak < 20 * 320 * 240 * 3
