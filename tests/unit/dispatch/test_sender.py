"""Delivery to several places: order, back-off, refusals, notes, retention; with an endpoint over real HTTP."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from huoyan import dispatch
from huoyan.config_dispatch import Dispatch
from huoyan.dispatch import courier, items, ledger, places
from huoyan.dispatch.courier import Courier, Pace
from huoyan.dispatch.protocol import Away, Parcel, Refused
from huoyan.dispatch.sender import Sender, send_once
from huoyan.errors import ConfigError, DispatchError
from huoyan.status import OutboxStatus

from ...support.gates import free_port, wait_for
from ...support.receivers import SECRET, Receiver, alert, in_order, open_state, put, story


class Memory:
    """A back end in memory whose answers a test chooses."""

    name = "memory"

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.answer: Callable[[Parcel], Exception | None] = lambda parcel: None

    def connect(self) -> None:
        pass

    def deliver(self, parcel: Parcel, now: datetime) -> None:
        answer = self.answer(parcel)
        if answer is not None:
            raise answer
        self.taken.append(parcel.alert_id)

    def close(self) -> None:
        pass


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_state(tmp_path / "state")
    yield connection
    connection.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUOYAN_HTTP_SECRET", SECRET)


def carrier(backend: Memory, rate: float = 1e9) -> Courier:
    return Courier(backend, Pace(rate), lambda pause: False)


def to_http(port: int, **more: Any) -> Dispatch:
    values = {"to": ["http"], "longest_pause": "500ms", "rate": 1000, **more}
    return Dispatch.model_validate(
        {**values, "http": {"url": f"http://127.0.0.1:{port}/hook", "timeout": "2s"}}
    )


# ---------------------------------------------------------------------------------------------------- courier
def test_each_place_has_a_cursor_of_its_own(outbox: sqlite3.Connection) -> None:
    ids = put(outbox, story(10, 4))
    backend = Memory()
    one = carrier(backend)
    assert one.round(outbox) == courier.BATCH
    assert ledger.backlog(outbox, "memory").waiting == 8 and ledger.backlog(outbox, "other").waiting == 40
    assert ledger.backlog(outbox, "sqlite").waiting == 40
    assert one.round(outbox) == 8 and one.round(outbox) == 0
    assert backend.taken == ids
    dispatch.drain(outbox, datetime.now(UTC))
    assert sorted(item.alert_id for item in items.select(outbox)) == sorted(ids)
    assert ledger.backlog(outbox, "sqlite").waiting == 0 and ledger.backlog(outbox, "other").waiting == 40


def test_who_is_away_gets_the_same_alert_again_before_any_later_one(outbox: sqlite3.Connection) -> None:
    ids = put(outbox, story(5, 2))
    backend = Memory()
    backend.answer = lambda parcel: Away("gone") if parcel.alert_id == ids[3] else None
    one = carrier(backend)
    for _ in range(3):
        with pytest.raises(Away):
            one.round(outbox)
    assert backend.taken == ids[:3] and ledger.cursor(outbox, "memory") == 3
    backend.answer = lambda parcel: None
    carrier(backend).round(outbox)
    assert backend.taken == ids and ledger.backlog(outbox, "memory") == ledger.Backlog()


def test_a_refused_alert_holds_up_nobody(
    outbox: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    ids = put(outbox, story(2, 3))
    backend = Memory()
    backend.answer = lambda parcel: Refused("too strange") if parcel.alert_id == "i000.1" else None
    carrier(backend).round(outbox)
    assert backend.taken == ids[1:] and in_order(backend.taken)
    (dead,) = ledger.dead_letters(outbox)
    assert (dead.backend, dead.parcel.alert_id, dead.reason) == ("memory", "i000.1", "too strange")
    assert "i000.1" in caplog.text and "too strange" in caplog.text
    assert ledger.backlog(outbox, "memory").dead == 1


def test_a_refused_alert_is_sent_again_when_asked_for(outbox: sqlite3.Connection) -> None:
    put(outbox, [alert("a"), alert("b")])
    backend = Memory()
    backend.answer = lambda parcel: Refused("no")
    one = carrier(backend)
    one.round(outbox)
    put(outbox, [alert("a", 2)])
    assert ledger.resend(outbox, "memory", None) == ["a.1", "b.1"]
    backend.answer = lambda parcel: Refused("never") if parcel.alert_id == "b.1" else None
    one.round(outbox)
    assert backend.taken == ["a.1", "a.2"], "what is asked for again comes before what is new"
    (dead,) = ledger.dead_letters(outbox, "memory")
    assert (dead.parcel.alert_id, dead.reason, dead.again) == ("b.1", "never", False)
    one.round(outbox)
    assert ledger.forget(outbox, "memory", ["b.1"]) == ["b.1"] and ledger.dead_letters(outbox) == []


def test_an_older_state_is_not_told_after_a_newer_one_without_force(outbox: sqlite3.Connection) -> None:
    put(outbox, [alert("a"), alert("a", 2)])
    backend = Memory()
    backend.answer = lambda parcel: Refused("no") if parcel.revision == 1 else None
    carrier(backend).round(outbox)
    with pytest.raises(DispatchError, match="has taken revision 2"):
        ledger.resend(outbox, "memory", ["a.1"])
    assert not ledger.dead_letters(outbox)[0].again
    assert ledger.resend(outbox, "memory", ["a.1"], force=True) == ["a.1"]
    with pytest.raises(DispatchError, match="has not refused"):
        ledger.resend(outbox, "memory", ["a.2"])


def test_what_cannot_be_noted_is_delivered_all_the_same(
    outbox: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = put(outbox, story(4, 1))
    backend = Memory()
    one = carrier(backend)
    outbox.execute("PRAGMA query_only=1")
    assert one.round(outbox) == 4 and one.round(outbox) == 0
    assert backend.taken == ids and ledger.cursor(outbox, "memory") == 0
    outbox.execute("PRAGMA query_only=0")
    put(outbox, [alert("last")])
    one.round(outbox)
    assert backend.taken == [*ids, "last.1"] and ledger.cursor(outbox, "memory") == 5


def test_the_rate_is_bounded_whatever_waits(outbox: sqlite3.Connection) -> None:
    put(outbox, story(100, 1))
    clock = [0.0]

    def sleep(pause: float) -> bool:
        clock[0] += pause
        return False

    pace = Pace(10.0, lambda: clock[0])
    one = Courier(Memory(), pace, sleep)
    while one.round(outbox):
        pass
    # The first ten are one second's worth; each further one is a tenth of a second.
    assert one.delivered == 100 and pace.waited_s == pytest.approx(9.0) and clock[0] == pytest.approx(9.0)


def test_only_one_carries_for_a_place(tmp_path: Path) -> None:
    first = courier.hold(tmp_path, "nats")
    assert first is not None and courier.hold(tmp_path, "nats") is None
    other = courier.hold(tmp_path, "mqtt")
    assert other is not None
    first.close()
    again = courier.hold(tmp_path, "nats")
    assert again is not None
    again.close()
    other.close()


# -------------------------------------------------------------------------------------------------- retention
def test_what_all_have_taken_and_is_old_leaves_the_outbox(outbox: sqlite3.Connection) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=40)
    put(outbox, [alert(f"o{n:03d}", time=old) for n in range(450)])
    put(outbox, [alert("new", time=now)])
    names, before = ["sqlite", "memory"], now - timedelta(days=30)
    assert ledger.purge(outbox, names, before) == 0, "nobody has taken anything"
    dispatch.drain(outbox, now)
    assert ledger.purge(outbox, names, before) == 0, "one has not"
    backend = Memory()
    backend.answer = lambda parcel: Refused("no") if parcel.alert_id == "o007.1" else None
    one = carrier(backend)
    while one.round(outbox):
        pass
    assert ledger.purge(outbox, names, before) == 449
    assert [r[0] for r in outbox.execute("SELECT alert_id FROM outbox ORDER BY seq")] == ["o007.1", "new.1"]
    assert len(items.select(outbox)) == 451, "the queue has its own copies"
    put(outbox, [alert("newer", time=now)])
    one.round(outbox)
    assert backend.taken[-2:] == ["new.1", "newer.1"]


# ----------------------------------------------------------------------------------------------------- sender
def delivered(sender: Sender, name: str, count: int) -> OutboxStatus | None:
    status = sender.status()[name]
    return status if status.delivered >= count and not status.waiting else None


def test_one_place_away_does_not_hold_up_the_others(outbox: sqlite3.Connection, tmp_path: Path) -> None:
    port = free_port()
    sender = Sender(tmp_path / "state", to_http(port, to=["sqlite", "http"]))
    ids = put(outbox, story(20, 2))
    sender.start()
    try:
        wait_for(lambda: delivered(sender, "sqlite", 40), 20)
        away = wait_for(lambda: (s := sender.status()["http"]).waiting == 40 and s.why and s, 20)
        assert not away.connected and "no answer" in away.why and away.oldest_s >= 0 and away.delivered == 0
        receiver = Receiver(port)
        try:
            there = wait_for(lambda: delivered(sender, "http", 40), 20)
            assert there.connected and there.why == "" and receiver.taken == ids
            put(outbox, [alert("late")])
            sender.wake()
            wait_for(lambda: delivered(sender, "http", 41), 20)
        finally:
            sender.stop()
            receiver.close()
    finally:
        sender.stop()
    assert receiver.taken == [*ids, "late.1"]


def test_stopping_delivers_what_waits(outbox: sqlite3.Connection, tmp_path: Path, receiver: Receiver) -> None:
    sender = Sender(tmp_path / "state", to_http(receiver.port, to=["sqlite", "http"]))
    sender.start()
    wait_for(lambda: sender.status()["http"].connected, 20)
    ids = put(outbox, story(50, 2))
    sender.stop(20)
    assert receiver.taken == ids and len(items.select(outbox, limit=200)) == 100


def test_stopping_ends_a_delivery_that_hangs(
    outbox: sqlite3.Connection, tmp_path: Path, receiver: Receiver
) -> None:
    import threading

    asked, done = threading.Event(), threading.Event()

    def hang(alert_id: str) -> tuple[int, dict[str, str]]:
        asked.set()
        done.wait(30)
        return 204, {}

    receiver.answer = hang
    settings = to_http(receiver.port)
    sender = Sender(
        tmp_path / "state",
        settings.model_copy(update={"http": settings.http.model_copy(update={"timeout": "1h"})}),
    )
    put(outbox, [alert("a")])
    sender.start()
    assert asked.wait(20)
    sender.stop(0.2)
    done.set()
    assert not any(lane.is_alive() for lane in sender._lanes)
    assert ledger.cursor(outbox, "http") == 0, "it is not known to be taken"


def test_other_settings_are_used_from_now_on(
    outbox: sqlite3.Connection, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Sender(tmp_path / "state", Dispatch())
    sender.start()
    try:
        with pytest.raises(ConfigError, match="NOT_SET"):
            sender.use(
                Dispatch.model_validate(
                    {"to": "http", "http": {"url": "https://x.test/", "secret_env": "NOT_SET"}}
                )
            )
        assert list(sender.status()) == ["sqlite"]
        put(outbox, [alert("a")])
        sender.use(to_http(receiver.port))
        wait_for(lambda: delivered(sender, "http", 1), 20)
        assert receiver.taken == ["a.1"]
    finally:
        sender.stop()


# ------------------------------------------------------------------------------------------------------- HTTP
def test_an_alert_over_http_is_a_signed_cloud_event(
    outbox: sqlite3.Connection, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "t0ken-of-the-tests")
    monkeypatch.setenv("PART", "p4rt-of-the-tests")
    put(outbox, [alert("a", text="渣土车")])
    settings = Dispatch.model_validate(
        {
            "to": "http",
            "http": {"url": f"http://127.0.0.1:{receiver.port}/in/${{PART}}", "token_env": "TOKEN"},
        }
    )
    assert send_once(outbox, tmp_path / "state", settings, places.remote(settings)) == []
    ((headers, body),) = receiver.seen
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["idempotency-key"] == "a.1" and headers["authorization"] == "Bearer t0ken-of-the-tests"
    assert "渣土车" in body.decode() and receiver.is_signed(headers, body)
    assert not receiver.is_signed(headers, body + b" ")
    assert not receiver.is_signed({**headers, "huoyan-timestamp": "1"}, body)


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_an_answer_that_blames_the_alert_is_final(
    outbox: sqlite3.Connection, tmp_path: Path, receiver: Receiver, status: int
) -> None:
    ids = put(outbox, story(3, 2))
    receiver.answer = lambda alert_id: (status if alert_id == ids[1] else 200, {})
    settings = to_http(receiver.port)
    assert send_once(outbox, tmp_path / "state", settings, places.remote(settings)) == []
    assert receiver.taken == [ids[0], *ids[2:]]
    (dead,) = ledger.dead_letters(outbox, "http")
    assert dead.parcel.alert_id == ids[1] and f"HTTP {status}" in dead.reason
    assert "as the test wants" in dead.reason


@pytest.mark.parametrize("status", [302, 401, 403, 404, 408, 429, 500, 503])
def test_an_answer_that_blames_something_else_leaves_it_waiting(
    outbox: sqlite3.Connection, tmp_path: Path, receiver: Receiver, status: int
) -> None:
    put(outbox, story(3, 1))
    receiver.answer = lambda alert_id: (status, {"Location": "/elsewhere"})
    settings = to_http(receiver.port)
    (note,) = send_once(outbox, tmp_path / "state", settings, places.remote(settings))
    assert f"HTTP {status}" in note and "3 alerts wait" in note
    assert len(receiver.seen) == 1 and ledger.dead_letters(outbox) == []


def test_a_receiver_says_when_to_come_again(receiver: Receiver) -> None:
    backend = places.remote(to_http(receiver.port))[0]
    parcel = Parcel("a.1", "a", 1, "fire", 1, datetime.now(UTC), "{}")
    later = datetime.now(UTC) + timedelta(seconds=100)
    for told, least, most in (
        ("7", 7, 7),
        (f"{later:%a, %d %b %Y %H:%M:%S} GMT", 60, 100),
        ("1e9", 3600, 3600),
        ("soon", None, None),
        ("nan", None, None),
    ):
        receiver.answer = lambda alert_id, told=told: (503, {"Retry-After": told})
        with pytest.raises(Away) as caught:
            backend.deliver(parcel, datetime.now(UTC))
        wait = caught.value.again_s
        assert (wait is None and least is None) or (wait is not None and least <= wait <= most)
    backend.close()


def test_an_idle_connection_that_was_closed_is_no_failure(receiver: Receiver) -> None:
    backend = places.remote(to_http(receiver.port))[0]
    parcel = Parcel("a.1", "a", 1, "fire", 1, datetime.now(UTC), "{}")
    receiver.answer = lambda alert_id: (200, {"Keep-Alive": "timeout=1"})
    backend.deliver(parcel, datetime.now(UTC))
    port = receiver.port
    receiver.close()
    other = Receiver(port)
    try:
        import socket

        backend._connection.sock.shutdown(socket.SHUT_WR)  # type: ignore[attr-defined]
        backend.deliver(parcel, datetime.now(UTC))
        assert other.taken == ["a.1"]
    finally:
        backend.close()
        other.close()


def test_no_secret_in_any_log_or_error(
    outbox: sqlite3.Connection, tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    put(outbox, [alert("a")])
    receiver.answer = lambda alert_id: (422, {})
    caplog.set_level(logging.DEBUG)
    settings = to_http(receiver.port)
    send_once(outbox, tmp_path / "state", settings, places.remote(settings))
    assert SECRET not in caplog.text and SECRET not in ledger.dead_letters(outbox)[0].reason


# ---------------------------------------------------------------------------------------------- configuration
def test_one_place_or_several() -> None:
    assert Dispatch().to == ["sqlite"] and Dispatch.model_validate({"to": "nats"}).to == ["nats"]
    assert Dispatch.model_validate({"to": ["sqlite", "mqtt"]}).to == ["sqlite", "mqtt"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"to": []}, "at least 1 item"),
        ({"to": "redis"}, "'sqlite', 'nats', 'mqtt' or 'http'"),
        ({"to": ["nats", "nats"]}, "named twice"),
        ({"to": ["sqlite", "http"]}, "http.url is missing"),
        ({"http": {"url": "ftp://x/"}}, "https://host/path"),
        ({"http": {"url": "https://u:p4ssword@x/"}}, "no password here"),
        ({"nats": {"servers": ["nats://u:p4ssword@x:4222"]}}, "no password here"),
        ({"nats": {"servers": ["nats://user@x:4222"]}}, "without a user"),
        ({"nats": {"leases": {"ttl": "1s"}}}, "2s to 10m"),
    ],
)
def test_mistakes_are_told(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Dispatch.model_validate(values)
