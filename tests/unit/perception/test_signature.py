"""Signatures on pictures made for the purpose; real ones in tests/real/test_slow_change.py."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from huoyan.perception import signature as views

Luma = npt.NDArray[np.uint8]


@pytest.fixture
def scene() -> Luma:
    return make_scene(7)


def make_scene(seed: int, size: tuple[int, int] = (640, 360)) -> Luma:
    """Rectangles and lines of many sizes: something like a street."""
    rng = np.random.default_rng(seed)
    picture = np.full((size[1], size[0]), 120, np.uint8)
    for _ in range(60):
        x, y = int(rng.integers(size[0])), int(rng.integers(size[1]))
        w, h = int(rng.integers(10, 120)), int(rng.integers(10, 90))
        cv2.rectangle(picture, (x, y), (x + w, y + h), int(rng.integers(40, 220)), -1)
        cv2.line(picture, (x, y), (y, x), int(rng.integers(40, 220)), 2)
    return picture


def test_the_same_picture_is_the_same(scene: Luma) -> None:
    packed = views.signature(scene)
    assert len(packed) == views.BYTES
    likeness = views.likeness(packed, views.signature(scene.copy()))
    assert likeness.score == pytest.approx(1, abs=1e-5)
    assert likeness.distance.max() == pytest.approx(0, abs=1e-3)
    assert likeness.shift == (0, 0)


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0), (0.6, 80), (1.15, -20)])
def test_light_changes_little(scene: Luma, gain: float, offset: float) -> None:
    lit = np.clip(scene * gain + offset, 0, 255).astype(np.uint8)
    likeness = views.likeness(views.signature(scene), views.signature(lit))
    assert likeness.score > 0.97
    assert float(np.percentile(likeness.distance, 99)) < 0.1


@pytest.mark.parametrize("size", [(640, 360), (704, 576), (1920, 1080), (352, 288)])
def test_any_resolution_gives_the_same_view(scene: Luma, size: tuple[int, int]) -> None:
    other = cv2.resize(scene, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    assert views.likeness(views.signature(scene), views.signature(other)).score > 0.9


def test_a_new_thing_is_found_where_it_is(scene: Luma) -> None:
    changed = scene.copy()
    changed[200:300, 400:520] = np.tile(np.array([[30, 30, 220, 220]], np.uint8), (100, 30))
    distance = views.likeness(views.signature(scene), views.signature(changed)).distance
    cell = 640 / views.COLUMNS
    inside = distance[int(210 / cell) : int(290 / cell), int(410 / cell) : int(510 / cell)]
    far = distance[:, : int(340 / cell)]
    assert np.median(inside) > 0.25
    assert far.max() < 0.05


@pytest.mark.parametrize(("x", "y"), [(3, 0), (-5, 2), (0, 6), (12, -9)])
def test_a_shaken_camera_is_recognised(x: int, y: int) -> None:
    large = make_scene(3, (680, 400))
    still, shaken = large[20:380, 20:660], large[20 - y : 380 - y, 20 - x : 660 - x]
    likeness = views.likeness(views.signature(still), views.signature(shaken))
    assert likeness.shift[0] * 640 == pytest.approx(x, abs=2.5)
    assert likeness.shift[1] * 360 == pytest.approx(y, abs=2.5)
    assert likeness.score > 0.9


def test_other_views_are_unlike() -> None:
    packed = [views.signature(make_scene(seed)) for seed in range(8)]
    scores = [views.likeness(a, b).score for i, a in enumerate(packed) for b in packed[:i]]
    assert max(scores) < 0.4


def test_nothing_to_see_says_nothing(scene: Luma) -> None:
    grey = views.signature(np.full((360, 640), 128, np.uint8))
    assert views.view(grey).cells.max() == 0
    assert views.likeness(grey, views.signature(scene)).score == 0


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        views.signature(np.zeros((360, 640, 3), np.uint8))
    with pytest.raises(ValueError, match="bytes"):
        views.view(b"short")
