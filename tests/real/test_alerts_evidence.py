"""Evidence from real pictures: whose faces and plates can still be recognised."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from huoyan import config
from huoyan.alerts import evidence, redact
from huoyan.records import (
    Box,
    Detection,
    Finding,
    FrameRef,
    Image,
    Incident,
    Observation,
    PermitCheck,
    Placement,
    Priority,
    Revision,
)

T0 = datetime(2026, 5, 3, 1, 0, tzinfo=UTC)


def read(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None, path
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def labelled(folder: Path, stem: str, size: tuple[int, int]) -> list[Detection]:
    """The labels of a YOLO folder as detections."""
    names = (folder.parent / "classes.txt").read_text().split()
    seen = []
    for line in (folder / "labels" / f"{stem}.txt").read_text().splitlines():
        kind, x, y, w, h = (float(part) for part in line.split()[:5])
        box = ((x - w / 2) * size[0], (y - h / 2) * size[1], (x + w / 2) * size[0], (y + h / 2) * size[1])
        seen.append(Detection(names[int(kind)], 1.0, box))
    return seen


@pytest.fixture(scope="module")
def faces(shared_data: Path) -> Any:
    """A second detector, of another make, to judge the first by."""
    path = shared_data / "weights" / "face_detection_yunet_2026may.onnx"
    return cv2.FaceDetectorYN.create(str(path), "", (320, 320), 0.8)


def found(detector: Any, image: Image) -> list[Box]:
    scale = min(1.0, 1280 / max(image.shape[:2]))
    small = cv2.resize(
        cv2.cvtColor(image, cv2.COLOR_RGB2BGR), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    detector.setInputSize((small.shape[1], small.shape[0]))
    _, rows = detector.detect(small)
    return [
        tuple(np.array([r[0], r[1], r[0] + r[2], r[1] + r[3]]) / scale)
        for r in (rows if rows is not None else ())
    ]


@pytest.mark.skipif(not redact.can_find_faces(), reason="the face detector comes for Linux on x86-64 only")
def test_faces_that_another_detector_sees_are_hidden(shared_data: Path, faces: Any) -> None:
    seen = left = 0
    for path in sorted((shared_data / "streetwise" / "train" / "images").iterdir())[::2]:
        image = read(path)
        before = found(faces, image)
        if before:
            after = found(faces, redact.hide(image, [], plates=False))
            seen += len(before)
            left += len(after)
    assert seen >= 8, "the pictures show people"
    assert left <= 0.1 * seen


def test_plates_in_close_views_are_mostly_hidden(shared_data: Path) -> None:
    hidden = total = 0
    for folder in ("plates/full", "plates/more/full"):
        for line in (shared_data / folder / "labels.jsonl").read_text(encoding="utf-8").splitlines():
            label = json.loads(line)
            image = read(shared_data / folder / "images" / label["file"])
            xs, ys = ([label[f"{axis}{n}"] for n in range(1, 5)] for axis in "xy")
            x1, y1, x2, y2 = int(min(xs)), int(min(ys)), int(max(xs)), int(max(ys))
            after = redact.hide(image, [], faces=False)
            touched = np.any(after[y1:y2, x1:x2] != image[y1:y2, x1:x2], axis=2)
            total += 1
            hidden += bool(touched.mean() > 0.7)
    # By colour and shape alone, without a vehicle's box to help: measured 88 of 136.
    assert total == 136
    assert hidden >= 80


def test_a_picture_of_every_kind(shared_data: Path, tmp_path: Path) -> None:
    """A camera frame with people, and a pair of satellite pictures."""
    folder = shared_data / "site" / "val"
    path = next(
        p
        for p in sorted((folder / "images").iterdir())
        if {"person", "piling_rig"} <= {d.label for d in labelled(folder, p.stem, (1, 1))}
    )
    image = read(path)
    size = (image.shape[1], image.shape[0])
    seen = labelled(folder, path.stem, size)
    rig = next(d for d in seen if d.label == "piling_rig")
    result = evidence.render(
        _revision("camera", rig, size, str(path)),
        tmp_path,
        config.Evidence(),
        others=seen,
        reopen=lambda *_: image,
    )
    assert [e.role for e in result.evidence] == ["wide", "close"]
    pair = shared_data / "change" / "hires"
    name = sorted(p.name for p in (pair / "A").iterdir())[0]
    before, after = read(pair / "A" / name), read(pair / "B" / name)
    change = Detection(
        "change", 0.7, (60.0, 60.0, 150.0, 140.0), ((60.0, 60.0), (150.0, 60.0), (150.0, 140.0))
    )
    result = evidence.render(
        _revision("satellite", change, (after.shape[1], after.shape[0]), name),
        tmp_path,
        config.Evidence(),
        reopen=lambda _, role: before if role == "before" else after,
    )
    assert [e.role for e in result.evidence] == ["wide", "close", "before", "after"]
    for picture in result.evidence:
        assert min(read(tmp_path / picture.href).shape[:2]) > 200


def _revision(kind: Any, detection: Detection, size: tuple[int, int], path: str) -> Revision:
    ref = FrameRef(f"frame-{kind}", kind, kind, T0, "exif", size, path)
    place, permit = Placement(120.9, 29.5, 8.0, "homography"), PermitCheck("none")
    finding = Finding(
        "earthwork",
        "",
        ref,
        (Observation(ref, detection, place),),
        place,
        0.8,
        (),
        permit,
        Priority.HIGH,
        "0501",
        "seen",
    )
    incident = Incident(
        f"incident-{kind}",
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
        (kind,),
        (),
        (),
        permit,
        ref.frame_id,
    )
    return Revision(incident, finding, "new")
