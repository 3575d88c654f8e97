"""Which story a finding belongs to, and whether it adds something worth telling.

One story is one scene at one place (and one plate, where there is one); the stages of a scene are its
chapters. Different scenes at one place, say earthwork and later scaffolding, stay apart: each has its own
event code and its own permit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

from huoyan.incidents import codec, permitted
from huoyan.incidents.matching import Known, find, id_of, is_muted, size_m
from huoyan.incidents.store import Store
from huoyan.records import Finding, Incident, Place, Placement, Priority, Revision, Status, VehicleFinding
from huoyan.sqlite import to_ms

CORROBORATION_S = 7 * 86400.0
"""Two sensors or two stages within this time raise the priority."""
GROWTH = 1.5
"""An extent this many times the one last told is news."""

Why = Literal["stage", "sensor", "extent", "permit_lapsed", "vehicle"]


def associate(store: Store, findings: Sequence[Finding]) -> list[Revision]:
    """Add findings to their incidents, within the caller's transaction.

    Lawful findings (`permit.result` is `covered`) are kept apart with their permit; muted ones are dropped.

    Returns:
        The incidents that have something new to tell, in the order of the findings.

    Raises:
        StorageError: the state cannot be read or written.
    """
    told = []
    for _, group in groupby(findings, key=lambda finding: finding.frame.frame_id):
        news: dict[str, Revision] = {}
        for finding in group:
            _add(store, finding, news)
        for revision in news.values():
            tell(store, revision)
            told.append(revision)
    return told


def _add(store: Store, finding: Finding, news: dict[str, Revision]) -> None:
    """Add a finding to its incident. `news` holds what its frame has to tell: one revision per incident."""
    known = find(store, finding)
    if finding.permit.result == "covered":
        permitted.keep(store, finding)
        # A story that was told and is lawful now goes on in silence, so that its permit can lapse.
        if known is not None:
            _save(store, _continued(known, finding, None, 0), finding, known.seen)
        return
    if known is None:
        _begin(store, finding, news)
        return
    why = _news(known.incident, finding)
    earlier = news.get(known.incident.incident_id)
    if why is not None and not store.ours(known.incident):
        # Its next revision is another box's to tell. Here it goes on in silence, and what is new is a story of its own.
        _save(store, _continued(known, finding, why, 0), finding, known.seen)
        _begin(store, finding, news)
        return
    incident = _continued(known, finding, why, int(why is not None and earlier is None))
    _save(store, incident, finding, known.seen)
    if earlier is not None:
        news[incident.incident_id] = replace(earlier, incident=incident)
    elif why is not None:
        news[incident.incident_id] = Revision(incident, finding, why)


def _begin(store: Store, finding: Finding, news: dict[str, Revision]) -> None:
    if is_muted(store, finding):
        return
    incident = _begun(finding)
    _save(store, incident, finding, {})
    news[incident.incident_id] = Revision(incident, finding, "new")


def tell(store: Store, revision: Revision, time: datetime | None = None) -> None:
    """Write down a revision; `time` is by default that of the finding's frame."""
    incident, finding = revision.incident, revision.finding
    store.execute(
        "INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?)",
        (
            incident.incident_id,
            incident.revision,
            revision.why,
            to_ms(time or finding.frame.time),
            codec.incident_text(incident),
            codec.finding_text(finding),
        ),
    )


def _begun(finding: Finding) -> Incident:
    frame = finding.frame
    return Incident(
        incident_id=id_of(finding),
        scene=finding.scene,
        stage=finding.stage,
        status="open",
        revision=1,
        priority=finding.priority,
        code=finding.code,
        confidence=finding.confidence,
        place=finding.place,
        first_seen=frame.time,
        last_seen=frame.time,
        looks=finding.looks,
        sensors=(frame.kind,),
        sources=_sources(finding),
        stages=(finding.stage,),
        zones=finding.zones,
        permit=finding.permit,
        first_frame=frame.frame_id,
        extent_m2=finding.extent_m2,
        footprint=finding.footprint,
        vehicle=finding.vehicle,
        window_s=finding.window_s,
    )


def _continued(known: Known, finding: Finding, why: Why | None, step: int) -> Incident:
    """The incident with a finding added to it; `step` is added to its revision."""
    incident, frame = known.incident, finding.frame
    revision = incident.revision + step
    return replace(
        incident,
        status=_status(incident.status, revision),
        revision=revision,
        stage=finding.stage if why == "stage" else incident.stage,
        priority=_priority(known, finding) if why in ("stage", "sensor", "vehicle") else incident.priority,
        confidence=_confidence(incident, finding),
        place=_latest(incident, finding) if finding.trip else _better(incident.place, finding.place),
        first_seen=min(incident.first_seen, frame.time),
        last_seen=max(incident.last_seen, frame.time),
        looks=incident.looks + (frame.frame_id != known.last_frame),
        sensors=_with(incident.sensors, frame.kind),
        sources=_with(incident.sources, *_sources(finding)),
        stages=_with(incident.stages, finding.stage),
        zones=_with(incident.zones, *finding.zones),
        permit=finding.permit,
        extent_m2=finding.extent_m2 if incident.extent_m2 is None or why == "extent" else incident.extent_m2,
        footprint=incident.footprint or finding.footprint,
        vehicle=_vehicle(incident.vehicle, finding),
        window_s=finding.window_s,
    )


def _news(incident: Incident, finding: Finding) -> Why | None:
    """What a finding adds to what was told, the gravest first."""
    if finding.permit.result == "lapsed" and incident.permit.result == "covered":
        return "permit_lapsed"
    if finding.trip:
        return "vehicle" if _vehicle(incident.vehicle, finding) != incident.vehicle else None
    if finding.stage not in incident.stages:
        return "stage"
    if finding.frame.kind not in incident.sensors:
        return "sensor"
    old, new = incident.extent_m2, finding.extent_m2
    return "extent" if old is not None and new is not None and new >= GROWTH * old else None


def _status(status: Status, revision: int) -> Status:
    """What was confirmed stays so; what had expired and is seen again goes on."""
    if status in ("open", "updated", "expired"):
        return "open" if revision == 1 else "updated"
    return status


def _priority(known: Known, finding: Finding) -> Priority:
    """One step up if another sensor or stage saw it within a week; never more than one step in all.

    A truck's is that of its gravest passage.
    """
    if finding.trip:
        return min(known.incident.priority, finding.priority)
    now = to_ms(finding.frame.time)
    own = {f"sensor:{finding.frame.kind}", f"stage:{finding.stage}"}
    others = [time for key, time in known.seen.items() if key not in own]
    if not any(abs(now - time) <= CORROBORATION_S * 1000 for time in others):
        return known.incident.priority
    return min(known.incident.priority, Priority(max(Priority.URGENT, finding.priority - 1)))


def _confidence(incident: Incident, finding: Finding) -> float:
    """The surest look; a second sensor errs independently of the first, so its doubt multiplies."""
    if finding.frame.kind not in incident.sensors:
        return round(1.0 - (1.0 - incident.confidence) * (1.0 - finding.confidence), 4)
    return max(incident.confidence, finding.confidence)


def _better(old: Place, new: Place) -> Place:
    """The place that is known better; the older of equals."""
    if isinstance(old, Placement) and isinstance(new, Placement):
        return new if new.error_m < old.error_m else old
    return old if isinstance(old, Placement) else new


def _latest(incident: Incident, finding: Finding) -> Place:
    """Where a truck on its trip was last."""
    later = finding.frame.time >= incident.last_seen and isinstance(finding.place, Placement)
    return finding.place if later else incident.place


def _vehicle(before: VehicleFinding | None, finding: Finding) -> VehicleFinding | None:
    """The vehicle of an incident with what a finding adds: reasons are gathered, and a plate stays read."""
    now = finding.vehicle
    if before is None or now is None:
        return now or before
    named = now if now.plate and not before.plate else before
    return replace(named, reasons=_with(before.reasons, *now.reasons))


def _sources(finding: Finding) -> tuple[str, ...]:
    """The frame's source, and those of the evidence: cameras that failed together are one finding."""
    return _with((finding.frame.source_id,), *(seen.frame.source_id for seen in finding.evidence))


def _with(known: tuple[str, ...], *more: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *more)))


def _save(store: Store, incident: Incident, finding: Finding, seen: Mapping[str, int]) -> None:
    place, frame = incident.place, finding.frame
    now = to_ms(frame.time)
    marks = (f"sensor:{frame.kind}", f"stage:{finding.stage}")
    seen = {**seen, **{mark: max(now, seen.get(mark, now)) for mark in marks}}
    where: tuple[float | None, ...] = (None, None, None, None)
    if isinstance(place, Placement):
        where = (place.lon, place.lat, place.error_m, size_m(place))
    store.execute(
        "INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?)"
        " ON CONFLICT (incident_id) DO UPDATE SET status = excluded.status, lon = excluded.lon,"
        " lat = excluded.lat, error_m = excluded.error_m, size_m = excluded.size_m,"
        " footprint = excluded.footprint, first_ms = excluded.first_ms, last_ms = excluded.last_ms,"
        " until_ms = excluded.until_ms, last_frame = excluded.last_frame, seen = excluded.seen,"
        " document = excluded.document, finding = excluded.finding",
        (
            incident.incident_id,
            incident.scene,
            incident.status,
            *where,
            incident.footprint,
            to_ms(incident.first_seen),
            to_ms(incident.last_seen),
            to_ms(incident.last_seen + timedelta(seconds=incident.window_s)),
            frame.frame_id,
            json.dumps(seen, separators=(",", ":")),
            codec.incident_text(incident),
            codec.finding_text(finding),
        ),
    )
    store.execute(
        "INSERT INTO incident_sources VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (incident.scene, frame.source_id, incident.incident_id),
    )
