"""The evaluation of detectors on generated sets; the model finds red and green rectangles exactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from huoyan import evaluate
from huoyan.cli.evaluate import app
from huoyan.errors import ConfigError

Row = tuple[int, float, float, float, float]
CLASSES = ("red", "green", "blue")
COLOURS = {0: (0, 0, 255), 1: (0, 255, 0)}  # BGR
BOX = (0.5, 0.5, 0.25, 0.5)


def write_set(
    folder: Path,
    pictures: Mapping[str, tuple[Sequence[int], Sequence[Row]]],
    labelled: Mapping[str, str] | None = None,
) -> Path:
    """A set of 320 x 320 pictures: name -> (classes painted at BOX-like places, label rows)."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    for name, (painted, rows) in pictures.items():
        image = np.zeros((320, 320, 3), np.uint8)
        for index in painted:
            # Red in the upper half, green in the lower one.
            image[20 + 160 * index : 140 + 160 * index, 100:200] = COLOURS[index]
        (folder / "images" / f"{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
        if rows:
            text = "\n".join(" ".join(str(value) for value in row) for row in rows)
            (folder / "labels" / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
    if labelled is not None:
        lines = [f"{stem},{names}" for stem, names in labelled.items()]
        (folder / "labelled.csv").write_text("file,labelled\n" + "\n".join(lines), encoding="utf-8")
    return folder


def row(index: int) -> Row:
    """The label of what `write_set` paints."""
    return index, 150 / 320, (80 + 160 * index) / 320, 100 / 320, 120 / 320


def test_everything_found(colours: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_set(
        tmp_path / "set", {"a": ([0, 1], [row(0), row(1)]), "b": ([0], [row(0)]), "c": ([], [])}
    )
    result = evaluate.detector(colours(), folder)
    assert (result["map50"], result["map50_95"], result["images"]) == (1.0, 1.0, 3)
    perfect = {"ap50": 1.0, "precision": 1.0, "recall": 1.0, "image_precision": 1.0, "image_recall": 1.0}
    assert result["classes"]["red"] == {**perfect, "boxes": 2, "images": 2}
    assert result["classes"]["green"] == {**perfect, "boxes": 1, "images": 1}
    # No box, no detection: nothing can be said, and the means do not count it.
    assert set(result["classes"]["blue"].values()) == {None, 0}
    assert result["unknown_classes"] == ["blue"]


def test_false_and_missed(colours: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_set(
        tmp_path / "set", {"false": ([0], []), "missed": ([], [row(0)]), "right": ([0], [row(0)])}
    )
    red = evaluate.detector(colours(), folder)["classes"]["red"]
    assert (red["precision"], red["recall"]) == (0.5, 0.5)
    assert (red["image_precision"], red["image_recall"]) == (0.5, 0.5)


def test_a_box_elsewhere_is_right_for_the_picture_only(colours: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", {"a": ([0], [(0, 0.1, 0.8, 0.1, 0.1)])})
    red = evaluate.detector(colours(), folder)["classes"]["red"]
    assert (red["precision"], red["recall"], red["ap50"]) == (0.0, 0.0, 0.0)
    assert (red["image_precision"], red["image_recall"]) == (1.0, 1.0)


def test_a_class_the_model_does_not_know_scores_nothing(colours: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", {"a": ([0], [row(0), (2, 0.5, 0.5, 0.2, 0.2)])})
    result = evaluate.detector(colours(), folder)
    assert result["classes"]["blue"]["ap50"] == 0.0
    assert result["map50"] == 0.5
    assert result["unknown_classes"] == ["blue"]


@pytest.mark.parametrize(
    ("labelled", "precision", "recall", "boxes"),
    [
        (None, 0.5, 1.0, 1),
        ({"unlabelled": "green"}, 1.0, 1.0, 1),
        ({"unlabelled": ""}, 1.0, 1.0, 1),
        ({"unlabelled.png": "green blue"}, 1.0, 1.0, 1),
        ({"unlabelled": "red green"}, 0.5, 1.0, 1),
        # Where the class is not complete, its boxes do not count either.
        ({"right": "green"}, 0.0, None, 0),
    ],
)
def test_labelled_csv(
    colours: Callable[..., Path],
    tmp_path: Path,
    labelled: Mapping[str, str] | None,
    precision: float,
    recall: float | None,
    boxes: int,
) -> None:
    pictures: dict[str, tuple[Sequence[int], Sequence[Row]]] = {
        "right": ([0], [row(0)]),
        "unlabelled": ([0], []),
    }
    red = evaluate.detector(colours(), write_set(tmp_path / "set", pictures, labelled))["classes"]["red"]
    assert (red["precision"], red["recall"], red["boxes"]) == (precision, recall, boxes)


def test_thresholds_move_precision_but_not_average_precision(
    colours: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write_set(tmp_path / "set", {"a": ([0], [row(0)])})
    strict = evaluate.detector(colours(thresholds={"default": 1.0}), folder)["classes"]["red"]
    assert strict["recall"] in (0.0, 1.0)
    assert strict["ap50"] == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0.5 0.5 0.1", "expected 5 numbers"),
        ("0 0.5 0.5 0.1 0.1 0.9", "expected 5 numbers"),
        ("red 0.5 0.5 0.1 0.1", "not a number"),
        ("0 0.5 x 0.1 0.1", "not a number"),
        ("3 0.5 0.5 0.1 0.1", "class 3"),
        ("-1 0.5 0.5 0.1 0.1", "class -1"),
        ("0 0.5 0.5 0 0.1", "inside the picture"),
        ("0 0.5 nan 0.1 0.1", "inside the picture"),
        ("0 320 240 100 50", "inside the picture"),
    ],
)
def test_a_wrong_row_is_named(colours: Callable[..., Path], tmp_path: Path, text: str, message: str) -> None:
    folder = write_set(tmp_path / "set", {"a": ([0], [row(0)])})
    with (folder / "labels" / "a.txt").open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")
    with pytest.raises(ConfigError, match=message) as caught:
        evaluate.detector(colours(), folder)
    assert caught.value.subject.endswith("a.txt:3")


def test_classes_may_lie_above_the_part(colours: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set" / "val", {"a": ([0], [row(0)])})
    (folder / "classes.txt").rename(folder.parent / "classes.txt")
    assert evaluate.detector(colours(), folder)["classes"]["red"]["ap50"] == 1.0


@pytest.mark.parametrize("name", ["images", "classes.txt"])
def test_what_is_no_set(colours: Callable[..., Path], tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path / "set", {"a": ([0], [row(0)])})
    (folder / name).rename(folder / "elsewhere")
    with pytest.raises(ConfigError):
        evaluate.detector(colours(), folder)


def test_labelled_csv_with_an_unknown_class(colours: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", {"a": ([0], [row(0)])}, {"a": "red rde"})
    with pytest.raises(ConfigError, match="rde") as caught:
        evaluate.detector(colours(), folder)
    assert caught.value.subject.endswith("labelled.csv:2")


def test_a_picture_that_cannot_be_read_is_told(colours: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", {"a": ([0], [row(0)]), "b": ([0], [row(0)])})
    (folder / "images" / "b.png").write_bytes(b"no picture")
    result = evaluate.detector(colours(), folder)
    assert result["images"] == 1
    assert [Path(skip["path"]).name for skip in result["skipped"]] == ["b.png"]


def test_command(colours: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", {"a": ([0], [row(0)])})
    printed = CliRunner().invoke(app, ["detector", str(colours()), str(folder), "--json"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout)["classes"]["red"]["ap50"] == 1.0
    table = CliRunner().invoke(app, ["detector", str(colours()), str(folder), "--tile", "200"])
    assert table.exit_code == 0
    assert "does not know: blue" in table.stdout
