"""A vehicle in one frame before the register: a passage of a single look, judged by the rules of all passages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from huoyan.config_vehicles import Limits
from huoyan.passage import Passage, PlateReading, Sight, Verdict, passage_id
from huoyan.records import Detection, Observation, PermitCheck, VehicleFinding
from huoyan.registry import Registry, Vehicle, plate_key
from huoyan.vehicles import Context, judge, permit_days


@dataclass(frozen=True, slots=True)
class Check:
    """A vehicle and what its permit is worth now; None where nothing can be said against or for it, and why."""

    vehicle: VehicleFinding | None
    permit: PermitCheck
    detail: str


def check(observation: Observation, registry: Registry, timezone: ZoneInfo, limits: Limits) -> Check:
    """Put the rules M01-M11 to what one frame shows of a vehicle.

    Without a read plate, without a register, and with a reading that is one likely mistake away from an approved
    vehicle there is no finding: none of them is a reason to stop somebody.
    """
    reading = reading_of(observation.detection)
    plate = plate_key(reading.text)
    if not plate:
        return Check(None, PermitCheck("none"), "no plate was read")
    if registry.vehicles is None:
        return Check(None, PermitCheck("none"), "the county gives no register of vehicles")
    verdict = judge(still(observation, reading), registry, Context(timezone, limits=limits))
    known = registry.vehicle(plate)
    if verdict.review or (known is None and not verdict.reasons):
        return Check(None, PermitCheck("none"), verdict.review or "; ".join(verdict.unknown))
    colour = reading.colour or (known.colour if known else "")
    codes = tuple(reason.code for reason in verdict.reasons)
    found = VehicleFinding(verdict.plate, colour, reading.confidence, codes)
    permit = permit_of(verdict, known, registry, observation.frame.time.astimezone(timezone))
    held = "; ".join(f"{reason.code}: {reason.en}" for reason in verdict.reasons)
    return Check(found, permit, f"{plate} is registered" if not held else f"{plate}: {held}")


def still(observation: Observation, reading: PlateReading) -> Passage:
    """The passage that a single frame shows."""
    frame, seen = observation.frame, observation.detection
    return Passage(
        passage_id=passage_id(frame.source_id, frame.time, 0),
        source_id=frame.source_id,
        label=seen.label,
        first_seen=frame.time,
        last_seen=frame.time,
        plate=reading,
        place=observation.place,
        sights=(Sight("wide", frame, seen.box, seen.score),),
    )


def reading_of(detection: Detection) -> PlateReading:
    """What *look* hung on a detection as a reading. A plate that somebody wrote down is as sure as can be."""
    told = detection.attributes
    colour = str(told.get("plate_colour", ""))
    return PlateReading(
        text=detection.text,
        guess=detection.text,
        colour=colour,
        kind=str(told.get("plate_kind", "")),
        confidence=float(told.get("text_score", 1.0)),
        characters=tuple(float(sure) for sure in told.get("text_scores", ())),
        colour_confidence=float(told.get("plate_colour_score", 1.0)) if colour else 0.0,
        reads=1,
        agreeing=1,
    )


def permit_of(verdict: Verdict, known: Vehicle | None, registry: Registry, local: datetime) -> PermitCheck:
    """What the vehicle's permit is worth: its days, and whether it allows what is going on."""
    if known is None:
        return PermitCheck("none")
    name, day = known.permit or None, local.date()
    first, last = permit_days(known, registry)
    if last and day > last:
        return PermitCheck("lapsed", name, f"expired on {last}")
    if first and day < first:
        return PermitCheck("none", name, f"begins only on {first}")
    if verdict.reasons:
        return PermitCheck("none", name, "; ".join(reason.en for reason in verdict.reasons))
    return PermitCheck("covered", name, f"until {last}" if last else "registered")
