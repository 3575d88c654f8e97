from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from huoyan.perception import quality

Image = npt.NDArray[np.uint8]


def textured(
    brightness: float, tint: tuple[float, float, float], contrast: float = 30, seed: int = 1
) -> Image:
    """A coarse noise picture, 480 x 640."""
    random = np.random.default_rng(seed)
    grain = np.kron(random.normal(0, contrast, (60, 80)), np.ones((8, 8)))
    picture = (brightness + grain)[..., None] * np.array(tint)
    return picture.clip(0, 255).astype(np.uint8)


def lamps(image: Image) -> Image:
    lit = image.copy()
    lit[100:140, 200:300] = 255
    return lit


@pytest.mark.parametrize(
    ("image", "night"),
    [
        (np.zeros((480, 640, 3), np.uint8), True),
        (textured(130, (1, 0.95, 0.8)), False),
        (textured(85, (1, 0.95, 0.8)), False),
        (lamps(textured(30, (1, 0.8, 0.5), 10)), True),
        # Infra-red: no colour, no bright sky.
        (lamps(textured(95, (1, 1, 1), 20)), True),
        # Black and white by day.
        (textured(140, (1, 1, 1), 40), False),
        (np.full((480, 640, 3), 255, np.uint8), False),
        (np.zeros((1, 1, 3), np.uint8), True),
        (np.full((3, 4000, 3), 200, np.uint8), False),
    ],
)
def test_night(image: Image, night: bool) -> None:
    assert quality.is_night(image) is night
    assert quality.assess(image).night is night


def test_empty_and_blurred() -> None:
    sharp = textured(130, (1, 0.9, 0.8))
    assert quality.assess(sharp) == quality.Quality(night=False, empty=False, blurred=False)
    assert quality.assess(np.full((480, 640, 3), 128, np.uint8)).empty
    assert quality.assess(np.zeros((480, 640, 3), np.uint8)).empty
    ramp = np.linspace(60, 200, 640, dtype=np.float32)
    soft = np.broadcast_to(ramp[None, :, None], (480, 640, 3)).astype(np.uint8)
    assert quality.assess(soft) == quality.Quality(night=False, empty=False, blurred=True)
