"""Whatever consumers do in whatever order, the queue keeps its promises."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from huoyan import dispatch
from huoyan.dispatch import items, outbox, queue
from huoyan.errors import DispatchError
from huoyan.records import Alert, Priority

POLICY = queue.RetryPolicy(max_attempts=3, base_s=10, cap_s=40)
OWNERS = st.sampled_from(["wang", "li"])


class Queue(RuleBasedStateMachine):
    held = Bundle("held")

    @initialize()
    def start(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        dispatch.ensure_tables(self.connection)
        self.now = datetime(2026, 5, 3, tzinfo=UTC)
        self.put: list[str] = []
        self.done: set[str] = set()
        self.revisions = {"a": 0, "b": 0, "c": 0}

    def teardown(self) -> None:
        if hasattr(self, "connection"):
            self.connection.close()

    @rule(incident=st.sampled_from("abc"), priority=st.sampled_from(Priority))
    def tell(self, incident: str, priority: Priority) -> None:
        self.revisions[incident] += 1
        revision = self.revisions[incident]
        alert = Alert(
            f"{incident}.{revision}", incident, revision, "fire", priority, self.now, {"n": revision}
        )
        outbox.put(self.connection, alert)
        self.put.append(alert.alert_id)
        dispatch.drain(self.connection, self.now)

    @rule(seconds=st.sampled_from([1, 9, 30, 120]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(target=held, owner=OWNERS, limit=st.integers(1, 3))
    def lease(self, owner: str, limit: int) -> Any:
        before = {i.alert_id: i for i in items.select(self.connection)}
        taken = queue.lease(self.connection, owner, self.now, seconds=20, limit=limit, policy=POLICY)
        assert len(taken) <= limit
        for item in taken:
            was = before[item.alert_id]
            assert was.state in ("ready", "leased")
            assert was.state == "ready" or (was.lease_until is not None and was.lease_until <= self.now)
            assert was.ready_at <= self.now
            for other in items.select(self.connection, states=["ready", "leased"]):
                assert not (other.incident_id == item.incident_id and other.revision < item.revision)
        return multiple(*((item.alert_id, owner) for item in taken))

    @rule(lease=consumes(held))
    def ack(self, lease: tuple[str, str]) -> None:
        alert_id, owner = lease
        was = items.get(self.connection, alert_id)
        try:
            queue.ack(self.connection, [alert_id], owner, self.now)
        except DispatchError:
            stolen = was.state == "leased" and was.owner != owner
            assert stolen or was.state == "dead"
        else:
            self.done.add(alert_id)

    @rule(lease=consumes(held))
    def nack(self, lease: tuple[str, str]) -> None:
        alert_id, owner = lease
        was = items.get(self.connection, alert_id)
        try:
            (item,) = queue.nack(self.connection, [alert_id], owner, self.now, reason="x", policy=POLICY)
        except DispatchError:
            assert was.state in ("acked", "dead") or was.owner != owner
        else:
            assert item.attempts == was.attempts + 1
            assert (item.state == "dead") == (item.attempts == POLICY.max_attempts)
            assert item.state == "dead" or item.ready_at > self.now

    @rule()
    def retry(self) -> None:
        dead = items.select(self.connection, states=["dead"])
        back = queue.retry(self.connection, self.now)
        assert {i.alert_id for i in back} == {i.alert_id for i in dead}
        assert all(i.state == "ready" and i.attempts == 0 for i in back)

    @invariant()
    def nothing_is_lost_or_made_twice(self) -> None:
        if hasattr(self, "connection"):
            assert sorted(i.alert_id for i in items.select(self.connection)) == sorted(self.put)

    @invariant()
    def what_is_acknowledged_stays_so(self) -> None:
        if hasattr(self, "connection"):
            acked = {i.alert_id for i in items.select(self.connection, states=["acked"])}
            assert acked == self.done

    @invariant()
    def leases_have_owners_and_ends(self) -> None:
        if hasattr(self, "connection"):
            for item in items.select(self.connection):
                assert (item.state == "leased") == (item.lease_until is not None)
                assert item.attempts < POLICY.max_attempts or item.state in ("dead", "acked")


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=40, stateful_step_count=30, deadline=None, derandomize=True)
