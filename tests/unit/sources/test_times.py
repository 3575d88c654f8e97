"""When a picture was taken, and which witness said so."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from huoyan.errors import ConfigError
from huoyan.sources import times

from ...support.imagery import MODIFIED, OFFSET, ORIGINAL, SUBSEC, found_in, save_jpeg, save_video

CHINA = ZoneInfo("Asia/Shanghai")
MORNING = datetime(2026, 3, 12, 0, 30, tzinfo=UTC)
"""08:30 in China."""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20260312T083000+0800", MORNING),
        ("20260312T003000Z", MORNING),
        ("2026-03-12_08-30-00", MORNING),
        ("cam1_20260312083000", MORNING),
        ("IMG_20260312_083000", MORNING),
        ("2026.03.12 08.30.00", MORNING),
        ("20260312T093000+09:00", MORNING),
        ("20260312_083000_250", MORNING.replace(microsecond=250_000)),
        ("20261312_083000", None),
        ("20260230_083000", None),
        ("1234202603120830001", None),
        ("夜间", None),
    ],
)
def test_usual_names(name: str, expected: datetime | None) -> None:
    assert times.from_name(name, CHINA) == expected


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("x12-03-2026 08h30", "x%d-%m-%Y %Hh%M", MORNING),
        ("20260312T003000+0000", "%Y%m%dT%H%M%S%z", MORNING),
        ("other", "%Y%m%d", None),
        ("0001-01-01", "%Y-%m-%d", None),
    ],
)
def test_declared_patterns(name: str, pattern: str, expected: datetime | None) -> None:
    assert times.from_pattern(name, pattern, CHINA) == expected


@pytest.mark.parametrize("pattern", ["%Y%m%d", "cam-%j", "%Y年%m月"])
def test_sound_patterns(pattern: str) -> None:
    times.check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["%Y%Q", "%Y%"])
def test_patterns_that_cannot_be_read(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"directive|stray"):
        times.check_pattern(pattern)
    save_jpeg(tmp_path / "camera" / "c1" / "a.jpg")
    with pytest.raises(ConfigError, match="pattern"):
        found_in(tmp_path, cameras=[{"id": "c1", "pattern": pattern}])


@pytest.mark.parametrize(
    ("tags", "details", "expected"),
    [
        ({}, {ORIGINAL: "2026:03:12 08:30:00"}, MORNING),
        ({}, {ORIGINAL: "2026:03:12 00:30:00", OFFSET: "+00:00"}, MORNING),
        ({}, {ORIGINAL: "2026:03:12 08:30:00", SUBSEC: "25"}, MORNING.replace(microsecond=250_000)),
        ({}, {ORIGINAL: "2026:03:12 08:30:00", OFFSET: "rubbish"}, MORNING),
        ({MODIFIED: "2026:03:12 08:30:00"}, {}, MORNING),
    ],
)
def test_exif(tags: dict[int, Any], details: dict[int, Any], expected: datetime, tmp_path: Path) -> None:
    save_jpeg(tmp_path / "camera" / "c1" / "20250101_000000.jpg", tags=tags, details=details)
    (unit,) = found_in(tmp_path).units
    assert (unit.start, next(iter(unit.frames())).ref.time_from) == (expected, "exif")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["0000:00:00 00:00:00", "2026:13:12 08:30:00", "    :  :     :  :  ", "gestern"]
)
def test_an_impossible_exif_time_gives_way_to_the_name(text: str, tmp_path: Path) -> None:
    save_jpeg(tmp_path / "camera" / "c1" / "20260312_083000.jpg", details={ORIGINAL: text})
    (unit,) = found_in(tmp_path).units
    (frame,) = unit.frames()
    assert (frame.ref.time, frame.ref.time_from) == (MORNING, "name")  # type: ignore[union-attr]


def test_a_declared_zone_counts_for_times_without_an_offset(tmp_path: Path) -> None:
    save_jpeg(tmp_path / "camera" / "c1" / "20260312_003000.jpg")
    (unit,) = found_in(tmp_path, cameras=[{"id": "c1", "timezone": "UTC"}]).units
    assert unit.start == MORNING


def test_the_date_of_change_comes_last_and_is_said(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        path = save_jpeg(tmp_path / "camera" / "c1" / name)
        os.utime(path, (MORNING.timestamp(),) * 2)
    found = found_in(tmp_path)
    frames = [frame for unit in found.units for frame in unit.frames()]
    assert [frame.ref.time for frame in frames] == [MORNING, MORNING]  # type: ignore[union-attr]
    assert {frame.ref.time_from for frame in frames} == {"mtime"}  # type: ignore[union-attr]
    assert all("date of change" in note for frame in frames for note in frame.notes)  # type: ignore[union-attr]
    assert len([note for note in found.notes if "date of change" in note]) == 1


@pytest.mark.parametrize(
    ("name", "created", "settings", "expected", "witness"),
    [
        ("a", "2026-03-12T00:30:00Z", {}, MORNING, "tag"),
        ("20260312_083000", None, {}, MORNING, "name"),
        ("a", "1970-01-01T00:00:00Z", {"start": "2026-03-12T08:30:00"}, MORNING, "config"),
        (
            "12.03.2026",
            "2020-01-01T00:00:00Z",
            {"pattern": "%d.%m.%Y"},
            datetime(2026, 3, 11, 16, tzinfo=UTC),
            "name",
        ),
    ],
)
def test_videos(
    name: str,
    created: str | None,
    settings: dict[str, str],
    expected: datetime,
    witness: str,
    tmp_path: Path,
) -> None:
    save_video(tmp_path / "camera" / "c1" / f"{name}.mp4", [0, 40, 80], created=created)
    (unit,) = found_in(tmp_path, cameras=[{"id": "c1", **settings}]).units
    (frame,) = unit.frames()
    assert (unit.start, frame.ref.time_from) == (expected, witness)  # type: ignore[union-attr]


def test_a_video_known_only_by_its_date_of_change_began_before_it(tmp_path: Path) -> None:
    path = save_video(tmp_path / "camera" / "c1" / "a.mp4", range(0, 2000, 40))
    os.utime(path, (MORNING.timestamp(),) * 2)
    (unit,) = found_in(tmp_path).units
    assert 1.9 < (MORNING - unit.start).total_seconds() < 2.1
