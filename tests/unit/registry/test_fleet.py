"""The register of vehicles with its trips, corridors, hours and loads, and the corridors themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from huoyan import config, registry
from huoyan.errors import RegistryError
from huoyan.records import Placement
from huoyan.registry import Registry

from .conftest import SCENES, ZONES, at, collection, feature

COLUMNS = ("plate", "colour", "kind", "sites", "trips", "corridors", "hours", "load_kg", "tare_kg")
HEADER = ",".join(COLUMNS) + "\n"
Load = Callable[..., Registry]


def line(*points: tuple[float, float], **properties: Any) -> dict[str, Any]:
    return feature([list(at(*point)) for point in points], "LineString", **properties)


CORRIDORS = collection(
    line((-500, 0), (500, 0), id="c-1", name="环城路", width_m=40),
    line((0, 300), (0, 900), (400, 900), id="c-2", width_m="60"),
)


@pytest.fixture
def fleet(tmp_path: Path) -> Load:
    """Loads a register of vehicles, given its rows, and of corridors."""

    def make(rows: str = "", corridors: str = CORRIDORS, header: str = HEADER) -> Registry:
        (tmp_path / "zones.geojson").write_text(ZONES, encoding="utf-8")
        (tmp_path / "corridors.geojson").write_text(corridors, encoding="utf-8")
        (tmp_path / "vehicles.csv").write_text(header + rows, encoding="utf-8")
        path = tmp_path / "county.yaml"
        named = "zones: zones.geojson, corridors: corridors.geojson, vehicles: vehicles.csv"
        path.write_text(f"registry: {{{named}}}", encoding="utf-8")
        return registry.load(config.load(path), SCENES)

    return make


def test_all_columns_of_a_vehicle(fleet: Load) -> None:
    row = (
        '浙D3C916,黄牌,渣土车,yard,plot -> yard; yard→plot,"c-1, c-2",周一至周六 19:00-05:00,15000,12500.5\n'
    )
    vehicle = fleet(row).vehicle("浙D3C916")
    assert vehicle is not None and vehicle.kind == "muck_truck" and vehicle.colour == "yellow"
    assert vehicle.trips == (("plot", "yard"), ("yard", "plot")) and vehicle.sites == ("yard",)
    assert vehicle.all_sites == {"plot", "yard"} and vehicle.corridors == ("c-1", "c-2")
    assert (vehicle.load_kg, vehicle.tare_kg) == (15_000.0, 12_500.5)
    assert vehicle.hours.text == "周一至周六 19:00-05:00" and len(vehicle.hours.windows) == 1


def test_what_is_left_empty_restricts_nothing(fleet: Load) -> None:
    vehicle = fleet("浙D3C916,,,,,,,,\n").vehicle("浙D3C916")
    assert vehicle is not None and not vehicle.all_sites and not vehicle.corridors
    assert vehicle.load_kg is None and not vehicle.hours.windows


@pytest.mark.parametrize(
    ("column", "cell", "what"),
    [
        ("trips", "plot->mars", "unknown zone 'mars'"),
        ("trips", "plot", "expected two zones"),
        ("trips", "plot->yard->plot", "expected two zones"),
        ("trips", "->yard", "expected two zones"),
        ("trips", "plot->yrad", "did you mean yard?"),
        ("corridors", "c-9", "unknown corridor 'c-9'"),
        ("hours", "7 to 5", "expected times"),
        ("hours", "19:00-19:00", "write 00:00-24:00"),
        ("load_kg", "15", "kilograms, not tonnes"),
        ("load_kg", "-5", "got -5"),
        ("load_kg", "heavy", "expected a number"),
        ("tare_kg", "999999", "from 200 to 150000"),
        ("kind", "lorry", "unknown kind 'lorry'"),
        ("kind", "muck_truk", "did you mean muck_truck?"),
    ],
)
def test_a_mistake_is_told_with_file_row_and_column(fleet: Load, column: str, cell: str, what: str) -> None:
    cells = ["浙D3C916" if name == "plate" else cell if name == column else "" for name in COLUMNS]
    with pytest.raises(RegistryError) as caught:
        fleet("浙D6F850,,,,,,,,\n" + ",".join(cells) + "\n")
    assert f"vehicles.csv:3:{column}: " in str(caught.value) and what in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("broken", "where", "what"),
    [
        (line((0, 0), (1, 0), id="c-1", width_m=20), "feature 3:id", "used twice"),
        (line((0, 0), (1, 0), width_m=20), "feature 3:id", "is empty"),
        (line((0, 0), (1, 0), id="c-3"), "feature 3:width_m", "expected metres up to 1000"),
        (line((0, 0), (1, 0), id="c-3", width_m=-4), "feature 3:width_m", "got '-4'"),
        (line((0, 0), id="c-3", width_m=20), "feature 3:geometry", "at least two points"),
        (line((0, 0), (0, 0), id="c-3", width_m=20), "feature 3:geometry", "all the same"),
        (feature([[29.5, 120.9], [29.6, 120.9]], "LineString", id="c-3"), "feature 3:geometry", "swapped"),
        (feature([[120, 29], "x"], "LineString", id="c-3"), "feature 3:geometry", "expected [lon, lat]"),
        (feature([], "MultiLineString", id="c-3", width_m=9), "feature 3:geometry", "at least two points"),
        (feature([120.9, 29.5], "Point", id="c-3"), "feature 3:geometry", "LineString or MultiLineString"),
    ],
)
def test_a_mistake_of_a_corridor_is_told(fleet: Load, broken: dict[str, Any], where: str, what: str) -> None:
    data = json.loads(CORRIDORS)
    data["features"].append(broken)
    with pytest.raises(RegistryError) as caught:
        fleet(corridors=json.dumps(data))
    assert f"corridors.geojson:{where}" in str(caught.value) and what in str(caught.value)


def test_thousands_of_wrong_ids_are_told_in_a_moment(fleet: Load) -> None:
    rows = "".join(f"浙D{i:05d},,,nowhere-{i},,,,,\n" for i in range(3000))
    with pytest.raises(RegistryError, match="and 2940 more"):
        fleet(rows)


def test_corridors_by_place(fleet: Load) -> None:
    found = fleet()
    assert found.corridors["c-1"].name == "环城路" and found.corridors["c-2"].name == "c-2"

    def near(east: float, north: float, metres: float) -> list[str]:
        spot = found.spot(Placement(*at(east, north), 5.0, "test"))
        return [match.corridor.id for match in found.corridors_near(spot, metres)]

    assert (
        near(0, 50, 100) == ["c-1"] and near(0, 200, 120) == ["c-2"] and near(0, 180, 220) == ["c-2", "c-1"]
    )
    assert near(0, 150, 20) == []
    spot = found.spot(Placement(*at(200, 700), 5.0, "test"))
    first, second = found.on_corridors(spot, ["c-1", "c-2"])
    assert first.distance_m == pytest.approx(700, rel=0.01) and second.distance_m == pytest.approx(
        200, rel=0.01
    )


def test_corridors_of_several_lines_and_without_any(fleet: Load, load: Load) -> None:
    both = feature(
        [[list(at(0, 0)), list(at(9, 0))], [list(at(500, 0)), list(at(600, 0))]], "MultiLineString"
    )
    both["properties"] = {"id": "c-3", "width_m": 10}
    found = fleet(corridors=collection(both))
    far = found.spot(Placement(*at(550, 0), 5.0, "test"))
    assert [match.corridor.id for match in found.corridors_near(far, 5)] == ["c-3"]
    assert load().corridors_near(far, 5000) == []
