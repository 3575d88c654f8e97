"""Passages: views of one plate that get larger, spoilt as their condition says, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from training import plate_passages, plate_render
from training.plate_passages import CONDITIONS, DISTANCES, VIEWS, Passage

KINDS = ("blue", "yellow_double")


@pytest.fixture(scope="module")
def press(shared_data: Path) -> plate_render.Press:
    return plate_render.Press(shared_data / "plates" / "templates")


@pytest.fixture(scope="module")
def passages(press: plate_render.Press) -> dict[str, list[Passage]]:
    return {d: list(plate_passages.rendered(press, KINDS, 6, d, seed=0)) for d in DISTANCES}


def test_every_kind_passes_in_every_condition(passages: dict[str, list[Passage]]) -> None:
    for made in passages.values():
        assert Counter((p.kind, p.condition) for p in made) == {
            (kind, condition): 6 for kind in KINDS for condition in CONDITIONS
        }
        assert {len(p.views) for p in made} == {VIEWS}


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_plate_comes_nearer_and_is_as_large_as_said(
    passages: dict[str, list[Passage]], distance: str
) -> None:
    for passage in passages[distance]:
        sizes = [view.shape[0 if distance == "high" else 1] for view in passage.views]
        # A rim of 4 % round it, and corners that are a little off.
        assert sizes[-1] == pytest.approx(1.08 * passage.size, rel=0.25)
        assert np.mean(sizes[:2]) < np.mean(sizes[-2:])
        assert 20 <= sizes[0] <= 1.4 * 40
        assert 40 <= passage.size <= 60


def test_the_same_seed_gives_the_same_passages(
    press: plate_render.Press, passages: dict[str, list[Passage]]
) -> None:
    again = list(plate_passages.rendered(press, KINDS, 6, "high", seed=0))
    for first, second in zip(passages["high"], again, strict=True):
        assert first.text == second.text
        assert all((a == b).all() for a, b in zip(first.views, second.views, strict=True))
    other = list(plate_passages.rendered(press, KINDS, 1, "high", seed=1))
    assert other[0].text != passages["high"][0].text


def light(passages: list[Passage], condition: str) -> list[float]:
    return [float(np.mean(v)) for p in passages if p.condition == condition for v in p.views]


def sharpness(passages: list[Passage], condition: str) -> float:
    """Mean step between neighbours, where it is no noise."""
    steps = [
        float(np.quantile(np.abs(np.diff(v.mean(axis=2), axis=1)), 0.95))
        for p in passages
        if p.condition == condition
        for v in p.views
    ]
    return float(np.mean(steps))


def test_conditions_spoil_as_they_are_called(passages: dict[str, list[Passage]]) -> None:
    near = passages["high"]
    assert sharpness(near, "blur") < 0.8 * sharpness(near, "small")
    assert sharpness(near, "mud") < 0.9 * sharpness(near, "small")
    assert np.mean(light(near, "glare")) > np.mean(light(near, "small")) + 15
    assert min(light(near, "night")) < 0.5 * min(light(near, "small"))


def test_night_lasts_and_glare_wanders(passages: dict[str, list[Passage]]) -> None:
    def spread(condition: str) -> float:
        """How much the light of one passage differs from view to view, beside its own."""
        lights = np.array([[v.mean() for v in p.views] for p in passages["high"] if p.condition == condition])
        return float((lights.std(axis=1) / lights.mean(axis=1)).mean())

    assert spread("night") < 0.1
    brightest: list[npt.NDArray[np.intp]] = []
    for passage in passages["high"]:
        if passage.condition == "glare":
            columns = [v.mean(axis=(0, 2)).argmax() / v.shape[1] for v in passage.views]
            brightest.append(np.ptp(columns))
    assert np.mean(brightest) > 0.3


def test_a_crop_is_never_enlarged() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (24, 94, 3), dtype=np.uint8)
    made = list(plate_passages.of_crops([("浙A12345", "blue", crop)], "high", seed=0))
    assert [p.condition for p in made] == list(CONDITIONS)
    assert {p.text for p in made} == {"浙A12345"}
    assert max(v.shape[0] for p in made for v in p.views) <= 24 * 1.35
