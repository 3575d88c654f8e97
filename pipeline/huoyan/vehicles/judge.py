"""What the register and the rules say about a passage: all reasons that hold, the gravest first."""

from __future__ import annotations

from collections.abc import Sequence

from huoyan.passage import Code, Passage, Reason, Verdict
from huoyan.registry import Registry, Vehicle, plate_key
from huoyan.vehicles import ground, near
from huoyan.vehicles.case import Case
from huoyan.vehicles.context import Context
from huoyan.vehicles.reasons import RULES, Unknown, keeps_terms

GRAVITY: tuple[Code, ...] = ("M11", "M09", "M01", "M02", "M06", "M10", "M04", "M05", "M03", "M08", "M07")
"""The gravest first: harm done and a false identity, no approval, danger on the road, then the terms of an approval."""


def judge(passage: Passage, registry: Registry, context: Context) -> Verdict:
    """Put every rule to a passage.

    A reading that is not registered and may be an approved vehicle's plate misread is never M01: it goes to review
    with all readings. Reasons that need the register are listed then only where nothing but the province is in
    doubt: no stranger's plate is so like that of an approved vehicle by chance.

    Args:
        passage: one vehicle through one view.
        registry: the county's registers.
        context: what else is known.
    """
    text = passage.plate.text
    vehicle = registry.vehicle(text) if text else None
    alike = _alike(passage, registry, context) if text and vehicle is None else []
    same = [v for v in alike if plate_key(v.plate)[1:] == plate_key(text)[1:]]
    judged = vehicle or (same[0] if len(same) == len(alike) == 1 else None)
    answers = [rule(Case(passage, judged, registry, context)) for rule in RULES]
    reasons = [answer for answer in answers if isinstance(answer, Reason)]
    if alike:
        # Whether plate and vehicle belong together is what the review asks.
        reasons = [reason for reason in reasons if reason.code not in ("M01", "M09")]
    unknown = [answer.why for answer in answers if isinstance(answer, Unknown)]
    unknown += [f"{device}: {why}" for device, why in sorted(context.silent.items())]
    return Verdict(
        plate=vehicle.plate if vehicle else text,
        registered=vehicle is not None,
        reasons=tuple(sorted(reasons, key=lambda reason: GRAVITY.index(reason.code))),
        review=_review(text, alike),
        readings=(text, *(v.plate for v in alike)) if alike else (),
        unknown=tuple(unknown if text else ["plate: unreadable", *unknown]),
        company=vehicle.company if vehicle else "",
        permit=vehicle.permit if vehicle else "",
    )


def _alike(passage: Passage, registry: Registry, context: Context) -> list[Vehicle]:
    """Approved vehicles that an unregistered reading may be.

    A mistake that is possible but not likely counts only where the vehicle keeps the terms of its approval or is
    expected here, an unlikely one where both hold: by chance a stranger's plate is near to some vehicle, but seldom
    to one of those.
    """
    if not registry.vehicles:
        return []
    limits = context.limits
    alike = near.likely(passage.plate, registry, limits)
    if alike:
        return alike
    cases = [Case(passage, v, registry, context) for v in near.possible(passage.plate, registry, limits)]
    fitting = [
        case.vehicle for case in cases if case.vehicle and (keeps_terms(case) or ground.expected(case))
    ]
    if fitting:
        return fitting
    cases = [Case(passage, v, registry, context) for v in near.remote(passage.plate, registry, limits)]
    return [case.vehicle for case in cases if case.vehicle and ground.expected(case) and keeps_terms(case)]


def _review(text: str, alike: Sequence[Vehicle]) -> str:
    if not alike:
        return ""
    plates = ", ".join(vehicle.plate for vehicle in alike)
    return f"{text} is not registered and may be {plates} misread"
