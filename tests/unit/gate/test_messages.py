"""Bodies of weighbridges and wash stations: what is taken, and how what is not is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from huoyan.gate import messages
from huoyan.gate.messages import BadMessage
from huoyan.passage import Washing, Weighing

ROOT = Path(__file__).resolve().parents[3]
RECEIVED = datetime(2026, 3, 24, 2, 0, 1, tzinfo=UTC)
WEIGHING: dict[str, Any] = {
    "message_id": "scale-1/0001",
    "device_id": "scale-1",
    "time": "2026-03-24T10:00:00+08:00",
    "kg": 29400,
}
WASHING: dict[str, Any] = {**WEIGHING, "device_id": "wash-1", "seconds": 25.5}
del WASHING["kg"]


def parse(kind: messages.Kind, body: object, gate: str | None = None) -> Weighing | Washing:
    return messages.parse(kind, json.dumps(body).encode(), RECEIVED, gate)


def test_a_weighing() -> None:
    told = parse("weighing", {**WEIGHING, "plate": "浙A·12345", "stable": False})
    assert isinstance(told, Weighing)
    assert told.time == datetime(2026, 3, 24, 2, 0, tzinfo=UTC) and told.time.utcoffset() == timedelta(0)
    assert (told.kg, told.plate, told.stable, told.gate_id) == (29400, "浙A·12345", False, "")


def test_a_washing_with_its_gate_by_the_topic() -> None:
    told = parse("washing", {**WASHING, "passed": False}, "north")
    assert isinstance(told, Washing)
    assert (told.seconds, told.passed, told.gate_id, told.received) == (25.5, False, "north", RECEIVED)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"kg": None}, "kg", "number"),
        ({"kg": "29400"}, "kg", "number, got '29400'"),
        ({"kg": -1}, "kg", "greater than or equal to 0"),
        ({"kg": 1e9}, "kg", "less than or equal to 200000"),
        ({"kg": float("nan")}, "kg", "less than or equal to 200000, got nan"),
        ({"time": "2026-03-24T10:00:00"}, "time", "timezone"),
        ({"time": "yesterday"}, "time", "datetime"),
        ({"message_id": ""}, "message_id", "at least 1"),
        ({"message_id": "a\nb"}, "message_id", "pattern"),
        ({"plate": "浙" * 17}, "plate", "at most 16"),
        ({"plates": "浙A12345"}, "plates", "not known here"),
        ({"device_id": ...}, "device_id", "is missing"),
    ],
)
def test_a_mistake_is_told_by_its_field(change: dict[str, Any], field: str, words: str) -> None:
    body = {key: value for key, value in {**WEIGHING, **change}.items() if value is not ...}
    with pytest.raises(BadMessage, match=words) as caught:
        parse("weighing", body)
    assert caught.value.subject == field and caught.value.status == 422


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        (b"\xff\xfe", 400, "not_utf8"),
        (b"[]", 400, "no_object"),
        (b"[" * 40000, 400, "not_json"),
        (b" " * (messages.LARGEST_BODY + 1), 413, "too_long"),
    ],
)
def test_what_is_no_message(raw: bytes, status: int, code: str) -> None:
    with pytest.raises(BadMessage) as caught:
        messages.parse("weighing", raw, RECEIVED)
    assert (caught.value.status, caught.value.code) == (status, code)


def test_a_body_of_another_gate_than_its_topic() -> None:
    with pytest.raises(BadMessage, match="'north' or none, got 'south'") as caught:
        parse("weighing", {**WEIGHING, "gate_id": "south"}, "north")
    assert caught.value.subject == "gate_id"


@pytest.mark.parametrize("kind", messages.KINDS)
def test_the_published_schema_is_the_one_that_is_checked(kind: messages.Kind) -> None:
    """`python scripts/write_schemas.py` writes the files anew."""
    file = ROOT / "docs" / "schemas" / f"{kind}.v1.schema.json"
    published = json.loads(file.read_text(encoding="utf-8"))
    assert published == messages.schemas()[file.name]
    jsonschema.Draft202012Validator.check_schema(published)
    good = WEIGHING if kind == "weighing" else WASHING
    jsonschema.validate(good, published)
    for bad in (
        {**good, "message_id": 7},
        {**good, "other": 1},
        {k: v for k, v in good.items() if k != "time"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, published)
        with pytest.raises(BadMessage):
            parse(kind, bad)
