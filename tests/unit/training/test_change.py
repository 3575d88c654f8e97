"""Pairs of the change detector and its figures."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from training import change_data, change_scoring
from training.change_data import Pair


def pair(gsd_m: float = 0.5, share: float = 1.0) -> Pair:
    """Grass with one white house that is new."""
    rng = np.random.default_rng(1)
    ground = rng.integers(60, 90, (256, 256, 3), dtype=np.uint8)
    changed = np.zeros((256, 256), dtype=bool)
    changed[100:160, 120:180] = True
    after = ground.copy()
    after[changed] = 250
    return Pair("t_1", "t", "train", gsd_m, share, ground, after, changed)


@pytest.mark.parametrize("seed", range(8))
def test_label_and_house_stay_together(seed: int) -> None:
    rng = random.Random(seed)
    before, after, changed = change_data.augment(pair(), 128, 1.0, (0.5, 2.5), rng)
    assert before.shape == after.shape == (128, 128, 3) and changed.shape == (128, 128)
    assert changed.any()
    difference = np.abs(before.astype(int) - after.astype(int)).mean(axis=2)
    inside = cv2.erode(changed.astype(np.uint8), np.ones((7, 7))) > 0
    outside = cv2.dilate(changed.astype(np.uint8), np.ones((7, 7))) == 0
    if inside.any() and outside.any():
        assert difference[inside].mean() > difference[outside].mean() + 30


def test_augmentation_is_repeatable() -> None:
    one, other = (change_data.augment(pair(), 128, 0.5, (0.5, 2.5), random.Random(3)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_an_epoch_shows_pairs_as_often_as_their_share() -> None:
    often, rarely = pair(share=3.0), replace(pair(share=0.25), name="t_2")
    shown = change_data.epoch([often] * 10 + [rarely] * 400, random.Random(0))
    assert sum(p is often for p in shown) == 30
    assert 70 < sum(p.name == "t_2" for p in shown) < 130


def test_figures_are_pooled_over_pixels() -> None:
    one = pair()
    hit = one.changed.astype(np.float32)
    numbers = change_scoring.measure([hit, np.zeros_like(hit)], [one, replace(one, gsd_m=2.5)], 0.5)
    assert numbers["all"] == {"precision": 1.0, "recall": 0.5, "f1": 0.667}
    assert numbers["t 0.5 m"]["f1"] == 1.0
    assert numbers["t 2.5 m"]["f1"] == 0.0


def test_the_threshold_of_the_best_f1_is_chosen() -> None:
    one = pair()
    chance = np.where(one.changed, 0.63, 0.42).astype(np.float32)
    threshold, numbers = change_scoring.choose([chance], [one])
    assert threshold == pytest.approx(0.45)
    assert numbers["all"]["f1"] == 1.0


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
    assert {p.name: p.split for p in pairs} == {"x_1": "train", "x_2": "val", "y_1": "val"}
    assert {p.gsd_m for p in pairs} == {2.5}
