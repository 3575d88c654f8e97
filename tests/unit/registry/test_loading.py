"""Registers: what is understood, and what is said of every mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from huoyan import config, registry
from huoyan.errors import ConfigError, MissingExtra, RegistryError
from huoyan.registry import Registry, plate_key

from .conftest import FOOTPRINTS, PERMITS, SCENES, VEHICLES, VENUES, ZONES, Make, collection, feature, square

Load = Callable[..., Registry]


def test_everything_of_a_sound_county_is_there(load: Load) -> None:
    found = load()
    assert set(found.zones) == {"plot", "yard", "stadium"}
    assert found.zones["yard"].scenes == {"earthwork", "scaffolding"}
    assert found.zones["stadium"].kind == "venue"
    assert found.zones["stadium"].scenes == {"venue_air", "venue_fire"}
    assert [permit.id for permit in found.permits] == ["P1", "P2", "P3"]
    assert found.permits[2].scenes == frozenset() and found.permits[2].valid_to == date(2026, 3, 31)
    assert found.footprints["b-1"].storeys == 3
    vehicle = found.vehicle("浙d-3c916")
    assert vehicle is not None and (vehicle.colour, vehicle.sites) == ("yellow", ("yard", "plot"))
    assert found.vehicle("浙D6F850") is not None


def test_registers_that_are_not_named_are_empty(load: Load) -> None:
    found = load(zones=None, permits=None, footprints=None, vehicles=None, venues=None)
    assert not found.zones and not found.permits and not found.footprints
    assert found.vehicles is None, "no register is not an empty register: nobody can be missing from it"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_encodings_that_offices_export(load: Load, encoding: str) -> None:
    found = load(permits=PERMITS.encode(encoding), vehicles=VEHICLES.replace("\n", "\r\n").encode(encoding))
    assert found.permits[0].holder == "张三"
    assert found.vehicle("浙D3C916") is not None


def test_a_building_without_an_id_gets_the_same_one_on_every_run(load: Load) -> None:
    first = set(load().footprints) - {"b-1"}
    turned = json.loads(FOOTPRINTS)
    ring = turned["features"][1]["geometry"]["coordinates"][0]
    turned["features"][1]["geometry"]["coordinates"][0] = [*ring[2:], *ring[1:3]]
    turned["features"].reverse()
    assert set(load(footprints=json.dumps(turned)).footprints) - {"b-1"} == first
    assert len(first) == 1 and next(iter(first)).startswith("b-")


def test_two_buildings_of_one_outline_stay_two(load: Load) -> None:
    twice = collection(feature(square(60, 20, 5)), feature(square(60, 20, 5)))
    assert len(load(footprints=twice, permits=None).footprints) == 2


def _permit(row: str) -> dict[str, str]:
    return {"permits": PERMITS + row + "\n"}


def _zone(**properties: object) -> dict[str, str]:
    data = json.loads(ZONES)
    data["features"].append(feature(square(0, 300, 20), **properties))
    return {"zones": json.dumps(data)}


def _shape(coordinates: object, kind: str = "Polygon") -> dict[str, str]:
    data = json.loads(ZONES)
    data["features"].append(feature(coordinates, kind, id="new", kind="control"))
    return {"zones": json.dumps(data)}


BOW_TIE = [[[120.0, 29.0], [120.1, 29.1], [120.1, 29.0], [120.0, 29.1], [120.0, 29.0]]]
OPEN = [[[120.0, 29.0], [120.1, 29.0], [120.1, 29.1], [120.0, 29.1]]]


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        (_permit("P1,earthwork,,,plot,,,,,2026-01-01,2026-01-02,"), "permits.csv:5:id", "used twice"),
        (
            _permit("P4,earthwrk,,,plot,,,,,2026-01-01,2026-01-02,"),
            "permits.csv:5:scene",
            "did you mean earthwork",
        ),
        (_permit("P4,,,,plot,,,,,2026-01-01,2026-01-02,"), "permits.csv:5:scene", "is empty"),
        (
            _permit("P4,earthwork,,,plot,,,,,2026-02-30,2026-03-02,"),
            "permits.csv:5:valid_from",
            "'2026-02-30'",
        ),
        (_permit("P4,earthwork,,,plot,,,,,tomorrow,2026-03-02,"), "permits.csv:5:valid_from", "'tomorrow'"),
        (_permit("P4,earthwork,,,plot,,,,,,2026-03-02,"), "permits.csv:5:valid_from", "is empty"),
        (
            _permit("P4,earthwork,,,plot,,,,,2026-03-02,2026-03-01,"),
            "permits.csv:5:valid_to",
            "before valid_from",
        ),
        (_permit("P4,earthwork,,,,,,,,2026-01-01,2026-01-02,"), "permits.csv:5:zone", "whole county"),
        (
            _permit("P4,earthwork,,,plot,b-1,,,,2026-01-01,2026-01-02,"),
            "permits.csv:5:zone",
            "more than one place",
        ),
        (
            _permit("P4,earthwork,,,plott,,,,,2026-01-01,2026-01-02,"),
            "permits.csv:5:zone",
            "did you mean plot?",
        ),
        (
            _permit("P4,earthwork,,,,b-9,,,,2026-01-01,2026-01-02,"),
            "permits.csv:5:footprint",
            "unknown footprint",
        ),
        (_permit("P4,earthwork,,,,,29.5,120.9,30,2026-01-01,2026-01-02,"), "permits.csv:5:lon", "swapped"),
        (
            _permit("P4,earthwork,,,,,220.5,29.5,30,2026-01-01,2026-01-02,"),
            "permits.csv:5:lon",
            "out of range",
        ),
        (
            _permit("P4,earthwork,,,,,120.5,29.5,,2026-01-01,2026-01-02,"),
            "permits.csv:5:radius_m",
            "is empty",
        ),
        (
            _permit("P4,earthwork,,,,,120.5,29.5,-3,2026-01-01,2026-01-02,"),
            "permits.csv:5:radius_m",
            "got -3",
        ),
        (
            _permit("P4,earthwork,,,,,x,29.5,30,2026-01-01,2026-01-02,"),
            "permits.csv:5:lon",
            "expected a number",
        ),
        (_permit("P4,earthwork,,,plot,,,,,2026-01-01,2026-01-02,a,b"), "permits.csv:5", "13 cells"),
        (
            {"permits": PERMITS.replace("valid_to", "valid_til")},
            "permits.csv:1:valid_til",
            "did you mean valid_to",
        ),
        ({"permits": PERMITS.replace("valid_to", "valid_til")}, "permits.csv:1:valid_to", "missing"),
        ({"permits": PERMITS.replace(",", ";")}, "permits.csv:1", "not separated by commas"),
        ({"permits": ""}, "permits.csv:1", "the file is empty"),
        ({"permits": b"id,scene\n\xff\xff\xff"}, "permits.csv", "neither UTF-8 nor GB 18030"),
        (_zone(id="plot", kind="control"), "zones.geojson:feature 3:id", "used twice"),
        (_zone(kind="control"), "zones.geojson:feature 3:id", "is empty"),
        (_zone(id="new", kind="contrl"), "zones.geojson:feature 3:kind", "did you mean control?"),
        (_zone(id="new", kind="control", scenes=["digging"]), "zones.geojson:feature 3:scenes", "'digging'"),
        (_zone(id="new", kind="control", scenes=7), "zones.geojson:feature 3:scenes", "expected a list"),
        (_shape(BOW_TIE), "zones.geojson:feature 3:geometry", "Self-intersection"),
        (_shape(OPEN), "zones.geojson:feature 3:geometry", "not closed"),
        (
            _shape([120.0, 29.0], "Point"),
            "zones.geojson:feature 3:geometry",
            "expected Polygon or MultiPolygon",
        ),
        (_shape([[[29.0, 120.0]] * 4]), "zones.geojson:feature 3:geometry", "swapped"),
        (_shape([[[120.0, 95.0]] * 4]), "zones.geojson:feature 3:geometry", "latitude out of range"),
        (_shape([[[120.0, 29.0]] * 4]), "zones.geojson:feature 3:geometry", "has no area"),
        (_shape([[["a", 29.0]] * 4]), "zones.geojson:feature 3:geometry", "expected numbers"),
        (_shape([[120.0, 29.0]]), "zones.geojson:feature 3:geometry", "ring"),
        ({"zones": '{"type":\n oops'}, "zones.geojson:2:2", "not valid JSON"),
        ({"zones": "[]"}, "zones.geojson:1", "FeatureCollection"),
        (
            {"zones": collection(crs={"properties": {"name": "urn:ogc:def:crs:EPSG::4490"}})},
            "zones.geojson:crs",
            "EPSG:4326",
        ),
        ({"vehicles": VEHICLES + "浙D-3C916,,,,,,,,\n"}, "vehicles.csv:4:plate", "used twice"),
        ({"vehicles": VEHICLES + "D1,,,,,,,,\n"}, "vehicles.csv:4:plate", "does not look like a plate"),
        ({"vehicles": VEHICLES + "浙D00001,pink,,,,,,,\n"}, "vehicles.csv:4:colour", "unknown plate colour"),
        ({"vehicles": VEHICLES + "浙D00001,,,,,,,mars,\n"}, "vehicles.csv:4:sites", "unknown zone 'mars'"),
        ({"venues": VENUES + "plot,,,120.9,29.5,80,\n"}, "venues.csv:id", "share their ids"),
        ({"venues": VENUES + "v,,,120.9,29.5,80,noise\n"}, "venues.csv:3:topics", "unknown topic 'noise'"),
        ({"venues": VENUES + "v,,,120.9,29.5,,air\n"}, "venues.csv:3:radius_m", "is empty"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    load: Load, changes: dict[str, str | bytes], where: str, what: str
) -> None:
    with pytest.raises(RegistryError) as caught:
        load(**changes)
    lines = [line for line in str(caught.value).splitlines() if line.startswith(f"{where}:")]
    assert lines, f"no line begins with {where}: {caught.value}"
    assert any(what in line for line in lines), lines


def test_all_mistakes_of_all_files_come_at_once(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**_zone(id="plot", kind="nonsense"), **_permit("P1,digging,,,,,,,,x,y,"), vehicles="plate\n浙\n")
    text = str(caught.value)
    assert {line.partition(":")[0] for line in text.splitlines()} == {
        "zones.geojson",
        "permits.csv",
        "vehicles.csv",
    }
    assert len(text.splitlines()) >= 7


def test_thousands_of_mistakes_do_not_flood_the_terminal(load: Load) -> None:
    rows = "".join(f"Q{i},earthwork,,,nowhere,,,,,2026-01-01,2026-01-02,\n" for i in range(500))
    with pytest.raises(RegistryError, match="and 440 more") as caught:
        load(permits=PERMITS + rows)
    assert len(str(caught.value).splitlines()) == 61


def test_a_missing_file_is_a_mistake(county: Make, tmp_path: Path) -> None:
    loaded = county()
    (tmp_path / "permits.csv").unlink()
    with pytest.raises(RegistryError, match=r"permits\.csv: cannot be read: No such file"):
        registry.load(loaded, SCENES)


def test_a_camera_that_watches_an_unknown_zone_is_a_mistake(county: Make, tmp_path: Path) -> None:
    county()
    path = tmp_path / "county.yaml"
    text = path.read_text(encoding="utf-8") + "\ncameras: [{id: cam-1, zones: [plott]}]\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        RegistryError, match=r"county\.yaml:cameras\.cam-1:zones: unknown zone 'plott'.*plot\?"
    ):
        registry.load(config.load(path), SCENES)


def test_scene_ids_come_from_the_rules_by_default(county: Make) -> None:
    assert registry.load(county()).permits[0].allows("scaffolding")
    with pytest.raises(RegistryError, match="unknown scene"):
        registry.load(county(**_permit("P9,gardening,,,plot,,,,,2026-01-01,2026-01-02,")))


@pytest.mark.parametrize("suffix", ["gpkg", "shp"])
def test_tables_of_gis_programs_in_any_crs(county: Make, tmp_path: Path, suffix: str) -> None:
    geopandas = pytest.importorskip("geopandas")
    frame = geopandas.GeoDataFrame.from_features(json.loads(ZONES), crs=4326)
    frame["scenes"] = ["", "earthwork scaffolding"]
    path = tmp_path / f"zones.{suffix}"
    frame.to_crs(32651).to_file(path)
    loaded = county()
    text = (tmp_path / "county.yaml").read_text(encoding="utf-8").replace("zones.geojson", path.name)
    (tmp_path / "county.yaml").write_text(text, encoding="utf-8")
    found = registry.load(config.load(tmp_path / "county.yaml"), SCENES)
    plain = registry.load(loaded, SCENES)
    for name, zone in plain.zones.items():
        assert found.zones[name].scenes == zone.scenes
        assert found.zones[name].geometry.hausdorff_distance(zone.geometry) < 1e-7


def test_a_table_without_the_extra_says_which(
    county: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    county()
    path = tmp_path / "county.yaml"
    path.write_text("registry: {zones: zones.gpkg}", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "geopandas", None)
    with pytest.raises(MissingExtra, match=r"huoyan\[analyst\]"):
        registry.load(config.load(path), SCENES)


def test_the_real_footprints_load(county: Make, shared_data: Path) -> None:
    source = shared_data / "vector" / "baoan_buildings.geojson"
    loaded = county(footprints=source.read_bytes(), permits=None)
    found = registry.load(loaded, SCENES)
    assert len(found.footprints) == len(json.loads(source.read_text(encoding="utf-8"))["features"])


@pytest.mark.parametrize(
    ("text", "key"),
    [("浙D·3C916", "浙D3C916"), ("浙Ｄ ３ｃ９１６", "浙D3C916"), ("浙D-3C916挂", "浙D3C916挂"), ("", "")],
)
def test_plates_compare_however_they_are_written(text: str, key: str) -> None:
    assert plate_key(text) == key
