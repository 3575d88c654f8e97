from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import huoyan
from huoyan.errors import DispatchError, MissingExtra, StorageError

from ..support.county import write_county

HEAVY = ["numpy", "cv2", "onnxruntime", "av", "rasterio", "pyproj", "shapely", "pydantic", "yaml", "scipy"]


def test_names_are_listed_once_and_all_load() -> None:
    assert huoyan.__all__ == sorted(huoyan.__all__)
    assert set(huoyan.__all__) == {*huoyan._PUBLIC, "__version__"}
    assert dir(huoyan) == huoyan.__all__
    for name in huoyan.__all__:
        value = getattr(huoyan, name)
        assert name == "__version__" or (value.__doc__ or "").strip(), f"{name} has no docstring"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = huoyan.nothing


def test_names_survive_their_rooms() -> None:
    # Importing huoyan.runs.scan sets no `scan` on huoyan, but a careless alias would give a module here.
    for name in ("scan", "explain", "locate", "open_source", "load_alerts", "load_config", "to_supervision"):
        assert callable(getattr(huoyan, name))


def test_importing_loads_nothing_heavy() -> None:
    code = f"import huoyan, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> huoyan.ScanResult:
    return huoyan.scan(write_county(tmp_path_factory.mktemp("county"), frames=8))


def test_alerts_as_a_table(scanned: huoyan.ScanResult) -> None:
    pytest.importorskip("geopandas")
    table = scanned.to_geodataframe()
    assert table.crs == "EPSG:4326"
    assert list(table["alert_id"]) == [alert.alert_id for alert in scanned.alerts]
    assert set(table["scene"]) == {"red_thing", "green_stay"}
    assert set(table["scene_zh"]) == {"红", "绿"}
    assert str(table["first_seen"].dtype) == "datetime64[ms, UTC]"
    first = scanned.alerts[0].document["data"]
    assert (table.geometry[0].x, table.geometry[0].y) == tuple(first["geometry"]["coordinates"])
    assert table["evidence"][0].split("; ") == [e["href"] for e in first["properties"]["evidence"]]


def test_a_state_as_a_table(scanned: huoyan.ScanResult) -> None:
    geopandas = pytest.importorskip("geopandas")
    table = huoyan.load_alerts(str(scanned.state))
    assert isinstance(table, geopandas.GeoDataFrame)
    assert set(table["alert_id"]) == {alert.alert_id for alert in scanned.alerts}
    assert list(table["priority"]) == sorted(table["priority"]), "most urgent first"
    assert set(table["queue_state"]) == {"ready"}
    shared = list(scanned.to_geodataframe().columns)
    assert list(table.columns) == [*shared, "queue_state", "owner", "verdict", "note"]
    latest = huoyan.load_alerts(scanned.state, latest=True)
    assert latest["incident_id"].is_unique
    assert set(latest["incident_id"]) == set(table["incident_id"])
    assert latest["revision"].max() == table["revision"].max() == 2


def test_a_folder_without_a_state(tmp_path: Path) -> None:
    with pytest.raises(DispatchError, match="no queue"):
        huoyan.load_alerts(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".parquet", ".csv"])
@pytest.mark.parametrize("empty", [False, True])
def test_files(scanned: huoyan.ScanResult, empty: bool, suffix: str, tmp_path: Path) -> None:
    geopandas = pytest.importorskip("geopandas")
    result = huoyan.ScanResult(tmp_path) if empty else scanned
    path = result.to_file(tmp_path / "new folder" / f"预警{suffix}")
    if suffix == ".csv":
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        assert lines[0].startswith("alert_id,incident_id,revision,")
        assert len(lines) == 1 + len(result.alerts)
        return
    back = geopandas.read_parquet(path) if suffix == ".parquet" else geopandas.read_file(path)
    assert len(back) == len(result.alerts)
    assert back.crs == "EPSG:4326"
    # An empty GeoJSON has no feature that could tell the columns.
    if not (empty and suffix == ".geojson"):
        assert list(back.columns) == list(result.to_geodataframe().columns)


def test_files_that_cannot_be(scanned: huoyan.ScanResult, tmp_path: Path) -> None:
    pytest.importorskip("geopandas")
    with pytest.raises(ValueError, match=r"alerts\.xlsx: expected a name that ends in \.geojson, \.parquet"):
        scanned.to_file(tmp_path / "alerts.xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"alerts\.parquet: the table cannot be written"):
        scanned.to_file(tmp_path / "file" / "alerts.parquet")


def test_unplaced_alerts_have_no_point(tmp_path: Path) -> None:
    pytest.importorskip("geopandas")
    config = write_county(tmp_path, frames=1, cameras=["cam-1"])
    text = config.read_text(encoding="utf-8")
    config.write_text(text[: text.index("cameras:")] + text[text.index("scenes:") :], encoding="utf-8")
    table = huoyan.scan(config).to_geodataframe()
    assert len(table) == 2
    assert table.geometry.isna().all()
    assert set(table["no_place"]) == {"no calibration"}


def test_without_geopandas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "geopandas", None)
    with pytest.raises(MissingExtra) as caught:
        huoyan.ScanResult(tmp_path).to_geodataframe()
    assert str(caught.value) == (
        "this needs geopandas, which is not installed (run: pip install 'huoyan[analyst]')"
    )
    assert caught.value.exit_code == 7


def test_open_source_knows_the_calibrated_cameras(tmp_path: Path) -> None:
    config = write_county(tmp_path, ("cam-1", "cam-2"), frames=1)
    frames = {frame.ref.source_id: frame for frame in huoyan.open_source(config)}
    assert not isinstance(frames["cam-1"].ground, huoyan.Unplaced)
    assert frames["cam-2"].ground == huoyan.Unplaced("no calibration")
    assert isinstance(huoyan.locate(frames["cam-1"], (160, 200)), huoyan.Placement)
    bare = list(huoyan.open_source(tmp_path / "archive"))
    assert [frame.ground for frame in bare] == [huoyan.Unplaced("no calibration")] * 2
    # The county may also be told when a place is asked for.
    assert huoyan.locate(bare[0], (160, 200), config) == huoyan.locate(frames["cam-1"], (160, 200))


def test_the_detector_that_readme_shows(tmp_path: Path) -> None:
    config = write_county(tmp_path, frames=1)
    frame = next(huoyan.open_source(config))
    found = huoyan.Detector(tmp_path / "models" / "colours.onnx").detect([frame.image()])[0]
    assert sorted(one.label for one in found) == ["green", "red"]
    assert all(isinstance(one, huoyan.Detection) for one in found)
