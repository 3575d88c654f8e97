"""`huoyan explain`: the way of a frame, told without touching the state."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

import huoyan
from huoyan.cli.main import app
from huoyan.errors import SourceError

from ..support.county import write_county


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_county(tmp_path_factory.mktemp("county"), frames=6)


@pytest.fixture(scope="module")
def pictures(county: Path) -> list[Path]:
    """0 and 1 show red and green, 2 green alone, 3 and 4 red alone, 5 green alone."""
    return sorted((county.parent / "archive/camera/cam-1").iterdir())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "240"})


def files(folder: Path) -> dict[str, str]:
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_which_condition_failed_with_the_numbers(county: Path, pictures: list[Path], tmp_path: Path) -> None:
    (story,) = huoyan.explain([pictures[2]], county, state=tmp_path / "none")
    assert [seen["label"] for seen in story["detections"]] == ["green"]
    assert "lon" in story["detections"][0]["place"]
    assert story["judged_before"] is False
    failed = [line for line in story["trace"] if line.startswith("fails: green_stay#1 persistence")]
    assert len(failed) == 1 and "1 of the last 4 frames, 2 needed" in failed[0]
    assert story["outcome"] == ["no scene holds: nothing is told"]
    assert not (tmp_path / "none").exists(), "no state is made"


def test_what_would_be_told(county: Path, pictures: list[Path], tmp_path: Path) -> None:
    (story,) = huoyan.explain([pictures[0]], county, state=tmp_path / "none")
    assert any("red_thing (seen): alert, revision 1 of incident" in line for line in story["outcome"])
    assert json.loads(json.dumps(story)) == story


def test_frames_are_judged_one_after_the_other(county: Path, pictures: list[Path], tmp_path: Path) -> None:
    stories = huoyan.explain([pictures[2], pictures[5]], county, state=tmp_path / "none")
    assert any(line.startswith("holds: green_stay#1 persistence") for line in stories[1]["trace"])
    assert any("green_stay (seen): alert" in line for line in stories[1]["outcome"])


def test_the_state_stays_as_it_is(county: Path, pictures: list[Path], tmp_path: Path) -> None:
    state = tmp_path / "state"
    result = huoyan.scan(county, state=state)
    before = files(state)
    (story,) = huoyan.explain([pictures[0]], county, state=state, picture=tmp_path / "p.png")
    assert files(state) == before
    assert story["judged_before"] is True
    first = result.alerts[0]
    assert any(
        f"was told as revision 1 of incident {first.incident_id} (new)" in line for line in story["outcome"]
    )
    assert any(f"belongs to incident {first.incident_id}, nothing new" in line for line in story["outcome"])


def test_a_permit_is_named(county: Path, pictures: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "county"
    path = write_county(folder, frames=1, registry={"permits": "permits.csv"})
    scenes = folder / "scenes.yaml"
    scenes.write_text(
        scenes.read_text(encoding="utf-8").replace(
            "    priority: high\n", "    priority: high\n    permit: {}\n"
        ),
        encoding="utf-8",
    )
    (folder / "permits.csv").write_text(
        "id,scene,kind,holder,zone,footprint,lon,lat,radius_m,valid_from,valid_to,note\n"
        "P-7,red_thing,building,周某,,,120.9,29.5,900,2026-01-01,2026-12-31,\n",
        encoding="utf-8",
    )
    frame = next((folder / "archive/camera/cam-1").iterdir())
    (story,) = huoyan.explain([frame], path)
    assert "red_thing (seen): permitted by P-7" in story["outcome"]


def test_the_picture_shows_the_boxes(county: Path, pictures: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "new" / "picture.png"
    done = run("explain", pictures[0], "--config", county, "--state", tmp_path / "s", "--picture", target)
    assert done.exit_code == 0, done.output
    drawn, original = cv2.imread(str(target)), cv2.imread(str(pictures[0]))
    assert drawn.shape == original.shape
    assert (drawn != original).any()


def test_text_and_json_tell_the_same(county: Path, pictures: list[Path], tmp_path: Path) -> None:
    arguments = ["explain", pictures[2], "--config", county, "--state", tmp_path / "s"]
    told = json.loads(run(*arguments, "--json").stdout)
    text = run(*arguments).stdout
    assert [story["source"] for story in told] == ["cam-1"]
    assert pictures[2].name in text
    for line in told[0]["trace"] + told[0]["outcome"]:
        assert line in text


def test_pictures_of_somewhere_else(county: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"else\.jpg: is not among the pictures of the archive"):
        huoyan.explain([tmp_path / "else.jpg"], county, state=tmp_path / "s")
