from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from huoyan.cli.calibrate import calibrate
from huoyan.errors import ConfigError, StorageError, UnreadableFile
from huoyan.georef import saved

from .factory import ORIGIN, SIZE, as_csv, control, moved


@pytest.fixture
def app() -> typer.Typer:
    result = typer.Typer()
    result.command()(calibrate)
    return result


@pytest.fixture
def files(tmp_path: Path) -> Path:
    points = moved(control(9, pixel_noise=0.5, ground_noise=0.1, checks=1), 4, (-260.0, 20.0))
    (tmp_path / "points.csv").write_text(as_csv(points), encoding="utf-8")
    cv2.imwrite(str(tmp_path / "frame.png"), np.full((SIZE[1], SIZE[0], 3), 120, np.uint8))
    return tmp_path


def run(app: typer.Typer, *arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_json_tells_errors_and_wrong_points(app: typer.Typer, files: Path) -> None:
    document = json.loads(run(app, files / "points.csv", "--image", files / "frame.png", "--json"))
    assert document["size"] == [1280, 720]
    assert document["bad_points"] == ["p4"]
    assert document["points"][4]["row"] == 6
    assert document["points"][4]["bad"] is True
    assert 0 < document["fit_rms_m"] < 1
    assert document["check_rms_m"] < 3
    assert document["leave_one_out_rms_m"] > document["fit_rms_m"]
    assert document["error_m"] > 0


def test_table_names_the_wrong_point(app: typer.Typer, files: Path) -> None:
    output = run(app, files / "points.csv", "--image", files / "frame.png")
    assert "contradicts the others: p4 (row 6)" in output
    assert "leave-one-out" in output


def test_calibration_is_saved_and_the_check_picture_drawn(app: typer.Typer, files: Path) -> None:
    out, picture = files / "cam.yaml", files / "检查.png"
    arguments = ["--image", files / "frame.png", "--out", out, "--check", picture, "--position", *ORIGIN]
    run(app, files / "points.csv", *arguments)
    assert saved.load(out).origin == ORIGIN
    drawn = cv2.imdecode(np.fromfile(picture, np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None and drawn.shape == (SIZE[1], SIZE[0], 3)
    red = (drawn[:, :, 2] > 200) & (drawn[:, :, 1] < 100)
    yellow = (drawn[:, :, 2] > 200) & (drawn[:, :, 1] > 180) & (drawn[:, :, 0] < 170)
    assert red.sum() > 50
    assert yellow.sum() > 1000


def test_without_a_picture_its_size_is_guessed_and_said(app: typer.Typer, files: Path) -> None:
    document = json.loads(run(app, files / "points.csv", "--json", "--check", files / "check.png"))
    assert document["size"] == [1280, 720]
    assert any("taken to be 1280 x 720" in note for note in document["notes"])
    sized = json.loads(run(app, files / "points.csv", "--json", "--size", 1920, 1080))
    assert sized["size"] == [1920, 1080]


def test_metres_without_position_are_saved_without_a_place(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(as_csv(control(6, metres=True)), encoding="utf-8")
    output = tmp_path / "cam.yaml"
    document = json.loads(run(app, tmp_path / "points.csv", "--json", "--out", output))
    assert document["origin"] is None
    assert any("needs a position" in note for note in document["notes"])
    with pytest.raises(ConfigError, match="no place on the map"):
        saved.load(output)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--image", "nothing.png"], UnreadableFile),
        (["--image", "points.csv"], UnreadableFile),
        (["--position", "29.5", "120.9"], ConfigError),
        (["--out", "no/such/folder/cam.yaml"], StorageError),
        (["--check", "no/such/folder/check.png"], StorageError),
        (["--check", "check.nonsense"], StorageError),
    ],
)
def test_mistakes_are_told(
    app: typer.Typer,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    error: type[Exception],
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(error):
        CliRunner().invoke(app, ["points.csv", *arguments], catch_exceptions=False)
