"""Pairs of the change detector and its figures."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from training import change_augment, change_data, change_scoring
from training.change_data import Pair


def pair(gsd_m: float = 0.5, share: float = 1.0) -> Pair:
    """Grass with one white house that is new."""
    rng = np.random.default_rng(1)
    ground = rng.integers(60, 90, (256, 256, 3), dtype=np.uint8)
    changed = np.zeros((256, 256), dtype=bool)
    changed[100:160, 120:180] = True
    after = ground.copy()
    after[changed] = 250
    return Pair("t_1", "t", "train", "new_building", gsd_m, share, ground, after, changed)


# What is put in from elsewhere is tested for itself.
PLAIN = {
    "crop": 128,
    "crops_on_change": 1.0,
    "borrowed": 0.0,
    "roofs": 0.0,
    "same": 0.0,
    "finest": {"coarse": 0.8, "fine": 0.65},
    "weather": {"coarse": 0.5, "fine": 1.0},
    "shift": {"coarse": 1.5, "fine": 3.0},
}


def augmented(
    settings: dict[str, Any], seed: int
) -> tuple[change_data.Image, change_data.Image, change_data.Mask]:
    lender = change_augment.Lender([pair()])
    return change_augment.augment(pair(), settings, (0.5, 2.5), lender, random.Random(seed))


@pytest.mark.parametrize("seed", range(8))
def test_label_and_house_stay_together(seed: int) -> None:
    before, after, changed = augmented(PLAIN, seed)
    assert before.shape == after.shape == (128, 128, 3) and changed.shape == (128, 128)
    assert changed.any()
    difference = np.abs(before.astype(int) - after.astype(int)).mean(axis=2)
    inside = cv2.erode(changed.astype(np.uint8), np.ones((7, 7))) > 0
    outside = cv2.dilate(changed.astype(np.uint8), np.ones((7, 7))) == 0
    if inside.any() and outside.any():
        assert difference[inside].mean() > difference[outside].mean() + 30


def test_augmentation_is_repeatable() -> None:
    settings = {**PLAIN, "borrowed": 0.5, "roofs": 0.5, "same": 0.2}
    for seed in range(5):
        one, other = (augmented(settings, seed) for _ in range(2))
        assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_a_date_shown_twice_has_no_change() -> None:
    assert not any(augmented({**PLAIN, "same": 1.0}, seed)[2].any() for seed in range(4))


@pytest.mark.parametrize("what", ["borrowed", "roofs"])
def test_changes_from_elsewhere_come_with_their_label(what: str) -> None:
    quiet = replace(pair(), after=pair().before, changed=np.zeros((256, 256), dtype=bool))
    lender = change_augment.Lender([pair()])
    changes = 0
    for seed in range(20):
        settings = {**PLAIN, what: 1.0}
        parts = change_augment.augment(quiet, settings, (0.5, 2.5), lender, random.Random(seed))
        inside = cv2.erode(parts[2].astype(np.uint8), np.ones((9, 9))) > 0
        if inside.sum() > 50:
            changes += 1
            # Another light moves both dates as a whole: what changed moved by another amount than the rest.
            difference = (parts[1].astype(int) - parts[0].astype(int)).mean(axis=2)
            outside = cv2.dilate(parts[2].astype(np.uint8), np.ones((9, 9))) == 0
            assert abs(difference[inside].mean() - np.median(difference[outside])) > 20
    assert changes >= 8


def test_no_weather_and_no_shift_leave_the_light_alone() -> None:
    still = {"coarse": 0.0, "fine": 0.0}
    coarse = replace(pair(2.5), after=pair().before, changed=np.zeros((256, 256), dtype=bool))
    lender = change_augment.Lender([coarse])
    light = []
    for strength in (0.0, 1.0):
        weather = {"coarse": strength, "fine": 0.0}
        settings = {**PLAIN, "finest": {"coarse": 1.0, "fine": 1.0}, "shift": still, "weather": weather}
        parts = [
            change_augment.augment(coarse, settings, (0.5, 2.5), lender, random.Random(s)) for s in range(6)
        ]
        light.append(max(abs(int(a.mean()) - int(b.mean())) for a, b, _ in parts))
    assert light[0] == 0
    assert light[1] > 10


def test_coarse_pairs_get_no_roofs_and_only_coarse_changes() -> None:
    rng = random.Random(0)
    lender = change_augment.Lender([pair(), replace(pair(2.5), name="coarse")])
    assert lender.roof("coarse", rng) is None and lender.roof("fine", rng) is not None
    coarse, fine = lender.pair("coarse", rng), lender.pair("fine", rng)
    assert coarse is not None and coarse.name == "coarse"
    assert fine is not None and fine.name == "t_1"


def test_an_epoch_shows_pairs_as_often_as_their_share() -> None:
    often, rarely = pair(share=3.0), replace(pair(share=0.25), name="t_2")
    shown = change_data.epoch([often] * 10 + [rarely] * 400, random.Random(0))
    assert sum(p is often for p in shown) == 30
    assert 70 < sum(p.name == "t_2" for p in shown) < 130


def test_figures_are_pooled_over_pixels() -> None:
    one = pair()
    hit = one.changed.astype(np.float32)
    empty = np.zeros_like(hit)
    quiet = replace(one, changed=np.zeros_like(one.changed))
    numbers = change_scoring.measure(
        [hit, empty, hit, empty],
        [one, replace(one, gsd_m=2.5), quiet, quiet],
        dict.fromkeys(("coarse", "fine"), change_scoring.Point(0.5, 0.5)),
    )
    assert numbers["coarse"]["f1"] == 0.0
    assert numbers["fine"]["precision"] == 0.5
    assert numbers["fine"]["recall"] == 1.0
    assert numbers["fine"]["f1"] == 0.667
    assert numbers["all"]["pairs"] == 4
    assert (numbers["all"]["patches"], numbers["all"]["patches_right"]) == (2, 1)
    assert (numbers["all"]["quiet"], numbers["all"]["quiet_marked"]) == (2, 1)
    low, high = numbers["fine"]["f1_interval"]
    assert low < 0.667 < high


def test_the_best_point_tells_sure_patches_from_doubtful_ones() -> None:
    one = pair()
    chance = np.where(one.changed, 0.43, 0.02).astype(np.float32)
    chance[110:120, 130:140] = 0.87
    quiet = replace(one, changed=np.zeros_like(one.changed))
    doubt = np.full_like(chance, 0.02)
    doubt[20:40, 20:40] = 0.52
    points = change_scoring.choose([chance, doubt], [one, quiet], 0.0)
    numbers = change_scoring.measure([chance, doubt], [one, quiet], points)
    assert points["fine"].threshold <= 0.4
    assert 0.55 <= points["fine"].peak <= 0.85
    assert numbers["all"]["f1"] == 1.0
    assert numbers["all"]["quiet_marked"] == 0


def test_pairs_that_must_stay_quiet_outweigh_the_figure() -> None:
    one = pair()
    chance = np.where(one.changed, 0.61, 0.0).astype(np.float32)
    quiet = replace(one, changed=np.zeros_like(one.changed))
    loud = np.where(one.changed, 0.76, 0.0).astype(np.float32)
    points = change_scoring.choose([chance, loud], [one, quiet], 0.0)
    assert change_scoring.measure([chance, loud], [one, quiet], points)["all"]["quiet_marked"] == 0
    points = change_scoring.choose([chance, loud], [one, quiet], 1.0)
    assert points["fine"].peak <= 0.6
    assert change_scoring.measure([chance, loud], [one, quiet], points)["all"]["recall"] == 1.0


def test_of_points_as_good_the_one_with_the_fewest_false_patches_is_taken() -> None:
    one = pair()
    # A small part of the change is as unsure as two specks that are none: with them F1 is a little higher.
    changed = one.changed.copy()
    changed[10:20, 10:30] = True
    one = replace(one, changed=changed)
    chance = np.where(changed, 0.9, 0.0).astype(np.float32)
    chance[10:20, 10:30] = 0.5
    chance[200:204, 20:24] = chance[220:224, 20:24] = 0.5
    best = change_scoring.choose([chance], [one], 1.0)
    assert best["fine"].peak <= 0.5
    best = change_scoring.choose([chance], [one], 1.0, as_good=0.05)
    assert 0.5 < best["fine"].peak <= 0.9
    numbers = change_scoring.measure([chance], [one], best)["all"]
    assert (numbers["patches"], numbers["patches_right"]) == (1, 1)


def test_coarse_and_fine_pairs_have_a_point_each() -> None:
    fine, coarse = pair(), replace(pair(2.5), name="coarse")
    sure = np.where(fine.changed, 0.97, 0.7).astype(np.float32)
    unsure = np.where(coarse.changed, 0.41, 0.1).astype(np.float32)
    points = change_scoring.choose([sure, unsure], [fine, coarse], 0.0)
    assert points["coarse"].peak <= 0.4 < 0.7 < points["fine"].threshold
    # Who has only one kind gets its point for both.
    points = change_scoring.choose([sure], [fine], 0.0)
    assert points["coarse"] == points["fine"]


def test_places_are_held_back_by_row_and_scene(tmp_path: Path) -> None:
    for name in ("A", "B", "label"):
        (tmp_path / "set" / name).mkdir(parents=True)
    rows = ["tile,source_id,scene,grid_row", "x_1,x,s1,3", "x_2,x,s2,9", "y_1,y,s3,3", "z_1,z,s4,3"]
    (tmp_path / "set" / "index.csv").write_text("\n".join(rows), encoding="utf-8")
    for tile in ("x_1", "x_2", "y_1", "z_1"):
        for part, suffix in (("A", "jpg"), ("B", "jpg"), ("label", "png")):
            cv2.imwrite(
                str(tmp_path / "set" / part / f"{tile}.{suffix}"), np.zeros((8, 8, 3), dtype=np.uint8)
            )
    entry = {
        "folder": "set",
        "gsd_m": 2.5,
        "held_back_rows": [9],
        "held_back_sources": ["y"],
        "left_out": ["z"],
    }
    pairs = change_data.collect({"sets": [entry], "tests": []}, tmp_path)
    more = change_data.collect({"sets": [], "tests": [], "more": entry}, tmp_path, [tmp_path / "set"])
    assert [(p.name, p.split) for p in more] == [(p.name, p.split) for p in pairs]
    assert {p.name: p.split for p in pairs} == {"x_1": "train", "x_2": "val", "y_1": "val"}
    assert {p.gsd_m for p in pairs} == {2.5}
