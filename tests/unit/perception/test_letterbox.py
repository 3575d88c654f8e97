from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan.perception import letterbox


@pytest.mark.parametrize(
    ("size", "long_side", "canvas", "inner"),
    [
        ((1920, 1080), 640, (640, 384), (640, 360)),
        ((1080, 1920), 640, (384, 640), (360, 640)),
        ((640, 640), 640, (640, 640), (640, 640)),
        ((416, 416), 640, (640, 640), (640, 640)),
        ((4000, 3000), 640, (640, 480), (640, 480)),
        ((5000, 10), 640, (640, 32), (640, 1)),
        ((1, 1), 320, (320, 320), (320, 320)),
        ((1, 4000), 320, (32, 320), (1, 320)),
    ],
)
def test_fit(size: tuple[int, int], long_side: int, canvas: tuple[int, int], inner: tuple[int, int]) -> None:
    plan = letterbox.fit(size, long_side)
    assert plan.canvas == canvas
    assert (plan.width, plan.height) == inner


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([320, 416, 640]))
def test_there_and_back(width: int, height: int, long_side: int) -> None:
    plan = letterbox.fit((width, height), long_side)
    assert all(side % 32 == 0 and side <= long_side for side in plan.canvas)
    whole = np.array(
        [[plan.left, plan.top, plan.left + plan.width, plan.top + plan.height]], dtype=np.float32
    )
    assert letterbox.back(whole, plan)[0] == pytest.approx([0, 0, width, height], rel=1e-5)


def test_boxes_are_clipped_to_the_picture() -> None:
    plan = letterbox.fit((1920, 1080), 640)
    outside = np.array([[-50, -50, 900, 900]], dtype=np.float32)
    assert letterbox.back(outside, plan)[0].tolist() == [0, 0, 1920, 1080]


@pytest.mark.parametrize("size", [(1000, 400), (100, 40), (640, 256), (37, 311)])
def test_picture_lies_in_the_middle_of_grey(size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 200, np.uint8)
    plan = letterbox.fit(size, 640)
    [canvas] = letterbox.batch([image], [plan])
    assert canvas.shape == (plan.canvas[1], plan.canvas[0], 3)
    inside = canvas[plan.top : plan.top + plan.height, plan.left : plan.left + plan.width]
    assert (inside == 200).all()
    assert (canvas == 200).sum() == inside.size
    assert set(np.unique(canvas)) <= {letterbox.GREY, 200}


def test_views_into_a_larger_picture_are_taken_as_they_are() -> None:
    large = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    view = large[50:200, 60:360]
    plan = letterbox.fit((300, 150), 160)
    assert np.array_equal(letterbox.batch([view], [plan]), letterbox.batch([view.copy()], [plan]))
