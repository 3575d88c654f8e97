"""Delivery to a real NATS server, a real MQTT broker and a real HTTP endpoint, all of them killed in between."""

from __future__ import annotations

import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from huoyan.config_dispatch import Dispatch
from huoyan.dispatch import ledger, places, reach
from huoyan.dispatch.sender import Sender, send_once

from ..support.broker import Broker
from ..support.gates import free_port, wait_for
from ..support.receivers import (
    SECRET,
    NatsServer,
    Receiver,
    alert,
    first_of_each,
    in_order,
    open_state,
    put,
    story,
)

WAIT_S = 60
PROGRAM = """
import sys, time
from pathlib import Path
from huoyan.config_dispatch import Dispatch
from huoyan.dispatch.sender import Sender
sender = Sender(Path(sys.argv[1]), Dispatch.model_validate_json(sys.argv[2]))
sender.start()
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats", free_port()) as server:
        yield server


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    pytest.importorskip("paho.mqtt")
    broker = Broker(tmp_path / "broker", free_port())
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_state(tmp_path / "state")
    yield connection
    connection.close()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUOYAN_HTTP_SECRET", SECRET)


def settings(*to: str, **sections: Any) -> Dispatch:
    values: dict[str, Any] = {"to": list(to), "rate": 2000, "longest_pause": "500ms"}
    return Dispatch.model_validate({**values, **sections})


def to_nats(server: NatsServer, **more: Any) -> dict[str, Any]:
    return {"servers": [server.url], "timeout": "2s", **more}


def settled(outbox: sqlite3.Connection, name: str) -> bool:
    return not ledger.backlog(outbox, name).waiting


class Subscriber:
    """A consumer with a durable session: it gets what was published while it or the broker was away."""

    def __init__(self, port: int) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        self.messages: list[Any] = []
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 3600
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="consumer", protocol=MQTTProtocolVersion.MQTTv5
        )
        ready = threading.Event()
        self._client.on_message = lambda client, userdata, message: self.messages.append(message)
        self._client.on_connect = lambda client, *rest: client.subscribe("huoyan/alerts/#", qos=1)
        self._client.on_subscribe = lambda *rest: ready.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port, clean_start=False, properties=keep)
        self._client.loop_start()
        assert ready.wait(20)

    @property
    def ids(self) -> list[str]:
        return [dict(message.properties.UserProperty)["alert_id"] for message in self.messages]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


# ------------------------------------------------------------------------------------------------------- NATS
def test_alerts_reach_a_stream_once_with_id_and_subject(
    server: NatsServer, outbox: sqlite3.Connection, tmp_path: Path
) -> None:
    chosen = settings("nats", nats=to_nats(server))
    assert [(c.subject, c.state) for c in reach.init(chosen)] == [("stream huoyan-alerts", "created")]
    put(outbox, [alert("a", scene="fire", priority=1), alert("b", scene="odd scene.*>", priority=4)])
    assert send_once(outbox, tmp_path / "state", chosen, places.remote(chosen)) == []
    expected = [("a.1", "huoyan.alerts.fire.1"), ("b.1", "huoyan.alerts.odd_scene___.4")]
    assert server.alerts() == expected
    outbox.execute("DELETE FROM deliveries")
    assert send_once(outbox, tmp_path / "state", chosen, places.remote(chosen)) == []
    assert server.alerts() == expected, "the server drops what it has already"


def test_the_server_dies_and_comes_back_and_nothing_is_lost_or_reordered(
    server: NatsServer, outbox: sqlite3.Connection, tmp_path: Path
) -> None:
    chosen = settings("nats", nats=to_nats(server))
    reach.init(chosen)
    sender = Sender(tmp_path / "state", chosen)
    sender.start()
    ids = put(outbox, story(20, 3))
    try:
        wait_for(lambda: settled(outbox, "nats"), WAIT_S)
        server.kill()
        ids += put(outbox, story(20, 3, start=20))
        away = wait_for(lambda: (s := sender.status()["nats"]).why and s.waiting == 60 and s, WAIT_S)
        assert not away.connected
        server.start()
        wait_for(lambda: settled(outbox, "nats"), WAIT_S)
        # Killed in the middle of a backlog.
        ids += put(outbox, story(200, 2, start=40))
        sender.wake()
        server.kill()
        server.start()
        wait_for(lambda: settled(outbox, "nats"), WAIT_S)
    finally:
        sender.stop()
    found = [message_id for message_id, _ in server.alerts()]
    assert first_of_each(found) == ids and in_order(first_of_each(found))


def test_without_its_stream_alerts_wait_and_the_reason_says_what_to_do(
    server: NatsServer, outbox: sqlite3.Connection, tmp_path: Path
) -> None:
    put(outbox, story(3, 1))
    chosen = settings("nats", nats=to_nats(server))
    (note,) = send_once(outbox, tmp_path / "state", chosen, places.remote(chosen))
    assert "3 alerts wait" in note and "huoyan queue init" in note
    server.ask(lambda js: js.add_stream(name="other", subjects=["huoyan.>"]))
    (note,) = send_once(outbox, tmp_path / "state", chosen, places.remote(chosen))
    assert "belongs to another stream" in note and "3 alerts wait" in note
    assert server.ask(lambda js: js.stream_info("other")).state.messages == 0


def test_what_is_too_long_for_the_stream_goes_to_the_dead_letters_alone(
    server: NatsServer, outbox: sqlite3.Connection, tmp_path: Path
) -> None:
    chosen = settings("nats", nats=to_nats(server))
    reach.init(chosen)

    async def limit(js: Any) -> None:
        config = (await js.stream_info("huoyan-alerts")).config
        await js.update_stream(config.evolve(max_msg_size=20_000))

    server.ask(limit)
    put(outbox, [alert("a"), alert("b", text="x" * 30_000), alert("b", 2), alert("c", text="x" * 2_000_000)])
    put(outbox, [alert("c", 2)])
    assert send_once(outbox, tmp_path / "state", chosen, places.remote(chosen)) == []
    assert [one for one, _ in server.alerts()] == ["a.1", "b.2", "c.2"]
    reasons = {letter.parcel.alert_id: letter.reason for letter in ledger.dead_letters(outbox, "nats")}
    assert set(reasons) == {"b.1", "c.1"} and "size" in reasons["b.1"] and "bytes" in reasons["c.1"]


def test_a_full_stream_takes_nothing_and_nothing_is_dropped(
    server: NatsServer, outbox: sqlite3.Connection, tmp_path: Path
) -> None:
    chosen = settings("nats", nats=to_nats(server, max_gb=20_000 / 1024**3))
    reach.init(chosen)
    ids = put(outbox, [alert(f"a{n}", text="x" * 3000) for n in range(10)])
    (note,) = send_once(outbox, tmp_path / "state", chosen, places.remote(chosen))
    assert "maximum bytes" in note and ledger.dead_letters(outbox) == []
    kept = [one for one, _ in server.alerts()]
    assert kept == ids[: len(kept)] and 0 < len(kept) < 10
    larger = settings("nats", nats=to_nats(server))
    assert [c.state for c in reach.init(larger, apply=True)] == ["updated"]
    assert send_once(outbox, tmp_path / "state", larger, places.remote(larger)) == []
    assert [one for one, _ in server.alerts()] == ids


def test_a_wrong_password_is_told_and_shown_nowhere(
    tmp_path: Path,
    outbox: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = NatsServer(tmp_path / "nats", free_port(), "--user", "box", "--pass", "right-of-the-tests")
    server.start()
    caplog.set_level(logging.DEBUG)
    try:
        monkeypatch.setenv("NATS_USER", "box")
        monkeypatch.setenv("NATS_PASSWORD", "wrong-of-the-tests")
        chosen = settings("nats", nats=to_nats(server, user_env="NATS_USER", password_env="NATS_PASSWORD"))
        put(outbox, [alert("a")])
        (note,) = send_once(outbox, tmp_path / "state", chosen, places.remote(chosen))
        assert "uthorization" in note and "wrong-of" not in note + caplog.text
        (failed,) = reach.init(chosen)
        assert failed.state == "failed" and "uthorization" in failed.text
        monkeypatch.setenv("NATS_PASSWORD", "right-of-the-tests")
        assert [c.state for c in reach.init(chosen)] == ["created"]
        assert send_once(outbox, tmp_path / "state", chosen, places.remote(chosen)) == []
    finally:
        server.kill()


def test_a_consumer_that_dies_with_an_alert_gets_it_again_before_any_later_one(
    server: NatsServer, outbox: sqlite3.Connection, tmp_path: Path
) -> None:
    """Two workers share one durable consumer, as docs/dispatch.md shows; one of them fails now and then."""
    chosen = settings("nats", nats=to_nats(server, consumers=[{"name": "crew", "ack_wait": "1s"}]))
    reach.init(chosen)
    ids = put(outbox, story(4, 3))
    assert send_once(outbox, tmp_path / "state", chosen, places.remote(chosen)) == []

    async def work(js: Any) -> list[str]:
        workers = [await js.pull_subscribe_bind("crew", "huoyan-alerts") for _ in range(2)]
        handled: list[str] = []
        turn = 0
        while len(set(handled)) < len(ids):
            (message,) = await workers[turn % 2].fetch(1, timeout=30)
            handled.append(message.headers["Nats-Msg-Id"])
            turn += 1
            # Every fifth is handled, and its worker dies before it can say so.
            if turn % 5:
                await message.ack_sync()
        return handled

    handled = server.ask(work)
    assert len(handled) > len(ids), "some came twice"
    assert first_of_each(handled) == ids


def test_init_creates_tells_what_differs_and_applies(server: NatsServer) -> None:
    consumers = [{"name": "crew"}, {"name": "fire-desk", "scene": "fire", "priority": 1, "at_once": 8}]
    first = settings("nats", "sqlite", nats=to_nats(server, consumers=consumers, leases={}))
    states = [(c.subject, c.state) for c in reach.init(first)]
    names = ["stream huoyan-alerts", "consumer crew", "consumer fire-desk", "bucket huoyan-leases"]
    names.append("bucket huoyan-leases-stories")
    assert states == [*((name, "created") for name in names), ("sqlite", "ok")]
    assert {c.state for c in reach.init(first)} == {"ok"}
    consumers[1]["ack_wait"] = "2m"
    changed = to_nats(server, keep="7d", consumers=consumers, leases={"ttl": "20s"})
    second = settings("nats", nats=changed)
    checks = {c.subject: c for c in reach.init(second)}
    assert not reach.is_well(list(checks.values()))
    assert checks["stream huoyan-alerts"].text == "max_age is 2592000, configured 604800"
    assert checks["consumer crew"].state == "ok"
    assert checks["consumer fire-desk"].text == "ack_wait is 30, configured 120"
    assert checks["bucket huoyan-leases"].state == "differs"
    assert {c.state for c in reach.init(second, apply=True)} == {"updated", "ok"}
    assert {c.state for c in reach.init(second)} == {"ok"}
    held = server.ask(lambda js: js.consumer_info("huoyan-alerts", "fire-desk")).config
    assert held.filter_subject == "huoyan.alerts.fire.1" and held.max_ack_pending == 8


# ------------------------------------------------------------------------------------------------------- MQTT
def test_alerts_over_mqtt_carry_their_ids_and_survive_a_kill_of_the_broker(
    broker: Broker, outbox: sqlite3.Connection, tmp_path: Path
) -> None:
    consumer = Subscriber(broker.port)
    chosen = settings("mqtt", mqtt={"port": broker.port, "timeout": "3s"})
    sender = Sender(tmp_path / "state", chosen)
    sender.start()
    try:
        ids = put(outbox, [alert("a", scene="fire", priority=1, text="渣土车"), *story(20, 2)])
        wait_for(lambda: settled(outbox, "mqtt"), WAIT_S)
        wait_for(lambda: len(consumer.ids) >= 41, WAIT_S)
        broker.kill()
        ids += put(outbox, story(20, 2, start=20))
        away = wait_for(lambda: (s := sender.status()["mqtt"]).why and s.waiting == 40 and s, WAIT_S)
        assert not away.connected
        broker.start()
        wait_for(lambda: settled(outbox, "mqtt"), WAIT_S)
        wait_for(lambda: set(consumer.ids) == set(ids), WAIT_S)
    finally:
        sender.stop()
        consumer.close()
    assert first_of_each(consumer.ids) == ids
    message = consumer.messages[0]
    assert message.topic == "huoyan/alerts/fire/1" and message.qos == 1
    assert message.properties.ContentType == "application/cloudevents+json"
    assert dict(message.properties.UserProperty) == {
        "alert_id": "a.1",
        "incident_id": "a",
        "revision": "1",
        "scene": "fire",
        "priority": "1",
    }
    assert "渣土车" in message.payload.decode()


def test_what_the_broker_refuses_goes_to_the_dead_letters_alone(
    tmp_path: Path, outbox: sqlite3.Connection
) -> None:
    pytest.importorskip("paho.mqtt")
    for number, (limit, told) in enumerate(
        (("message_size_limit 5000", "breaks whenever it is sent"), ("max_packet_size 5000", "at most"))
    ):
        broker = Broker(tmp_path / f"broker{number}", free_port())
        broker._config.write_text(broker._config.read_text() + limit + "\n")
        broker.start()
        state = tmp_path / f"state{number}"
        connection = open_state(state)
        try:
            put(connection, [alert("a"), alert("b", text="x" * 9000), alert("b", 2)])
            chosen = settings("mqtt", mqtt={"port": broker.port, "timeout": "3s"})
            assert send_once(connection, state, chosen, places.remote(chosen)) == []
            (dead,) = ledger.dead_letters(connection)
            assert dead.parcel.alert_id == "b.1" and told in dead.reason
            assert ledger.cursor(connection, "mqtt") == 3
        finally:
            connection.close()
            broker.kill()


def test_a_broker_that_does_not_know_us(
    tmp_path: Path, outbox: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("paho.mqtt")
    broker = Broker(tmp_path / "broker", free_port(), password=True)
    broker.start()
    try:
        monkeypatch.setenv("MQTT_USER", "gate")
        monkeypatch.setenv("MQTT_PASSWORD", "wrong-of-the-tests")
        section = {"port": broker.port, "user_env": "MQTT_USER", "password_env": "MQTT_PASSWORD"}
        chosen = settings("mqtt", mqtt=section)
        put(outbox, [alert("a")])
        (note,) = send_once(outbox, tmp_path / "state", chosen, places.remote(chosen))
        assert "1 alerts wait" in note and "refuses" in note and "wrong-of" not in note
        monkeypatch.setenv("MQTT_PASSWORD", "s3cret-of-the-tests")
        assert send_once(outbox, tmp_path / "state", chosen, places.remote(chosen)) == []
        assert [c.state for c in reach.init(chosen)] == ["ok"]
    finally:
        broker.kill()


def test_init_says_which_place_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("nats")
    pytest.importorskip("paho.mqtt")
    receiver = Receiver()
    nobody = free_port()
    chosen = settings(
        "nats",
        "mqtt",
        "http",
        nats={"servers": [f"nats://127.0.0.1:{nobody}"]},
        mqtt={"port": nobody},
        http={"url": f"http://127.0.0.1:{receiver.port}/x"},
    )
    try:
        checks = reach.init(chosen)
    finally:
        receiver.close()
    assert [(c.subject, c.state) for c in checks] == [("nats", "failed"), ("mqtt", "failed"), ("http", "ok")]
    assert "answers 405" in checks[2].text


# ------------------------------------------------------------------------------------------ kills of everything
def test_sender_and_receivers_killed_at_any_moment_lose_and_reorder_nothing(
    server: NatsServer, broker: Broker, outbox: sqlite3.Connection, tmp_path: Path
) -> None:
    """A process with a sender is killed again and again while alerts come and the receivers come and go."""
    chance, consumer, receiver = random.Random(7), Subscriber(broker.port), Receiver()
    chosen = settings(
        "sqlite",
        "nats",
        "mqtt",
        "http",
        nats=to_nats(server),
        mqtt={"port": broker.port, "timeout": "3s"},
        http={"url": f"http://127.0.0.1:{receiver.port}/hook", "timeout": "3s"},
    )
    reach.init(chosen)

    def busy(alert_id: str) -> tuple[int, dict[str, str]]:
        return (503, {"Retry-After": "0"}) if chance.random() < 0.02 else (200, {})

    receiver.answer = busy
    ids: list[str] = []
    state = tmp_path / "state"
    for number in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(state), chosen.model_dump_json()],
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        before = ledger.cursor(outbox, "http")
        ids += put(outbox, story(20, 4, start=20 * number))
        if number % 2:
            server.kill()
            server.start()
        else:
            broker.kill()
            broker.start()
        wait_for(lambda before=before: ledger.cursor(outbox, "http") > before, WAIT_S)
        time.sleep(chance.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
    last = Sender(state, chosen)
    last.start()
    try:
        for name in chosen.to:
            wait_for(lambda name=name: settled(outbox, name), WAIT_S)
        wait_for(lambda: set(consumer.ids) == set(ids), WAIT_S)
    finally:
        last.stop()
        consumer.close()
        receiver.close()
    queued = [row[0] for row in outbox.execute("SELECT alert_id FROM queue ORDER BY rowid")]
    in_stream = [message_id for message_id, _ in server.alerts()]
    for name, found in (
        ("sqlite", queued),
        ("nats", in_stream),
        ("mqtt", consumer.ids),
        ("http", receiver.taken),
    ):
        assert first_of_each(found) == ids, name
    assert len(queued) == len(ids), "the queue beside the outbox has no repeats at all"
    assert len(in_stream) == len(ids), "the server has dropped the repeats"
    assert ledger.dead_letters(outbox) == []
