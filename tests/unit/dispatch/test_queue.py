"""Leasing, acknowledging, giving back, trying again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from huoyan.dispatch import items, queue
from huoyan.errors import DispatchError

POLICY = queue.RetryPolicy(max_attempts=3, base_s=60, cap_s=600, jitter=0.2)


def take(
    connection: sqlite3.Connection, now: datetime, limit: int = 10, owner: str = "crew", seconds: float = 600
) -> list[str]:
    leased = queue.lease(connection, owner, now, seconds=seconds, limit=limit, policy=POLICY)
    return [item.alert_id.removeprefix("incident-") for item in leased]


def test_urgent_first_then_older(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(
        make_alert("old", priority=3, minutes=0),
        make_alert("new-urgent", priority=1, minutes=9),
        make_alert("urgent", priority=1, minutes=5),
        make_alert("record", priority=4, minutes=1),
    )
    assert take(connection, now, limit=2) == ["urgent.1", "new-urgent.1"]
    assert take(connection, now) == ["old.1", "record.1"]
    assert take(connection, now) == []


def test_revisions_in_order_and_none_waits_behind_its_own_story(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(
        make_alert("other", priority=2),
        make_alert("story", revision=1, priority=4, minutes=1),
        make_alert("story", revision=2, priority=1, minutes=2),
        make_alert("story", revision=10, priority=3, minutes=3),
    )
    assert take(connection, now, limit=1) == ["story.1"], "the urgent second revision pulls the first forward"
    assert take(connection, now) == ["other.1"], "the second waits for the first"
    queue.ack(connection, ["incident-story.1"], "crew", now)
    assert take(connection, now) == ["story.2"]
    for _ in range(POLICY.max_attempts):
        queue.nack(connection, ["incident-story.2"], "crew", now, reason="no road", policy=POLICY)
    assert items.get(connection, "incident-story.2").state == "dead"
    assert take(connection, now) == ["story.10"], "a dead revision holds nobody up; 10 comes after 2"


def test_a_lease_runs_out(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(make_alert())
    take(connection, now, seconds=60)
    assert take(connection, now + timedelta(seconds=59), owner="other") == []
    late = now + timedelta(seconds=60)
    assert take(connection, late, owner="other") == [], "first the back-off"
    item = items.get(connection, "incident-a.1")
    assert (item.state, item.attempts, item.note) == ("ready", 1, "lease expired")
    assert take(connection, item.ready_at, owner="other") == ["a.1"]
    with pytest.raises(DispatchError, match="other works on it until"):
        queue.ack(connection, ["incident-a.1"], "crew", item.ready_at)


def test_back_off_doubles_up_to_its_cap(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(make_alert())
    policy = queue.RetryPolicy(max_attempts=7, base_s=60, cap_s=600, jitter=0.2)
    for expected in (60, 120, 240, 480, 600, 600):
        (item,) = queue.nack(connection, ["incident-a.1"], "crew", now, reason="rain", policy=policy)
        wait = (item.ready_at - now).total_seconds()
        assert 0.8 * expected <= wait <= 1.2 * expected
        assert wait == pytest.approx(policy.delay_s("incident-a.1", item.attempts), abs=0.001)
    (item,) = queue.nack(connection, ["incident-a.1"], "crew", now, reason="rain", policy=policy)
    assert item.state == "dead"
    delays = {policy.delay_s(f"alert-{n}", 1) for n in range(50)}
    assert len(delays) == 50 and max(delays) - min(delays) > 15, "a crowd does not come back at one moment"
    assert policy.delay_s("x", 10_000) <= 720


def test_dead_alerts_come_back_on_request(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(make_alert("a"), make_alert("b"))
    once = queue.RetryPolicy(max_attempts=1)
    queue.nack(connection, ["incident-a.1", "incident-b.1"], "crew", now, reason="x", policy=once)
    assert take(connection, now + timedelta(days=9)) == []
    with pytest.raises(DispatchError, match="dead"):
        queue.ack(connection, ["incident-a.1"], "crew", now)
    assert [i.alert_id for i in queue.retry(connection, now)] == ["incident-a.1", "incident-b.1"]
    assert items.get(connection, "incident-a.1").attempts == 0
    assert take(connection, now) == ["a.1", "b.1"]


def test_retry_ends_a_back_off_but_not_somebodys_work(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(make_alert())
    queue.nack(connection, ["incident-a.1"], "crew", now, reason="x", policy=POLICY)
    assert take(connection, now) == []
    queue.retry(connection, now, ["incident-a.1"])
    assert take(connection, now) == ["a.1"]
    with pytest.raises(DispatchError, match="leased"):
        queue.retry(connection, now, ["incident-a.1"])


def test_verdicts_are_kept_told_and_can_be_corrected(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(make_alert())
    told: list[tuple[str, str]] = []

    def ack(verdict: Any, note: str = "") -> items.Item:
        return queue.ack(
            connection,
            ["incident-a.1"],
            "li",
            now,
            verdict=verdict,
            note=note,
            on_verdict=lambda item, v: told.append((item.incident_id, v)),
        )[0]

    item = ack("confirmed", "pit of 2 m")
    assert (item.state, item.verdict, item.note, item.owner) == ("acked", "confirmed", "pit of 2 m", "li")
    assert ack("confirmed") == ack(None) == item, "a repeat changes nothing"
    assert ack("rejected").verdict == "rejected"
    assert told == [("incident-a", "confirmed"), ("incident-a", "rejected")]
    actions = [(e.action, e.actor, e.note) for e in items.history(connection, "incident-a.1")]
    assert actions == [
        ("queued", "huoyan", ""),
        ("acked confirmed", "li", "pit of 2 m"),
        ("acked rejected", "li", ""),
    ]


def test_what_on_verdict_raises_undoes_everything(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(make_alert("a"), make_alert("b"))

    def refuse(item: items.Item, verdict: str) -> None:
        if item.incident_id == "incident-b":
            raise DispatchError("the incident is closed")

    with pytest.raises(DispatchError, match="closed"):
        queue.ack(
            connection, ["incident-a.1", "incident-b.1"], "li", now, verdict="confirmed", on_verdict=refuse
        )
    assert items.counts(connection)["ready"] == 2


@pytest.mark.parametrize("nested", [False, True])
def test_all_or_none(
    nested: bool, connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(make_alert())
    if nested:
        connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(DispatchError, match="no such alert"):
        queue.ack(connection, ["incident-a.1", "nobody.1"], "li", now)
    assert connection.in_transaction is nested
    if nested:
        connection.execute("COMMIT")
    assert items.get(connection, "incident-a.1").state == "ready"


def test_somebody_elses_lease_is_respected_unless_forced(
    connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None], now: datetime
) -> None:
    fill(make_alert("a"), make_alert("b"))
    take(connection, now, owner="wang")
    for change in (
        lambda force: queue.nack(
            connection, ["incident-a.1"], "li", now, reason="x", policy=POLICY, force=force
        ),
        lambda force: queue.ack(connection, ["incident-b.1"], "li", now, force=force),
    ):
        with pytest.raises(DispatchError, match="wang works on it"):
            change(False)
        change(True)
    assert items.get(connection, "incident-b.1").state == "acked"


@pytest.mark.parametrize(
    ("owner", "seconds", "limit"), [("", 60, 1), (" ", 60, 1), ("x", 0, 1), ("x", 60, 0)]
)
def test_a_lease_needs_sense(
    owner: str, seconds: float, limit: int, connection: sqlite3.Connection, now: datetime
) -> None:
    with pytest.raises(DispatchError):
        queue.lease(connection, owner, now, seconds=seconds, limit=limit)


def test_a_naive_time_is_refused(connection: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="zone"):
        queue.lease(connection, "x", datetime(2026, 5, 3), seconds=1)


def test_prefixes(connection: sqlite3.Connection, make_alert: Any, fill: Callable[..., None]) -> None:
    fill(make_alert("aa"), make_alert("aa", revision=2), make_alert("ab"), make_alert("aa", revision=21))
    assert items.resolve(connection, "incident-aa.2") == "incident-aa.2", (
        "a full id is not the prefix of another"
    )
    assert items.resolve(connection, "incident-ab") == "incident-ab.1"
    assert items.resolve(connection, "incident-a.21") == "incident-aa.21", "the short form of a list"
    with pytest.raises(
        DispatchError, match=r"3 alerts begin so: incident-aa\.1, incident-aa\.2, incident-aa\.21"
    ):
        items.resolve(connection, "incident-aa")
    for unknown in ("x", "incident-aa.9", "%", "_ncident-ab", ""):
        with pytest.raises(DispatchError):
            items.resolve(connection, unknown)
