"""What the register and the rules say about a passage: all reasons that hold, the gravest first."""

from __future__ import annotations

from huoyan.passage import Code, Passage, Reason, Verdict
from huoyan.registry import Registry, Vehicle
from huoyan.vehicles.case import Case
from huoyan.vehicles.context import Context
from huoyan.vehicles.near import near
from huoyan.vehicles.reasons import RULES, Unknown

GRAVITY: tuple[Code, ...] = (
    "M11",
    "M09",
    "M01",
    "M02",
    "M06",
    "M10",
    "M04",
    "M05",
    "M03",
    "M08",
    "M07",
)
"""The gravest first: harm done and a false identity, no approval, danger on the road, then the terms of an approval."""


def judge(passage: Passage, registry: Registry, context: Context) -> Verdict:
    """Put every rule to a passage.

    A reading that is not registered and one likely mistake away from an approved vehicle is never M01: it goes to
    review with both readings. What would hold against the approved vehicle is still listed where there is just one:
    it is that vehicle, which breaks a rule, or one without approval.

    Args:
        passage: one vehicle through one view.
        registry: the county's registers.
        context: what else is known; `context.earlier` holds sightings of the plate as read.
    """
    text = passage.plate.text
    vehicle = registry.vehicle(text) if text else None
    alike: list[Vehicle] = []
    if text and vehicle is None and registry.vehicles:
        alike = near(passage.plate, registry.vehicles, context.limits)
    judged = vehicle or (alike[0] if len(alike) == 1 else None)
    case = Case(passage, judged, registry, context)
    skipped = {"M01", "M09"} if alike else set()
    answers = [rule(case) for rule in RULES]
    reasons = [a for a in answers if isinstance(a, Reason) and a.code not in skipped]
    unknown = [a.why for a in answers if isinstance(a, Unknown)]
    if not text:
        unknown.insert(0, "plate: unreadable")
    unknown += [f"{device}: {why}" for device, why in sorted(context.silent.items())]
    return Verdict(
        plate=vehicle.plate if vehicle else text,
        registered=vehicle is not None,
        reasons=tuple(sorted(reasons, key=lambda reason: GRAVITY.index(reason.code))),
        review=_review(text, alike),
        readings=(text, *(v.plate for v in alike)) if alike else (),
        unknown=tuple(unknown),
        company=vehicle.company if vehicle else "",
        permit=vehicle.permit if vehicle else "",
    )


def _review(text: str, alike: list[Vehicle]) -> str:
    if not alike:
        return ""
    plates = ", ".join(vehicle.plate for vehicle in alike)
    return f"{text} is not registered, but one likely mistake away from {plates}"
