"""Pictures of the dust classifier: their labels after a crop, their groups, their figures."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from training import dust_data, dust_scoring, plume
from training.dust_data import Picture

TRAIN = {"crops_of_dust": 3}


def picture(labels: tuple[float | None, ...] = (1, 0, None), **changes: Any) -> Picture:
    given = {"boxes": {"dust": ((0.1, 0.5, 0.4, 0.9),)}, **changes}
    return Picture(Path("a_001.jpg"), "a_0", labels, **given)


def write(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), np.zeros((8, 8, 3), dtype=np.uint8))


def test_a_crop_knows_what_it_shows() -> None:
    one = picture()
    labels, boxes = dust_data._cut(one, (0.0, 0.4, 0.5, 1.0))
    assert labels == (1.0, 0, None)
    assert boxes["dust"][0] == pytest.approx((0.2, 1 / 6, 0.8, 5 / 6))
    away, none = dust_data._cut(one, (0.5, 0.0, 1.0, 0.6))
    assert away == (0.0, 0, None)
    assert none == {}
    grazed, _ = dust_data._cut(one, (0.0, 0.0, 0.6, 0.55))
    assert grazed[0] is None, "an edge of the plume: nobody knows"


def test_dust_of_unknown_place_is_unknown_in_a_crop() -> None:
    one = picture(boxes={})
    assert dust_data._cut(one, (0.0, 0.0, 0.5, 0.5))[0][0] is None
    assert dust_data._cut(one, (0.0, 0.0, 1.0, 0.95))[0][0] == 1.0
    hazy = picture((0, 0, 1), boxes={})
    assert dust_data._cut(hazy, (0.0, 0.0, 0.3, 0.3))[0] == (0, 0, 1), "haze lies over all of a picture"


@pytest.mark.parametrize("seed", range(6))
def test_box_and_pixels_stay_together(seed: int) -> None:
    image = np.full((200, 300, 3), 40, dtype=np.uint8)
    image[100:180, 30:120] = 230
    for _ in range(10):
        crop, labels, boxes = dust_data.augment(picture(), image, (96, 128), random.Random(seed))
        assert crop.shape == (96, 128, 3)
        if labels[0] == 1:
            x1, y1, x2, y2 = boxes["dust"][0]
            inside = crop[round(y1 * 96) : round(y2 * 96), round(x1 * 128) : round(x2 * 128)]
            assert inside.mean() > crop.mean()


def test_augmentation_is_repeatable() -> None:
    image = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    one, other = (dust_data.augment(picture(), image, (96, 128), random.Random(3)) for _ in range(2))
    assert (one[0] == other[0]).all()
    assert one[1:] == other[1:]


def test_sets_with_tables_with_boxes_and_with_nothing_to_see(tmp_path: Path) -> None:
    for name in ("urde_001.jpg", "urde_012.jpg", "fire_001.jpg"):
        write(tmp_path / "air" / "train" / "images", name)
    (tmp_path / "air" / "train" / "labels").mkdir()
    (tmp_path / "air" / "train" / "labels" / "urde_001.txt").write_text(
        "0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.1 0.1\n"
    )
    (tmp_path / "air" / "classes.txt").write_text("dust_plume\nsmoke\n")
    rows = [
        "file,dust,smoke",
        *(f"train/images/{n}.jpg,{d}" for n, d in (("urde_001", "1,"), ("fire_001", "0,1"))),
    ]
    (tmp_path / "air" / "levels.csv").write_text("\n".join(rows) + "\n")
    for name in ("nyc_001.jpg", "nyc_020.jpg", "hazy_001.jpg"):
        write(tmp_path / "streets" / "images", name)
    config = {
        "train": TRAIN,
        "groups": {"nyc": ["nyc_*"]},
        "sets": [
            {
                "folder": "air",
                "part": "air",
                "table": "levels.csv",
                "boxes": {"dust_plume": "dust", "smoke": "smoke"},
            },
            {"folder": "streets", "absent": ["dust"], "left_out": ["hazy_*"], "weight": 0.5, "crops": 2},
            {"folder": "elsewhere", "table": "labels.csv", "optional": True},
        ],
    }
    found = {p.path.stem: p for p in dust_data.collect(config, tmp_path)}
    assert set(found) == {"urde_001", "fire_001", "nyc_001", "nyc_020"}
    assert found["urde_001"].labels == (1.0, 1.0, None)
    assert found["urde_001"].boxes["dust"] == (pytest.approx((0.4, 0.3, 0.6, 0.7)),)
    assert found["urde_001"].crops == 3
    assert found["fire_001"].labels == (0.0, 1.0, None)
    assert found["nyc_001"].labels == (0.0, None, None)
    assert found["nyc_001"].group == found["nyc_020"].group == "nyc"
    assert found["urde_001"].group == "urde_0"
    with pytest.raises(FileNotFoundError, match="no such set"):
        dust_data.collect({"train": TRAIN, "sets": [{"folder": "elsewhere", "absent": ["dust"]}]}, tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [("train/images/b.jpg,1", "no such picture"), ("a.jpg,yes", "1, 0 or empty, got 'yes'")],
)
def test_wrong_rows_are_named_by_line(tmp_path: Path, row: str, message: str) -> None:
    write(tmp_path / "own", "a.jpg")
    (tmp_path / "own" / "labels.csv").write_text(f"file,dust\na.jpg,1\n{row}\n")
    config = {"train": TRAIN, "sets": [{"folder": "own", "table": "labels.csv"}]}
    with pytest.raises(ValueError, match=message) as caught:
        dust_data.collect(config, tmp_path)
    assert f"{tmp_path / 'own' / 'labels.csv'}:3" in str(caught.value)


def test_a_place_is_never_torn_apart() -> None:
    rng = random.Random(0)
    many = [
        Picture(Path(f"{i}.jpg"), f"place {rng.randrange(40)}", (float(rng.random() < 0.3), 0, 0), {})
        for i in range(300)
    ]
    parts = dust_data.folds(many, 5)
    assert sorted(i for part in parts for i in part) == list(range(300))
    where = {}
    for number, part in enumerate(parts):
        for i in part:
            assert where.setdefault(many[i].group, number) == number
    dusty = [sum(many[i].labels[0] == 1 for i in part) for part in parts]
    assert max(dusty) <= 2 * min(dusty)


def test_figures_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.3, 0.7, 0.1, 0.2, 0.1, 0.1])
    dusty = np.array([True, True, True, False, False, False, False, False])
    found = dust_scoring.figures(scores, dusty, 0.5)
    assert found == pytest.approx({"f1": 2 / 3, "precision": 2 / 3, "recall": 2 / 3, "false_alarm_rate": 0.2})
    assert dust_scoring.figures(scores[3:], dusty[3:], 0.95)["precision"] is None
    told = dust_scoring.with_intervals(scores, dusty, 0.5)
    assert set(told) == {"pictures", "with_dust", "false_alarm_rate"}, "three pictures measure no recall"
    scores, dusty = np.tile(scores, 3), np.tile(dusty, 3)
    told = dust_scoring.with_intervals(scores, dusty, 0.5)
    assert told == dust_scoring.with_intervals(scores, dusty, 0.5), "the same draws every time"
    value, low, high = told["recall"]
    assert low < value < high
    assert (told["pictures"], told["with_dust"]) == (24, 9)


def test_the_threshold_keeps_false_alarms_down() -> None:
    scores = np.array([0.9, 0.8, 0.6, 0.7, 0.15, 0.2, 0.1, 0.1])
    dusty = np.array([True, True, True, False, False, False, False, False])
    assert dust_scoring.choose(scores, dusty, 0.5) == pytest.approx(0.4)
    assert dust_scoring.choose(scores, dusty, 0.0) == pytest.approx(0.75)


@pytest.mark.parametrize("seed", range(5))
def test_a_painted_plume_is_labelled_where_it_is(seed: int) -> None:
    clean = picture((0, 0, None), boxes={})
    image = np.random.default_rng(seed).integers(20, 70, (200, 300, 3), dtype=np.uint8)
    painted, (x1, y1, x2, y2) = plume.dust(image, random.Random(seed))
    change = np.abs(painted.astype(int) - image).mean(axis=2)
    inside = change[round(y1 * 200) : round(y2 * 200), round(x1 * 300) : round(x2 * 300)]
    assert inside.mean() > 2 * change.mean() or inside.size > 0.4 * change.size
    _, labels, boxes = dust_data.augment(clean, image, (96, 128), random.Random(seed), painted=True)
    assert labels[0] == 1.0
    assert len(boxes["dust"]) == 1
