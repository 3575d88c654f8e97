"""Evidence pictures: which are made, what they show, and that a replay makes the same."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from huoyan import config
from huoyan.alerts import evidence, text
from huoyan.alerts.evidence import EvidenceResult
from huoyan.records import Detection, Image

SETTINGS = config.Evidence(blur_faces=False, blur_plates=False, quality=95)
PLAIN = np.full((480, 640, 3), 128, np.uint8)


def render(
    revision: Any, folder: Path, picture: Image = PLAIN, before: Image | None = None, **options: Any
) -> EvidenceResult:
    settings = options.pop("settings", SETTINGS)

    def reopen(_: Any, role: str) -> Image:
        chosen = picture if role == "now" else before
        assert chosen is not None
        return chosen

    return evidence.render(revision, folder, settings, reopen=reopen, **options)


def read(folder: Path, result: EvidenceResult, role: str) -> Image:
    href = next(e.href for e in result.evidence if e.role == role)
    image = cv2.imread(str(folder / href))
    assert image is not None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def test_files_names_and_digests(make_revision: Any, tmp_path: Path) -> None:
    revision = make_revision(revision=3)
    result = render(revision, tmp_path)
    assert result.notes == ()
    incident = revision.incident.incident_id
    assert [e.href for e in result.evidence] == [
        f"evidence/{incident}/3-{role}.jpg" for role in ("wide", "close")
    ]
    for picture in result.evidence:
        data = (tmp_path / picture.href).read_bytes()
        assert hashlib.sha256(data).hexdigest() == picture.sha256
        assert picture.time == revision.finding.frame.time
    assert sorted(p.name for p in (tmp_path / "evidence" / incident).iterdir()) == [
        "3-close.jpg",
        "3-wide.jpg",
    ]


def test_a_replay_makes_the_same_bytes(make_revision: Any, picture: Image, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "settings": config.Evidence(),
        "others": [Detection("person", 0.9, (10.0, 10.0, 60.0, 200.0))],
    }
    results = [render(make_revision(), tmp_path / str(n), picture, **options) for n in range(2)]
    assert results[0].evidence == results[1].evidence


def test_the_box_is_drawn_where_the_subject_is(make_revision: Any, tmp_path: Path) -> None:
    wide = read(tmp_path, render(make_revision(), tmp_path), "wide")
    assert wide.shape[1] == 1280, "a small picture is enlarged up to twice"
    orange = np.array([238, 108, 23])
    left_edge = wide[320:640, 395:406].astype(int)
    assert (np.abs(left_edge - orange).sum(axis=2) < 60).any(axis=1).mean() > 0.95
    inside = wide[400:600, 450:700].astype(int)
    assert np.abs(inside - 128).max() < 12, "the subject itself is not drawn over"
    footer = wide[960:]
    assert footer.mean() < 90 and footer.max() > 200


def test_a_close_up_enlarges_a_small_subject(make_revision: Any, tmp_path: Path) -> None:
    small = Detection("excavator", 0.8, (300.0, 200.0, 340.0, 230.0))
    close = read(tmp_path, render(make_revision(detection=small), tmp_path), "close")
    assert 360 <= close.shape[1] <= 720
    assert close.shape[1] > close.shape[0] * 1.0


def test_a_change_shows_before_and_after_of_one_cut(make_revision: Any, tmp_path: Path) -> None:
    ring = ((200.0, 150.0), (300.0, 150.0), (300.0, 250.0), (200.0, 250.0))
    change = Detection("change", 0.7, (200.0, 150.0, 300.0, 250.0), ring)
    earlier = np.full_like(PLAIN, 40)
    result = render(make_revision(kind="satellite", detection=change), tmp_path, before=earlier)
    assert [e.role for e in result.evidence] == ["wide", "close", "before", "after"]
    before, after = read(tmp_path, result, "before"), read(tmp_path, result, "after")
    assert before.shape == after.shape
    middle = (
        slice(before.shape[0] // 3, before.shape[0] // 2),
        slice(before.shape[1] // 3, before.shape[1] // 2),
    )
    assert abs(int(np.median(before[middle])) - 40) < 6
    assert abs(int(np.median(after[middle])) - 128) < 6


def test_a_read_plate_gets_a_picture_of_its_own(make_revision: Any, tmp_path: Path) -> None:
    truck = Detection(
        "dump_truck", 0.9, (100.0, 100.0, 400.0, 400.0), attributes={"plate_box": [200, 350, 300, 380]}
    )
    result = render(make_revision(detection=truck), tmp_path)
    assert [e.role for e in result.evidence] == ["wide", "close", "plate"]


def test_people_among_the_others_are_hidden(make_revision: Any, picture: Image, tmp_path: Path) -> None:
    person = Detection("person", 0.9, (20.0, 60.0, 80.0, 240.0))
    settings = config.Evidence(quality=95)
    wide = read(
        tmp_path, render(make_revision(), tmp_path, picture, others=[person], settings=settings), "wide"
    )
    head, legs = wide[130:220, 50:150].astype(float), wide[380:470, 50:150].astype(float)
    assert head.std() < 0.4 * legs.std()


def test_a_picture_read_at_another_size(make_revision: Any, tmp_path: Path) -> None:
    half = np.full((240, 320, 3), 128, np.uint8)
    wide = read(tmp_path, render(make_revision(), tmp_path, half), "wide")
    # The subject's left edge is at 200 of 640 pixels: 100 of 320, 240 of 768 as enlarged.
    assert wide.shape[1] == 768
    edge = wide[190:390, 235:246].astype(int)
    assert (np.abs(edge - np.array([238, 108, 23])).sum(axis=2) < 60).any(axis=1).mean() > 0.9


def test_a_report_has_no_picture(make_revision: Any, tmp_path: Path) -> None:
    revision = make_revision()
    finding = replace(revision.finding, frame=replace(revision.finding.frame, kind="report"), evidence=())
    assert render(replace(revision, finding=finding), tmp_path) == EvidenceResult(())


def test_english_where_chinese_cannot_be_written(
    make_revision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "chinese", lambda: False)
    result = render(make_revision(), tmp_path, scene_names={"earthwork": ("开挖平整", "Earthwork")})
    assert result.notes == ()
    footer = read(tmp_path, result, "wide")[962:]
    assert footer.max() > 200, "something is written"


def test_an_id_cannot_lead_out_of_the_folder(make_revision: Any, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    result = render(make_revision(incident_id="../../up"), folder)
    assert all((folder / e.href).resolve().is_relative_to(folder / "evidence") for e in result.evidence)
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("words", ["short", "a very long line of words " * 8, "火眼" * 80, ""])
def test_text_is_cut_to_its_room(words: str) -> None:
    cut = text.fitted(words, 20, 200)
    assert text.width(cut, 20) <= 200
    assert cut == words or cut.endswith("…")


def test_alerts_about_one_frame_share_its_reading(make_revision: Any, picture: Image, tmp_path: Path) -> None:
    reads: list[str] = []

    def reopen(_: Any, role: str) -> Image:
        reads.append(role)
        return picture

    first, second = make_revision(), make_revision(revision=2)
    opened: dict[str, evidence.Opened] = {}
    together = [
        evidence.render(one, tmp_path, config.Evidence(), reopen=reopen, opened=opened)
        for one in (first, second)
    ]
    assert reads == ["now"]
    alone = evidence.render(second, tmp_path / "alone", config.Evidence(), reopen=reopen)
    assert reads == ["now", "now"]
    assert [one.sha256 for one in together[1].evidence] == [one.sha256 for one in alone.evidence]
