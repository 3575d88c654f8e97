"""An archive full of bad files in one scan: it completes, each file is told with its reason, good frames count."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path

import pytest

from ..support.county import RED, START, STEP, name_of, write_county, write_still
from ..support.running import huoyan, told

GOOD = 4


def bomb() -> bytes:
    """A PNG of a few hundred bytes that claims 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def county(tmp_path: Path) -> Path:
    """Good frames of one camera among files of every bad kind; `bad` are their names."""
    config = write_county(tmp_path, frames=GOOD)
    folder = tmp_path / "archive" / "camera" / "cam-1"
    later = START + STEP * 50
    whole = write_still(folder / f"{name_of(later)}.jpg", [(RED, (40, 120, 100, 200))])
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) // 2])
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    (folder / "text.jpg").write_text("this is no picture\n" * 50, encoding="utf-8")
    (folder / "empty.png").write_bytes(b"")
    (folder / "bomb.png").write_bytes(bomb())
    (folder / "broken.tif").write_bytes(b"II*\x00" + bytes(100))
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    satellite = tmp_path / "archive" / "satellite" / "20260301"
    satellite.mkdir(parents=True)
    (satellite / "torn.tif").write_bytes(b"II*\x00" + bytes(range(200)))
    # Odd names are no reason to leave a good picture out.
    write_still(folder / f"工地 一号_{name_of(later + STEP)}.jpg", [(RED, (40, 120, 100, 200))])
    write_still(folder / f"two\nlines_{name_of(later + 2 * STEP)}.jpg", [(RED, (40, 120, 100, 200))])
    return config


BAD = {
    f"{name_of(START + STEP * 50)}.jpg",
    "empty.mp4",
    "noise.mp4",
    "text.jpg",
    "empty.png",
    "bomb.png",
    "broken.tif",
    "gone.jpg",
    "torn.tif",
}


@pytest.mark.parametrize("workers", [1, 2])
def test_each_is_told_and_the_good_ones_count(county: Path, tmp_path: Path, workers: int) -> None:
    done = huoyan("scan", county, "--json", "--workers", workers)
    assert done.returncode == 0
    assert done.stderr == "", "no library writes past us"
    values = json.loads(done.stdout)
    assert values["frames"] == GOOD + 2
    assert {Path(skip["path"]).name for skip in values["skips"]} == BAD
    for skip in values["skips"]:
        assert skip["code"] and skip["source"]
        assert skip["path"] in skip["reason"], "a reason names its file"
        assert len(skip["reason"]) > len(skip["path"]) + 5
    assert sum(values["skipped"].values()) == len(values["skips"]) == len(BAD)
    assert len(told(tmp_path / "state").frames) == GOOD + 2


def test_the_summary_stays_one_line_a_file(county: Path) -> None:
    done = huoyan("scan", county)
    assert done.returncode == 0
    assert sum(line.startswith("skipped ") for line in done.stdout.splitlines()) == len(BAD) + 1
    assert re.search(rf"^skipped +{len(BAD)} \(", done.stdout, re.MULTILINE)


def test_strict_exits_with_3(county: Path) -> None:
    done = huoyan("scan", county, "--strict", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["frames"] == GOOD + 2, "everything else was done all the same"


def test_nothing_usable_exits_with_3_also_the_second_time(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "text.jpg").write_text("no picture", encoding="utf-8")
    for _ in range(2):
        assert huoyan("scan", folder, "--state", tmp_path / "state").returncode == 3


def test_a_mended_file_is_looked_at_by_the_next_scan(tmp_path: Path) -> None:
    config = write_county(tmp_path, frames=1)
    path = tmp_path / "archive" / "camera" / "cam-1" / f"{name_of(START + STEP)}.png"
    whole = write_still(path, [(RED, (40, 120, 100, 200))]).read_bytes()
    path.write_bytes(whole[:-40])
    assert json.loads(huoyan("scan", config, "--json").stdout)["frames"] == 1
    path.write_bytes(whole)
    again = json.loads(huoyan("scan", config, "--json").stdout)
    assert (again["frames"], again["already_done"], again["skips"]) == (1, 1, [])
