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

Make = Callable[..., Path]


def write_set(folder: Path, rows: Mapping[str, tuple[int, str]]) -> Path:
    """Pictures of one colour: name -> (red of 255, what labels.csv says)."""
    (folder / "images").mkdir(parents=True)
    lines = ["file,dust"]
    for name, (red, said) in rows.items():
        image = np.zeros((40, 60, 3), np.uint8)
        image[..., 2] = red
        (folder / "images" / f"{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
        lines.append(f"images/{name}.png,{said}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("rows", "f1", "precision", "recall", "alarms"),
    [
        ({"a": (250, "1"), "b": (10, "0")}, 1.0, 1.0, 1.0, 0.0),
        # Two of three found, one of four quiet pictures cries.
        (
            {
                **{f"d{i}": (red, "1") for i, red in enumerate((250, 250, 10))},
                **{f"q{i}": (red, "0") for i, red in enumerate((250, 10, 10, 10))},
            },
            0.6667,
            0.6667,
            0.6667,
            0.25,
        ),
        ({"a": (10, "1"), "b": (250, "0")}, 0.0, 0.0, 0.0, 1.0),
        ({"a": (10, "0")}, None, None, None, 0.0),
        ({"a": (250, "1")}, 1.0, 1.0, 1.0, None),
    ],
)
def test_by_hand(
    air: Make,
    tmp_path: Path,
    rows: Mapping[str, tuple[int, str]],
    f1: float | None,
    precision: float | None,
    recall: float | None,
    alarms: float | None,
) -> None:
    result = evaluate.dust(write_set(tmp_path / "set", rows), air())
    assert result == {
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "false_alarm_rate": alarms,
        "n": len(rows),
    }


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("file,dust\nimages/a.png,1\nimages/a.png,maybe\n", 3, "1 or 0, got 'maybe'"),
        ("file,dust\nimages/a.png\n", 2, "1 or 0, got ''"),
        ("file,dust\nimages/z.png,1\n", 2, "no such picture: 'images/z.png'"),
        ("file,dust\n,1\n", 2, "no such picture"),
        ("file,dust\nimages/a.png,1\nimages/a.png,1\n", 3, "a second time, first in line 2"),
        ("picture,dust\nimages/a.png,1\n", 1, "file missing"),
        ("file,dust\nimages/a.png,1\nimages/broken.png,0\n", 3, "not a picture"),
    ],
)
def test_bad_labels_are_named_by_line(air: Make, tmp_path: Path, table: str, line: int, message: str) -> None:
    folder = write_set(tmp_path / "set", {"a": (250, "1")})
    (folder / "images" / "broken.png").write_bytes(b"no png")
    (folder / "labels.csv").write_text(table, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        evaluate.dust(folder, air())
    assert caught.value.subject == f"{folder / 'labels.csv'}:{line}"


@pytest.mark.parametrize("table", [None, "", "file,dust\n"])
def test_a_folder_that_is_no_set(air: Make, tmp_path: Path, table: str | None) -> None:
    if table is not None:
        (tmp_path / "labels.csv").write_text(table, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        evaluate.dust(tmp_path, air())
    assert "labels.csv" in caught.value.subject


def test_the_command(air: Make, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", {"a": (250, "1"), "b": (10, "0")})
    model = str(air())
    done = CliRunner().invoke(app, ["dust", str(folder), "--model", model, "--json"])
    assert done.exit_code == 0, done.output
    expected = {"f1": 1.0, "precision": 1.0, "recall": 1.0, "false_alarm_rate": 0.0, "n": 2}
    assert json.loads(done.output) == expected
    shown = CliRunner().invoke(app, ["dust", str(folder), "--model", model])
    assert "1.000" in shown.output
