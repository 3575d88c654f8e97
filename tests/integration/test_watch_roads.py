"""Trucks on a live road through the whole daemon: followed, judged once a passage, over the kill of the follower."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml

from ..support import rtsp, running
from ..support.gates import free_port
from ..support.receivers import NatsServer
from ..support.roads import PLATE, SIGN, SIZE, TRUCK, Video, write_road_county

pytestmark = pytest.mark.xdist_group("watch")
RATE, DRIVES_S, EMPTY_S = 10, 4.0, 4.0
OTHERS = "plate\n粤X99999\n"
"""A register without the truck."""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A truck drives through from the left to the right, then the road is empty; H.264 as cameras send it."""
    path = tmp_path / "films/road.mp4"
    path.parent.mkdir()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"bf": "0", "crf": "15", "sc_threshold": "0", "preset": "ultrafast", "g": str(RATE)}
        frames = round(DRIVES_S * RATE)
        for index in range(frames + round(EMPTY_S * RATE)):
            image = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
            left = round(-240 + (SIZE[0] + 280) * index / (frames - 1))
            x1, x2 = max(0, left), min(SIZE[0], left + 220)
            if x2 > x1:
                image[120:360, x1:x2] = TRUCK
                if left >= 0 and left + 220 <= SIZE[0]:
                    image[300:330, left + 60 : left + 160] = SIGN
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def camera(film: Path) -> Iterator[rtsp.Server]:
    with rtsp.Server([film]) as server:
        yield server


def write(folder: Path, host: str, register: str = OTHERS, **changes: Any) -> tuple[Path, str]:
    """A county with one live road, and where its daemon listens. `changes` replace keys of the configuration."""
    path = write_road_county(folder, [Video("road-1", datetime(2026, 5, 1, 2, tzinfo=UTC))], register)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    listen = f"127.0.0.1:{free_port()}"
    config["cameras"][0]["stream"] = {"url": f"rtsp://{host}/road", "every": "1s", "passages": True}
    watch = {"listen": listen, "restart_after": "30s", **changes.pop("watch", {})}
    path.write_text(
        yaml.safe_dump({**config, **changes, "watch": watch}, allow_unicode=True), encoding="utf-8"
    )
    return path, f"http://{listen}/status"


def status(address: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except OSError:
        return {}


def passages(address: str) -> int:
    """Trucks that were judged."""
    return sum(one["passages"] for one in status(address).get("cameras", ()))


def follower(address: str) -> dict[str, Any]:
    """The process that follows the road."""
    found = [one for one in status(address).get("processes", ()) if one["name"] == "road-road-1"]
    return found[0] if found else {}


def until(condition: Callable[[], object], what: str, log: Path, wait_s: float = 120.0) -> None:
    end = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < end, f"{what} never came:\n{log.read_text()[-3000:]}"
        time.sleep(0.1)


def test_a_truck_on_a_live_road_is_told_once_a_passage(tmp_path: Path, camera: rtsp.Server) -> None:
    config, address = write(tmp_path / "county", f"127.0.0.1:{camera.port}")
    log, state = tmp_path / "daemon.log", config.parent / "state"
    with log.open("w") as told:
        daemon = running.start("watch", config, stdout=told, stderr=told)
    try:
        until(lambda: passages(address) >= 1, "a passage", log)
        before = follower(address)
        os.kill(before["pid"], signal.SIGKILL)
        until(lambda: follower(address).get("restarts", 0) > before["restarts"], "another follower", log)
        seen = passages(address)
        until(lambda: passages(address) >= seen + 2, "passages after the kill", log)
        last = status(address)["cameras"][0]
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(40) == 0
    finally:
        daemon.kill()
        daemon.wait(10)
    documents = [document["data"] for _, document in running.told(state).queue]
    facts = [one["properties"] for one in documents]
    assert {one["vehicle"]["plate"] for one in facts} == {PLATE}
    # The truck comes by again and again, on one day: one story, and no look of a single picture tells it twice.
    assert len({one["id"] for one in documents}) == 1
    assert len({(one["id"], fact["revision"]) for one, fact in zip(documents, facts, strict=True)}) == len(
        facts
    )
    assert {picture["role"] for picture in facts[0]["evidence"]} >= {"wide", "close", "plate"}
    for picture in facts[0]["evidence"]:
        assert (state / picture["href"]).stat().st_size > 500
    assert last["road_looked"] > 20
    assert last["road_age_s"] < 30
    assert not last["road_why"]


def test_an_approved_truck_is_not_told(tmp_path: Path, camera: rtsp.Server) -> None:
    config, address = write(
        tmp_path / "county", f"127.0.0.1:{camera.port}", f"plate,company\n{PLATE},土方公司\n"
    )
    log, state = tmp_path / "daemon.log", config.parent / "state"
    with log.open("w") as told:
        daemon = running.start("watch", config, stdout=told, stderr=told)
    try:
        until(lambda: passages(address) >= 2, "two passages", log)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(40) == 0
    finally:
        daemon.kill()
        daemon.wait(10)
    assert not running.told(state).queue


def test_a_box_is_killed_and_the_next_follows_its_road(tmp_path: Path, camera: rtsp.Server) -> None:
    nats = NatsServer(tmp_path / "nats", free_port())
    nats.start()
    boxes = []
    for name in ("a", "b"):
        config, address = write(
            tmp_path / name,
            f"127.0.0.1:{camera.port}",
            dispatch={"nats": {"servers": [nats.url], "leases": {"ttl": "4s"}}},
            watch={"box": name},
        )
        boxes.append((config, address, tmp_path / f"{name}.log"))
    daemons = []
    try:
        for config, address, log in boxes:
            with log.open("w") as told:
                daemons.append(running.start("watch", config, stdout=told, stderr=told))
            until(lambda address=address: status(address).get("ready"), "a box", log)  # type: ignore[misc]
        (first, at_first, log), (second, at_second, second_log) = boxes
        until(lambda: passages(at_first) >= 1 and facts_of(first.parent / "state"), "a passage", log)
        assert not follower(at_second)
        told_first = facts_of(first.parent / "state")
        ((incident, _),) = told_first
        until(lambda: incident.encode() in known_of(nats), "what the first box knows", log)
        pid = follower(at_first)["pid"]
        daemons[0].kill()
        until(lambda: not running.lives(pid), "the end of the follower", log, 10)
        until(lambda: passages(at_second) >= 2, "passages at the second box", second_log)
        # The alert is at the first box, which is back, the camera at the second: a crew's word is heard there.
        with log.open("a") as told:
            daemons.append(running.start("watch", first, stdout=told, stderr=told))
        alert = f"{incident}.1"
        running.huoyan("queue", "ack", alert, "--verdict", "rejected", "--state", first.parent / "state")
        until(lambda: states(second.parent / "state") == {incident: "rejected"}, "the verdict", second_log)
        daemons[1].send_signal(signal.SIGTERM)
        assert daemons[1].wait(40) == 0
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.wait(10)
        nats.kill()
    # One story, and no revision of it twice.
    told_second = facts_of(second.parent / "state")
    assert states(second.parent / "state") == {incident: "rejected"}
    assert all(name == incident for name, _ in told_second)
    assert not told_first & told_second


def test_a_wrong_password_is_said_and_mended_by_a_reload(tmp_path: Path, film: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("CAMERA_PASSWORD=not-the-word\n")
    secrets.chmod(0o600)
    config, address = write(
        tmp_path / "county",
        "viewer:${CAMERA_PASSWORD}@127.0.0.1:{port}",
        watch={"secrets": str(secrets), "patience": {"pause": "200ms", "longest_pause": "2s"}},
    )
    log = tmp_path / "daemon.log"
    with rtsp.Server([film], "--user", "viewer", "--password", "the-right-word") as camera:
        config.write_text(config.read_text(encoding="utf-8").replace("{port}", str(camera.port)), "utf-8")
        with log.open("w") as told:
            daemon = running.start("watch", config, stdout=told, stderr=told)
        try:
            until(lambda: "401" in why(address), "the refusal", log)
            before = follower(address)["pid"]
            assert passages(address) == 0
            secrets.write_text("CAMERA_PASSWORD=the-right-word\n")
            daemon.send_signal(signal.SIGHUP)
            until(lambda: passages(address) >= 1, "a passage", log)
            assert follower(address)["pid"] != before
            assert not why(address)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(40) == 0
        finally:
            daemon.kill()
            daemon.wait(10)
    for word in ("not-the-word", "the-right-word"):
        assert word not in log.read_text()


def why(address: str) -> str:
    """Why the road is not followed."""
    return "".join(one["road_why"] for one in status(address).get("cameras", ()))


def facts_of(state: Path) -> set[tuple[str, int]]:
    """Incident and revision of every alert."""
    told = (document["data"]["properties"] for _, document in running.told(state).queue)
    return {(one["incident_id"], one["revision"]) for one in told}


def states(state: Path) -> dict[str, str]:
    """Incidents and what has become of them."""
    return {name: status for name, status, _ in running.told(state).incidents}


def known_of(nats: NatsServer) -> bytes:
    """What is handed on of the road."""

    async def entry(js: Any) -> bytes:
        from nats.js.errors import NotFoundError

        try:
            last = await js.get_last_msg("KV_huoyan-leases-stories", "$KV.huoyan-leases-stories.>")
        except NotFoundError:
            return b""
        return zlib.decompress(last.data or b"")

    found: bytes = nats.ask(entry)
    return found
