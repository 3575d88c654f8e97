"""Room on the disk: old pictures go, alerts' database never waits for them."""

from __future__ import annotations

import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import pytest

from huoyan.config_watch import Disk
from huoyan.runs.watch.room import FRAMES, Room

Usage = namedtuple("Usage", "total used free")
GB = 10**9


def put(state: Path, name: str, age_days: float, size: int = 1000) -> Path:
    path = state / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    then = time.time() - age_days * 86400
    os.utime(path, (then, then))
    return path


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A disk of 100 GB, `used` GB of it."""
    state = {"used": 50.0}
    monkeypatch.setattr(
        shutil,
        "disk_usage",
        lambda path: Usage(100 * GB, int(state["used"] * GB), int((100 - state["used"]) * GB)),
    )
    return state


def test_pictures_past_their_days_go_and_their_folders_with_them(
    tmp_path: Path, disk: dict[str, float]
) -> None:
    old = put(tmp_path, "evidence/a/1-wide.jpg", 91)
    young = put(tmp_path, f"{FRAMES}/20260301/x.jpg", 89)
    kept = put(tmp_path, "huoyan.db", 400)
    room = Room(tmp_path, Disk(evidence_days=90))
    room.refresh(1000.0)
    assert not old.parent.exists()
    assert young.exists()
    assert kept.exists()
    assert room.pictures
    assert room.evidence_bytes == 1000


def test_more_than_allowed_goes_oldest_first(tmp_path: Path, disk: dict[str, float]) -> None:
    pictures = [put(tmp_path, f"evidence/{index}/1-wide.jpg", 10 - index, 400_000) for index in range(10)]
    room = Room(tmp_path, Disk(evidence_gb=0.002))
    room.refresh(1000.0)
    # Down to 0.9 of the 2 MB, so that the next picture does not start it again.
    assert [path.exists() for path in pictures] == [False] * 6 + [True] * 4


def test_above_the_high_water_mark_no_pictures_are_kept_until_there_is_room(
    tmp_path: Path, disk: dict[str, float]
) -> None:
    old = put(tmp_path, "evidence/a/1-wide.jpg", 1)
    room = Room(tmp_path, Disk(high_water=0.9))
    disk["used"] = 95.0
    room.refresh(1000.0)
    assert not room.pictures
    assert "95%" in room.why
    assert not old.exists()
    disk["used"] = 80.0
    room.refresh(1005.0)
    assert not room.pictures, "it is asked only now and then"
    room.refresh(1021.0)
    assert room.pictures
    assert not room.why


def test_a_full_disk_gets_the_ballast_back(tmp_path: Path, disk: dict[str, float]) -> None:
    room = Room(tmp_path, Disk())
    room.refresh(1000.0)
    ballast = tmp_path / "watch/ballast"
    assert ballast.stat().st_size == 32 * 1024 * 1024
    disk["used"] = 99.99
    room.make()
    assert not ballast.exists()
    room.refresh(1050.0)
    assert not ballast.exists(), "not laid down again before there is room"
    disk["used"] = 50.0
    room.refresh(1100.0)
    assert ballast.exists()
