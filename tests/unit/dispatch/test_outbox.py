"""From the judge's transaction to the queue: nothing lost, nothing twice."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from huoyan import dispatch
from huoyan.dispatch import items, outbox


def test_put_is_idempotent(connection: sqlite3.Connection, make_alert: Any) -> None:
    alert = make_alert()
    assert outbox.put(connection, alert) is True
    assert outbox.put(connection, alert) is False
    assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


@pytest.mark.parametrize("isolation", [None, ""], ids=["autocommit", "implicit"])
def test_put_shares_the_fate_of_the_callers_transaction(state: Path, make_alert: Any, isolation: Any) -> None:
    connection = sqlite3.connect(state / "huoyan.db", isolation_level=isolation)
    connection.execute("BEGIN IMMEDIATE")
    outbox.put(connection, make_alert("lost"))
    connection.execute("ROLLBACK")
    connection.execute("BEGIN IMMEDIATE")
    outbox.put(connection, make_alert("kept"))
    connection.execute("COMMIT")
    ids = [row[0] for row in connection.execute("SELECT alert_id FROM outbox")]
    connection.close()
    assert ids == ["incident-kept.1"]


def test_drain_delivers_once(connection: sqlite3.Connection, make_alert: Any, now: datetime) -> None:
    sent = [make_alert(str(n), minutes=n) for n in range(450)]
    for alert in sent:
        outbox.put(connection, alert)
    assert dispatch.drain(connection, now) == 450
    assert dispatch.drain(connection, now) == 0
    queued = items.select(connection)
    assert [item.alert_id for item in queued] == [alert.alert_id for alert in sent]
    assert queued[7].document == json.loads(json.dumps(sent[7].document))


def test_a_restored_outbox_does_not_queue_twice(
    connection: sqlite3.Connection, make_alert: Any, now: datetime
) -> None:
    outbox.put(connection, make_alert())
    dispatch.drain(connection, now)
    connection.execute("UPDATE outbox SET sent_ms = NULL")
    dispatch.drain(connection, now)
    assert len(items.select(connection)) == 1
    assert [e.action for e in items.history(connection, "incident-a.1")] == ["queued"]


def test_ensure_tables_twice_and_in_a_transaction(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    dispatch.ensure_tables(connection)
    assert connection.in_transaction, "the caller's transaction goes on"
    connection.execute("ROLLBACK")
    dispatch.ensure_tables(connection)
