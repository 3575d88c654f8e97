"""A small county in files, made of Python values; a test changes one of them and looks what happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from huoyan import config, registry
from huoyan.config import LoadedConfig
from huoyan.registry import Registry

SCENES = ("earthwork", "scaffolding", "roof_addition", "unapproved_vehicle", "venue_air", "venue_fire")
LON, LAT = 120.9, 29.5
PER_LON, PER_LAT = 96_900.0, 110_850.0
"""Metres per degree at the county, to about 0.1 %."""


Make = Callable[..., LoadedConfig]


def at(east: float, north: float) -> tuple[float, float]:
    """(lon, lat) of a point in metres from the middle of the county."""
    return LON + east / PER_LON, LAT + north / PER_LAT


def square(east: float, north: float, half: float) -> list[list[list[float]]]:
    """Coordinates of a square polygon, in metres from the middle of the county."""
    corners = [(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)]
    return [[list(at(east + x, north + y)) for x, y in corners]]


def feature(coordinates: Any, shape: str = "Polygon", **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": shape, "coordinates": coordinates},
    }


def collection(*features: Any, **members: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **members})


ZONES = collection(
    feature(square(0, 0, 100), id="plot", name="地块", kind="control", scenes=[]),
    feature(square(500, 0, 50), id="yard", name="堆场", kind="storage_yard", scenes="earthwork scaffolding"),
)
FOOTPRINTS = collection(feature(square(20, 20, 5), id="b-1", storeys=3), feature(square(60, 20, 5)))
PERMITS = """id,scene,kind,holder,zone,footprint,lon,lat,radius_m,valid_from,valid_to,note
P1,earthwork scaffolding,building,张三,plot,,,,,2026-03-01,2026-03-31,
P2,roof_addition,building,李四,,b-1,,,,2026-03-01,2026-03-31,
P3,*,any,王五,,,120.9,29.5,50,2026/3/1,2026.3.31,
"""
VEHICLES = """plate,colour,kind,company,permit,valid_from,valid_to,sites,note
浙D3C916,黄色,muck_truck,一公司,P1,2026-01-01,2026-12-31,yard plot,
浙D·6F850,blue,muck_truck,一公司,,,,,
"""
VENUES = """id,name,kind,lon,lat,radius_m,topics
stadium,体育场,stadium,120.91,29.5,80,air fire
"""


@pytest.fixture
def county(tmp_path: Path) -> Make:
    """Writes the registers, changed by keyword (None leaves one out), and returns the configuration."""

    def make(**changes: str | bytes | None) -> LoadedConfig:
        files: dict[str, str | bytes | None] = {
            "zones.geojson": ZONES,
            "permits.csv": PERMITS,
            "footprints.geojson": FOOTPRINTS,
            "vehicles.csv": VEHICLES,
            "venues.csv": VENUES,
        }
        names = {name.partition(".")[0]: name for name in files}
        files.update({names[key]: value for key, value in changes.items()})
        lines = []
        for name, content in files.items():
            if content is None:
                continue
            data = content.encode() if isinstance(content, str) else content
            (tmp_path / name).write_bytes(data)
            lines.append(f"  {name.partition('.')[0]}: {name}")
        path = tmp_path / "county.yaml"
        path.write_text("registry:\n" + "\n".join(lines) if lines else "{}", encoding="utf-8")
        return config.load(path)

    return make


@pytest.fixture
def load(county: Make) -> Callable[..., Registry]:
    """Loads the registers, changed by keyword."""
    return lambda **changes: registry.load(county(**changes), SCENES)
