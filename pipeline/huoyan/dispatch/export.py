"""The queue as GeoJSON, CSV and JSON for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from huoyan.dispatch.items import Item

COLUMNS = (
    "alert_id",
    "scene",
    "scene_zh",
    "code",
    "priority",
    "status",
    "queue_state",
    "verdict",
    "confidence",
    "lon",
    "lat",
    "error_m",
    "zones",
    "permit",
    "permit_id",
    "plate",
    "reasons",
    "first_seen",
    "last_seen",
    "looks",
    "sensors",
    "sources",
    "explanation_zh",
    "explanation_en",
    "evidence",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_json(items: Sequence[Item]) -> str:
    """The alerts as they were told: a JSON array of CloudEvents (`application/cloudevents-batch+json`)."""
    return dumped([item.document for item in items])


def to_geojson(items: Sequence[Item]) -> str:
    """The alerts as a GeoJSON FeatureCollection; those without a place have a null geometry."""
    features = []
    for item in items:
        feature = item.document["data"]
        properties = {"alert_id": item.alert_id, **feature["properties"], "queue": _queue(item)}
        features.append({**feature, "id": item.alert_id, "properties": properties})
    return dumped({"type": "FeatureCollection", "features": features})


def to_csv(items: Sequence[Item]) -> str:
    """The alerts as CSV for spreadsheets: lines end in CR LF, times are UTC, lists are joined with `; `.

    Text that a spreadsheet would take for a formula gets an apostrophe in front. Write it as UTF-8 with a
    byte order mark (`utf-8-sig`), or Excel shows Chinese as noise.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in items:
        writer.writerow([_cell(value) for value in _row(item)])
    return out.getvalue()


def as_values(item: Item) -> dict[str, Any]:
    """An alert and its state on the queue as JSON values; the CloudEvents envelope is under `alert`."""
    return {
        "alert_id": item.alert_id,
        "incident_id": item.incident_id,
        "revision": item.revision,
        "scene": item.scene,
        "priority": int(item.priority),
        "time": item.time.isoformat(),
        **_queue(item),
        "alert": item.document,
    }


def dumped(value: object) -> str:
    """JSON for people and programs: Chinese as it is, two spaces, a line end."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _queue(item: Item) -> dict[str, Any]:
    return {
        "state": item.state,
        "attempts": item.attempts,
        "ready_at": item.ready_at.isoformat(),
        "owner": item.owner,
        "lease_until": item.lease_until.isoformat() if item.lease_until else None,
        "verdict": item.verdict,
        "note": item.note,
    }


def _row(item: Item) -> list[object]:
    feature = item.document["data"]
    facts = feature["properties"]
    lon, lat = feature["geometry"]["coordinates"] if feature["geometry"] else (None, None)
    vehicle = facts["vehicle"] or {}
    return [
        item.alert_id,
        facts["scene"]["id"],
        facts["scene"]["zh"],
        facts["code"],
        int(item.priority),
        facts["status"],
        item.state,
        item.verdict,
        facts["confidence"],
        lon,
        lat,
        facts["position"].get("error_m"),
        facts["zones"],
        facts["permit"]["result"],
        facts["permit"]["id"],
        vehicle.get("plate"),
        [reason["id"] for reason in vehicle.get("reasons", [])],
        facts["first_seen"],
        facts["last_seen"],
        facts["looks"],
        facts["sensors"],
        facts["sources"],
        facts["explanation"]["zh"],
        facts["explanation"]["en"],
        [picture["href"] for picture in facts["evidence"]],
    ]


def _cell(value: object) -> object:
    """A cell: numbers as they are (a negative longitude is no formula), text made safe."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = "; ".join(str(part) for part in value) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
