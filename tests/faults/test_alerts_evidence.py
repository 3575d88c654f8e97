"""Evidence that cannot be made: the alert goes out with what there is and says what is missing."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from huoyan import config
from huoyan.alerts import evidence, files
from huoyan.alerts.evidence import EvidenceResult
from huoyan.errors import UnreadableFile
from huoyan.records import (
    Box,
    Detection,
    Finding,
    FrameRef,
    Image,
    Incident,
    Observation,
    PermitCheck,
    Priority,
    Revision,
    Unplaced,
)

T0 = datetime(2026, 5, 3, 1, 0, tzinfo=UTC)
PICTURE = np.random.default_rng(3).integers(0, 256, (240, 320, 3), dtype=np.uint8)


def revision(
    kind: Any = "camera", box: Box = (100.0, 60.0, 180.0, 160.0), size: tuple[int, int] = (320, 240)
) -> Revision:
    ref = FrameRef("f1", "cam-001", kind, T0, "exif", size, "cam-001/a.jpg")
    place, permit = Unplaced("no calibration"), PermitCheck("none")
    seen = Observation(ref, Detection("excavator", 0.8, box), place)
    finding = Finding("earthwork", "", ref, (seen,), place, 0.8, (), permit, Priority.HIGH, "0501", "seen")
    incident = Incident(
        "abc",
        "earthwork",
        "",
        "open",
        1,
        Priority.HIGH,
        "0501",
        0.8,
        place,
        T0,
        T0,
        1,
        (kind,),
        ("cam-001",),
        (),
        (),
        permit,
        "f1",
    )
    return Revision(incident, finding, "new")


def render(
    told: Revision, folder: Path, image: Image | Exception, before: Image | Exception | None = None
) -> EvidenceResult:
    def reopen(_: FrameRef, role: str) -> Image:
        chosen = image if role == "now" else before
        if isinstance(chosen, Exception):
            raise chosen
        assert chosen is not None
        return chosen

    return evidence.render(told, folder, config.Evidence(), reopen=reopen)


@pytest.mark.parametrize(
    "trouble",
    [
        UnreadableFile("truncated", subject="cam-001/a.jpg"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        PermissionError(errno.EACCES, "Permission denied"),
        MemoryError("cannot allocate"),
        ValueError("bad window"),
    ],
)
def test_a_picture_that_cannot_be_read_again(trouble: Exception, tmp_path: Path) -> None:
    result = render(revision(), tmp_path, trouble)
    assert result.evidence == ()
    assert len(result.notes) == 1
    assert "cam-001/a.jpg cannot be read again" in result.notes[0]
    assert list(tmp_path.iterdir()) == []


def test_without_the_earlier_picture_the_rest_is_shown(tmp_path: Path) -> None:
    result = render(revision("satellite"), tmp_path, PICTURE, UnreadableFile("gone"))
    assert [e.role for e in result.evidence] == ["wide", "close"]
    assert any("no earlier picture" in note for note in result.notes)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, written = os.fsync, list[int]()

    def full(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    result = render(revision(), tmp_path, PICTURE)
    assert [e.role for e in result.evidence] == ["wide"]
    assert any("close picture was not written" in note and "No space left" in note for note in result.notes)
    assert [p.name for p in tmp_path.rglob("*.*")] == ["1-wide.jpg"], "nothing half is left behind"


def test_an_old_picture_survives_a_failed_rewrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    files.write(path, b"whole")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write(path, b"half")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "box",
    [(400.0, 300.0, 500.0, 400.0), (-90.0, -90.0, -10.0, -10.0), (50.0, 50.0, 50.0, 50.0)],
    ids=["beyond", "before", "empty"],
)
def test_a_box_outside_of_the_picture(box: Box, tmp_path: Path) -> None:
    result = render(revision(box=box), tmp_path, PICTURE)
    assert [e.role for e in result.evidence] == ["wide"]
    assert any("lies outside of the picture" in note for note in result.notes)


@pytest.mark.parametrize("shape", [(1, 1), (2, 4000), (4000, 3), (16, 16)])
def test_strange_shapes(shape: tuple[int, int], tmp_path: Path) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    told = revision(box=(0.0, 0.0, float(shape[1]), float(shape[0])), size=(shape[1], shape[0]))
    result = render(told, tmp_path, picture)
    assert "wide" in [e.role for e in result.evidence]


def test_a_frame_that_gives_no_size(tmp_path: Path) -> None:
    result = render(revision(size=(0, 0)), tmp_path, PICTURE)
    assert len(result.evidence) >= 1


def test_a_state_folder_that_is_a_file(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("x")
    result = render(revision(), blocked, PICTURE)
    assert result.evidence == ()
    assert len([note for note in result.notes if "was not written" in note]) == 2
