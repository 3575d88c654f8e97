from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from huoyan import evaluate
from huoyan.cli.evaluate import app
from huoyan.errors import ConfigError

Span = tuple[int, int] | None


def write_pairs(folder: Path, pairs: Mapping[str, tuple[Span, Span]], side: int = 40) -> Path:
    """Pairs of black pictures: name -> (rows painted white in B, rows marked in the label)."""
    for part in ("A", "B", "label"):
        (folder / part).mkdir(parents=True)
    for name, (painted, marked) in pairs.items():
        black = np.zeros((side, side), np.uint8)
        after, label = black.copy(), black.copy()
        if painted:
            after[painted[0] : painted[1]] = 255
        if marked:
            label[marked[0] : marked[1]] = 1
        for part, image in (("A", black), ("B", after), ("label", label)):
            (folder / part / f"{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return folder


@pytest.mark.parametrize(
    ("pairs", "pooled", "mean", "iou"),
    [
        ({"a": ((0, 10), (0, 10))}, 1.0, 1.0, 1.0),
        # Half of what is marked is right, half of what changed is found.
        ({"a": ((0, 10), (5, 15))}, 0.5, 0.5, 0.3333),
        ({"a": ((0, 10), (0, 10)), "b": ((0, 10), None)}, 0.6667, 0.5, 0.5),
        ({"a": ((0, 10), (0, 10)), "b": (None, None)}, 1.0, 1.0, 1.0),
        ({"a": (None, (0, 10))}, 0.0, 0.0, 0.0),
        ({"a": (None, None)}, 1.0, 1.0, None),
    ],
)
def test_by_hand(
    difference: Callable[..., Path],
    tmp_path: Path,
    pairs: Mapping[str, tuple[Span, Span]],
    pooled: float,
    mean: float,
    iou: float | None,
) -> None:
    result = evaluate.change(difference(), write_pairs(tmp_path / "set", pairs))
    quiet = [painted for painted, changed in pairs.values() if not changed]
    assert result == {
        "f1_pooled": pooled,
        "f1_mean": mean,
        "iou": iou,
        "n": len(pairs),
        "quiet": len(quiet),
        "quiet_marked": sum(painted is not None for painted in quiet),
        "skipped": [],
    }


def test_specks_and_unsure_patches_are_not_marked(difference: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", {"a": ((0, 10), (0, 10)), "b": (None, None)})
    after = np.zeros((40, 40), np.uint8)
    after[20:22, 20:24] = 255
    after[30:36, 5:15] = 140
    (folder / "B" / "b.png").write_bytes(cv2.imencode(".png", after)[1].tobytes())
    sure = difference(thresholds={"default": 0.4}, peak=0.8)
    assert evaluate.change(sure, folder)["quiet_marked"] == 0
    unsure = difference("unsure", thresholds={"default": 0.4})
    assert evaluate.change(unsure, folder)["quiet_marked"] == 1
    assert evaluate.change(sure, folder)["f1_pooled"] == 1.0


COARSE = {"thresholds": {"default": 1.0}, "points": [{"gsd_m": 2.0, "threshold": 0.4}]}


def test_the_pixel_size_picks_the_point(difference: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", {"a": ((0, 10), (0, 10)), "b": ((0, 10), (0, 10))})
    after = np.zeros((40, 40), np.uint8)
    after[0:10] = 200
    for name in ("a", "b"):
        (folder / "B" / f"{name}.png").write_bytes(cv2.imencode(".png", after)[1].tobytes())
    model = difference(**COARSE)
    assert evaluate.change(model, folder)["f1_pooled"] == 0.0
    assert evaluate.change(model, folder, gsd_m=2.5)["f1_pooled"] == 1.0
    # The index knows it of one of the two.
    (folder / "index.csv").write_text("tile,gsd_m\na,2.5\nb,\n", encoding="utf-8")
    assert evaluate.change(model, folder)["f1_mean"] == 0.5
    printed = CliRunner().invoke(app, ["change", str(model), str(folder), "--json", "--gsd", "2.5"])
    assert json.loads(printed.stdout)["f1_pooled"] == 1.0


@pytest.mark.parametrize("told", ["far", "0", "-2", "nan", "inf"])
def test_a_bad_pixel_size_is_told_with_its_line(
    difference: Callable[..., Path], tmp_path: Path, told: str
) -> None:
    folder = write_pairs(tmp_path / "set", {"a": (None, None)})
    (folder / "index.csv").write_text(f"tile,gsd_m\nother,2\na,{told}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="gsd_m in metres") as caught:
        evaluate.change(difference(), folder)
    assert caught.value.subject == f"{folder / 'index.csv'}:3"


def test_an_index_without_pixel_sizes_says_nothing(difference: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", {"a": ((0, 10), (0, 10))})
    (folder / "index.csv").write_text("tile,place\na,somewhere\n", encoding="utf-8")
    assert evaluate.change(difference(), folder)["f1_pooled"] == 1.0


def test_a_picture_without_its_pair(difference: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", {"a": (None, None), "b": (None, None)})
    (folder / "label" / "b.png").unlink()
    with pytest.raises(ConfigError, match="label/: b"):
        evaluate.change(difference(), folder)


def test_pairs_of_two_sizes_are_told(difference: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", {"a": (None, None), "b": (None, None)})
    small = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
    (folder / "B" / "b.png").write_bytes(small)
    result = evaluate.change(difference(), folder)
    assert result["n"] == 1
    assert "one grid" in result["skipped"][0]["reason"]


def test_command(difference: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", {"a": ((0, 10), (0, 10))})
    printed = CliRunner().invoke(app, ["change", str(difference()), str(folder), "--json"])
    assert json.loads(printed.stdout)["f1_pooled"] == 1.0
    assert "1.000" in CliRunner().invoke(app, ["change", str(difference()), str(folder)]).stdout
