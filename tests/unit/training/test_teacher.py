"""What a teacher adds to the labels of a picture, and what it leaves open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training.data import Box, Picture
from training.teacher import blind, complete, overlap

RULE: dict[str, Any] = {
    "classes": ["person", "car"],
    "sure": 0.5,
    "unsure": 0.2,
    "mistaken_for": ["excavator"],
    "not_in": ["nadir"],
}
DIGGER = Box("excavator", 0.5, 0.5, 0.4, 0.4)


def picture(*boxes: Box, stem: str = "yard_1") -> Picture:
    return Picture(Path(f"{stem}.jpg"), "set", "train", boxes, frozenset({"excavator"}))


def test_what_is_sure_is_added_and_the_classes_become_known() -> None:
    car = Box("car", 0.1, 0.1, 0.1, 0.1)
    done = complete(picture(DIGGER), [("car", 0.9, car)], RULE)
    assert done.boxes == (DIGGER, car)
    assert done.known == {"excavator", "person", "car"}


def test_what_is_doubtful_leaves_its_class_open() -> None:
    done = complete(picture(), [("car", 0.3, Box("car", 0.1, 0.1, 0.1, 0.1))], RULE)
    assert done.boxes == ()
    assert done.known == {"excavator", "person"}


@pytest.mark.parametrize("score", [0.3, 0.9])
def test_an_excavator_is_not_taken_for_a_car(score: float) -> None:
    done = complete(picture(DIGGER), [("car", score, Box("car", 0.5, 0.5, 0.38, 0.38))], RULE)
    assert done.boxes == (DIGGER,)
    assert "car" in done.known


def test_a_driver_inside_an_excavator_is_kept() -> None:
    driver = Box("person", 0.5, 0.5, 0.05, 0.1)
    assert complete(picture(DIGGER), [("person", 0.8, driver)], RULE).boxes == (DIGGER, driver)


def test_own_labels_win_over_the_teacher() -> None:
    own = Box("car", 0.5, 0.5, 0.2, 0.2)
    assert complete(picture(own), [("car", 0.9, Box("car", 0.51, 0.5, 0.2, 0.2))], RULE).boxes == (own,)


def test_a_blind_teacher_is_not_asked() -> None:
    above = picture(stem="nadir_1")
    assert blind(above, RULE)
    assert complete(above, [("car", 0.9, DIGGER)], RULE) == above


@pytest.mark.parametrize(
    ("other", "union", "inside"),
    [
        (Box("a", 0.5, 0.5, 0.2, 0.2), 1.0, 1.0),
        (Box("a", 0.5, 0.5, 0.4, 0.2), 0.5, 1.0),
        (Box("a", 0.6, 0.5, 0.2, 0.2), 1 / 3, 0.5),
        (Box("a", 0.7, 0.5, 0.2, 0.2), 0.0, 0.0),
    ],
)
def test_overlap(other: Box, union: float, inside: float) -> None:
    assert overlap(Box("b", 0.5, 0.5, 0.2, 0.2), other) == pytest.approx((union, inside), abs=1e-9)
