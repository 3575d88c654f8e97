"""Pushes of smart cameras, as vendors send them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from huoyan.gate import ga1400
from huoyan.gate.ga1400 import Pushed
from huoyan.gate.messages import BadMessage

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 24, 2, 0, 1, tzinfo=UTC)
VEHICLE: dict[str, Any] = {
    "MotorVehicleID": "3301-1",
    "DeviceID": "smart-1",
    "PassTime": "20260324100000",
    "PlateNo": "浙D3C916",
    "PlateColor": "6",
    "PlateReliability": "93",
    "VehicleClass": "h11",
    "Direction": "1",
}


def parse(*vehicles: dict[str, Any]) -> list[Pushed]:
    body = {"MotorVehicleListObject": {"MotorVehicleObject": list(vehicles)}}
    return ga1400.parse(json.dumps(body).encode(), NOW, ZONE, {"smart-1": {"1": "enter", "2": "leave"}})


def test_a_passage() -> None:
    (pushed,) = parse(VEHICLE)
    told = pushed.passage
    assert told.time == datetime(2026, 3, 24, 2, 0, tzinfo=UTC)
    assert (told.plate.text, told.plate.colour, told.plate.confidence) == ("浙D3C916", "yellow", 0.93)
    assert (told.direction, told.vehicle_class, told.message_id) == ("enter", "H11", "3301-1")


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"PassTime": "20260324100000250"}, {"time": datetime(2026, 3, 24, 2, 0, 0, 250000, UTC)}),
        ({"PassTime": "2026-03-24 10:00:00"}, {"time": datetime(2026, 3, 24, 2, tzinfo=UTC)}),
        ({"PassTime": 20260324100000}, {"time": datetime(2026, 3, 24, 2, tzinfo=UTC)}),
        ({"PassTime": None, "AppearTime": "20260324100000"}, {"time": datetime(2026, 3, 24, 2, tzinfo=UTC)}),
        ({"PlateColor": 5}, {"colour": "blue"}),
        ({"PlateColor": "99"}, {"colour": ""}),
        ({"PlateNo": "无车牌"}, {"text": ""}),
        ({"HasPlate": "0"}, {"text": ""}),
        ({"PlateNo": "浙d·3C916"}, {"text": "浙D3C916"}),
        ({"PlateReliability": None}, {"confidence": 0.5}),
        ({"PlateReliability": 0.8}, {"confidence": 0.8}),
        ({"Direction": "7"}, {"direction": "unknown"}),
        ({"DeviceID": None, "TollgateID": "smart-1"}, {"device_id": "smart-1"}),
    ],
)
def test_what_vendors_do_differently(change: dict[str, Any], seen: dict[str, Any]) -> None:
    (pushed,) = parse({**VEHICLE, **change})
    told = pushed.passage
    values = {
        "time": told.time,
        "text": told.plate.text,
        "colour": told.plate.colour,
        "confidence": told.plate.confidence,
        "direction": told.direction,
        "device_id": told.device_id,
    }
    assert {key: values[key] for key in seen} == seen


def test_one_object_where_a_list_is_expected() -> None:
    body = json.dumps({"MotorVehicleListObject": {"MotorVehicleObject": VEHICLE}}).encode()
    assert len(ga1400.parse(body, NOW, ZONE, {})) == 1


def test_an_id_of_our_own_is_the_same_for_the_same_passage() -> None:
    without = {key: value for key, value in VEHICLE.items() if key != "MotorVehicleID"}
    (first,), (again,) = parse(without), parse(without)
    (other,) = parse({**without, "PlateNo": "浙D3C917"})
    assert first.passage.message_id == again.passage.message_id != other.passage.message_id


def test_pictures_in_all_their_spellings() -> None:
    data = b"\xff\xd8\xff" + bytes(range(200))
    text = base64.b64encode(data).decode()
    spellings = [text, f"data:image/jpeg;base64,{text}", text[:60] + "\r\n" + text[60:]]
    images = [{"Data": one} for one in spellings] + [{"Data": ""}, {}]
    (pushed,) = parse({**VEHICLE, "SubImageList": {"SubImageInfoObject": images}})
    assert pushed.pictures == (data, data, data)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"PassTime": "20261340100000"}, "PassTime"),
        ({"PassTime": "soon"}, "PassTime"),
        ({"PassTime": None}, "PassTime"),
        ({"DeviceID": None}, "DeviceID"),
        ({"SubImageList": {"SubImageInfoObject": [{"Data": "!!!"}]}}, "SubImageInfoObject.0.Data"),
    ],
)
def test_what_cannot_be_used_is_told_by_its_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse(VEHICLE, {**VEHICLE, **change})
    assert "MotorVehicleObject.1." in caught.value.subject and caught.value.subject.endswith(field)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"MotorVehicleListObject": {}}', b"7"])
def test_a_body_without_passages(body: bytes) -> None:
    with pytest.raises(BadMessage, match="is missing"):
        ga1400.parse(body, NOW, ZONE, {})


def test_the_answer_has_a_status_for_each() -> None:
    answer = ga1400.response(["a", "b"], ga1400.PATH, NOW.astimezone(ZONE))
    states = answer["ResponseStatusListObject"]["ResponseStatusObject"]
    assert [(s["Id"], s["StatusCode"], s["LocalTime"]) for s in states] == [
        ("a", "0", "20260324100001"),
        ("b", "0", "20260324100001"),
    ]
