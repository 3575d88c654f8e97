"""What is hidden in evidence, and that nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest

from huoyan.alerts import faces, redact
from huoyan.records import Box, Detection, Image


def changed(before: Image, after: Image) -> Box | None:
    """The box round all pixels that differ."""
    rows, columns = np.nonzero(np.any(before != after, axis=2))
    if not len(rows):
        return None
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)


def plated(colour: tuple[int, int, int], size: tuple[int, int] = (132, 42), ink: int = 255) -> Image:
    """A grey picture of 640 x 480 with a plate of seven characters at (250, 220)."""
    picture = np.full((480, 640, 3), 128, np.uint8)
    width, height = size
    plate = np.full((height, width, 3), colour, np.uint8)
    for index in range(7):
        # Strokes as high as a plate's, without any font: two uprights and a bar each.
        left = 8 + index * (width - 14) // 7
        plate[8 : height - 8, left : left + 3] = ink
        plate[8 : height - 8, left + 9 : left + 12] = ink
        plate[height // 2 : height // 2 + 2, left : left + 12] = ink
    picture[220 : 220 + height, 250 : 250 + width] = plate
    return picture


def test_a_head_is_hidden_and_nothing_else(picture: Image) -> None:
    person = Detection("person", 0.9, (100.0, 100.0, 160.0, 280.0))
    original = picture.copy()
    hidden = redact.hide(picture, [person], plates=False)
    assert np.array_equal(picture, original), "the picture itself stays as it is"
    assert changed(original, hidden) == (100.0, 94.0, 160.0, 160.0)
    head = hidden[94:160, 100:160].astype(int)
    assert np.abs(np.diff(head, axis=1)).mean() < 6, "noise is gone: neighbours are alike"


def test_a_broad_box_hides_no_more_than_a_head(picture: Image) -> None:
    person = Detection("person", 0.9, (100.0, 100.0, 400.0, 220.0))
    assert redact.head_boxes([person]) == [pytest.approx((220.0, 96.4, 280.0, 140.0))]


def test_switched_off_nothing_changes(picture: Image) -> None:
    seen = [
        Detection("person", 0.9, (10.0, 10.0, 60.0, 200.0)),
        Detection("car", 0.9, (200.0, 200.0, 400.0, 300.0)),
    ]
    assert changed(picture, redact.hide(picture, seen, faces=False, plates=False)) is None


@pytest.mark.parametrize(
    "box", [(-50.0, -50.0, 20.0, 120.0), (600.0, 400.0, 700.0, 600.0), (700.0, 0.0, 800.0, 90.0)]
)
def test_boxes_beyond_the_edge(box: Box, picture: Image) -> None:
    hidden = redact.blur(picture, [box])
    touched = changed(picture, hidden)
    inside = (max(0.0, box[0]), max(0.0, box[1]), min(640.0, box[2]), min(480.0, box[3]))
    assert touched == (inside if box[0] < 640 else None)


def test_a_readable_vehicle_loses_its_plate_and_a_far_one_is_left(picture: Image) -> None:
    near, far = (
        Detection("car", 0.9, (100.0, 100.0, 300.0, 200.0)),
        Detection("car", 0.9, (400.0, 50.0, 440.0, 70.0)),
    )
    assert redact.plate_bands([near, far]) == [(100.0, 130.0, 300.0, 197.0)]


@pytest.mark.parametrize(
    ("colour", "ink"),
    [((20, 60, 180), 255), ((225, 175, 25), 0), ((90, 200, 120), 0)],
    ids=["blue", "yellow", "green"],
)
def test_plates_are_found_by_colour_and_writing(colour: tuple[int, int, int], ink: int) -> None:
    found = redact.plate_boxes(plated(colour, ink=ink))
    assert len(found) == 1
    x1, y1, x2, y2 = found[0]
    assert x1 <= 252 and y1 <= 222 and x2 >= 380 and y2 >= 260
    assert (x2 - x1) * (y2 - y1) < 2 * 132 * 42


def test_a_field_without_writing_is_no_plate() -> None:
    picture = np.full((480, 640, 3), 128, np.uint8)
    picture[220:262, 250:382] = (20, 60, 180)
    assert redact.plate_boxes(picture) == []


def test_the_involved_vehicle_keeps_its_plate_and_others_lose_theirs() -> None:
    picture = plated((20, 60, 180))
    truck = Detection("dump_truck", 0.9, (200.0, 60.0, 440.0, 300.0))
    assert changed(picture, redact.hide(picture, [truck], [truck], faces=False)) is None
    touched = changed(picture, redact.hide(picture, [truck], faces=False))
    assert touched is not None and touched[0] <= 250 and touched[2] >= 382


def test_what_looks_like_a_plate_but_is_the_evidence_stays() -> None:
    picture = plated((20, 60, 180))
    banner = Detection("illegal_banner", 0.9, (245.0, 215.0, 390.0, 270.0))
    assert changed(picture, redact.hide(picture, [], [banner], faces=False)) is None


def test_without_the_face_detector_heads_are_still_hidden(
    picture: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "can_find", lambda: False)
    assert not redact.can_find_faces()
    assert redact.face_boxes(picture) == []
    person = Detection("person", 0.9, (100.0, 100.0, 160.0, 280.0))
    assert changed(picture, redact.hide(picture, [person])) is not None
