"""An alert from a revision of an incident: a pure function, so that a replay gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from huoyan.alerts import schema, words
from huoyan.records import Alert, Evidence, Incident, Place, Placement, Revision, VehicleFinding, utc

DEGREES_DIGITS = 7
"""Digits kept of a longitude or latitude: 1e-7 degrees are about a centimetre."""


def build(
    revision: Revision,
    *,
    scene_names: words.Names,
    models: Sequence[schema.ModelRef],
    config_sha256: str,
    source: str,
    evidence: Sequence[Evidence] = (),
    timezone: tzinfo | str = UTC,
    zone_names: Mapping[str, str] | None = None,
    stage_names: words.Names | None = None,
    time: datetime | None = None,
) -> Alert:
    """Tell a revision as an alert.

    Args:
        revision: the incident with the finding that made it worth telling.
        scene_names: Chinese and English name by scene id; a scene without them goes by its id.
        models: the models that took part.
        config_sha256: digest of the configuration in force.
        source: who speaks, as a URI reference such as `urn:huoyan:样例县`; other characters are
            percent-encoded.
        evidence: the pictures.
        timezone: of the crew that reads the explanation, a `tzinfo` or a name such as `Asia/Shanghai`.
        zone_names: name by zone id for the explanation.
        stage_names: Chinese and English name by stage id for the explanation.
        time: of the event; default the time of the finding's frame, never the wall clock.

    Returns:
        The alert; its `document` holds JSON values only and validates against `alert.v1.schema.json`.
    """
    incident = revision.incident
    when = utc(time or revision.finding.frame.time)
    zone = ZoneInfo(timezone) if isinstance(timezone, str) else timezone
    scene = scene_names.get(incident.scene, (incident.scene, incident.scene))
    zh, en = words.explain(revision, scene, zone_names or {}, stage_names or {}, zone)
    document = schema.AlertDocument(
        id=alert_id(incident),
        source=quote(source, safe="/:@-._~!$&'()*+,;=?#%"),
        subject=incident.incident_id,
        time=instant(when),
        data=schema.Feature(
            id=incident.incident_id,
            geometry=_point(incident.place),
            properties=schema.Properties(
                incident_id=incident.incident_id,
                revision=incident.revision,
                why=revision.why,
                status=incident.status,
                scene=schema.Scene(id=incident.scene, zh=scene[0], en=scene[1]),
                stage=incident.stage,
                code=incident.code,
                priority=int(incident.priority),
                confidence=_share(incident.confidence),
                first_seen=instant(incident.first_seen),
                last_seen=instant(incident.last_seen),
                looks=max(1, incident.looks),
                sensors=list(incident.sensors),
                sources=list(incident.sources),
                position=_position(incident.place),
                zones=list(incident.zones),
                footprint=incident.footprint,
                extent_m2=None if incident.extent_m2 is None else round(incident.extent_m2, 1),
                rule=revision.finding.reason,
                permit=schema.Permit(
                    result=incident.permit.result, id=incident.permit.permit_id, note=incident.permit.note
                ),
                vehicle=_vehicle(incident.vehicle),
                evidence=[_picture(picture) for picture in evidence],
                explanation=schema.Explanation(zh=zh, en=en),
                models=list(models),
                config_sha256=config_sha256,
            ),
        ),
    )
    values: dict[str, Any] = document.model_dump(mode="json")
    return Alert(
        alert_id(incident),
        incident.incident_id,
        incident.revision,
        incident.scene,
        incident.priority,
        when,
        values,
    )


def alert_id(incident: Incident) -> str:
    """`<incident_id>.<revision>`: what consumers tell a repeated delivery by."""
    return f"{incident.incident_id}.{incident.revision}"


def instant(time: datetime) -> str:
    """A time as the document writes it: UTC, milliseconds, `Z`."""
    return utc(time).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, float(value))), 3)


def _point(place: Place) -> schema.Point | None:
    if not isinstance(place, Placement):
        return None
    return schema.Point(coordinates=_degrees(place.lon, place.lat))


def _position(place: Place) -> schema.Placed | schema.NotPlaced:
    if not isinstance(place, Placement):
        return schema.NotPlaced(reason=place.reason)
    ring = [_degrees(lon, lat) for lon, lat in place.outline]
    # RFC 7946 3.1.6: rings are closed, exterior rings run counter-clockwise.
    if len(ring) >= 3 and _signed_area(ring) < 0:
        ring.reverse()
    outline = schema.Polygon(coordinates=[[*ring, ring[0]]]) if len(ring) >= 3 else None
    return schema.Placed(error_m=round(place.error_m, 1), method=place.method, outline=outline)


def _degrees(lon: float, lat: float) -> tuple[float, float]:
    return round(float(lon), DEGREES_DIGITS), round(float(lat), DEGREES_DIGITS)


def _signed_area(ring: Sequence[tuple[float, float]]) -> float:
    """Shoelace formula, relative to the first corner so that degrees do not lose digits."""
    x0, y0 = ring[0]
    shifted = [(x - x0, y - y0) for x, y in ring]
    pairs = zip(shifted, [*shifted[1:], shifted[0]], strict=True)
    return sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs) / 2


def _vehicle(vehicle: VehicleFinding | None) -> schema.Vehicle | None:
    if vehicle is None:
        return None
    reasons = []
    for reason in vehicle.reasons:
        zh, en = words.REASONS.get(reason, (reason, reason))
        reasons.append(schema.Reason(id=reason, zh=zh, en=en))
    return schema.Vehicle.model_validate(
        {
            "plate": vehicle.plate,
            "colour": vehicle.colour,
            "confidence": _share(vehicle.confidence),
            "reasons": reasons,
            "level": vehicle.level or None,
        }
    )


def _picture(picture: Evidence) -> schema.Picture:
    return schema.Picture(
        role=picture.role, href=picture.href, sha256=picture.sha256, time=instant(picture.time)
    )
