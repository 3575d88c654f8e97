"""`huoyan doctor` against cameras that are well, dead, locked, hanging, and a county that is wrong."""

from __future__ import annotations

import json
import os
import resource
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from huoyan.config import load
from huoyan.dispatch import reach
from huoyan.incidents import open_store
from huoyan.ops.doctor import machine
from huoyan.runs.doctor import examine

from ..support.receivers import NatsServer
from ..support.rtsp import Server
from ..support.running import huoyan

PASSWORD = "Hun/ter@2x:"
WRONG = "Letmein9"


@pytest.fixture(scope="module")
def server(samples: Path) -> Iterator[Server]:
    films = [samples / "live" / "cam-001.mp4"]
    with Server(films, "--user", "admin", "--password", PASSWORD) as running:
        yield running


def county(folder: Path, cameras: list[str], *more: str) -> Path:
    """A county whose models are switched off: other tests look after those."""
    lines = [
        "county: {data: ./state}",
        "models: {site: null, street: null, road: null, change: null, dust: null, plates: null}",
        "cameras:",
        *(f"  - {camera}" for camera in cameras),
        *more,
    ]
    path = folder / "county.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def secrets(folder: Path) -> Path:
    path = folder / "secrets"
    path.write_text(f"CAM_PASSWORD={PASSWORD}\nWRONG_PASSWORD={WRONG}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def findings(config: Path) -> tuple[int, dict[str, dict[str, Any]], str]:
    """As a user has them: exit code, the worst finding about each thing, everything that was printed."""
    done = huoyan("doctor", config, "--json")
    found = _worst(json.loads(line) for line in done.stdout.splitlines())
    return done.returncode, found, done.stdout + done.stderr


def examined(config: Path) -> dict[str, dict[str, Any]]:
    """The same without cameras, in this process."""
    return _worst(one.as_json() for one in examine(config, with_cameras=False))


def _worst(found: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    order = ("ok", "warn", "fail")
    worst: dict[str, dict[str, Any]] = {}
    for one in found:
        known = worst.get(one["about"])
        if known is None or order.index(one["verdict"]) > order.index(known["verdict"]):
            worst[one["about"]] = one
    return worst


@pytest.fixture
def silent() -> Iterator[int]:
    """Port of a camera that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        held: list[socket.socket] = []
        stop = threading.Event()

        def hold() -> None:
            listener.settimeout(0.2)
            while not stop.is_set():
                try:
                    held.append(listener.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=hold)
        thread.start()
        yield listener.getsockname()[1]
        stop.set()
        thread.join()
        for one in held:
            one.close()


def test_cameras_that_are_well_dead_locked_and_silent(server: Server, silent: int, tmp_path: Path) -> None:
    where = f"127.0.0.1:{server.port}"
    good = f'{{id: good, stream: {{url: "rtsp://admin:${{CAM_PASSWORD}}@{where}/cam-001"}}}}'
    config = county(
        tmp_path,
        [
            good,
            f'{{id: rare, stream: {{url: "rtsp://admin:${{CAM_PASSWORD}}@{where}/cam-001", every: 500ms}}}}',
            f'{{id: locked, stream: {{url: "rtsp://admin:${{WRONG_PASSWORD}}@{where}/cam-001"}}}}',
            f'{{id: lost, stream: {{url: "rtsp://admin:${{CAM_PASSWORD}}@{where}/nothing"}}}}',
            '{id: dead, stream: {url: "rtsp://127.0.0.1:9/x"}}',
            f'{{id: silent, stream: {{url: "rtsp://admin:${{CAM_PASSWORD}}@127.0.0.1:{silent}/x"}}}}',
            '{id: unset, stream: {url: "rtsp://admin:${NOWHERE}@127.0.0.1:9/x"}}',
        ],
        'watch: {secrets: secrets, listen: "127.0.0.1:0", patience: {open: 3s}}',
    )
    secrets(tmp_path)
    code, found, text = findings(config)
    assert code == 1
    told = found["camera good"]
    assert told["verdict"] == "ok"
    assert (told["values"]["codec"], told["values"]["size"]) == ("h264", [640, 360])
    assert told["values"]["fps"] == pytest.approx(25, abs=5)
    assert told["values"]["key_every_s"] == pytest.approx(2.0, abs=0.1)
    assert abs(told["values"]["skew_s"]) < 60
    assert found["camera rare"]["verdict"] == "warn"
    assert "I-frame interval" in found["camera rare"]["todo"]
    codes = {name: found[f"camera {name}"]["values"]["code"] for name in ("locked", "lost", "dead", "silent")}
    assert codes == {"locked": "unauthorised", "lost": "not_found", "dead": "refused", "silent": "timeout"}
    for name in codes:
        assert found[f"camera {name}"]["verdict"] == "fail"
        assert found[f"camera {name}"]["todo"]
    assert "NOWHERE is not set" in found["camera unset"]["told"]
    for secret in ("Hun/ter", "ter@2x", "Hun%2Fter", WRONG, "admin:"):
        assert secret not in text


def test_a_county_that_is_well(server: Server, tmp_path: Path) -> None:
    where = f"127.0.0.1:{server.port}"
    config = county(
        tmp_path,
        [f'{{id: good, stream: {{url: "rtsp://admin:${{CAM_PASSWORD}}@{where}/cam-001"}}}}'],
        'watch: {secrets: secrets, listen: "127.0.0.1:0"}',
    )
    secrets(tmp_path)
    done = huoyan("doctor", config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout
    # It has changed nothing.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["county.yaml", "secrets"]


def test_a_wrong_configuration_is_told_with_file_and_line(tmp_path: Path) -> None:
    config = county(tmp_path, ["{id: a, stream: {url: x, evry: 3s}}"])
    code, found, _ = findings(config)
    assert code == 2
    assert f"{config}:4: cameras.0.stream.evry: unknown key" in found["config"]["told"]


def test_a_county_without_live_cameras(tmp_path: Path) -> None:
    found = examined(county(tmp_path, ["{id: a}"]))
    assert found["config"]["verdict"] == "fail"
    assert "no camera has a stream" in found["config"]["told"]


FILE = '{id: a, stream: {url: "film.mp4"}}'


def test_secrets_that_others_may_read(tmp_path: Path) -> None:
    config = county(tmp_path, [FILE], "watch: {secrets: secrets}")
    secrets(tmp_path).chmod(0o644)
    found = examined(config)
    assert found["secrets"]["verdict"] == "fail"
    assert "644" in found["secrets"]["told"]
    assert "chmod 600" in found["secrets"]["todo"]
    assert PASSWORD not in json.dumps(found)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        config = county(tmp_path, [FILE], f'watch: {{listen: "{listen}"}}')
        found = examined(config)
    assert found["port"]["verdict"] == "fail"
    assert listen in found["port"]["told"]


def test_a_damaged_state_and_one_that_is_in_use(tmp_path: Path) -> None:
    config = county(tmp_path, [FILE], 'watch: {listen: "127.0.0.1:0"}')
    with open_store(tmp_path / "state"):
        found = examined(config)
        assert found["state"]["verdict"] == "ok"
        assert found["state lock"]["told"] == "a run works on this state now"
    database = tmp_path / "state" / "huoyan.db"
    data = bytearray(database.read_bytes())
    data[2048:] = b"\xff" * (len(data) - 2048)
    database.write_bytes(data)
    found = examined(config)
    assert found["state"]["verdict"] == "fail"
    assert "damaged" in found["state"]["told"]
    assert "backup" in found["state"]["todo"]


def test_a_disk_above_its_high_water_mark(tmp_path: Path) -> None:
    config = county(tmp_path, [FILE], "watch: {disk: {high_water: 0.11}}")
    usage = os.statvfs(tmp_path)
    if 1 - usage.f_bavail / usage.f_blocks < 0.2:
        pytest.skip("the disk is nearly empty")
    found = examined(config)
    assert found["disk room"]["verdict"] == "fail"
    assert "high water is 11%" in found["disk room"]["told"]


def test_too_few_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 256))
    assert machine.files(40).verdict == "ok"
    few = machine.files(60)
    assert (few.verdict, few.values["need"]) == ("fail", 308)
    assert "LimitNOFILE" in few.todo
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 100_000))
    assert machine.files(60).verdict == "warn"


def test_back_ends_that_are_away_fail_without_their_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = county(
        tmp_path,
        [FILE],
        "dispatch: {to: [sqlite, http], http: {url: 'http://127.0.0.1:9/alerts'}}",
        'watch: {listen: "127.0.0.1:0"}',
    )
    monkeypatch.setenv("HUOYAN_HTTP_SECRET", "a-key-of-the-tests")
    found = examined(config)
    assert found["deliver to http"]["verdict"] == "fail"
    assert "refused" in found["deliver to http"]["told"]
    assert "a-key-of-the-tests" not in json.dumps(found)


def test_nats_without_its_stream_and_with_it(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = NatsServer(tmp_path / "nats", port)
    server.start()
    try:
        config = county(
            tmp_path,
            [FILE],
            "dispatch:",
            "  to: [sqlite, nats]",
            f'  nats: {{servers: ["nats://127.0.0.1:{server.port}"], consumers: [{{name: desk}}]}}',
            'watch: {listen: "127.0.0.1:0"}',
        )
        found = examined(config)
        assert found["deliver to nats"]["verdict"] == "fail"
        assert "no stream huoyan-alerts" in found["deliver to nats"]["told"]
        assert "huoyan queue init" in found["deliver to nats"]["todo"]
        # It has created nothing.
        assert server.ask(lambda js: js.streams_info()) == []
        reach.init(load(config).config.dispatch)
        assert examined(config)["deliver to nats"]["verdict"] == "ok"
        server.ask(lambda js: js.delete_consumer("huoyan-alerts", "desk"))
        assert "no consumer desk" in examined(config)["deliver to nats"]["told"]
    finally:
        server.kill()
