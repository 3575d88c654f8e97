"""A county begun, filled in, examined, and examined again with mistakes everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from huoyan import config
from huoyan.cli.main import app
from huoyan.errors import ConfigError
from huoyan.runs.check import check
from huoyan.runs.init import begin

from ..support.county import write_county

TABLES = {"permits.csv", "vehicles.csv", "zones.geojson", "buildings.geojson"}


def write_with_cameras(folder: Path, cameras: list[dict[str, Any]], **changes: Any) -> Path:
    path = write_county(folder, frames=1, **changes)
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**values, "cameras": cameras}, allow_unicode=True), encoding="utf-8")
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_county(tmp_path / "made", ("路口-01", "cam-2"), frames=1)
    return tmp_path / "made" / "archive"


def test_a_county_from_folders_passes_the_check(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "新县"
    done = run("init", folder, "--archive", archive, "--name", '滨江 "县"')
    assert done.exit_code == 0
    loaded = config.load(folder / "county.yaml")
    assert loaded.config.county.name == '滨江 "县"'
    assert [camera.id for camera in loaded.config.cameras] == ["cam-2", "路口-01"]
    assert loaded.archive == archive
    assert {path.name for path in (folder / "registry").iterdir()} == {
        *TABLES, "cam-2.points.csv", "路口-01.points.csv",
    }  # fmt: skip
    mistakes, warnings, facts = check(folder / "county.yaml")
    assert mistakes == []
    assert facts["cameras"] == 2
    assert any("路口-01: no calibration" in warning for warning in warnings)
    assert run("check", folder / "county.yaml").exit_code == 0
    assert run("check", folder).output == run("check", folder / "county.yaml").output


def test_a_folder_without_a_county_is_told_what_to_type(tmp_path: Path) -> None:
    failed = run("check", tmp_path)
    assert isinstance(failed.exception, ConfigError)
    assert f"no county.yaml in this folder (name the file, or begin one with: huoyan init {tmp_path})" in str(
        failed.exception
    )


def test_a_county_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "cameras.csv"
    table.write_text("\ufeffid,lon,lat,archive\ncam-1,120.9,29.5,north/one\n二号,,,\n", encoding="utf-8")
    begin(tmp_path / "county", cameras=table, name="县")
    one, two = config.load(tmp_path / "county" / "county.yaml").config.cameras
    assert (one.id, one.position, one.archive) == ("cam-1", (120.9, 29.5), Path("north/one"))
    assert (two.id, two.position, two.archive) == ("二号", None, None)
    assert check(tmp_path / "county" / "county.yaml")[0] == []


def test_every_mistake_of_the_table_at_once(tmp_path: Path) -> None:
    table = tmp_path / "cameras.csv"
    table.write_text(
        "id,lon,lat\ncam-1,120.9,29.5\ncam-1,120.9,29.5\n,1,2\ncam-2,29.5,120.9\ncam-3,east,29\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        begin(tmp_path / "county", cameras=table, name="县")
    assert str(caught.value).splitlines() == [
        f"{table}:3: id: used twice",
        f"{table}:4: id: expected a camera id",
        f"{table}:5: lon, lat: out of range: 29.5, 120.9; are they swapped?",
        f"{table}:6: lon, lat: expected two numbers, got 'east', '29'",
    ]
    assert not (tmp_path / "county").exists()


def test_what_is_filled_in_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "county"
    begin(folder, name="县")
    permits = folder / "registry" / "permits.csv"
    filled = (
        permits.read_text(encoding="utf-8") + "P-1,earthwork,building,周某,,,120.9,29.5,30,2026-01-01,,\n"
    )
    permits.write_text(filled, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"county\.yaml: exists already \(give --force"):
        begin(folder, name="另一县")
    written = begin(folder, name="另一县", force=True)
    assert written == [folder / "county.yaml"]
    assert permits.read_text(encoding="utf-8") == filled
    assert config.load(folder / "county.yaml").config.county.name == "另一县"


def test_mistakes_of_everything_together(tmp_path: Path) -> None:
    cameras = [
        {"id": "cam-1", "position": [120.9, 29.5], "calibration": "few.csv", "zones": ["nowhere"]},
        {"id": "cam-9"},
    ]
    registry = {"zones": "zones.geojson", "permits": "permits.csv"}
    path = write_with_cameras(tmp_path, cameras, registry=registry)
    (tmp_path / "zones.geojson").write_text('{"type": "FeatureCollection", "features": [{"id": 1}]}')
    (tmp_path / "permits.csv").write_text("id,scene\nP-1,flying\n")
    (tmp_path / "few.csv").write_text("px_x,px_y,lon,lat,use\n1,2,120.9,29.5,fit\n")
    scenes = tmp_path / "scenes.yaml"
    scenes.write_text(scenes.read_text(encoding="utf-8").replace("priority: high", "priority: highest"))
    card = tmp_path / "models" / "colours.card.yaml"
    card.write_text(card.read_text().replace("sha256: ", "sha256: 0"))
    mistakes, warnings, _ = check(path)
    for subject in ("zones.geojson", "permits.csv", "few.csv", "scenes.yaml", "colours"):
        assert any(subject in mistake for mistake in mistakes), f"{subject} is not named in {mistakes}"
    assert any("cam-9" in warning for warning in warnings)
    told = json.loads(run("check", path, "--json").stdout)
    assert told["mistakes"] == mistakes
    done = run("check", path)
    assert done.exit_code == 2
    assert f"{len(mistakes)} to mend" in done.stdout


def test_a_zone_that_no_register_holds(tmp_path: Path) -> None:
    cameras = [{"id": "cam-1", "zones": ["riverside"]}]
    path = write_with_cameras(tmp_path, cameras)
    assert [m for m in check(path)[0] if "cam-1" in m and "unknown zone 'riverside'" in m]


def test_a_control_point_that_contradicts_the_others_is_a_warning(tmp_path: Path, shared_data: Path) -> None:
    points = shared_data / "geo" / "seattle_bad_points" / "points.csv"
    cameras = [
        {"id": "cam-1", "position": [-122.334, 47.592], "size": [1024, 576], "calibration": str(points)}
    ]
    mistakes, warnings, _ = check(write_with_cameras(tmp_path, cameras))
    assert mistakes == []
    assert any(w.startswith("camera cam-1: left out, because it contradicts the others: ") for w in warnings)


def test_a_wrong_configuration_is_told_alone(tmp_path: Path) -> None:
    path = tmp_path / "county.yaml"
    path.write_text("cameras: 3\nscene: {}\n")
    mistakes, warnings, facts = check(path)
    assert len(mistakes) == 2
    assert all(mistake.startswith(f"{path}:") for mistake in mistakes)
    assert (warnings, facts) == ([], {})


def test_the_sample_county_has_no_mistakes(samples: Path) -> None:
    mistakes, warnings, facts = check(samples / "county.yaml")
    assert mistakes == []
    assert warnings == []
    assert facts["zones"] >= 3 and facts["permits"] >= 2 and facts["scenes"] == 17


def test_a_road_that_nobody_looks_at_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "county.yaml"
    (tmp_path / "vehicles.csv").write_text("plate\n浙A12345\n", encoding="utf-8")
    for registry, warned in (("", True), ("registry: {vehicles: vehicles.csv}\n", False)):
        path.write_text(f"cameras: [{{id: road-1, road: true}}]\n{registry}", encoding="utf-8")
        _, warnings, _ = check(path)
        assert any("road-1: road: true does nothing" in warning for warning in warnings) is warned
