from __future__ import annotations

import numpy as np
import pytest

from huoyan.errors import SourceError
from huoyan.perception.veil import veil
from huoyan.records import Image


def street(seed: int = 3) -> Image:
    """A view full of pattern."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 160, (60, 80)).astype(np.uint8)
    return np.repeat(coarse.repeat(4, axis=0).repeat(4, axis=1)[..., None], 3, axis=2)


def noisy(image: Image, seed: int) -> Image:
    noise = np.random.default_rng(seed).normal(0, 4, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def clouded(image: Image, left: int, through: float = 0.5) -> Image:
    """Air of 200 before 96 columns from `left`."""
    result = image.astype(float)
    result[60:180, left : left + 96] = through * result[60:180, left : left + 96] + (1 - through) * 200
    return result.astype(np.uint8)


def test_a_drifting_cloud_shows_where_it_is() -> None:
    frames = [noisy(street(), i) for i in range(5)]
    frames[3] = noisy(clouded(street(), 32), 8)
    frames[4] = noisy(clouded(street(), 160), 9)
    found = veil(frames)
    assert found.shares[:3] == pytest.approx(0, abs=0.01)
    assert found.drift > 0.1
    opacity = found.cells[4]
    assert opacity[5:10, 11:15].mean() == pytest.approx(0.5, abs=0.1), "half the light comes through"
    assert opacity[:, :8].max() == 0


def test_still_haze_is_no_drift() -> None:
    hazy = (0.4 * street() + 0.6 * 190).astype(np.uint8)
    assert veil([noisy(hazy, i) for i in range(5)]).drift < 0.01


def test_a_lorry_and_a_shadow_are_no_veil() -> None:
    frames = [noisy(street(), i) for i in range(5)]
    frames[2][60:180, 32:160] = np.random.default_rng(1).integers(0, 255, (120, 128, 3), dtype=np.uint8)
    frames[3][60:180, 160:256] = (frames[3][60:180, 160:256] * 0.5).astype(np.uint8)
    frames[4][60:180, 32:160] = 230
    assert veil(frames).drift < 0.02


def test_a_view_without_pattern_says_nothing() -> None:
    found = veil([np.full((120, 160, 3), 90 + i, dtype=np.uint8) for i in range(4)])
    assert found.drift == 0


def test_frames_must_fit() -> None:
    with pytest.raises(SourceError, match="three or more"):
        veil([street(), street()])
    with pytest.raises(SourceError, match="one size"):
        veil([street(), street(), street()[:-8]])
