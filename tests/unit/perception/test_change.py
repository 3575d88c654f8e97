"""The change detector; the model's probability is the colour difference, so every mask is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from huoyan.errors import ModelError, SourceError
from huoyan.perception import radiometry, regions
from huoyan.perception.change import ChangeDetector

Image = npt.NDArray[np.uint8]
Factory = Callable[..., Path]
LAWN, SOIL, ROOF, CONCRETE = (70, 110, 60), (165, 130, 95), (245, 245, 250), (150, 150, 150)


def ground(colour: tuple[int, int, int], size: tuple[int, int] = (200, 160), seed: int = 0) -> Image:
    """Ground of one colour with a little noise, (width, height)."""
    noise = np.random.default_rng(seed).normal(0, 4, (size[1], size[0], 1))
    return (np.array(colour) + noise).clip(1, 255).astype(np.uint8)


def painted(image: Image, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> Image:
    changed = image.copy()
    changed[box[1] : box[3], box[0] : box[2]] = colour
    return changed


def test_a_new_roof(difference: Factory) -> None:
    before = ground(LAWN)
    after = painted(before, (40, 30, 90, 70), ROOF)
    [found] = ChangeDetector(difference()).detect(before, after, 0.5)
    assert found.label == "change"
    assert found.box == (40, 30, 90, 70)
    assert found.score > 0.6
    assert found.attributes["change_kind"] == "building"
    assert found.attributes["area_m2"] == 50 * 40 * 0.25
    assert found.attributes["area_px"] == 2000
    area = cv2.contourArea(np.array(found.polygon, dtype=np.float32))
    assert area == pytest.approx(2000, rel=0.05)


def test_nothing_changed(difference: Factory) -> None:
    before = ground(LAWN)
    assert ChangeDetector(difference()).detect(before, before, 0.5) == []


def test_light_alone_is_no_change_of_the_ground(difference: Factory) -> None:
    before = painted(ground(LAWN), (20, 20, 80, 80), CONCRETE)
    duller = (before * np.array([0.8, 0.75, 0.7])).astype(np.uint8)
    assert ChangeDetector(difference()).detect(before, duller, 0.5) == []
    assert ChangeDetector(difference()).detect(duller, before, 0.5) == []


def test_soil_where_grass_was(difference: Factory) -> None:
    before = painted(ground(LAWN, (400, 300)), (0, 0, 400, 60), CONCRETE)
    after = painted(before, (100, 100, 200, 180), SOIL)
    [found] = ChangeDetector(difference()).detect(before, after, 0.5)
    assert found.attributes["change_kind"] == "bare_soil"
    assert found.attributes["model"] == "radiometry"
    assert found.box == pytest.approx((100, 100, 200, 180), abs=4)
    assert found.attributes["area_m2"] == pytest.approx(2000, rel=0.2)
    # Back again: grass over soil is no earthwork.
    kinds = [d.attributes["change_kind"] for d in ChangeDetector(difference()).detect(after, before, 0.5)]
    assert "bare_soil" not in kinds


@pytest.mark.parametrize(
    ("colour", "kinds"),
    [
        ((190, 80, 62), []),
        ((205, 105, 80), []),
        # Loess, and the red earth of the south.
        ((185, 150, 110), ["bare_soil"]),
        ((178, 122, 88), ["bare_soil"]),
    ],
)
def test_a_red_roof_is_no_soil(difference: Factory, colour: tuple[int, int, int], kinds: list[str]) -> None:
    before = painted(ground(LAWN, (400, 300)), (0, 0, 400, 60), CONCRETE)
    after = painted(before, (100, 100, 200, 180), colour)
    # The network missed it: only the rules speak.
    found = ChangeDetector(difference(thresholds={"default": 0.95})).detect(before, after, 0.5)
    assert [d.attributes["change_kind"] for d in found] == kinds


def test_a_small_patch_of_soil_is_no_earthwork(difference: Factory) -> None:
    before = ground(LAWN, (400, 300))
    after = painted(before, (100, 100, 116, 116), SOIL)
    assert ChangeDetector(difference()).detect(before, after, 0.5) == []


def test_a_heap(difference: Factory) -> None:
    before = ground((120, 115, 100), (300, 300))
    after = before.copy()
    cv2.circle(after, (150, 150), 15, (230, 215, 190), -1)
    found = ChangeDetector(difference(thresholds={"default": 0.9})).detect(before, after, 0.5)
    assert [d.attributes["change_kind"] for d in found] == ["bright_heap"]


def test_black_pixels_hold_no_data(difference: Factory) -> None:
    before = ground(ROOF)
    after = painted(before, (0, 0, 100, 160), (0, 0, 0))
    assert ChangeDetector(difference()).detect(before, after, 0.5) == []
    assert ChangeDetector(difference()).detect(before, np.zeros_like(before), 0.5) == []


@pytest.mark.parametrize("gsd_m", [0.1, 0.5, 2.0, 8.0])
def test_pixels_finer_or_coarser_than_the_model_knows(difference: Factory, gsd_m: float) -> None:
    before = ground(CONCRETE, (320, 256))
    after = painted(before, (64, 64, 192, 160), ROOF)
    detector = ChangeDetector(difference(thresholds={"default": 0.3}, input={"gsd_m": [0.4, 2.5]}))
    built = [d for d in detector.detect(before, after, gsd_m) if d.attributes["model"] == "difference"]
    assert len(built) == 1
    assert built[0].box == pytest.approx((64, 64, 192, 160), abs=5)
    assert built[0].attributes["area_m2"] == pytest.approx(128 * 96 * gsd_m**2, rel=0.06)


def test_without_a_pixel_size_there_are_no_areas(difference: Factory) -> None:
    before = ground(LAWN)
    [found] = ChangeDetector(difference()).detect(before, painted(before, (40, 30, 90, 70), ROOF))
    assert "area_m2" not in found.attributes


@pytest.mark.parametrize(
    ("colour", "gsd_m", "pixels"),
    [
        # Told: fine, coarse, coarser still.
        (30, 0.5, 0),
        (30, 2.0, 1200),
        (30, 3.0, 1200),
        (30, 4.0, 100),
        # Not told: this model takes dark pictures for fine ones.
        (30, None, 0),
        (105, None, 1200),
        # What is told counts, whatever the model takes them for.
        (105, 0.5, 0),
    ],
)
def test_coarse_pictures_have_a_point_of_their_own(
    difference: Factory, colour: int, gsd_m: float | None, pixels: int
) -> None:
    before = np.full((160, 200, 3), colour, dtype=np.uint8)
    # 0.43 of a full difference, and 0.59 in a part of it.
    after = painted(before, (40, 30, 80, 60), (colour + 110,) * 3)
    after = painted(after, (50, 40, 60, 50), (colour + 150,) * 3)
    points = [{"gsd_m": 2.0, "threshold": 0.4, "peak": 0.55}, {"gsd_m": 4.0, "threshold": 0.5}]
    card = {"thresholds": {"default": 0.3}, "peak": 0.95, "points": points}
    detector = ChangeDetector(difference("guessing", **card))
    assert int(detector.marked(before, after, gsd_m).sum()) == pixels
    found = [d for d in detector.detect(before, after, gsd_m) if d.attributes["model"] == detector.name]
    assert sum(d.attributes["area_px"] for d in found) == pixels


def test_a_model_that_does_not_guess_is_silent_rather_than_wrong(difference: Factory) -> None:
    before = np.full((160, 200, 3), 105, dtype=np.uint8)
    after = painted(before, (40, 30, 80, 60), (215,) * 3)
    card = {"thresholds": {"default": 0.3}, "peak": 0.95, "points": [{"gsd_m": 2.0, "threshold": 0.3}]}
    assert not ChangeDetector(difference(**card)).marked(before, after).any()


@pytest.mark.parametrize("size", [(1, 1), (33, 31), (1100, 70), (2300, 1200)])
def test_blocks_do_not_show(difference: Factory, size: tuple[int, int]) -> None:
    random = np.random.default_rng(5)
    before, after = (random.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8) for _ in range(2))
    expected = np.abs(after.astype(np.float32) - before).mean(axis=2) / 255
    got = ChangeDetector(difference()).probability(before, after)
    assert np.allclose(got, expected, atol=1e-5)


def test_small_patches_are_left_out(difference: Factory) -> None:
    before = ground(LAWN)
    after = painted(painted(before, (10, 10, 20, 20), ROOF), (100, 50, 160, 100), ROOF)
    detector = ChangeDetector(difference(min_area_m2=50))
    assert len(detector.detect(before, after, 1.0)) == 2
    assert len(detector.detect(before, after, 0.5)) == 1


def test_pairs_of_two_sizes(difference: Factory) -> None:
    with pytest.raises(SourceError, match="one grid") as caught:
        ChangeDetector(difference()).detect(ground(LAWN), ground(LAWN, (100, 100)))
    assert caught.value.code == "pair_size"
    with pytest.raises(SourceError, match="uint8"):
        ChangeDetector(difference()).probability(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8))


def test_a_detector_is_no_change_model(colours: Factory) -> None:
    with pytest.raises(ModelError, match="finds changes"):
        ChangeDetector(colours())


def test_patches_need_a_sure_pixel() -> None:
    scores = np.zeros((20, 20), dtype=np.float32)
    scores[2:8, 2:8] = 0.5
    scores[12:18, 12:18] = 0.5
    scores[14, 14] = 0.9
    [kept] = regions.find(scores >= 0.4, scores, 5, peak=0.8)
    assert kept.box == (12, 12, 18, 18)
    assert len(regions.find(scores >= 0.4, scores, 5)) == 2


def test_regions_of_odd_shapes() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[2, 2:12] = True
    mask[10:16, 10:16] = True
    mask[12:14, 12:14] = False
    scores = np.where(mask, 0.8, 0).astype(np.float32)
    line, ring = regions.find(mask, scores, 5)
    assert line.box == (2, 2, 12, 3)
    assert len(line.polygon) >= 3
    assert ring.pixels == 32
    assert ring.score == pytest.approx(0.8)
    assert [region.pixels for region in regions.find(mask, scores, 11)] == [32]


def test_the_light_of_the_other_picture_takes_a_tint_away() -> None:
    random = np.random.default_rng(2)
    before = random.integers(40, 160, (200, 200, 3)).astype(np.uint8)
    after = (before * np.array([1.3, 1.1, 0.9]) + 5).astype(np.uint8)
    assert np.abs(radiometry.compare_light(before, after).apply(after) - before).mean() < 4
