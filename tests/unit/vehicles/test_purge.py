"""Retention: what is old goes, once a day, whatever interrupts it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from huoyan.config_vehicles import Retention
from huoyan.errors import StorageError
from huoyan.passage import Passage, PlateReading, Reason, Verdict
from huoyan.vehicles import entry, purge
from huoyan.vehicles.history import DATABASE, History

NOW = datetime(2026, 11, 28, 8, tzinfo=UTC)
KEEP = Retention(passages="30d", violations="100d", pictures="10d")
LATE = Reason("M03", "时段外", "outside its hours")


def seen(history: History, days_ago: float, plate: str, *reasons: Reason, picture: str = "") -> None:
    time = NOW - timedelta(days=days_ago)
    one = Passage(f"{plate}@{days_ago}", "road-1", "dump_truck", time, time, PlateReading(plate, plate))
    history.record(entry.of_passage(one, Verdict(plate, True, reasons)))
    if picture:
        history.add_pictures([picture], time)


def plates(found: list[Any]) -> list[str]:
    return [one.plate for one in found]


def test_each_kind_goes_when_its_time_is_over(history: History, tmp_path: Path) -> None:
    for days, plate in ((9, "浙A00009"), (29.9, "浙A00029"), (30.1, "浙A00030"), (101, "浙A00101")):
        picture = tmp_path / "evidence" / f"{days}.jpg"
        picture.parent.mkdir(exist_ok=True)
        picture.write_bytes(b"x")
        seen(history, days, plate, LATE, picture=f"evidence/{days}.jpg")
    gone = purge.purge(history.connection, tmp_path, KEEP, NOW)
    assert (gone.passages, gone.violations, gone.pictures) == (2, 1, 3)
    assert plates(history.passages()) == ["浙A00029", "浙A00009"]
    assert plates(history.violations()) == ["浙A00030", "浙A00029", "浙A00009"]
    assert [path.name for path in (tmp_path / "evidence").iterdir()] == ["9.jpg"]
    # The rest of the history goes on working: the level still knows what the passages do not tell any more.
    assert history.standing("浙A00030", NOW).level == "yellow"


def test_what_is_purged_is_not_in_the_file_any_more(history: History, tmp_path: Path) -> None:
    for number in range(50):
        seen(history, 200, f"浙A{number:05}", LATE)
    history.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert "浙A00007".encode() in (tmp_path / DATABASE).read_bytes()
    purge.purge(history.connection, tmp_path, KEEP, NOW)
    files = b"".join(path.read_bytes() for path in tmp_path.glob(f"{DATABASE}*"))
    assert "浙A0".encode() not in files


def test_at_most_once_a_day(history: History, tmp_path: Path) -> None:
    def at(hours: float) -> purge.Purged | None:
        return purge.when_due(history.connection, tmp_path, KEEP, NOW + timedelta(hours=hours))

    assert at(0) is not None
    assert at(0.1) is None
    assert at(23.9) is None
    seen(history, 40, "浙A12345")
    assert at(24) == purge.Purged(passages=1)
    assert at(25) is None
    # A clock that was a year ahead does not keep everything for a year.
    assert at(9000) is not None
    assert at(30) is not None


def test_a_purge_that_was_cut_off_is_taken_up(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    purge.purge(history.connection, tmp_path, KEEP, NOW - timedelta(days=1))
    for number in range(3):
        seen(history, 50, f"浙A0000{number}", picture=f"{number}.jpg")
        (tmp_path / f"{number}.jpg").write_bytes(b"x")
    real = purge._remove

    def dies(base: Path, href: str) -> bool:
        if href == "1.jpg":
            raise KeyboardInterrupt
        return real(base, href)

    monkeypatch.setattr(purge, "_remove", dies)
    with pytest.raises(KeyboardInterrupt):
        purge.when_due(history.connection, tmp_path, KEEP, NOW)
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["1.jpg", "2.jpg"]
    assert len(history.passages()) == 3
    monkeypatch.setattr(purge, "_remove", real)
    # A minute later, not a day.
    again = purge.when_due(history.connection, tmp_path, KEEP, NOW + timedelta(minutes=1))
    assert again == purge.Purged(passages=3, pictures=2)
    assert list(tmp_path.glob("*.jpg")) == []
    assert purge.when_due(history.connection, tmp_path, KEEP, NOW + timedelta(minutes=2)) is None


def test_pictures_outside_the_state_are_left_alone(history: History, tmp_path: Path) -> None:
    outside = tmp_path.parent / "precious.jpg"
    outside.write_bytes(b"x")
    state = tmp_path / "state"
    state.mkdir()
    history.add_pictures(["../../precious.jpg", f"../{outside.name}", str(outside)], NOW - timedelta(days=50))
    assert purge.purge(history.connection, state, KEEP, NOW).pictures == 0
    assert outside.exists()
    outside.unlink()


def test_a_picture_that_cannot_be_removed_is_told(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    history.add_pictures(["a.jpg"], NOW - timedelta(days=50))

    def refuses(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuses)
    with pytest.raises(StorageError, match=r"a\.jpg.*cannot be removed"):
        purge.purge(history.connection, tmp_path, KEEP, NOW)
    monkeypatch.undo()
    assert purge.is_due(history.connection, NOW + timedelta(minutes=1)), "and it is tried again"
