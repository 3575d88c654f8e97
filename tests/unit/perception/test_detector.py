"""The detector on generated pictures: boxes, scores, thresholds, independence of the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from huoyan.errors import HuoyanError, ModelError, SourceError
from huoyan.perception.detector import Detector

Image = npt.NDArray[np.uint8]


def painted(size: tuple[int, int], *rectangles: tuple[int, int, int, int, tuple[int, int, int]]) -> Image:
    """A black picture of (width, height) with rectangles x1, y1, x2, y2, colour."""
    image = np.zeros((size[1], size[0], 3), np.uint8)
    for x1, y1, x2, y2, colour in rectangles:
        image[y1:y2, x1:x2] = colour
    return image


@pytest.mark.parametrize("size", [(320, 192), (640, 360), (1920, 1080), (200, 300), (97, 61)])
def test_box_comes_back_in_pixels_of_the_picture(colours: Callable[..., Path], size: tuple[int, int]) -> None:
    width, height = size
    box = (width // 4, height // 3, width // 2, height * 2 // 3)
    [found] = Detector(colours()).detect([painted(size, (*box, (255, 0, 0)))])
    assert [d.label for d in found] == ["red"]
    assert found[0].score == pytest.approx(1.0, abs=0.02)
    # One pixel of the canvas, in pixels of the picture.
    assert found[0].box == pytest.approx(box, abs=max(1.0, 1.5 * max(size) / 320))
    assert found[0].attributes["model"] == "colours"


def test_answers_do_not_depend_on_the_batch(colours: Callable[..., Path]) -> None:
    path = colours()
    random = np.random.default_rng(3)
    pictures = [
        painted((w, h), (w // 5, h // 5, w // 2, h // 2, (int(random.integers(140, 255)), 0, 0)))
        for w, h in [(320, 180), (180, 320), (640, 360), (320, 180), (333, 187), (320, 320), (64, 36)]
    ]
    alone = [Detector(path).detect([picture])[0] for picture in pictures]
    assert all(alone)
    for batch in (1, 2, 8):
        assert Detector(path, batch=batch).detect(pictures) == alone
        assert Detector(path, batch=batch).detect(pictures[::-1]) == alone[::-1]


@pytest.mark.parametrize(
    ("thresholds", "labels"),
    [
        (None, ["red"]),
        (0.05, ["red", "green"]),
        ({"green": 0.2}, ["red", "green"]),
        ({"red": 0.9}, []),
        ({}, ["red"]),
        (1.0, []),
    ],
)
def test_thresholds(colours: Callable[..., Path], thresholds: object, labels: list[str]) -> None:
    picture = painted((320, 320), (10, 10, 60, 60, (160, 0, 0)), (100, 100, 200, 200, (0, 80, 0)))
    [found] = Detector(colours()).detect([picture], thresholds=thresholds)  # type: ignore[arg-type]
    assert [d.label for d in found] == labels


def test_card_threshold_by_class(colours: Callable[..., Path]) -> None:
    picture = painted((320, 320), (10, 10, 60, 60, (160, 0, 0)), (100, 100, 200, 200, (0, 80, 0)))
    detector = Detector(colours(thresholds={"default": 0.8, "green": 0.3}))
    assert [d.label for d in detector.detect([picture])[0]] == ["green"]


def test_no_pictures(colours: Callable[..., Path]) -> None:
    assert Detector(colours()).detect([]) == []


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 3), np.float32),
        np.zeros((0, 20, 3), np.uint8),
        "picture.jpg",
    ],
)
def test_what_is_not_a_picture_is_refused(colours: Callable[..., Path], picture: object) -> None:
    with pytest.raises(SourceError) as caught:
        Detector(colours()).detect([picture])  # type: ignore[list-item]
    assert caught.value.code == "not_a_picture"


def test_a_change_model_is_no_detector(difference: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match="detects things"):
        Detector(difference())


def test_errors_are_huoyan_errors(tmp_path: Path) -> None:
    with pytest.raises(HuoyanError):
        Detector(tmp_path / "none.onnx")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [({"red"}, {"red": 0.2}), (set(), {}), ({"lorry"}, {}), ({"green"}, {"green": 0.1})],
)
def test_second_look_thresholds(
    colours: Callable[..., Path], labels: set[str], expected: dict[str, float]
) -> None:
    detector = Detector(colours(second_look={"low": 0.2}, thresholds={"red": 0.5, "green": 0.1}))
    assert detector.second_look_thresholds(labels) == expected
    assert Detector(colours()).second_look_thresholds(labels) == {}
