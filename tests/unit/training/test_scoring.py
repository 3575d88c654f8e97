"""Judging on partly labelled pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import scoring
from training.data import Box, Picture

CLASSES = ["truck", "heap"]


def picture(boxes: list[Box], known: set[str]) -> Picture:
    return Picture(Path("yard_1.jpg"), "set", "val", tuple(boxes), frozenset(known))


def found(*rows: tuple[int, float, float, float, float, float]) -> scoring.Found:
    """Rows of class number, score, x1, y1, x2, y2."""
    table = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return scoring.Found(table[:, 2:], table[:, 1], table[:, 0].astype(np.int64))


def test_a_class_that_is_not_known_gives_no_false_alarm() -> None:
    truck = Box("truck", 0.5, 0.5, 0.2, 0.2)
    seen = found((0, 0.9, 0.0, 0.0, 0.1, 0.1), (0, 0.8, 0.4, 0.4, 0.6, 0.6))
    open_picture = scoring.tallies([picture([truck], set())], [seen], CLASSES, {})
    known_picture = scoring.tallies([picture([truck], {"truck"})], [seen], CLASSES, {})
    assert scoring.pool(open_picture["truck"]).hits.tolist() == [True]
    assert scoring.pool(known_picture["truck"]).hits.tolist() == [False, True]
    assert scoring.average_precision(scoring.pool(open_picture["truck"])) == pytest.approx(1.0)
    assert scoring.average_precision(scoring.pool(known_picture["truck"])) == pytest.approx(0.5)


def test_classes_without_a_box_are_not_scored() -> None:
    assert scoring.tallies([picture([], {"heap"})], [found()], CLASSES, {}) == {}


def test_one_box_is_hit_once() -> None:
    box = np.array([[0.4, 0.4, 0.6, 0.6]], dtype=np.float32)
    seen = found((0, 0.7, 0.4, 0.4, 0.6, 0.6), (0, 0.9, 0.41, 0.4, 0.6, 0.6), (1, 0.95, 0.4, 0.4, 0.6, 0.6))
    scores, hits = scoring.match(seen, box, 0, 0.5)
    assert scores.tolist() == pytest.approx([0.9, 0.7])
    assert hits.tolist() == [True, False]


@pytest.mark.parametrize(("iou", "hit"), [(0.3, True), (0.5, False)])
def test_soft_classes_are_judged_at_their_own_overlap(iou: float, hit: bool) -> None:
    seen = found((1, 0.9, 0.4, 0.4, 0.5, 0.6))
    shifted = Box("heap", 0.475, 0.5, 0.15, 0.3)
    curve = scoring.pool(
        scoring.tallies([picture([shifted], {"heap"})], [seen], CLASSES, {"heap": iou})["heap"]
    )
    assert curve.hits.tolist() == [hit]


def test_average_precision_of_a_hand_computed_curve() -> None:
    curve = scoring.Curve(
        np.array([0.9, 0.8, 0.7, 0.6], dtype=np.float32), np.array([True, False, True, False]), 4
    )
    # Recall 1/4 at precision 1, 2/4 at precision 2/3, two boxes never found.
    assert scoring.average_precision(curve) == pytest.approx(0.25 + 0.25 * 2 / 3)
    assert scoring.average_precision(scoring.Curve(curve.scores[:0], curve.hits[:0], 4)) == 0.0


def test_operating_point_is_the_lowest_score_of_the_wanted_precision() -> None:
    scores = np.linspace(0.95, 0.3, 14, dtype=np.float32)
    hits = np.array([True] * 10 + [False] * 4)
    point = scoring.operating_point(scoring.Curve(scores, hits, 12), precision=0.9)
    assert point == {"score": 0.45, "precision": 0.91, "recall": 0.83}


def test_operating_point_of_a_weak_class_is_that_of_the_best_f1() -> None:
    curve = scoring.Curve(
        np.array([0.6, 0.5, 0.4, 0.3], dtype=np.float32), np.array([False, True, True, False]), 3
    )
    assert scoring.operating_point(curve)["score"] == pytest.approx(0.4)


def test_operating_point_stays_within_bounds() -> None:
    curve = scoring.Curve(np.array([0.05], dtype=np.float32), np.array([True]), 1)
    assert scoring.operating_point(curve) == {"score": 0.12, "precision": None, "recall": 0.0}


@pytest.mark.parametrize("size", [(720, 1280), (1280, 720), (416, 416), (333, 501)])
def test_letterbox_keeps_the_shape_and_the_stride(size: tuple[int, int]) -> None:
    canvas, (left, top, width, height) = scoring.letterbox(np.full((*size, 3), 255, dtype=np.uint8), 640)
    assert canvas.shape[0] % 32 == 0 and canvas.shape[1] % 32 == 0
    assert max(width, height) == 640
    assert width / height == pytest.approx(size[1] / size[0], rel=0.01)
    assert (canvas[int(top) : int(top + height), int(left) : int(left + width)] == 255).all()


def test_detections_come_back_in_shares_of_the_picture() -> None:
    image = np.zeros((360, 640, 3), dtype=np.uint8)

    def raw(images: np.ndarray) -> scoring.Floats:
        assert images.shape == (1, 384, 640, 3)
        # The picture lies 12 px below the upper rim of its canvas.
        return np.array([[[64, 48, 320, 192, 0.9, 0.0], [66, 48, 320, 192, 0.8, 0.0]]], dtype=np.float32)

    seen = scoring.detect(raw, image, 640, 0.6)
    assert seen.boxes == pytest.approx(np.array([[0.1, 0.1, 0.5, 0.5]]))
    assert seen.classes.tolist() == [0]


def test_an_interval_comes_from_drawing_the_pictures_again() -> None:
    box = Box("truck", 0.5, 0.5, 0.2, 0.2)
    right, nothing = found((0, 0.8, 0.4, 0.4, 0.6, 0.6)), found()
    pictures = [picture([box], {"truck"})] * 20
    sure = scoring.figures(scoring.tallies(pictures, [right] * 20, CLASSES, {}), intervals=200)
    assert sure["classes"]["truck"]["interval"] == [1.0, 1.0]
    half = scoring.figures(scoring.tallies(pictures, [right, nothing] * 10, CLASSES, {}), intervals=200)
    low, high = half["map_interval"]
    assert half["map"] == 0.5 and half["classes"]["truck"]["pictures"] == 20
    # Of 20 draws with chance 1/2, 95 % lie within 6 and 14.
    assert 0.25 <= low <= 0.35 and 0.65 <= high <= 0.75


def test_pictures_without_the_class_raise_its_threshold() -> None:
    box = Box("truck", 0.5, 0.5, 0.2, 0.2)
    right = found((0, 0.4, 0.4, 0.4, 0.6, 0.6))
    loud, quiet = found((0, 0.55, 0.1, 0.1, 0.2, 0.2)), found()
    pictures = [picture([box], {"truck"})] * 5 + [picture([], {"truck"})] * 60 + [picture([], set())]
    # Nothing is said of the last picture, so it does not count; one of the 60 may cry, the second may not.
    one, two = ([right] * 5 + [loud] * n + [quiet] * (60 - n) + [loud] for n in (1, 2))
    rows = scoring.tallies(pictures, one, CLASSES, {})["truck"]
    assert scoring.quiet_score(rows) == pytest.approx(0.01)
    rows = scoring.tallies(pictures, two, CLASSES, {})["truck"]
    assert scoring.quiet_score(rows) == pytest.approx(0.56)
    point = scoring.operating_point(scoring.pool(rows), quiet=0.56)
    assert point == {"score": 0.56, "precision": None, "recall": 0.0}
    assert scoring.quiet_score(rows[:5]) == 0.0
    assert type(scoring.quiet_score(rows)) is float, "cards are YAML"
