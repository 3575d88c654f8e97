"""Privacy masks: everything they touch is black, in every plane, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from huoyan.perception.masks import blacken

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


def planes(width: int, height: int) -> list[np.ndarray]:
    sizes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return [np.full(size, 90, np.uint8) for size in sizes]


@pytest.mark.parametrize(("width", "height"), [(640, 360), (352, 288), (2, 2)])
def test_a_mask_is_black_in_all_planes(width: int, height: int) -> None:
    y, u, v = planes(width, height)
    blacken((y, u, v), (LEFT,))
    assert (y[:, : width // 2] == 16).all()
    assert (u[:, : width // 4] == 128).all() and (v[:, : width // 4] == 128).all()
    # The pixel that the edge touches belongs to the mask.
    assert (y[:, width // 2 + 1 :] == 90).all() and (u[:, width // 4 + 1 :] == 90).all()


def test_where_two_masks_overlap_it_is_black_too() -> None:
    (y, *_) = planes(640, 360)
    blacken((y,), (LEFT, ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))))
    assert (y[100:260, 170:310] == 16).all()


def test_padding_beside_a_plane_is_left_alone() -> None:
    buffer = np.full((360, 704), 90, np.uint8)
    blacken((buffer[:, :640],), (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),))
    assert (buffer[:, :640] == 16).all() and (buffer[:, 640:] == 90).all()


def test_without_masks_nothing_changes() -> None:
    (y, *_) = planes(64, 48)
    blacken((y,), ())
    assert (y == 90).all()
