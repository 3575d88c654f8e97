"""Registers that are read again while something runs: whole or not at all, and never for half a file."""

from __future__ import annotations

import os
from pathlib import Path

from huoyan.registry.live import LiveRegistry

from .conftest import SCENES, VEHICLES, Make

MORE = VEHICLES + "浙D9H137,,,,,,,,\n"


def write(path: Path, text: str) -> None:
    """As an editor saves: the new file takes the place of the old one, with another time."""
    before = path.stat().st_mtime_ns
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    os.utime(fresh, ns=(before + 10**9, before + 10**9))
    fresh.replace(path)


def test_new_files_replace_the_registers_whole(county: Make, tmp_path: Path) -> None:
    live = LiveRegistry(county(), SCENES, settle_s=0.0)
    held = live.current
    assert live.refresh(wait=True) is None and live.current is held
    write(tmp_path / "vehicles.csv", MORE)
    note = live.refresh(wait=True)
    assert note is not None and "2 vehicles" in note and "3 vehicles" in note
    assert live.current.vehicle("浙D9H137") is not None
    assert held.vehicle("浙D9H137") is None, "who holds the old ones keeps them whole"
    assert live.refresh(wait=True) is None
    live.close()


def test_files_with_mistakes_change_nothing_and_are_told_once(county: Make, tmp_path: Path) -> None:
    live = LiveRegistry(county(), SCENES, settle_s=0.0)
    held = live.current
    write(tmp_path / "vehicles.csv", MORE + "浙D00001,pink,,,,,,,\n")
    note = live.refresh(wait=True)
    assert note is not None and "stay in force" in note and "vehicles.csv:5:colour" in note
    assert live.current is held and live.refresh(wait=True) is None
    write(tmp_path / "vehicles.csv", VEHICLES)
    assert live.refresh(wait=True) == "the registers are again those in force"
    write(tmp_path / "vehicles.csv", MORE)
    assert "3 vehicles" in (live.refresh(wait=True) or "")
    live.close()


def test_a_file_that_vanishes_changes_nothing(county: Make, tmp_path: Path) -> None:
    live = LiveRegistry(county(), SCENES, settle_s=0.0)
    held = live.current
    (tmp_path / "vehicles.csv").unlink()
    note = live.refresh(wait=True)
    assert note is not None and "cannot be read" in note and live.current is held
    (tmp_path / "vehicles.csv").write_text(MORE, encoding="utf-8")
    assert "3 vehicles" in (live.refresh(wait=True) or "")
    live.close()


def test_a_touched_file_is_not_read_again(county: Make, tmp_path: Path) -> None:
    live = LiveRegistry(county(), SCENES, settle_s=0.0)
    held = live.current
    os.utime(tmp_path / "vehicles.csv", ns=(1, 1))
    assert live.refresh(wait=True) is None and live.current is held
    live.close()


def test_a_file_that_is_still_being_written_waits(county: Make, tmp_path: Path) -> None:
    live = LiveRegistry(county(), SCENES, settle_s=3600.0)
    held = live.current
    for count in (1, 2, 3):
        write(tmp_path / "vehicles.csv", "".join(MORE.splitlines(keepends=True)[:count]))
        assert live.refresh(wait=True) is None
    assert live.current is held
    live.close()


def test_whatever_is_wrong_with_a_file_the_old_registers_stay(county: Make, tmp_path: Path) -> None:
    live = LiveRegistry(county(), SCENES, settle_s=0.0)
    held = live.current
    (tmp_path / "permits.csv").unlink()
    (tmp_path / "permits.csv").mkdir()
    note = live.refresh(wait=True)
    assert note is not None and "stay in force" in note and live.current is held
    live.close()
