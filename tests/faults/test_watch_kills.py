"""The daemon and its processes killed under load while the broker comes and goes: as if nothing had happened.

The long run of it is `scripts/bench_county.py --kills`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from ..conftest import ROOT
from ..support.county import GREEN, RED, Thing, picture, write_county
from ..support.receivers import nats_server

pytestmark = pytest.mark.xdist_group("watch")
CAMERAS, EACH, KILLS = 4, 12, 4


@pytest.fixture(scope="module")
def kills() -> Iterator[ModuleType]:
    """The benchmark's own harness."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from live import kills

        yield kills
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def reel(kills: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red thing in two of three pictures, a green one in three of five: stories begin, go on and are told again."""
    shown = []
    for number in range(15):
        things: list[Thing] = [(RED, (40, 120, 100, 200))] if number % 3 < 2 else []
        things += [(GREEN, (180, 120, 240, 200))] if number % 5 < 3 else []
        shown.append(cv2.cvtColor(picture(things, number), cv2.COLOR_RGB2YUV_I420))
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1) * EACH
    times = {
        f"cam-{camera}": [
            (start + timedelta(hours=n, seconds=camera), (n + camera) % len(shown)) for n in range(EACH)
        ]
        for camera in range(CAMERAS)
    }
    written: Path = kills.replayed.write(tmp_path_factory.mktemp("reel"), times, np.stack(shown))
    return written


def run(kills: ModuleType, reel: Path, folder: Path, times: int) -> Any:
    from live.box import free_port
    from live.brokers import Nats

    cameras = [{"id": f"cam-{n}", "stream": {"url": "rtsp://127.0.0.1:9/x"}} for n in range(CAMERAS)]
    with kills.running(Nats(folder / "nats")) as broker:
        config = write_county(
            folder,
            frames=0,
            cameras=cameras,
            watch={"listen": f"127.0.0.1:{free_port()}"},
            dispatch=dict(broker.dispatch),
        )
        return kills.run(config, reel, broker, times)


def test_kills_lose_nothing_repeat_nothing_and_change_nothing(
    kills: ModuleType, reel: Path, tmp_path: Path
) -> None:
    nats_server()
    pytest.importorskip("nats", reason="nats-py is not installed: pip install 'huoyan[nats]'")
    calm = run(kills, reel, tmp_path / "calm", 0)
    killed = run(kills, reel, tmp_path / "killed", KILLS)
    found = kills.compare(calm, killed)
    assert found["alerts told"] > CAMERAS * EACH / 2, "kills must have something to disturb"
    assert any(document["data"]["properties"]["revision"] > 1 for document in killed.received)
    assert found["received"] == found["alerts told"]
    for name in (
        "lost",
        "received twice",
        "out of order within an incident",
        "not told, but in the undisturbed run",
        "told, but not in the undisturbed run",
        "documents that differ",
    ):
        assert found[name] == 0, (name, found)
    assert found["incidents: undisturbed, killed, different"][2] == 0, found
    assert found["entries of the memory: undisturbed, killed, different"][2] == 0, found
    assert sum(killed.done.values()) >= KILLS
