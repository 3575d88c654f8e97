"""The alert document: valid, the same on every replay, and right in its details."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest

from huoyan import alerts
from huoyan.alerts import schema
from huoyan.records import (
    Alert,
    Evidence,
    PermitCheck,
    Placement,
    Priority,
    Revision,
    Unplaced,
    VehicleFinding,
)

NAMES = {"earthwork": ("开挖平整", "Earthwork")}
MODELS = (alerts.ModelRef(name="site-n", version="1", sha256="a" * 64),)


def build(revision: Revision, **options: Any) -> Alert:
    options = {
        "scene_names": NAMES,
        "models": MODELS,
        "config_sha256": "c" * 64,
        "source": "urn:huoyan:sample",
    } | options
    return alerts.build(revision, **options)


def validate(document: Any) -> None:
    committed = json.loads(schema.SCHEMA_FILE.read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(committed, format_checker=jsonschema.FormatChecker())
    checker.validate(document)


def test_the_committed_schema_is_current() -> None:
    assert schema.SCHEMA_FILE.read_text(encoding="utf-8") == schema.text(), (
        "run: python -m huoyan.alerts.schema"
    )
    jsonschema.Draft202012Validator.check_schema(schema.generate())


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "unplaced": {"place": Unplaced("above the horizon")},
    "outline": {
        "kind": "satellite",
        "place": Placement(120.9, 29.5, 5.0, "raster", ((120.9, 29.5), (120.9, 29.501), (120.901, 29.501))),
        "extent_m2": 812.34,
        "footprint": "b-17",
    },
    "vehicle": {
        "vehicle": VehicleFinding("浙A12345", "yellow", 0.97, ("M01", "M08")),
        "permit": PermitCheck("lapsed", "P-9", "ended 2026-04-30"),
    },
    "many sensors": {"sensors": ("camera", "satellite"), "sources": ("a", "b", "c", "d"), "zones": ()},
    "verdict": {"why": "verdict", "status": "confirmed", "revision": 4},
    "reports": {"why": "extent", "extent_m2": 90.0, "priority": Priority.URGENT},
}


@pytest.mark.parametrize("case", CASES)
def test_documents_are_valid_and_repeatable(case: str, make_revision: Any) -> None:
    revision = make_revision(**CASES[case])
    evidence = (Evidence("wide", "evidence/x/1-wide.jpg", "0" * 64, revision.finding.frame.time),)
    first, second = (build(revision, evidence=evidence) for _ in range(2))
    validate(first.document)
    assert json.dumps(first.document) == json.dumps(second.document)
    assert first.document == json.loads(json.dumps(first.document)), "JSON values only"
    incident = revision.incident
    assert first.alert_id == first.document["id"] == f"{incident.incident_id}.{incident.revision}"
    assert first.document["subject"] == first.document["data"]["id"] == incident.incident_id
    assert first.time == revision.finding.frame.time


def test_the_schema_refuses_what_is_wrong(make_revision: Any) -> None:
    good = build(make_revision()).document
    for path, value in {
        ("time",): "yesterday",
        ("specversion",): "0.3",
        ("data", "properties", "priority"): 5,
        ("data", "properties", "permit", "result"): "perhaps",
        ("data", "geometry"): {"type": "Point", "coordinates": [29.5, 120.9]},
        ("data", "properties", "evidence"): [{"role": "selfie", "href": "x", "sha256": "0" * 64, "time": ""}],
    }.items():
        bad = json.loads(json.dumps(good))
        node = bad
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
        with pytest.raises(jsonschema.ValidationError):
            validate(bad)
    for key in good:
        with pytest.raises(jsonschema.ValidationError):
            validate({k: v for k, v in good.items() if k != key})


def test_positions(make_revision: Any) -> None:
    placed = build(make_revision()).document["data"]
    assert placed["geometry"] == {"type": "Point", "coordinates": [120.8996126, 29.4997279]}
    assert placed["properties"]["position"] == {"error_m": 11.7, "method": "homography", "outline": None}
    nowhere = build(make_revision(place=Unplaced("no calibration"))).document["data"]
    assert nowhere["geometry"] is None
    assert nowhere["properties"]["position"] == {"reason": "no calibration"}


def test_an_outline_is_a_closed_counter_clockwise_ring(make_revision: Any) -> None:
    clockwise = ((120.9, 29.5), (120.9, 29.501), (120.901, 29.501))
    place = Placement(120.9, 29.5, 5.0, "raster", clockwise)
    ring = build(make_revision(place=place)).document["data"]["properties"]["position"]["outline"][
        "coordinates"
    ][0]
    assert ring == [[120.901, 29.501], [120.9, 29.501], [120.9, 29.5], [120.901, 29.501]]


def test_times_are_utc_with_milliseconds(make_revision: Any) -> None:
    east = timezone(timedelta(hours=8))
    revision = make_revision(first_seen=datetime(2026, 5, 3, 7, 0, tzinfo=east))
    facts = build(revision).document["data"]["properties"]
    assert facts["first_seen"] == "2026-05-02T23:00:00.000Z"
    assert build(revision).document["time"] == "2026-05-03T01:12:33.456Z"
    told = build(revision, time=datetime(2026, 5, 4, tzinfo=UTC))
    assert told.document["time"] == "2026-05-04T00:00:00.000Z"


def test_a_chinese_county_is_a_valid_source(make_revision: Any) -> None:
    source = build(make_revision(), source="urn:huoyan:样例县").document["source"]
    assert source == "urn:huoyan:%E6%A0%B7%E4%BE%8B%E5%8E%BF"


def test_confidence_is_a_share(make_revision: Any) -> None:
    assert build(make_revision(confidence=1.2)).document["data"]["properties"]["confidence"] == 1.0
    assert build(make_revision()).document["data"]["properties"]["confidence"] == 0.835
