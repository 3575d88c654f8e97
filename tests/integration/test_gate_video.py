"""The gate as a county runs it: two videos, a real broker, real HTTP; killed, with its broker, while trucks pass.

What it must come to is the truth of the samples: every passage once, decided as its story says.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from huoyan.gate import log
from huoyan.gate.book import DATABASE, open_book

from ..support.broker import Broker
from ..support.gates import TOKEN, free_port, latest_entries, post, wait_for

CLOSE_S = 2.0
PATIENCE_S = 240


@contextmanager
def gate(config: Path, state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, as it is typed; killed at the end if it still runs."""
    command = [sys.executable, "-m", "huoyan.cli.main", "gate", str(config), "--state", str(state)]
    with (state.parent / "told.txt").open("ab") as told:
        process = subprocess.Popen(
            command, stdout=told, stderr=told, env={**os.environ, "HUOYAN_GATE_TOKEN": TOKEN}
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def entries(state: Path) -> list[dict[str, Any]]:
    """The last word on each event, by time; none before the gate has made its book."""
    if not (state / DATABASE).exists():
        return []
    with open_book(state, read_only=True) as book:
        return sorted(latest_entries(book).values(), key=lambda entry: entry["time"])


def trucks(state: Path) -> int:
    """Events that a camera saw: a weighing without a truck is one too until its truck is there."""
    return sum(bool(entry["passages"]) for entry in entries(state))


def publish(port: int, kind: str, bodies: list[dict[str, Any]]) -> None:
    """Messages of a device at QoS 1, acknowledged by the broker."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

    client = Client(CallbackAPIVersion.VERSION2, client_id="scale", protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for body in bodies:
        client.publish(f"huoyan/gate/north/{kind}", json.dumps(body), qos=1).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def test_videos_broker_and_http_through_kills(samples: Path, tmp_path: Path) -> None:
    truth = json.loads((samples / "gate/truth.json").read_text(encoding="utf-8"))
    stored = (samples / "gate/messages.jsonl").read_text(encoding="utf-8").splitlines()
    messages = [(m["path"], m["body"]) for m in map(json.loads, stored)]
    county, state = tmp_path / "county", tmp_path / "state"
    shutil.copytree(samples, county, ignore=shutil.ignore_patterns("archive"))
    broker, http = Broker(tmp_path / "broker", free_port()), free_port()
    config = county / "county.yaml"
    live = (
        f'intake:\n  http: {{listen: "127.0.0.1:{http}"}}\n  mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n'
    )
    text = config.read_text(encoding="utf-8")
    assert "intake: {files: [gate/messages.jsonl]}\n" in text
    config.write_text(text.replace("intake: {files: [gate/messages.jsonl]}\n", live), encoding="utf-8")

    weighings = [body for path, body in messages if path.endswith("weighing")]
    others = [(path, body) for path, body in messages if not path.endswith("weighing")]
    for path, body in others:
        if path.endswith("washing"):
            # The clock of the samples' wash station is wrong, and only messages that come at once show that.
            told = datetime.fromisoformat(body["time"]) - timedelta(seconds=truth["wash_clock_ahead_s"])
            body["time"] = told.isoformat()
    half = len(weighings) // 2
    state.mkdir()
    broker.start()
    try:
        with gate(config, state) as process:
            broker_log = tmp_path / "broker/log.txt"
            wait_for(lambda: "huoyan-gate" in broker_log.read_text(encoding="utf-8"), PATIENCE_S)
            publish(broker.port, "weighing", weighings[:half])
            wait_for(lambda: trucks(state) >= 2, PATIENCE_S)
            process.kill()
        before = trucks(state)
        # Nobody listens now: the broker keeps what comes, over a death of its own.
        publish(broker.port, "weighing", weighings[half:])
        broker.stop()
        broker.start()
        with gate(config, state) as process:
            wait_for(lambda: post(http, *others[0])[0] in (200, 201), PATIENCE_S)
            for path, body in others:
                assert post(http, path, body)[0] in (200, 201)
            broker.kill()
            wait_for(lambda: trucks(state) == len(truth["passages"]), PATIENCE_S)
            broker.start()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, (tmp_path / "told.txt").read_text(encoding="utf-8")
    finally:
        broker.kill()

    assert 2 <= before < len(truth["passages"]), "it was killed in the middle"
    found = entries(state)
    passages = sorted(truth["passages"], key=lambda told: datetime.fromisoformat(told["crossed"]))
    assert len(found) == len(passages)
    for entry, told in zip(found, passages, strict=True):
        off = datetime.fromisoformat(entry["time"]) - datetime.fromisoformat(told["crossed"])
        assert abs(off.total_seconds()) < CLOSE_S
        assert entry["plate"] == (told["plate"] if told["readable"] else "")
        reasons = [reason["code"] for reason in entry["reasons"]]
        assert (entry["outcome"], reasons) == (told["decision"], told["reasons"])
    with open_book(state, read_only=True) as book:
        assert log.verify(book.connection, state)[1] == []
