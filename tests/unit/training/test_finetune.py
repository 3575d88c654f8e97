"""Fine-tuning on pictures of one's own: groups held back whole, and the one command from end to end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from huoyan.errors import ConfigError
from huoyan.perception import models
from training import own_pictures
from training.data import Box, Picture

ROOT = Path(__file__).resolve().parents[3]
COLOURS = {"excavator": (0, 0, 255), "drum": (255, 0, 0)}


def picture(name: str, *labels: str) -> Picture:
    boxes = tuple(Box(label, 0.5, 0.5, 0.1, 0.1) for label in labels)
    return Picture(Path(f"{name}.jpg"), "own", "train", boxes, frozenset({"a", "b"}))


def test_groups_are_held_back_whole_and_no_class_is_lost() -> None:
    pictures = [picture(f"cam{c}_2026010{d}_{n}", "a") for c in range(3) for d in range(4) for n in range(5)]
    pictures += [picture(f"rare_20260101_{n}", "a", "b") for n in range(3)]
    divided = own_pictures.hold_back(pictures, 0.2, seed=1)
    splits: dict[str, set[str]] = {}
    for one in divided:
        splits.setdefault(one.source, set()).add(one.split)
    assert all(len(split) == 1 for split in splits.values())
    # The only group with a `b` is needed to learn it.
    assert splits["rare_20260101"] == {"train"}
    share = sum(p.split == "val" for p in divided) / len(divided)
    assert 0.15 <= share <= 0.3
    assert divided == own_pictures.hold_back(pictures, 0.2, seed=1)


def test_groups_may_be_named() -> None:
    pictures = [picture("one_1", "a"), picture("two_1", "a"), picture("three_1", "a")]
    divided = own_pictures.hold_back(pictures, 0.2, 1, ["two"])
    assert [p.split for p in divided] == ["train", "val", "train"]
    with pytest.raises(ValueError, match="no such group: four; there are one, three, two"):
        own_pictures.hold_back(pictures, 0.2, 1, ["four"])


def test_something_is_always_left_to_judge_by() -> None:
    pictures = [picture("one_1", "a"), picture("two_1", "b"), picture("two_2", "b")]
    assert [p.split for p in own_pictures.hold_back(pictures, 0.2, 1)] == ["val", "train", "train"]
    with pytest.raises(ValueError, match="all pictures are of one group, 'cam'"):
        own_pictures.hold_back([picture("cam_1"), picture("cam_2")], 0.2, 1)


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """Pictures of two cameras with red and blue squares: one class that site-n has, and one that it has not."""
    folder = tmp_path / "own"
    rng = np.random.default_rng(1)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text("drum\nexcavator\n", encoding="utf-8")
    (folder / "labelled.csv").write_text("file,labelled\ncam1_02,excavator\n", encoding="utf-8")
    for number in range(10):
        image = rng.integers(90, 130, (120, 160, 3), dtype=np.uint8)
        rows = []
        for index, colour in enumerate((COLOURS["drum"], COLOURS["excavator"])):
            x, y = int(rng.integers(0, 120)), int(rng.integers(0, 80))
            image[y : y + 40, x : x + 40] = colour
            rows.append(f"{index} {(x + 20) / 160:.4f} {(y + 20) / 120:.4f} 0.25 0.3333")
        name = f"cam{1 + number % 2}_{number:02d}"
        cv2.imwrite(str(folder / "images" / f"{name}.png"), image)
        (folder / "labels" / f"{name}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def test_the_layout_is_that_of_evaluate(squares: Path) -> None:
    classes, pictures = own_pictures.read(squares)
    assert classes == ("drum", "excavator")
    by_name = {p.path.stem: p for p in pictures}
    assert by_name["cam2_01"].boxes[0].label == "drum" and by_name["cam2_01"].boxes[0].width == pytest.approx(
        0.25
    )
    assert by_name["cam1_02"].known == {"excavator"}
    assert by_name["cam1_00"].known == {"drum", "excavator"}
    (squares / "labels" / "cam1_00.txt").write_text("0 .5 .5 .1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cam1_00.txt:1: expected 5 numbers"):
        own_pictures.read(squares)


def test_one_command_gives_a_model_a_card_and_a_table(squares: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the train extra (make setup-train)")
    pytest.importorskip("ultralytics", reason="needs the train extra (make setup-train)")
    shipped = models.load("site-n")
    for path in (shipped.path, shipped.path.with_name("site-n.card.yaml")):
        shutil.copy(path, tmp_path / path.name)
    card = tmp_path / "site-n.card.yaml"
    # The small pictures of this test need no more.
    text = card.read_text(encoding="utf-8")
    card.write_text(
        text.replace(f"long_side: {shipped.card.input.long_side}", "long_side: 160", 1), encoding="utf-8"
    )
    target = tmp_path / "own-n.onnx"
    words = [ROOT / "scripts" / "finetune.py", tmp_path / "site-n.onnx", squares, "--to", target]
    words += ["--epochs", 1, "--batch", 4, "--held-back", "cam2", "--threads", 1]
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 pictures to train on; judged by 5 of cam2" in done.stdout
    assert "| excavator | 5 (few) | 5 |" in done.stdout and "| drum | 5 (few) | 5 | – |" in done.stdout
    model = models.load(target)
    assert models.verify(target).problems == ()
    assert model.card.classes == (*shipped.card.classes, "drum")
    # Too few boxes to set a threshold by.
    assert model.card.threshold("excavator") == shipped.card.threshold("excavator")
    assert model.card.figures["training"]["start_sha256"] == shipped.card.sha256
    assert set(model.card.figures["before"]["classes"]) >= {"excavator"}
