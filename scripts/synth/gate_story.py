"""What passes the gate on the afternoon of 24 March, what its devices say of it, and what must be decided. No Blender.

The weighbridge says one thing twice, one thing late and one not at all; the wash station's clock is 90 s ahead and it
is silent once; a smart camera reads the one plate that mud hides, which alone opens nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from gate_lanes import DAY, ENTRY, EXIT, FPS, Lane, crossing

GATE, SCALE, WASH, SMART = "north", "scale-1", "wash-1", "smart-1"
WASH_CLOCK_S = 90.0
LATE_S = 40.0
LENGTH_S = 10 * 60.0


@dataclass(frozen=True)
class Truck:
    """One passage: what is seen, what is measured, and what follows from the registers."""

    lane: Lane
    start_s: float
    """First frame, seconds from the beginning of the videos."""
    plate: str
    paint: str
    decision: str
    note: str
    reasons: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    kg: float | None = None
    wash_s: float | None = None
    mud: float = 0.0
    """Share of the plate that it hides."""
    dirty: bool = False
    scale: str = ""
    """twice, late: how its message comes."""
    smart: bool = False

    @property
    def crossed(self) -> dt.datetime:
        return DAY + dt.timedelta(seconds=self.start_s + crossing(self.lane) / FPS)


TRUCKS = (
    Truck(ENTRY, 15, "浙D3C916", "green", "open", "approved, with a load", kg=29_400, scale="twice"),
    Truck(ENTRY, 75, "浙D5A728", "orange", "hold", "not registered", ("M01",), kg=30_100),
    Truck(
        ENTRY,
        135,
        "浙D9H137",
        "orange",
        "hold",
        "its permit lapsed in 2025; the scale says nothing",
        ("M02",),
    ),
    Truck(
        ENTRY,
        195,
        "浙D1K625",
        "green",
        "hold",
        "approved from 19:00 to 06:00",
        ("M03",),
        kg=28_900,
        scale="late",
    ),
    Truck(ENTRY, 255, "浙D7K264", "red", "hold", "6.3 t over its limit", ("M06",), kg=36_900),
    Truck(
        ENTRY,
        315,
        "浙D2E419",
        "green",
        "review",
        "mud on its plate: unreadable, which is no reason to bar it",
        kg=28_200,
        mud=0.5,
        smart=True,
    ),
    Truck(
        ENTRY,
        375,
        "浙D6FB50",
        "orange",
        "review",
        "not registered, but B is easily taken for the 8 of one that is",
        readings=("浙D6FB50", "浙D6F850"),
        kg=29_000,
    ),
    Truck(EXIT, 425, "浙D3C916", "green", "open", "empty and washed", kg=12_320, wash_s=26),
    Truck(
        EXIT, 495, "浙D8L206", "red", "hold", "washed for 4 s only", ("M07",), kg=12_550, wash_s=4, dirty=True
    ),
    Truck(
        EXIT,
        560,
        "浙D4M079",
        "orange",
        "open",
        "the wash station says nothing: unknown, not guilty",
        kg=12_480,
    ),
)


def _clock(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _weighing(number: int, truck: Truck) -> Iterator[tuple[dt.datetime, str, dict]]:
    if truck.kg is None:
        return
    # The weighbridge lies behind the line; on their way out trucks are weighed before they come to it.
    moment = truck.crossed + dt.timedelta(seconds=3.2 if truck.lane is ENTRY else -11.0)
    body = {
        "message_id": f"{SCALE}/{number:04d}",
        "device_id": SCALE,
        "gate_id": GATE,
        "time": _clock(moment),
        "kg": truck.kg,
    }
    delay = LATE_S if truck.scale == "late" else 0.4
    yield moment + dt.timedelta(seconds=delay), "/v1/weighing", body
    if truck.scale == "twice":
        yield moment + dt.timedelta(seconds=2.6), "/v1/weighing", body


def _washing(number: int, end: dt.datetime, seconds: float) -> tuple[dt.datetime, str, dict]:
    """What the station says when a wash is over, by its clock."""
    body = {
        "message_id": f"{WASH}/{number:04d}",
        "device_id": WASH,
        "gate_id": GATE,
        "time": _clock(end + dt.timedelta(seconds=WASH_CLOCK_S)),
        "seconds": seconds,
        "passed": seconds >= 20,
    }
    return end + dt.timedelta(seconds=0.5), "/v1/washing", body


def _washings() -> Iterator[tuple[dt.datetime, str, dict]]:
    # Trucks that left before the videos begin; from these the gate learns how the station's clock goes.
    for number, minutes in enumerate((-29, -22, -16)):
        yield _washing(9000 + number, DAY + dt.timedelta(minutes=minutes), 25)
    for number, truck in enumerate(TRUCKS, 1):
        if truck.wash_s is not None:
            yield _washing(number, truck.crossed - dt.timedelta(seconds=14), truck.wash_s)


def _smart(number: int, truck: Truck) -> Iterator[tuple[dt.datetime, str, dict]]:
    if not truck.smart:
        return
    vehicle = {
        "MotorVehicleID": f"{SMART}-{number:04d}",
        "InfoKind": 1,
        "SourceID": f"{SMART}-{number:04d}-src",
        "DeviceID": SMART,
        "PassTime": f"{truck.crossed:%Y%m%d%H%M%S}",
        "HasPlate": "1",
        "PlateClass": "01",
        "PlateColor": "6",
        "PlateNo": truck.plate,
        "PlateReliability": "62",
        "VehicleClass": "H11",
        "Direction": "1",
    }
    body = {"MotorVehicleListObject": {"MotorVehicleObject": [vehicle]}}
    yield truck.crossed + dt.timedelta(seconds=0.8), "/VIID/MotorVehicles", body


def messages() -> list[dict]:
    """What the devices send, in the order in which it comes: when, to which path, the JSON body."""
    sent = list(_washings())
    for number, truck in enumerate(TRUCKS, 1):
        sent += [*_weighing(number, truck), *_smart(number, truck)]
    return [
        {"received": _clock(at), "path": path, "body": body} for at, path, body in sorted(sent, key=_when)
    ]


def _when(message: tuple[dt.datetime, str, dict]) -> dt.datetime:
    return message[0]


def truth() -> dict:
    """What must be found: every passage with its decision."""
    return {
        "gate": GATE,
        "begin": DAY.isoformat(),
        "seconds": LENGTH_S,
        "wash_clock_ahead_s": WASH_CLOCK_S,
        "passages": [_told(truck) for truck in TRUCKS],
    }


def _told(truck: Truck) -> dict:
    entering = truck.lane is ENTRY
    return {
        "camera": truck.lane.name,
        "direction": "enter" if entering else "leave",
        "crossed": _clock(truck.crossed),
        "plate": truck.plate,
        "readable": not truck.mud,
        "decision": truck.decision,
        "reasons": list(truck.reasons),
        "readings": list(truck.readings),
        "smart_camera": truck.plate if truck.smart else None,
        "gross_kg": truck.kg if entering else None,
        "tare_kg": None if entering else truck.kg,
        "washed": None if truck.wash_s is None else truck.wash_s >= 20,
        "note": truck.note,
    }
