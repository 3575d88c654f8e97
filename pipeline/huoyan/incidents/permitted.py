"""Lawful findings: kept with their permit so that a user can see what was silenced, never told."""

from __future__ import annotations

from huoyan.incidents import codec
from huoyan.incidents.matching import identity, latitudes, one_story, plate_of
from huoyan.incidents.store import Store
from huoyan.records import Finding, Placement, incident_id
from huoyan.sqlite import to_ms


def keep(store: Store, finding: Finding) -> None:
    """Add a lawful finding to the others of its scene, permit and place, or begin a new entry."""
    permit = finding.permit.permit_id or finding.permit.note
    south, north = latitudes(finding.place)
    frame, now = finding.frame.frame_id, to_ms(finding.frame.time)
    rows = store.rows(
        "SELECT permitted_id, last_frame, finding FROM permitted WHERE scene = ? AND permit = ?"
        " AND (lat BETWEEN ? AND ? OR (lat IS NULL AND ? IS NULL)) ORDER BY first_ms, permitted_id",
        (finding.scene, permit, south, north, south),
    )
    for row in rows:
        if one_story(codec.finding(row["finding"]), finding):
            store.execute(
                "UPDATE permitted SET last_ms = max(last_ms, ?), first_ms = min(first_ms, ?),"
                " looks = looks + ?, last_frame = ? WHERE permitted_id = ?",
                (now, now, row["last_frame"] != frame, frame, row["permitted_id"]),
            )
            return
    place = finding.place
    lon, lat = (place.lon, place.lat) if isinstance(place, Placement) else (None, None)
    store.execute(
        "INSERT INTO permitted VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            incident_id(identity(finding), frame, place),
            finding.scene,
            permit,
            plate_of(finding),
            lon,
            lat,
            now,
            now,
            finding.looks,
            frame,
            codec.finding_text(finding),
        ),
    )
