"""The daemon as a user runs it: real RTSP, real models in processes, kills, a new configuration, an orderly end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import yaml

from huoyan.incidents import open_store
from huoyan.records import Incident

from ..support import rtsp, running
from ..support.county import GREEN, RED, SIZE, Thing, picture, write_county
from ..support.gates import free_port
from ..support.receivers import NatsServer

pytestmark = pytest.mark.xdist_group("watch")
RED_THING: Thing = (RED, (40, 120, 100, 200))
GREEN_THING: Thing = (GREEN, (180, 120, 240, 200))


def film(path: Path, scenes: list[tuple[float, list[Thing]]]) -> Path:
    """H.264 with a key frame a second: each scene for its seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"bf": "0", "crf": "18", "sc_threshold": "0", "preset": "ultrafast"}
        stream.gop_size = 10
        number = 0
        for lasts, things in scenes:
            for _ in range(round(lasts * 10)):
                image = picture(things, number % 7, SIZE)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
                number += 1
        container.mux(stream.encode(None))
    return path


class Daemon:
    """A running daemon on a small county with two cameras."""

    def __init__(self, folder: Path, rtsp_port: int, **changes: Any) -> None:
        """`changes` replace keys of the configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.state = folder / "state"
        stream = {"every": "1s", "look_every": "20s"}
        cameras = [
            {
                "id": name,
                "sampling": "3s",
                "stream": {"url": f"rtsp://127.0.0.1:{rtsp_port}/{name}", **stream},
            }
            for name in ("one", "two")
        ]
        watch = {
            "listen": f"127.0.0.1:{self.port}",
            "every": "1s",
            "confirm": "20s",
            "health_after": "3s",
            "restart_after": "20s",
            "patience": {"open": "5s", "first": "5s", "read": "3s", "pause": "200ms", "longest_pause": "1s"},
        }
        watch.update(changes.pop("watch", {}))
        self.config = write_county(folder, frames=0, cameras=cameras, watch=watch, **changes)
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with (self.state.parent / "daemon.log").open("a") as log:
            self.process = running.start("watch", self.config, "--json", stdout=log, stderr=log)

    def status(self) -> dict[str, Any]:
        """The daemon's own words; empty before it can be asked."""
        for _ in range(5):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=10) as answer:
                    found: dict[str, Any] = json.load(answer)
                    return found
            except OSError:
                time.sleep(0.1)
        return {}

    def cameras(self) -> dict[str, dict[str, Any]]:
        return {camera["id"]: camera for camera in self.status().get("cameras", ())}

    def told(self) -> running.Told:
        return running.told(self.state)

    def scenes(self) -> list[str]:
        return sorted(document["data"]["properties"]["scene"]["id"] for _, document in self.told().queue)

    def until(self, condition: Callable[[], object], what: str, wait_s: float = 90.0) -> None:
        end = time.monotonic() + wait_s
        while not condition():
            log = (self.state.parent / "daemon.log").read_text()[-3000:]
            assert self.process is not None
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {log}"
            assert time.monotonic() < end, f"{what} never came: {self.status()}\n{log}"
            time.sleep(0.1)

    def ready(self) -> bool:
        return bool(self.status().get("ready"))

    def seen(self, *names: str) -> bool:
        """Whether cameras are live and were looked at."""
        cameras = self.cameras()
        return all(cameras[name]["state"] == "live" and cameras[name]["looked"] for name in names or cameras)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    # `one` is a street through which something red comes now and then; on `two` something green stands.
    return [
        film(tmp_path / "films/one.mp4", [(4, []), (4, [RED_THING])]),
        film(tmp_path / "films/two.mp4", [(2, [GREEN_THING])]),
    ]


@pytest.fixture
def server(films: list[Path]) -> Iterator[rtsp.Server]:
    with rtsp.Server(films) as started:
        yield started


@pytest.fixture
def daemon(tmp_path: Path, server: rtsp.Server) -> Iterator[Daemon]:
    made = Daemon(tmp_path, server.port)
    yield made
    made.kill()


def test_it_sees_tells_and_ends_in_order(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start()
    daemon.until(
        lambda: daemon.ready() and daemon.scenes() == ["green_stay", "red_thing"],
        "both alerts",
    )
    status = daemon.status()
    assert {camera["state"] for camera in status["cameras"]} == {"live"}
    assert {process["name"] for process in status["processes"]} == {"main", "ingest-0", "inference-0"}
    assert status["outbox"]["sqlite"]["waiting"] == 0
    pids = [process["pid"] for process in status["processes"]]
    assert daemon.stop() == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    told = daemon.told()
    assert not told.frames, "live frames are not noted as done"
    for _, document in told.queue:
        evidence = document["data"]["properties"]["evidence"]
        assert evidence, "an alert has its pictures"
        assert all((daemon.state / picture["href"]).is_file() for picture in evidence)
    lines = (tmp_path / "daemon.log").read_text(encoding="utf-8").splitlines()
    said = [json.loads(line)["event"] for line in lines]
    assert [line for line in said if line.startswith("ready: 2 cameras")]
    assert said[-1].endswith("2 alerts")


def test_what_was_told_is_not_told_again_after_kills(daemon: Daemon) -> None:
    daemon.start()
    daemon.until(lambda: daemon.ready() and daemon.scenes() == ["green_stay", "red_thing"], "both alerts")
    before = daemon.told().ids
    for victim in ("inference-0", "ingest-0"):
        pid = next(p["pid"] for p in daemon.status()["processes"] if p["name"] == victim)
        os.kill(pid, signal.SIGKILL)
        looked = daemon.cameras()["two"]["looked"]

        def back(victim: str = victim, pid: int = pid, looked: int = looked) -> bool:
            found = {p["name"]: p for p in daemon.status().get("processes", ())}
            again = victim in found and found[victim]["alive"] and found[victim]["pid"] != pid
            return again and daemon.seen() and daemon.cameras()["two"]["looked"] > looked

        daemon.until(back, f"{victim}, started again")
    children = [p["pid"] for p in daemon.status()["processes"]]
    daemon.kill()
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/cmdline").exists() and running.lives(pid) for pid in children):
        assert time.monotonic() < end, "its children live on"
        time.sleep(0.1)
    daemon.start()
    daemon.until(lambda: daemon.ready() and daemon.seen(), "a look after the kill")
    time.sleep(8)
    assert daemon.told().ids == before
    assert daemon.stop() == 0


def test_a_camera_that_is_lost_is_told_and_resolved_when_it_is_back(
    daemon: Daemon, server: rtsp.Server
) -> None:
    daemon.start()
    daemon.until(lambda: daemon.ready() and daemon.seen(), "both cameras")
    server.order("kill two")
    daemon.until(lambda: daemon.cameras()["two"]["state"] in ("lost", "fatal"), "the loss")

    def health() -> list[tuple[str, str]]:
        found = [document["data"]["properties"] for _, document in daemon.told().queue]
        return [(p["scene"]["id"], p["status"]) for p in found if p["scene"]["id"] == "camera_health"]

    daemon.until(lambda: health() == [("camera_health", "open")], "the alert of it")
    assert daemon.cameras()["one"]["state"] == "live"
    server.order("restore two")
    daemon.until(lambda: daemon.cameras()["two"]["state"] == "live", "the camera")
    daemon.until(lambda: ("camera_health", "resolved") in health(), "its end")
    assert len(health()) == 2


def test_a_new_configuration_comes_into_force_whole_or_not_at_all(daemon: Daemon) -> None:
    daemon.start()
    daemon.until(lambda: daemon.ready() and daemon.seen(), "both cameras")
    assert daemon.process is not None
    good = yaml.safe_load(daemon.config.read_text(encoding="utf-8"))
    daemon.config.write_text("cameras: [{id: 7, nonsense: 1}]\n", encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until(lambda: daemon.status()["last_reload"].startswith("refused"), "the refusal")
    assert "county.yaml:1" in daemon.status()["last_reload"]
    assert daemon.seen()
    connections = daemon.cameras()["one"]["connections"]
    good["cameras"] = good["cameras"][:1]
    daemon.config.write_text(yaml.safe_dump(good, allow_unicode=True), encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until(lambda: daemon.status()["last_reload"].startswith("applied"), "the new one")
    daemon.until(lambda: list(daemon.cameras()) == ["one"], "one camera")
    taken = daemon.cameras()["one"]["taken"]
    daemon.until(lambda: daemon.cameras()["one"]["taken"] > taken + 2, "more of the camera that stayed")
    assert daemon.cameras()["one"]["connections"] == connections, "who stays is not disturbed"


def test_a_box_that_dies_leaves_its_cameras_to_the_other(tmp_path: Path, server: rtsp.Server) -> None:
    nats = NatsServer(tmp_path / "nats", free_port())
    nats.start()
    dispatch = {"nats": {"servers": [nats.url], "leases": {"ttl": "4s"}}}
    boxes = [
        Daemon(tmp_path / name, server.port, watch={"box": name}, dispatch=dispatch) for name in ("a", "b")
    ]

    def states(box: Daemon) -> list[str]:
        return sorted(camera["state"] for camera in box.cameras().values())

    try:
        for box in boxes:
            box.start()
        for box in boxes:
            box.until(lambda box=box: states(box) == ["elsewhere", "live"], "a camera for each box")  # type: ignore[misc]
        boxes[0].kill()
        boxes[1].until(lambda: states(boxes[1]) == ["live", "live"], "both cameras")
        assert boxes[1].stop() == 0
    finally:
        for box in boxes:
            box.kill()
        nats.kill()


def test_what_a_box_has_told_the_next_one_does_not_tell_again(tmp_path: Path, server: rtsp.Server) -> None:
    nats = NatsServer(tmp_path / "nats", free_port())
    nats.start()
    dispatch = {"nats": {"servers": [nats.url], "leases": {"ttl": "4s"}}}
    first, second = (
        Daemon(tmp_path / name, server.port, watch={"box": name}, dispatch=dispatch) for name in ("a", "b")
    )
    try:
        first.start()
        first.until(first.ready, "the first box")
        first.until(lambda: len(first.scenes()) >= 2, "what is seen", 150)
        told = {document["data"]["id"] for _, document in first.told().queue}
        first.until(lambda: entries(nats) == {"one", "two"}, "what is known of both cameras")
        first.kill()
        second.start()
        second.until(second.ready, "the second box")
        second.until(lambda: second.seen("one", "two"), "both cameras", 150)
        looks = {name: one["looked"] for name, one in second.cameras().items()}
        second.until(
            lambda: all(one["looked"] >= looks[name] + 2 for name, one in second.cameras().items()),
            "looks enough for a story",
            150,
        )
        known = {document["data"]["id"] for _, document in second.told().queue}
        assert not known, (known, told)
        assert {one.incident_id for one in stories(second)} >= told
        assert second.stop() == 0
    finally:
        for box in (first, second):
            box.kill()
        nats.kill()


def test_a_story_goes_on_at_the_next_box_with_its_next_revision(tmp_path: Path, films: list[Path]) -> None:
    changed = film(tmp_path / "films/changed.mp4", [(2, [GREEN_THING, RED_THING])])
    nats = NatsServer(tmp_path / "nats", free_port())
    nats.start()
    dispatch = {"nats": {"servers": [nats.url], "leases": {"ttl": "4s"}}}

    def green(box: Daemon) -> list[tuple[str, int, str]]:
        found = [document["data"]["properties"] for _, document in box.told().queue]
        return [
            (told["incident_id"], told["revision"], told["stage"])
            for told in found
            if told["scene"]["id"] == "green_stay"
        ]

    with rtsp.Server([*films, changed]) as server:
        first, second = (
            Daemon(tmp_path / name, server.port, watch={"box": name}, dispatch=dispatch)
            for name in ("a", "b")
        )
        # What the second box sees of the same camera has changed.
        text = second.config.read_text(encoding="utf-8")
        second.config.write_text(
            text.replace(f"{server.port}/two", f"{server.port}/changed"), encoding="utf-8"
        )
        try:
            first.start()
            first.until(lambda: first.ready() and green(first), "what stands in view")
            ((incident, revision, stage),) = green(first)
            assert (revision, stage) == (1, "seen")
            first.until(lambda: "two" in entries(nats), "what is known of the camera")
            first.kill()
            second.start()
            second.until(lambda: second.ready() and green(second), "the change", 150)
            assert green(second) == [(incident, 2, "both")]
            assert second.stop() == 0
        finally:
            for box in (first, second):
                box.kill()
            nats.kill()


def entries(nats: NatsServer) -> set[str]:
    """Cameras of which something is handed on."""

    async def subjects(js: Any) -> set[str]:
        info = await js.stream_info("KV_huoyan-leases-stories", subjects_filter="$KV.huoyan-leases-stories.>")
        return {name.rpartition(".")[2] for name in info.state.subjects or {}}

    found: set[str] = nats.ask(subjects)
    return found


def stories(box: Daemon) -> list[Incident]:
    with open_store(box.state, exclusive=False) as store:
        return store.incidents()
