"""What changes for good, through the whole daemon: told once, with its picture and place, over kills and restarts."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from ..conftest import ROOT
from ..support import days, running
from ..support.county import write_county
from ..support.gates import free_port
from ..unit.conftest import write_card

pytestmark = pytest.mark.xdist_group("watch")
POSITION = (120.9, 29.5)
DEGREE_M = 111_200.0
HEIGHT_M, YAW_DEG, PITCH_DEG, HFOV_DEG = 12.0, 30.0, -25.0, 60.0


def write(folder: Path) -> Path:
    """A county of the cameras of `days`, with the rules that ship."""
    pose = {"height_m": HEIGHT_M, "yaw_deg": YAW_DEG, "pitch_deg": PITCH_DEG, "hfov_deg": HFOV_DEG}
    cameras = [
        {
            "id": name,
            # Far enough from each other that no story is of two of them.
            "position": [POSITION[0] + 0.005 * number, POSITION[1]],
            "pose": pose,
            "stream": {"url": f"rtsp://127.0.0.1:9/{name}"},
        }
        for number, name in enumerate(days.CAMERAS)
    ]
    ring = [[120.8, 29.4], [121.0, 29.4], [121.0, 29.6], [120.8, 29.6], [120.8, 29.4]]
    zone = {
        "type": "Feature",
        "properties": {"id": "land", "name": "管控区", "kind": "control"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    (folder / "zones.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [zone]}))
    path = write_county(
        folder,
        frames=0,
        cameras=cameras,
        registry={"zones": "zones.geojson"},
        scenes={},
        watch={"listen": f"127.0.0.1:{free_port()}"},
    )
    # The detector of colours calls what is red a shell.
    classes = ["building_under_construction", "excavator"]
    write_card(folder / "models/colours.onnx", task="detect", classes=classes, input={"long_side": 320})
    return path


@contextmanager
def living(config: Path, first: int, last: int) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon after it has lived from one step to another."""
    played, errors = config.with_name("played"), config.with_name("daemon.log")
    played.unlink(missing_ok=True)
    with errors.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.days", str(config), str(first), str(last)],
            cwd=ROOT,
            env=running.ENVIRONMENT,
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + 240
        while not (played.exists() and played.read_text() == str(last)):
            assert process.poll() is None, f"it ended with {process.returncode}: {errors.read_text()[-3000:]}"
            assert time.monotonic() < end, f"it has not come to step {last}: {errors.read_text()[-3000:]}"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait(10)


def told(state: Path) -> dict[str, dict[str, Any]]:
    """Properties and geometry of the alerts by camera; there is one of each."""
    found: dict[str, dict[str, Any]] = {}
    for _, document in running.told(state).queue:
        [camera] = document["data"]["properties"]["sources"]
        assert camera not in found, f"{camera} is told twice"
        found[camera] = {**document["data"]["properties"], "at": document["data"]["geometry"]["coordinates"]}
    return found


def is_about(polygon: list[list[float]]) -> bool:
    """Whether an outline (in shares of the picture) is that of `days.THING`, as well as cells can tell."""
    x, y, w, h = days.THING
    inside = np.zeros((360, 640), np.uint8)
    cv2.fillPoly(inside, [(np.array(polygon) * [640, 360]).astype(np.int32)], 1)
    shared = int(inside[y : y + h, x : x + w].sum())
    return shared / (int(inside.sum()) + w * h - shared) > 0.5


def test_what_stands_for_good_is_told_once_over_kills_and_what_passes_is_not(tmp_path: Path) -> None:
    config = write(tmp_path)
    state = tmp_path / "state"
    # The changes are known in the afternoon of their third day. They are looked at then and on the next morning: in
    # between it is night, when nobody sees what stands there.
    held, known = days.step_of(days.BUILT_ON + 1, 12), days.step_of(days.BUILT_ON + 2, 16)
    looked_at = days.step_of(days.BUILT_ON + 3, 9.5)
    with living(config, 0, held):
        assert not told(state)
    with living(config, held, known):
        assert not told(state)
        memory = running.told(state).memory
        waiting = {key: json.loads(value) for key, value in memory.items() if key.startswith("#changes|")}
        assert set(waiting) == {"#changes|wall", "#changes|shell"}
        assert all(is_about(change["polygon"]) for [[change, _, _]] in waiting.values())
    with living(config, known, looked_at):
        assert "wall" not in told(state), "it was looked at too few times"
    with living(config, looked_at, days.STEPS) as daemon:
        daemon.terminate()
        assert daemon.wait(30) == 0
    alerts = told(state)
    assert {camera: alert["scene"]["id"] for camera, alert in alerts.items()} == {
        "wall": "slow_change",
        "shell": "new_structure",
    }
    assert not [key for key in running.told(state).memory if key.startswith("#changes|")], "no look is left"
    assert alerts["wall"]["priority"] == 4
    assert [model["name"] for model in alerts["shell"]["models"]] == ["colours"]
    for camera, alert in alerts.items():
        assert alert["revision"] == 1
        assert alert["position"]["method"] == "pose"
        assert _distance_m(alert["at"], _foot(camera)) < 3 * alert["position"]["error_m"]
        pictures = {picture["role"]: state / picture["href"] for picture in alert["evidence"]}
        assert set(pictures) == {"wide", "close"}
        close = np.asarray(Image.open(pictures["close"]).convert("RGB"), np.float32)
        middle = close[close.shape[0] // 3 : close.shape[0] // 2, close.shape[1] // 3 : close.shape[1] // 2]
        # The drawn ground is even, the wall's bricks are not; the shell is red.
        if camera == "wall":
            assert middle.std() > 40
        else:
            assert middle[..., 0].mean() > 2 * middle[..., 1].mean()


def _foot(camera: str) -> tuple[float, float]:
    """Longitude and latitude of the foot of `days.THING`, by the pose alone (a pinhole over flat ground)."""
    x, y, w, h = days.THING
    across = math.tan(math.radians(HFOV_DEG / 2))
    right, down = (x + w / 2 - 320) / 320 * across, (y + h - 180) / 320 * across
    pitch, yaw = math.radians(PITCH_DEG), math.radians(YAW_DEG)
    forward, sinks = math.cos(pitch) + down * math.sin(pitch), -math.sin(pitch) + down * math.cos(pitch)
    ahead, aside = HEIGHT_M * forward / sinks, HEIGHT_M * right / sinks
    east = ahead * math.sin(yaw) + aside * math.cos(yaw)
    north = ahead * math.cos(yaw) - aside * math.sin(yaw)
    number = days.CAMERAS.index(camera)
    return (
        POSITION[0] + 0.005 * number + east / (DEGREE_M * math.cos(math.radians(POSITION[1]))),
        POSITION[1] + north / DEGREE_M,
    )


def _distance_m(one: Sequence[float], other: Sequence[float]) -> float:
    east = (one[0] - other[0]) * math.cos(math.radians(POSITION[1]))
    return DEGREE_M * math.hypot(east, one[1] - other[1])
