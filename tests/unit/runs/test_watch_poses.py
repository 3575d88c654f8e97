"""Poses of live cameras: each has its own ground and zones; of an unknown one nothing is placed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from huoyan import georef
from huoyan.config import Camera, load
from huoyan.records import GroundPlane, Placement, Unplaced
from huoyan.runs.prepare import grounds
from huoyan.runs.watch.poses import camera_of, source_of, zones_of
from huoyan.sample import Sample

from ...support.county import write_county, write_still

PRESETS = [
    {"id": "gate", "picture": "gate.jpg", "calibration": "gate.csv", "zones": ["gate-zone"]},
    {"id": "yard", "picture": "yard.jpg"},
]
URL = "rtsp://10.0.0.1/1"


def camera(*presets: dict[str, object]) -> Camera:
    stream = {"url": URL, "presets": list(presets)}
    return Camera.model_validate({"id": "ptz", "zones": ["all"], "stream": stream})


def sample(preset: str = "", *conditions: str) -> Sample:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    return Sample("ptz", now, 0.0, (64, 48), preset=preset, conditions=frozenset(conditions))


@pytest.mark.parametrize(
    ("presets", "seen", "source", "placed"),
    [
        ([], sample(), "ptz", True),
        ([], sample("", "camera_blurred"), "ptz", True),
        ([], sample("", "camera_moved"), "ptz/moved", False),
        (PRESETS, sample("gate"), "ptz/gate", True),
        (PRESETS, sample(""), "ptz/moved", False),
        (PRESETS, sample("gate", "camera_moved"), "ptz/moved", False),
    ],
)
def test_a_picture_is_of_its_pose(
    presets: list[dict[str, object]], seen: Sample, source: str, placed: bool
) -> None:
    assert source_of(seen, camera(*presets)) == (source, placed)


def test_zones_belong_to_a_pose_and_an_unknown_one_has_none() -> None:
    assert {name: list(zones) for name, zones in zones_of(camera(*PRESETS)).items()} == {
        "ptz": ["all"],
        "ptz/gate": ["gate-zone"],
        "ptz/yard": ["all"],
        "ptz/moved": [],
    }


def test_each_preset_has_its_own_ground(tmp_path: Path) -> None:
    rows = [f"{x},{y},{x / 10},{-y / 10}" for x in (10, 160, 310) for y in (100, 170, 230)]
    for name in ("gate.jpg", "yard.jpg"):
        write_still(tmp_path / name)
    (tmp_path / "gate.csv").write_text("px_x,px_y,east_m,north_m\n" + "\n".join(rows) + "\n")
    cameras = [{"id": "ptz", "position": [120.9, 29.5], "stream": {"url": URL, "presets": PRESETS}}]
    found = grounds(load(write_county(tmp_path, frames=0, cameras=cameras)))
    gate = found["ptz/gate"]
    assert isinstance(gate, GroundPlane) and gate.size == (320, 240)
    place = georef.place_point(gate, (160.0, 200.0), (320, 240))
    assert isinstance(place, Placement)
    away = georef.distance_m(place, Placement(120.9, 29.5, 0.0, ""))
    assert away == pytest.approx((16**2 + 20**2) ** 0.5, abs=0.5)
    yard = found["ptz/yard"]
    assert isinstance(yard, Unplaced) and "yard" in yard.reason


def test_the_camera_of_a_source() -> None:
    cameras = {"ptz", "a/b"}
    assert [camera_of(name, cameras) for name in ("ptz", "ptz/gate", "a/b", "a/b/yard", "a", "drone")] == [
        "ptz", "ptz", "a/b", "a/b", None, None,
    ]  # fmt: skip
