"""What a vehicle's plate says against the register: reasons M01 and M02."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from huoyan.records import Detection, PermitCheck, VehicleFinding
from huoyan.registry import Registry, Vehicle, plate_key


@dataclass(frozen=True, slots=True)
class Verdict:
    """A vehicle and what its permit is worth today; None where nothing can be said, with the reason."""

    vehicle: VehicleFinding | None
    permit: PermitCheck
    detail: str


def check(detection: Detection, registry: Registry, day: date) -> Verdict:
    """Compare a plate with the register on a local day.

    A vehicle without a read plate, and any vehicle of a county without a register, gives no finding: neither
    is a reason to stop somebody.
    """
    plate = plate_key(detection.text)
    if not plate:
        return Verdict(None, PermitCheck("none"), "no plate was read")
    if registry.vehicles is None:
        return Verdict(None, PermitCheck("none"), "the county gives no register of vehicles")
    colour = str(detection.attributes.get("plate_colour", ""))
    sure = float(detection.attributes.get("text_score", 1.0))
    known = registry.vehicle(plate)
    if known is None:
        found = VehicleFinding(detection.text, colour, sure, ("M01",))
        return Verdict(found, PermitCheck("none"), f"M01: {plate} is not registered")
    permit = _permit_of(known, registry, day)
    reasons = () if permit.result == "covered" else ("M02",)
    found = VehicleFinding(known.plate, colour or known.colour, sure, reasons)
    detail = f"{plate} is registered" if not reasons else f"M02: {plate}: {permit.note}"
    return Verdict(found, permit, detail)


def _permit_of(vehicle: Vehicle, registry: Registry, day: date) -> PermitCheck:
    """The vehicle's own days, and those of its permit where the county's register holds it."""
    permit = registry.permit(vehicle.permit) if vehicle.permit else None
    name = vehicle.permit or None
    ends = [end for end in (vehicle.valid_to, permit.valid_to if permit else None) if end]
    starts = [start for start in (vehicle.valid_from, permit.valid_from if permit else None) if start]
    if ends and day > min(ends):
        return PermitCheck("lapsed", name, f"expired on {min(ends)}")
    if starts and day < max(starts):
        return PermitCheck("none", name, f"begins only on {max(starts)}")
    return PermitCheck("covered", name, f"until {min(ends)}" if ends else "registered")
