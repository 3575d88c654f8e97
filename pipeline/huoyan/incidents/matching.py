"""Finding the incident that a finding belongs to, or the verdict that silences it."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import cos, hypot, radians

from huoyan import georef
from huoyan.incidents import codec
from huoyan.incidents.store import Store
from huoyan.records import NAMESPACE, Finding, Incident, Place, Placement, incident_id
from huoyan.registry import plate_key
from huoyan.scenes import nearness
from huoyan.sqlite import to_ms

_SEARCH_M = nearness.CEILING_M + 1000.0
"""Radius of the search for candidates; 1000 m allow for the size of outlines."""
_METRES_PER_DEGREE = 110_500.0
"""Slightly less than a degree of latitude anywhere, so that nothing in reach is passed over."""


@dataclass(frozen=True, slots=True)
class Known:
    """An incident as the store has it."""

    incident: Incident
    seen: Mapping[str, int]
    """When each sensor and each stage was last seen, milliseconds since 1970, by `sensor:x` and `stage:x`."""
    last_frame: str


def find(store: Store, finding: Finding) -> Known | None:
    """The incident a finding belongs to: of those in reach the nearest, then the oldest.

    A rejected incident takes nothing in; a resolved one only what was seen before it was resolved. What belongs to
    a truck's trip belongs to the trip's incident, wherever it is.
    """
    if finding.trip:
        known = _known(store, id_of(finding))
        return known if known is not None and known.incident.status != "rejected" else None
    now, window = to_ms(finding.frame.time), int(finding.window_s * 1000)
    running = (
        " AND i.last_ms >= ? AND i.first_ms <= ? AND i.status <> 'rejected'"
        " AND (i.status <> 'resolved' OR i.closed_ms >= ?)"
    )
    times = (now - window, now + window, now)
    columns = "i.status, i.document, i.seen, i.last_frame, i.lon, i.lat, i.error_m, i.size_m, i.footprint"
    if isinstance(finding.place, Placement):
        rows = store.rows(
            f"SELECT {columns} FROM incidents i WHERE i.scene = ? AND i.lat BETWEEN ? AND ?"
            f" AND i.lon BETWEEN ? AND ?{running}",
            (finding.scene, *latitudes(finding.place), *_longitudes(finding.place), *times),
        )
    else:
        rows = store.rows(
            f"SELECT {columns} FROM incident_sources s JOIN incidents i ON i.incident_id = s.incident_id"
            f" WHERE s.scene = ? AND s.source_id = ?{running}",
            (finding.scene, finding.frame.source_id, *times),
        )
    best: tuple[tuple[object, ...], Known] | None = None
    for row in rows:
        if not _in_reach(row, finding):
            continue
        incident = replace(codec.incident(row["document"]), status=row["status"])
        away = _away(incident, finding)
        if away is None:
            continue
        rank = (away, incident.first_seen, incident.incident_id)
        if best is None or rank < best[0]:
            best = rank, Known(incident, json.loads(row["seen"]), row["last_frame"])
    return best[1] if best else None


def size_m(place: Placement) -> float:
    """How far an outline reaches from its place, metres; 0 for a point."""
    return max((georef.distance_m(place, corner) for corner in place.outline), default=0.0)


def is_muted(store: Store, finding: Finding) -> bool:
    """Whether an operator rejected this scene, here, looking like this (sensor kind and label), or this trip."""
    if finding.trip and _known(store, id_of(finding)) is not None:
        return True
    south, north = latitudes(finding.place)
    look = (finding.scene, finding.frame.kind, finding.evidence[0].detection.label)
    rows = store.rows(
        "SELECT finding FROM mutes WHERE scene = ? AND kind = ? AND label = ? AND until_ms >= ?"
        " AND (lat BETWEEN ? AND ? OR (lat IS NULL AND ? IS NULL))",
        (*look, to_ms(finding.frame.time), south, north, south),
    )
    return any(one_story(codec.finding(row["finding"]), finding) for row in rows)


def one_story(a: Finding, b: Finding) -> bool:
    """Whether two findings of one scene are about one thing at one place."""
    if plate_of(a) != plate_of(b):
        return False
    if isinstance(a.place, Placement) and isinstance(b.place, Placement):
        return nearness.one_place(a.place, b.place, b.reach_m)
    if isinstance(a.place, Placement) or isinstance(b.place, Placement):
        return False
    return a.frame.source_id == b.frame.source_id and a.zones == b.zones


def plate_of(thing: Incident | Finding) -> str:
    """The plate that is part of a story's identity; empty where there is none."""
    return plate_key(thing.vehicle.plate) if thing.vehicle else ""


def identity(finding: Finding) -> str:
    """What an id is made of beside frame and place: two trucks in one picture are two stories."""
    plate = plate_of(finding)
    return f"{finding.scene}:{plate}" if plate else finding.scene


def id_of(finding: Finding) -> str:
    """Id of the incident that a finding begins; for a truck's trip a UUIDv5 of scene and trip."""
    if finding.trip:
        return story_id(finding.scene, finding.trip)
    return incident_id(identity(finding), finding.frame.frame_id, finding.place)


def story_id(scene: str, trip: str) -> str:
    """Id of the incident of a trip (see `Finding.trip`), whatever frame it began with."""
    return str(uuid.uuid5(NAMESPACE, f"{scene}|trip|{trip}"))


def latitudes(place: Place) -> tuple[float | None, float | None]:
    """The band of latitudes to search for what may be at a place."""
    if not isinstance(place, Placement):
        return None, None
    reach = _SEARCH_M / _METRES_PER_DEGREE
    return place.lat - reach, place.lat + reach


def _known(store: Store, incident_id: str) -> Known | None:
    rows = store.rows(
        "SELECT status, document, seen, last_frame FROM incidents WHERE incident_id = ?", (incident_id,)
    )
    if not rows:
        return None
    row = rows[0]
    incident = replace(codec.incident(row["document"]), status=row["status"])
    return Known(incident, json.loads(row["seen"]), row["last_frame"])


def _longitudes(place: Placement) -> tuple[float, float]:
    reach = _SEARCH_M / (_METRES_PER_DEGREE * max(0.01, cos(radians(place.lat))))
    return place.lon - reach, place.lon + reach


def _in_reach(row: sqlite3.Row, finding: Finding) -> bool:
    """Whether an incident may be in reach: plain arithmetic that spares reading most documents."""
    place = finding.place
    if not isinstance(place, Placement) or row["lat"] is None:
        return True
    if finding.footprint is not None and row["footprint"] == finding.footprint:
        return True
    north = (row["lat"] - place.lat) * _METRES_PER_DEGREE
    east = (row["lon"] - place.lon) * _METRES_PER_DEGREE * cos(radians(place.lat))
    reach = (
        nearness.same_place_m(row["error_m"], place.error_m, finding.reach_m)
        + float(row["size_m"])
        + size_m(place)
    )
    return hypot(east, north) <= reach


def _away(incident: Incident, finding: Finding) -> float | None:
    """How far a finding is from an incident, 0 at it and 1 at the limit; None if it is another story."""
    if plate_of(incident) != plate_of(finding):
        return None
    a, b = incident.place, finding.place
    if isinstance(a, Placement) and isinstance(b, Placement):
        if finding.footprint is not None and incident.footprint == finding.footprint:
            return 0.0
        share = nearness.distance_m(a, b) / nearness.same_place_m(a.error_m, b.error_m, finding.reach_m)
        return share if share <= 1 else None
    if isinstance(b, Placement) or finding.frame.source_id not in incident.sources:
        return None
    if finding.zones and not set(finding.zones) & set(incident.zones):
        return None
    # What cannot be placed rather belongs to what could not be placed before.
    return 1.0 if isinstance(a, Placement) else 0.0
