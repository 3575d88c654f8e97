"""Passages that a gate's own smart camera recognised: pushes in the manner of GA/T 1400 (`/VIID/MotorVehicles`).

Vendors differ in details, so what can be understood is taken: numbers as text, one object where a list is expected,
times with and without milliseconds. Codes are those of GA/T 1400.3 (colours of annex B: 5 blue, 6 yellow, ...).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from huoyan.gate.messages import BadMessage, loads
from huoyan.passage import Direction, PlateReading, SmartPassage
from huoyan.records import utc
from huoyan.registry import plate_key

PATH = "/VIID/MotorVehicles"
COLOURS = {"1": "black", "2": "white", "5": "blue", "6": "yellow", "9": "green"}
_NO_PLATE = frozenset({"", "无车牌", "未知", "未识别", "车牌", "-"})
_UNRELIABLE = 0.5
MOST_PICTURES = 8


@dataclass(frozen=True, slots=True)
class Pushed:
    """One passage of a push with its pictures, not stored yet."""

    passage: SmartPassage
    pictures: tuple[bytes, ...]


def parse(
    raw: bytes, received: datetime, zone: ZoneInfo, directions: Mapping[str, Mapping[str, Direction]]
) -> list[Pushed]:
    """The passages of a push.

    Args:
        raw: the body.
        received: when it came.
        zone: of the cameras' clocks: their times have no offset.
        directions: what each device's `Direction` means, by device id.

    Raises:
        BadMessage: no JSON (400), or a passage without a device or a time (422), by its field.
    """
    listed = _child(loads(raw), "MotorVehicleListObject")
    objects = _child(listed, "MotorVehicleObject")
    objects = objects if isinstance(objects, list) else [objects]
    found = []
    for index, item in enumerate(objects):
        where = f"MotorVehicleListObject.MotorVehicleObject.{index}"
        if not isinstance(item, dict):
            raise BadMessage("expected an object", subject=where)
        found.append(_passage(item, where, received, zone, directions))
    return found


def response(ids: list[str], path: str, now: datetime, code: str = "0", text: str = "OK") -> dict[str, Any]:
    """The answer that the pushing side expects: a status for each object."""
    clock = now.strftime("%Y%m%d%H%M%S")
    states = [
        {"RequestURL": path, "StatusCode": code, "StatusString": text, "Id": one, "LocalTime": clock}
        for one in ids or [""]
    ]
    return {"ResponseStatusListObject": {"ResponseStatusObject": states}}


def _passage(
    item: Mapping[str, Any],
    where: str,
    received: datetime,
    zone: ZoneInfo,
    directions: Mapping[str, Mapping[str, Direction]],
) -> Pushed:
    device = _text(item, "DeviceID") or _text(item, "TollgateID")
    if not device:
        raise BadMessage("is missing", subject=f"{where}.DeviceID", code="missing")
    time = _time(item, where, zone)
    pictures = _pictures(item, where)
    told = directions.get(device, {})
    passage = SmartPassage(
        message_id=_text(item, "MotorVehicleID") or _own_id(device, time, item),
        device_id=device,
        gate_id="",
        time=time,
        received=utc(received),
        plate=_plate(item),
        direction=told.get(_text(item, "Direction"), "unknown"),
        vehicle_class=_text(item, "VehicleClass").upper(),
    )
    return Pushed(passage, pictures)


def _plate(item: Mapping[str, Any]) -> PlateReading:
    text = plate_key(_text(item, "PlateNo"))
    colour = COLOURS.get(_text(item, "PlateColor"), "")
    if text in _NO_PLATE or _text(item, "HasPlate") in ("0", "false", "False"):
        return PlateReading(colour=colour, why="the smart camera saw no plate")
    sure = _share(item.get("PlateReliability"))
    # What the standard calls optional is left out by most; without it the reading is worth what a coin is.
    return PlateReading(
        text=text, guess=text, colour=colour, confidence=_UNRELIABLE if sure is None else sure
    )


def _time(item: Mapping[str, Any], where: str, zone: ZoneInfo) -> datetime:
    for field in ("PassTime", "AppearTime", "MarkTime"):
        text = _text(item, field)
        if not text:
            continue
        digits = re.sub(r"\D", "", text)
        try:
            if len(digits) in (14, 17):
                moment = datetime.strptime(digits[:14], "%Y%m%d%H%M%S")
                return utc(moment.replace(microsecond=int(digits[14:] or 0) * 1000, tzinfo=zone))
        except ValueError:
            pass
        raise BadMessage(
            f"expected a time yyyyMMddHHmmss, got {text!r:.40}", subject=f"{where}.{field}", code="time"
        )
    raise BadMessage("is missing", subject=f"{where}.PassTime", code="missing")


def _pictures(item: Mapping[str, Any], where: str) -> tuple[bytes, ...]:
    listed = item.get("SubImageList")
    if not isinstance(listed, dict):
        return ()
    images = listed.get("SubImageInfoObject", [])
    images = images if isinstance(images, list) else [images]
    found = []
    for index, image in enumerate(images[:MOST_PICTURES]):
        data = image.get("Data") if isinstance(image, dict) else None
        if not isinstance(data, str) or not data:
            continue
        try:
            # Some put a data URL, some break lines.
            found.append(base64.b64decode(re.sub(r"^data:[^,]*,|\s+", "", data), validate=True))
        except (binascii.Error, ValueError) as error:
            field = f"{where}.SubImageList.SubImageInfoObject.{index}.Data"
            raise BadMessage("expected base64", subject=field, code="base64") from error
    return tuple(found)


def _child(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or value.get(name) is None:
        raise BadMessage("is missing", subject=name, code="missing")
    return value[name]


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    return "" if value is None else str(value).strip()


def _share(value: Any) -> float | None:
    """A reliability, given as 0-100 or 0-1."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return min(1.0, max(0.0, number / 100.0 if number > 1.0 else number))


def _own_id(device: str, time: datetime, item: Mapping[str, Any]) -> str:
    key = f"{device}\n{time.isoformat()}\n{_text(item, 'PlateNo')}"
    return hashlib.sha256(key.encode()).hexdigest()[:24]
