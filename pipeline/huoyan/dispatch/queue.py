"""The dispatch queue: who works on which alert.

    ready ──lease──▶ leased ──ack──▶ acked
      ▲                │
      │   nack, lease  │  attempts left: after a back-off
      ├────expired─────┤
      │                └─ none left ─▶ dead ──retry──▶ ready

Urgent alerts come first, then older ones. Revisions of one incident are told in order: a later one is not
leased before every earlier one is acknowledged or dead, and so that an urgent revision does not wait behind
a routine one of its own story, the earlier inherits the highest priority that waits behind it.

Every change is one `BEGIN IMMEDIATE` transaction, so two consumers never hold the same alert and a `kill -9`
leaves it as it was or changed, never between. Times are passed in; nothing here reads a clock.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from huoyan.dispatch.database import log
from huoyan.dispatch.items import Item, get, to_item
from huoyan.errors import DispatchError
from huoyan.sqlite import immediate, rows, to_ms

Verdict = Literal["confirmed", "rejected"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed alert comes back: `base_s`, doubled each time up to `cap_s`, give or take `jitter`."""

    max_attempts: int = 5
    base_s: float = 30.0
    cap_s: float = 3600.0
    jitter: float = 0.2

    def delay_s(self, alert_id: str, attempts: int) -> float:
        """Seconds to wait after failure number `attempts`. The jitter is a hash: a replay waits as long."""
        digest = hashlib.sha256(f"{alert_id}|{attempts}".encode()).digest()
        swing = 2 * int.from_bytes(digest[:4], "big") / 0xFFFFFFFF - 1
        delay = min(self.cap_s, self.base_s * 2.0 ** min(attempts - 1, 32))
        return delay * (1 + self.jitter * swing)


DEFAULT_POLICY = RetryPolicy()

_LEASABLE = """
SELECT q.alert_id, (
    SELECT min(p.priority) FROM queue p
    WHERE p.incident_id = q.incident_id AND p.state IN ('ready', 'leased') AND p.revision >= q.revision
) AS urgency
FROM queue q
WHERE q.state = 'ready' AND q.ready_ms <= ?
  AND NOT EXISTS (
    SELECT 1 FROM queue e
    WHERE e.incident_id = q.incident_id AND e.state IN ('ready', 'leased') AND e.revision < q.revision
  )
ORDER BY urgency, q.time_ms, q.alert_id
LIMIT ?
"""


def lease(
    connection: sqlite3.Connection,
    owner: str,
    now: datetime,
    *,
    seconds: float,
    limit: int = 1,
    policy: RetryPolicy = DEFAULT_POLICY,
) -> list[Item]:
    """Take the next alerts for `owner`, who has `seconds` to acknowledge them.

    Leases that ran out are taken back first; each counts as a failed attempt.

    Returns:
        At most `limit` alerts, most urgent first; none twice, and none that somebody else holds.

    Raises:
        DispatchError: `owner` is empty, or `seconds` or `limit` is not positive.
        StorageError: the database is locked, full or damaged.
    """
    if not owner.strip() or seconds <= 0 or limit < 1:
        raise DispatchError(
            f"a lease needs an owner, a positive time and number, got {owner!r}, {seconds} s, {limit}"
        )
    with immediate(connection):
        expire(connection, now, policy=policy)
        found = rows(connection, _LEASABLE, (to_ms(now), limit))
        for row in found:
            connection.execute(
                "UPDATE queue SET state = 'leased', owner = ?, lease_ms = ? WHERE alert_id = ?",
                (owner, to_ms(now) + round(seconds * 1000), row["alert_id"]),
            )
            log(connection, row["alert_id"], now, "leased", owner)
        return [get(connection, row["alert_id"]) for row in found]


def expire(connection: sqlite3.Connection, now: datetime, *, policy: RetryPolicy = DEFAULT_POLICY) -> int:
    """Take back every lease that has run out.

    Returns:
        How many there were.

    Raises:
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        late = rows(
            connection,
            "SELECT * FROM queue WHERE state = 'leased' AND lease_ms <= ? ORDER BY alert_id",
            (to_ms(now),),
        )
        for row in late:
            _fail(connection, to_item(row), now, "lease expired", row["owner"] or "", policy)
        return len(late)


def ack(
    connection: sqlite3.Connection,
    alert_ids: Sequence[str],
    by: str,
    now: datetime,
    *,
    verdict: Verdict | None = None,
    note: str = "",
    force: bool = False,
    on_verdict: Callable[[Item, Verdict], None] | None = None,
) -> list[Item]:
    """Acknowledge alerts: they are dealt with and never come back. All of them or none.

    A repeated acknowledgement changes nothing but may add or correct a verdict.

    Args:
        connection: of the queue.
        alert_ids: full ids.
        by: who says so.
        now: the time.
        verdict: what the crew found, if it went.
        note: in the crew's words.
        force: also where somebody else holds the lease, or the alert is dead.
        on_verdict: told of each verdict that is new, within the transaction; whatever it raises undoes all.

    Returns:
        The alerts as they are now.

    Raises:
        DispatchError: no such alert, or somebody else holds it.
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        for alert_id in alert_ids:
            item = get(connection, alert_id)
            if not force:
                _check_free(item, by, now, "acknowledged")
            changed = verdict is not None and verdict != item.verdict
            if item.state == "acked" and not changed:
                continue
            connection.execute(
                "UPDATE queue SET state = 'acked', owner = ?, lease_ms = NULL,"
                " verdict = coalesce(?, verdict), note = CASE WHEN ? = '' THEN note ELSE ? END"
                " WHERE alert_id = ?",
                (by, verdict, note, note, alert_id),
            )
            log(connection, alert_id, now, f"acked {verdict}" if verdict else "acked", by, note)
            if verdict is not None and changed and on_verdict is not None:
                on_verdict(get(connection, alert_id), verdict)
        return [get(connection, alert_id) for alert_id in alert_ids]


def nack(
    connection: sqlite3.Connection,
    alert_ids: Sequence[str],
    by: str,
    now: datetime,
    *,
    reason: str,
    policy: RetryPolicy = DEFAULT_POLICY,
    force: bool = False,
) -> list[Item]:
    """Give alerts back: they come again after a back-off, or are dead when no attempt is left. All or none.

    Returns:
        The alerts as they are now.

    Raises:
        DispatchError: no such alert, somebody else holds it, or it is acknowledged or dead.
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        for alert_id in alert_ids:
            item = get(connection, alert_id)
            if item.state in ("acked", "dead"):
                raise DispatchError(
                    f"the alert is {item.state}; only one that waits or is being worked on can be given back",
                    subject=alert_id,
                    hint="dead alerts come back with: huoyan queue retry",
                    code="wrong_state",
                )
            if not force:
                _check_free(item, by, now, "given back")
            _fail(connection, item, now, reason, by, policy)
        return [get(connection, alert_id) for alert_id in alert_ids]


def retry(
    connection: sqlite3.Connection, now: datetime, alert_ids: Sequence[str] | None = None, by: str = "huoyan"
) -> list[Item]:
    """Make dead alerts ready again, with all their attempts; those that wait out a back-off, at once.

    Args:
        connection: of the queue.
        now: the time.
        alert_ids: full ids; None for all that are dead.
        by: who says so.

    Returns:
        The alerts that are ready now.

    Raises:
        DispatchError: no such alert, or it is acknowledged or being worked on.
        StorageError: the database is locked, full or damaged.
    """
    with immediate(connection):
        if alert_ids is None:
            dead = rows(connection, "SELECT alert_id FROM queue WHERE state = 'dead' ORDER BY alert_id")
            alert_ids = [row["alert_id"] for row in dead]
        for alert_id in alert_ids:
            item = get(connection, alert_id)
            if item.state in ("acked", "leased"):
                raise DispatchError(
                    f"the alert is {item.state}; only dead or waiting alerts can be tried again",
                    subject=alert_id,
                    code="wrong_state",
                )
            connection.execute(
                "UPDATE queue SET state = 'ready', attempts = 0, ready_ms = ?, owner = NULL, lease_ms = NULL"
                " WHERE alert_id = ?",
                (to_ms(now), alert_id),
            )
            log(connection, alert_id, now, "retried", by)
        return [get(connection, alert_id) for alert_id in alert_ids]


def _check_free(item: Item, by: str, now: datetime, done: str) -> None:
    until = item.lease_until
    if item.state == "leased" and item.owner != by and until is not None and until > now:
        raise DispatchError(
            f"cannot be {done} by {by}: {item.owner} works on it until {until:%Y-%m-%d %H:%M:%S} UTC",
            subject=item.alert_id,
            hint="wait, or use --force",
            code="leased",
        )
    if item.state == "dead" and done == "acknowledged":
        raise DispatchError(
            "the alert is dead: nobody took it in time",
            subject=item.alert_id,
            hint="huoyan queue retry it first, or use --force",
            code="wrong_state",
        )


def _fail(
    connection: sqlite3.Connection, item: Item, now: datetime, reason: str, by: str, policy: RetryPolicy
) -> None:
    attempts = item.attempts + 1
    dead = attempts >= policy.max_attempts
    wait_ms = 0 if dead else round(1000 * policy.delay_s(item.alert_id, attempts))
    connection.execute(
        "UPDATE queue SET state = ?, attempts = ?, ready_ms = ?, owner = NULL, lease_ms = NULL, note = ?"
        " WHERE alert_id = ?",
        ("dead" if dead else "ready", attempts, to_ms(now) + wait_ms, reason, item.alert_id),
    )
    log(connection, item.alert_id, now, "dead" if dead else "failed", by, reason)
