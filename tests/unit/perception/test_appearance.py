from __future__ import annotations

import numpy as np
import pytest

from huoyan.perception import appearance
from huoyan.records import Box, Image

BOX: Box = (100, 50, 300, 250)


def truck(upper: tuple[int, int, int], lower: tuple[int, int, int], light: float = 1.0) -> Image:
    image = np.full((300, 400, 3), 120, np.float32)
    image[50:150, 100:300] = upper
    image[150:250, 100:300] = lower
    image += np.random.default_rng(1).normal(0, 6, image.shape)
    return np.clip(image * light, 0, 255).astype(np.uint8)


RED_OVER_GREY = truck((190, 40, 30), (110, 112, 115))
GREEN_OVER_GREY = truck((30, 150, 60), (110, 112, 115))
GREY_OVER_RED = truck((110, 112, 115), (190, 40, 30))


def test_it_is_a_unit_vector() -> None:
    vector = appearance.look(RED_OVER_GREY, BOX)
    assert vector.shape == (appearance.LENGTH,)
    assert np.linalg.norm(vector) == pytest.approx(1)


def test_the_same_colours_in_other_light_are_alike_and_other_colours_are_not() -> None:
    red = appearance.look(RED_OVER_GREY, BOX)
    assert appearance.likeness(red, appearance.look(truck((190, 40, 30), (110, 112, 115), 0.8), BOX)) > 0.9
    assert appearance.likeness(red, appearance.look(GREEN_OVER_GREY, BOX)) < 0.75
    assert appearance.likeness(red, appearance.look(GREY_OVER_RED, BOX)) < 0.75


def test_a_warm_lens_changes_little() -> None:
    warm = np.clip(RED_OVER_GREY * np.array([1.12, 1.0, 0.88]), 0, 255).astype(np.uint8)
    assert appearance.likeness(appearance.look(RED_OVER_GREY, BOX), appearance.look(warm, BOX)) > 0.9


@pytest.mark.parametrize("box", [(500, 400, 600, 500), (10, 10, 11, 200), (-50, -50, -10, -10)])
def test_no_pixels_no_look_and_what_is_not_known_speaks_against_nothing(box: Box) -> None:
    vector = appearance.look(RED_OVER_GREY, box)
    assert not vector.any()
    assert appearance.likeness(vector, appearance.look(RED_OVER_GREY, BOX)) == 1
