"""The evaluation of plate readers on generated crops; the reader reads one text on whatever is red."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from huoyan import evaluate
from huoyan.cli.evaluate import app
from huoyan.errors import ConfigError

from ...support.plates import write_reader

HEADER = "file,text,colour,type"
GOOD = "a.png,浙A12345,blue,blue"


def write_set(folder: Path, rows: Sequence[str], header: str = HEADER, reds: str = "") -> Path:
    """A set with crops a.png, b.png, …: one a row, red where `reds` names it or names none."""
    (folder / "crops").mkdir(parents=True)
    for name in "abcd":
        image = np.zeros((20, 60, 3), np.uint8)
        image[..., 2] = 250 if not reds or name in reds else 60
        (folder / "crops" / f"{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_reader(tmp_path / "plate-reader.onnx", "浙A12345", "blue")


def test_by_hand(model: Path, tmp_path: Path) -> None:
    rows = [
        GOOD,
        "b.png,浙A12346,blue,blue",
        "c.png,皖A12345,yellow,yellow_single",
        "d.png,浙A12345,blue,blue",
    ]
    result = evaluate.plates(write_set(tmp_path / "set", rows, reds="abc"), model=model)
    assert result.pop("ms_per_crop") > 0
    assert result == {
        "exact": 0.5,
        "n": 4,
        # One of seven characters is wrong in b, one in c; d is read, though not surely enough to be told.
        "characters": round(26 / 28, 4),
        "by_colour": {"blue": {"exact": 0.6667, "n": 3}, "yellow": {"exact": 0.0, "n": 1}},
        "by_type": {"blue": {"exact": 0.6667, "n": 3}, "yellow_single": {"exact": 0.0, "n": 1}},
        "readable": 0.75,
        "exact_readable": 0.3333,
        "colour": 0.75,
        "skipped": [],
    }


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        ([GOOD, "e.png,浙A12345,blue,blue"], 3, "no crop 'e.png'"),
        (["../a.txt,浙A12345,blue,blue"], 2, "no crop"),
        ([GOOD, "", "b.png,浙A1234,blue,blue"], 4, "no plate of type blue reads '浙A1234'"),
        (["a.png,,blue,blue"], 2, "reads ''"),
        (["a.png,浙AI2345,blue,blue"], 2, "浙AI2345"),
        (["a.png,浙A12345,blue,trailer"], 2, "type trailer"),
        (["a.png,浙A12345,pink,blue"], 2, "unknown colour 'pink'"),
        (["a.png,浙A12345,blue,bleu"], 2, "unknown type 'bleu'"),
        (["a.png,浙A12345"], 2, "unknown type ''"),
        ([GOOD, GOOD], 3, "labelled twice"),
    ],
)
def test_a_bad_label_is_named_with_its_line(
    model: Path, tmp_path: Path, rows: list[str], line: int, message: str
) -> None:
    folder = write_set(tmp_path / "set", rows)
    with pytest.raises(ConfigError, match=message) as caught:
        evaluate.plates(folder, model=model)
    assert caught.value.subject == f"{folder / 'labels.csv'}:{line}"
    assert caught.value.exit_code == 2


def test_what_is_no_set(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="crops is missing"):
        evaluate.plates(tmp_path, model=model)
    with pytest.raises(ConfigError, match="type is missing") as caught:
        evaluate.plates(write_set(tmp_path / "one", [GOOD], "file,text,colour,kind"), model=model)
    assert caught.value.subject.endswith("labels.csv:1")
    with pytest.raises(ConfigError, match="no crop in it"):
        evaluate.plates(write_set(tmp_path / "two", []), model=model)


def test_a_damaged_crop_is_told_and_not_counted(model: Path, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", [GOOD, "b.png,浙A12345,blue,blue"])
    (folder / "crops" / "b.png").write_bytes(b"not a picture")
    result = evaluate.plates(folder, model=model)
    assert result["n"] == 1
    assert [Path(skip["path"]).name for skip in result["skipped"]] == ["b.png"]


def test_command(model: Path, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", [GOOD])
    printed = CliRunner().invoke(app, ["plates", str(folder), "--model", str(model), "--json"])
    told = json.loads(printed.stdout)
    assert {"exact", "n", "characters", "ms_per_crop", "by_colour", "by_type"} <= set(told)
    assert told["by_type"] == {"blue": {"exact": 1.0, "n": 1}}
    shown = CliRunner().invoke(app, ["plates", str(folder), "--model", str(model)]).stdout
    assert "1.000" in shown and "blue" in shown
