"""The alert document as checked models: a CloudEvents 1.0 envelope round a GeoJSON Feature.

`python -m huoyan.alerts.schema` writes the JSON Schema generated from these models beside this file; the
committed `alert.v1.schema.json` travels in the wheel, and a test keeps it current.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from huoyan.records import Status

TYPE: Literal["huoyan.alert.v1"] = "huoyan.alert.v1"
DATASCHEMA = "urn:huoyan:schema:alert.v1"
CONTENT_TYPE: Literal["application/geo+json"] = "application/geo+json"
SCHEMA_FILE = Path(__file__).with_name("alert.v1.schema.json")

Instant = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        description="RFC 3339, UTC, milliseconds",
        json_schema_extra={"format": "date-time"},
    ),
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
IncidentId = Annotated[str, Field(min_length=1, description="UUID of the incident; the same on a replay")]
Lon = Annotated[float, Field(ge=-180, le=180)]
Lat = Annotated[float, Field(ge=-90, le=90)]
Position = tuple[Lon, Lat]
"""(longitude, latitude), WGS 84 degrees, as RFC 7946 wants it."""


class Model(BaseModel):
    # Every document holds every key, null where there is nothing to say, so the schema asks for them.
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class Point(Model):
    type: Literal["Point"] = "Point"
    coordinates: Position


class Polygon(Model):
    type: Literal["Polygon"] = "Polygon"
    coordinates: Annotated[list[Annotated[list[Position], Field(min_length=4)]], Field(min_length=1)]
    """Closed rings: the first position is repeated at the end."""


class Scene(Model):
    id: str
    zh: str
    en: str


class Placed(Model):
    """How well the place is known."""

    error_m: Annotated[float, Field(ge=0, description="68 % radius in metres")]
    method: str
    outline: Annotated[
        Polygon | None, Field(description="Ground outline where an area was placed (satellite change)")
    ] = None


class NotPlaced(Model):
    """Why there is no place; the Feature's geometry is null."""

    reason: str


class Permit(Model):
    result: Literal["none", "covered", "lapsed", "not_needed"]
    id: str | None = None
    note: str = ""


class Reason(Model):
    id: str
    zh: str
    en: str


class Vehicle(Model):
    plate: Annotated[str, Field(description="empty where it could not be read for certain")]
    colour: str
    confidence: Annotated[float, Field(ge=0, le=1)]
    reasons: list[Reason]
    level: Annotated[
        Literal["green", "yellow", "red"] | None, Field(description="by what it did before; null: not known")
    ] = None


class Picture(Model):
    role: Literal["wide", "close", "before", "after", "plate", "load"]
    href: Annotated[str, Field(description="Relative to the state folder, with forward slashes")]
    sha256: Sha256
    time: Instant


class Explanation(Model):
    """One sentence that a crew understands, in local time."""

    zh: str
    en: str


class ModelRef(Model):
    """A model that took part."""

    name: str
    version: str
    sha256: str


class Properties(Model):
    incident_id: IncidentId
    revision: Annotated[int, Field(ge=1)]
    why: Annotated[
        Literal["new", "stage", "sensor", "extent", "permit_lapsed", "vehicle", "verdict"],
        Field(description="What this revision has to tell"),
    ]
    status: Status
    scene: Scene
    stage: str
    code: Annotated[str, Field(description="Event code of the urban-management event classes")]
    priority: Annotated[int, Field(ge=1, le=4, description="1 urgent, 2 high, 3 normal, 4 for the record")]
    confidence: Annotated[float, Field(ge=0, le=1)]
    first_seen: Instant
    last_seen: Instant
    looks: Annotated[int, Field(ge=1)]
    sensors: list[str]
    sources: list[str]
    position: Placed | NotPlaced
    zones: list[str]
    footprint: str | None = None
    extent_m2: Annotated[float, Field(ge=0)] | None = None
    rule: Annotated[str, Field(description="The condition that held, in the words of the rule")]
    permit: Permit
    vehicle: Vehicle | None = None
    evidence: list[Picture]
    explanation: Explanation
    models: list[ModelRef]
    config_sha256: str


class Feature(Model):
    type: Literal["Feature"] = "Feature"
    id: IncidentId
    geometry: Annotated[Point | None, Field(description="null where position.reason says why")]
    properties: Properties


class AlertDocument(Model):
    """One revision of an incident, told."""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(pattern=r"^.+\.\d+$", description="<incident_id>.<revision>")]
    source: Annotated[str, Field(min_length=1, json_schema_extra={"format": "uri-reference"})]
    type: Literal["huoyan.alert.v1"] = TYPE
    subject: IncidentId
    time: Instant
    dataschema: Annotated[str, Field(json_schema_extra={"format": "uri"})] = DATASCHEMA
    datacontenttype: Literal["application/geo+json"] = CONTENT_TYPE
    data: Feature


def generate() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of an alert document."""
    schema = AlertDocument.model_json_schema(mode="serialization")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": DATASCHEMA,
        "title": "Huoyan alert, version 1",
    }
    body: dict[str, Any] = _untitled(schema)
    return head | body


def _untitled(node: Any) -> Any:
    """Without the titles that pydantic makes up from field names."""
    if isinstance(node, list):
        return [_untitled(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {k: _untitled(v) for k, v in node.items() if k != "title" or not isinstance(v, str)}


def text() -> str:
    """The schema as the committed file holds it."""
    return json.dumps(generate(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(text(), encoding="utf-8")
