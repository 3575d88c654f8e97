"""A gate in a process of its own, with a real broker and real HTTP, killed and started again in between.

The cameras are recorded: their passages come from a file that grows. Everything behind them is what a county runs.
"""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from huoyan.gate import log
from huoyan.gate.book import open_book

from ..support.broker import Broker
from ..support.gates import (
    free_port,
    gate_process,
    latest_entries,
    passage,
    post,
    push,
    start_gate,
    tell,
    wait_for,
    washing,
    weighing,
    write_county,
)

TRUCKS, KILLS = 24, 4
GOOD, HEAVY, EXPIRED, STRANGER = "浙D3C916", "浙D8L206", "浙D9H137", "浙A55555"


def entries(folder: Path) -> list[dict[str, Any]]:
    """The last word on each event, by time."""
    with open_book(folder / "state", read_only=True) as book:
        return sorted(latest_entries(book).values(), key=lambda entry: entry["time"])


def settled(folder: Path, count: int, weighed: int) -> list[dict[str, Any]] | None:
    found = entries(folder)
    # A weighing that comes before its truck is an event of its own until the truck is there.
    seen = all(e["passages"] for e in found)
    done = seen and len(found) == count and sum(e["gross_kg"] is not None for e in found) >= weighed
    return found if done else None


def codes(entry: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in entry["reasons"]]


def verified(folder: Path) -> int:
    with open_book(folder / "state", read_only=True) as book:
        count, problems = log.verify(book.connection, folder / "state")
    assert problems == []
    return count


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker", free_port())
    broker.start()
    yield broker
    broker.kill()


class Publisher:
    """A weighbridge and a wash station with a memory: QoS 1 through whatever happens to the broker."""

    def __init__(self, port: int) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="devices", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 2)
        self._client.connect("127.0.0.1", port, clean_start=False)
        self._client.loop_start()

    def publish(self, kind: str, body: dict[str, Any], *, wait: bool = True) -> None:
        if wait:
            wait_for(self._client.is_connected)
        told = self._client.publish(f"huoyan/gate/north/{kind}", json.dumps(body), qos=1)
        if wait:
            told.wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def devices(broker: Broker) -> Iterator[Publisher]:
    publisher = Publisher(broker.port)
    yield publisher
    publisher.close()


def intake(http: int, mqtt: int | None = None) -> str:
    lines = f'intake:\n  http: {{listen: "127.0.0.1:{http}"}}\n'
    return lines + (f"  mqtt: {{host: 127.0.0.1, port: {mqtt}}}\n" if mqtt else "")


def test_broker_and_gate_come_and_go_and_every_passage_is_there_once(
    tmp_path: Path, broker: Broker, devices: Publisher
) -> None:
    port = free_port()
    config = write_county(tmp_path, intake(port, broker.port))
    begin = datetime.now(UTC) - timedelta(seconds=600)

    def at(second: float) -> datetime:
        return begin + timedelta(seconds=second)

    with gate_process(config) as gate:
        # Only when the session is there does the broker keep anything for it.
        wait_for(lambda: "gate" in _subscribers(broker))
        tell(tmp_path, passage(GOOD, at(0)))
        wait_for(lambda: settled(tmp_path, 1, 0))
        gate.kill()
        gate.wait(10)

    # Nobody is there: the broker keeps what devices say, also over a restart of its own.
    devices.publish("weighing", weighing(1, at(3), 29400))
    broker.stop()
    broker.start()
    devices.publish("weighing", weighing(2, at(103), 36900))
    tell(tmp_path, passage(HEAVY, at(100)))

    with gate_process(config) as gate:
        found = wait_for(lambda: settled(tmp_path, 2, 2), 30)
        assert [(e["outcome"], codes(e), e["gross_kg"]) for e in found] == [
            ("open", [], 29400),
            ("hold", ["M06"], 36900),
        ]
        # The broker dies and comes back under a gate that goes on; its own way in by HTTP is open meanwhile.
        broker.kill()
        now = datetime.now(UTC)
        tell(tmp_path, passage(STRANGER, now))
        wait_for(lambda: settled(tmp_path, 3, 2))
        assert post(port, "/VIID/MotorVehicles", push(1, now, STRANGER))[0] == 200
        broker.start()
        devices.publish("weighing", weighing(3, now + timedelta(seconds=3), 28000), wait=False)
        wash = washing(1, now + timedelta(seconds=70), 4)
        devices.publish("washing", wash, wait=False)
        devices.publish("washing", wash, wait=False)
        wait_for(lambda: settled(tmp_path, 3, 3), 40)
        tell(tmp_path, passage(GOOD, now + timedelta(seconds=100), "leave"))
        devices.publish("weighing", weighing(4, now + timedelta(seconds=90), 12200, GOOD), wait=False)
        wait_for(lambda: settled(tmp_path, 4, 4), 40)
        wait_for(lambda: entries(tmp_path)[3]["washed"] is False, 20)
        gate.send_signal(signal.SIGTERM)
        assert gate.wait(20) == 0

    found = entries(tmp_path)
    assert [(e["plate"], e["outcome"], codes(e)) for e in found] == [
        (GOOD, "open", []),
        (HEAVY, "hold", ["M06"]),
        (STRANGER, "hold", ["M01"]),
        (GOOD, "hold", ["M07"]),
    ]
    assert found[3]["net_kg"] == 29400 - 12200 and "smart-1" in found[2]["sources"]
    verified(tmp_path)
    with open_book(tmp_path / "state", read_only=True) as book:
        assert book.refused() == []


def _subscribers(broker: Broker) -> str:
    text = (broker._folder / "log.txt").read_text(encoding="utf-8")
    return "gate" if "huoyan-gate" in text else ""


def test_a_gate_starts_without_its_broker_and_finds_it_later(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker", free_port())
    config = write_county(tmp_path, intake(free_port(), broker.port))
    now = datetime.now(UTC)
    with gate_process(config):
        tell(tmp_path, passage(GOOD, now))
        wait_for(lambda: settled(tmp_path, 1, 0))
        broker.start()
        try:
            wait_for(lambda: _subscribers(broker), 30)
            time.sleep(0.5)
            devices = Publisher(broker.port)
            devices.publish("weighing", weighing(1, now + timedelta(seconds=1), 29400))
            wait_for(lambda: settled(tmp_path, 1, 1))
            devices.close()
        finally:
            broker.kill()


def test_a_broker_with_a_password_and_none_of_it_in_any_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Broker(tmp_path / "broker", free_port(), password=True)
    broker.start()
    lines = intake(free_port(), broker.port).rstrip().removesuffix("}")
    config = write_county(tmp_path, lines + ", user_env: TEST_MQTT_USER, password_env: TEST_MQTT_PASSWORD}\n")
    secret = "s3cret-of-the-tests"
    try:
        with gate_process(config, TEST_MQTT_USER="gate", TEST_MQTT_PASSWORD=secret) as gate:
            wait_for(lambda: "as huoyan-gate (" in _log(broker) and "u'gate'" in _log(broker))
            gate.terminate()
            gate.wait(10)
        with gate_process(config, TEST_MQTT_USER="gate", TEST_MQTT_PASSWORD="wrong") as gate:
            wait_for(lambda: "not authorised" in _log(broker), 20)
            assert gate.poll() is None, "a broker that refuses us does not stop the gate"
    finally:
        broker.kill()
    written = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "passwords"]
    assert all(secret.encode() not in path.read_bytes() for path in written)


def _log(broker: Broker) -> str:
    return (broker._folder / "log.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_it_loses_and_repeats_nothing(tmp_path: Path, seed: int) -> None:
    """Trucks, weighings and pushes come by the dozen while the gate is killed again and again."""
    chance, port = random.Random(seed), free_port()
    config = write_county(tmp_path, intake(port), live=False)
    begin = datetime.now(UTC) - timedelta(hours=6)
    plates = [GOOD, HEAVY, EXPIRED, STRANGER]
    trucks = [(plates[n % 4], begin + timedelta(seconds=200 * n)) for n in range(TRUCKS)]
    expected = {GOOD: "open", HEAVY: "open", EXPIRED: "hold", STRANGER: "hold"}

    def senders() -> None:
        for number, (plate, moment) in enumerate(trucks):
            tell(tmp_path, passage(plate, moment, ended=False))
            for path, body in (
                ("/v1/weighing", weighing(number, moment + timedelta(seconds=4), 29000 + number, plate)),
                ("/VIID/MotorVehicles", push(number, moment, plate)),
            ):
                # A device that gets no answer sends again.
                while not (status := post(port, path, body, timeout=2.0)[0]):
                    time.sleep(0.05)
                assert status in (200, 201)
            tell(tmp_path, passage(plate, moment))
            # Together longer than the gate lives between its kills, however quick the machine is.
            time.sleep(0.08)

    sender = threading.Thread(target=senders)
    gate = start_gate(config)
    sender.start()
    kills = 0
    while sender.is_alive() and kills < KILLS:
        time.sleep(chance.uniform(0.02, 0.3))
        gate.kill()
        gate.wait(10)
        kills += 1
        gate = start_gate(config)
    sender.join(120)
    try:
        found = wait_for(lambda: settled(tmp_path, TRUCKS, TRUCKS), 40)
        wait_for(lambda: all("smart-1" in e["sources"] for e in entries(tmp_path)), 40)
    finally:
        gate.terminate()
        assert gate.wait(20) == 0
    found = entries(tmp_path)
    assert kills >= 2
    assert [(e["plate"], e["gross_kg"]) for e in found] == [(p, 29000 + n) for n, (p, _) in enumerate(trucks)]
    assert [e["outcome"] for e in found] == [expected[e["plate"]] for e in found]
    assert max(Counter(p for e in found for p in e["passages"]).values()) == 1
    verified(tmp_path)


def test_decisions_come_in_time(tmp_path: Path) -> None:
    """From telling of a truck to its entry, by a monotonic clock; also of those that wait for a better look."""
    port = free_port()
    config = write_county(tmp_path, intake(port))
    now = datetime.now(UTC)
    with gate_process(config) as gate:
        for number in range(20):
            plate = ["", GOOD, STRANGER, "浙D3C91G"][number % 4]
            begun = time.monotonic()
            tell(tmp_path, passage(plate, now + timedelta(seconds=100 * number)))
            wait_for(lambda count=number + 1: len(entries(tmp_path)) == count, 5)
            assert time.monotonic() - begun < 1.5
        gate.terminate()
        gate.wait(10)
    told = [float(line.split()[0]) for line in (tmp_path / "out.txt").read_text().splitlines()]
    assert len(told) == 20 and max(told) < 1.5


def test_two_gates_do_not_work_on_one_state(tmp_path: Path) -> None:
    config = write_county(tmp_path, intake(free_port()))
    with gate_process(config):
        write_county(tmp_path, intake(free_port()))
        with pytest.raises(AssertionError, match="another run is working on this state"):
            start_gate(config)
