from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from huoyan.errors import SourceError
from huoyan.perception import visibility
from huoyan.perception.visibility import KOSCHMIEDER, Landmark
from huoyan.records import Image

SKY = (10.0, 5.0, 190.0, 25.0)
NEAR, FAR = (20.0, 40.0, 90.0, 90.0), (110.0, 40.0, 180.0, 90.0)
LANDMARKS = (Landmark(NEAR, 150.0), Landmark(FAR, 600.0))


def view(metres: float, light: float = 0.8, noise: float = 0.0, seed: int = 0) -> Image:
    """Two dark patterns before a sky, seen through air of that optical range, in sRGB."""
    rng = np.random.default_rng(seed)
    scene = np.ones((100, 200))
    pattern = np.random.default_rng(9).uniform(0.05, 0.5, (25, 35)).repeat(2, axis=0).repeat(2, axis=1)
    for landmark in LANDMARKS:
        x1, y1, x2, y2 = (int(edge) for edge in landmark.box)
        through = math.exp(-KOSCHMIEDER / metres * landmark.distance_m)
        scene[y1:y2, x1:x2] = pattern * through + 1 - through
    linear = np.clip(scene * light + rng.normal(0, noise, scene.shape), 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.repeat(np.round(coded * 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture
def clear() -> visibility.Reference:
    return visibility.reference([view(30_000, noise=0.01)], LANDMARKS, SKY)


@pytest.mark.parametrize("metres", [150, 400, 1000, 2500])
@pytest.mark.parametrize("light", [0.35, 0.8])
def test_synthetic_fog_is_measured(clear: visibility.Reference, metres: float, light: float) -> None:
    found = visibility.estimate(view(metres, light, noise=0.01, seed=1), clear)
    assert found.metres is not None
    # Beyond a few times the farthest landmark, at 600 m, the light is as strong a cause as the air.
    assert found.metres == pytest.approx(metres, rel=0.35 if metres <= 1000 else 0.6)
    assert found.low_m < metres < found.high_m
    assert found.reason == ""


def test_slopes_follow_koschmieder(clear: visibility.Reference) -> None:
    """exp(-(b - b_clear) d) for each landmark: 5 % are left at the optical range itself."""
    for metres in (300.0, 600.0, 1500.0):
        extra = KOSCHMIEDER / metres - KOSCHMIEDER / clear.visibility_m
        expected = [math.exp(-extra * landmark.distance_m) for landmark in LANDMARKS]
        assert visibility.slopes(view(metres), clear) == pytest.approx(expected, abs=0.03)


def test_more_fog_is_never_more_visibility(clear: visibility.Reference) -> None:
    told = [visibility.estimate(view(metres), clear).metres for metres in (80, 200, 500, 1200, 3000, 8000)]
    assert told == sorted(told, key=lambda value: value or 0.0)


def test_clear_air_has_no_upper_end(clear: visibility.Reference) -> None:
    found = visibility.estimate(view(30_000, seed=2), clear)
    assert found.metres is not None
    assert found.metres > 5000
    assert found.high_m == math.inf


def test_drowned_landmarks_leave_an_upper_bound(clear: visibility.Reference) -> None:
    found = visibility.estimate(view(35, noise=0.01, seed=3), clear)
    assert found.metres is not None
    assert found.metres < 150
    assert found.low_m < 60


def test_a_cloud_on_the_far_ridge_does_not_decide_alone() -> None:
    """One landmark is hidden, the other two are as clear as ever."""
    third = Landmark((20.0, 40.0, 55.0, 90.0), 140.0)
    clear = visibility.reference([view(30_000)], (*LANDMARKS, third), SKY)
    image = view(30_000).copy()
    x1, y1, x2, y2 = (int(edge) for edge in FAR)
    image[y1:y2, x1:x2] = image[10, 100]
    found = visibility.estimate(image, clear)
    assert found.metres is not None
    assert found.metres > 900
    assert found.high_m > 5000


def test_at_night_nothing_is_said(clear: visibility.Reference) -> None:
    found = visibility.estimate(np.full((100, 200, 3), 8, dtype=np.uint8), clear)
    assert found.metres is None
    assert "night" in found.reason


def test_distances_are_learnt_from_a_sensor(clear: visibility.Reference) -> None:
    wrong = replace(clear, landmarks=tuple(replace(mark, distance_m=50.0) for mark in clear.landmarks))
    metres = [400.0, 700.0, 1100.0, 1600.0]
    fitted = visibility.fit_distances(wrong, [view(m, seed=int(m)) for m in metres], metres)
    assert [mark.distance_m for mark in fitted.landmarks] == pytest.approx([150.0, 600.0], rel=0.15)
    with pytest.raises(SourceError, match="half faded"):
        visibility.fit_distances(wrong, [view(30_000)], [30_000.0])


def test_the_same_picture_gives_the_same_figure(clear: visibility.Reference) -> None:
    assert visibility.estimate(view(700), clear) == visibility.estimate(view(700), clear)


def test_mistakes_are_named(clear: visibility.Reference) -> None:
    with pytest.raises(SourceError, match="200 x 100 px, the picture 100 x 50"):
        visibility.estimate(np.zeros((50, 100, 3), dtype=np.uint8), clear)
    with pytest.raises(SourceError, match="inside 200 x 100"):
        visibility.reference([view(30_000)], [Landmark((150, 40, 230, 90), 100)], SKY)
    with pytest.raises(SourceError, match="above 0 m"):
        visibility.reference([view(30_000)], [Landmark(NEAR, 0)], SKY)
    with pytest.raises(SourceError, match="differ in size"):
        visibility.reference([view(30_000), view(30_000)[:50]], LANDMARKS, SKY)
    with pytest.raises(SourceError, match="a clear picture and a landmark"):
        visibility.reference([], LANDMARKS, SKY)
