"""What becomes of incidents: verdicts of crews, expiry, mutes and hard negatives."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from huoyan.errors import StorageError
from huoyan.incidents import association, codec
from huoyan.incidents.store import Store
from huoyan.records import Finding, Placement, Revision
from huoyan.sqlite import from_ms, rows, to_ms

Verdict = Literal["confirmed", "rejected", "resolved"]
MUTE_S = 30 * 86400.0
"""How long a rejected place, scene and look stays silent unless the caller says otherwise."""


def pass_verdict(
    store: Store,
    incident_id: str,
    verdict: Verdict,
    at: datetime,
    *,
    note: str = "",
    mute_s: float = MUTE_S,
) -> Revision:
    """Write down what a crew found, within the caller's transaction.

    `rejected` mutes the place for this scene, sensor kind and label until `at` + `mute_s`, and marks the
    pictures of every revision as hard negatives. `resolved` ends the story: what is seen there after `at` is
    a new one. A verdict that is repeated changes nothing; the revision that told it is returned again.

    Raises:
        StorageError: there is no such incident, or the state cannot be written.
    """
    incident, finding = store.incident(incident_id), store.last_finding(incident_id)
    if incident is None or finding is None:
        raise StorageError(
            "there is no such incident", subject=incident_id, hint="see huoyan queue list", code="no_incident"
        )
    revisions = store.revisions(incident_id)
    if incident.status == verdict:
        return next(revision for revision in reversed(revisions) if revision.why == "verdict")
    judged = replace(incident, status=verdict, revision=incident.revision + 1)
    store.execute(
        "UPDATE incidents SET status = ?, document = ?, closed_ms = ? WHERE incident_id = ?",
        (
            verdict,
            codec.incident_text(judged),
            None if verdict == "confirmed" else to_ms(at),
            incident_id,
        ),
    )
    if verdict == "rejected":
        findings = [revision.finding for revision in revisions]
        for seen in [*findings, finding]:
            _mute(store, incident_id, seen, at + timedelta(seconds=mute_s))
        for revision in revisions:
            _keep_negative(store, revision, at, note)
    revision = Revision(judged, finding, "verdict")
    association.tell(store, revision, at)
    return revision


def hear_verdict(store: Store, incident_id: str, verdict: Verdict, at: datetime, *, note: str = "") -> bool:
    """Take a verdict that was passed in another state; False: there is no such incident here, or it is known, or one
    that is later.

    Raises:
        StorageError: the state cannot be read or written.
    """
    known = store.incident(incident_id)
    if known is None or known.status == verdict:
        return False
    last = last_verdict(store.connection, incident_id)
    if last is not None and last >= at:
        return False
    pass_verdict(store, incident_id, verdict, at, note=note)
    return True


def last_verdict(connection: sqlite3.Connection, incident_id: str) -> datetime | None:
    """When the last verdict on an incident was passed, to the millisecond; None: none was.

    Raises:
        StorageError: the state cannot be read.
    """
    query = "SELECT max(time_ms) AS time_ms FROM revisions WHERE incident_id = ? AND why = 'verdict'"
    last = rows(connection, query, (incident_id,))[0]["time_ms"]
    return None if last is None else from_ms(last)


def expire(store: Store, now: datetime) -> int:
    """Close stories that nobody has seen for their window; returns how many. Nothing is told."""
    cursor = store.execute(
        "UPDATE incidents SET status = 'expired' WHERE status IN ('open', 'updated') AND until_ms < ?",
        (to_ms(now),),
    )
    return cursor.rowcount


def hard_negatives(store: Store) -> list[tuple[Finding, str]]:
    """Findings that crews rejected with their notes: what the next training must learn not to see."""
    rows = store.rows("SELECT finding, note FROM hard_negatives ORDER BY time_ms, incident_id, revision")
    return [(codec.finding(row["finding"]), row["note"]) for row in rows]


def _mute(store: Store, incident_id: str, finding: Finding, until: datetime) -> None:
    lat = finding.place.lat if isinstance(finding.place, Placement) else None
    store.execute(
        "INSERT INTO mutes VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET until_ms = excluded.until_ms",
        (
            incident_id,
            finding.scene,
            finding.frame.kind,
            finding.evidence[0].detection.label,
            lat,
            to_ms(until),
            codec.finding_text(finding),
        ),
    )


def _keep_negative(store: Store, revision: Revision, at: datetime, note: str) -> None:
    store.execute(
        "INSERT INTO hard_negatives VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            revision.incident.incident_id,
            revision.incident.revision,
            to_ms(at),
            note,
            codec.finding_text(revision.finding),
        ),
    )
