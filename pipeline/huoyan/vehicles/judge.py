"""What the register and the rules say about a passage: all reasons that hold, the gravest first."""

from __future__ import annotations

from collections.abc import Sequence

from huoyan.passage import Code, Passage, Reason, Verdict
from huoyan.registry import Registry, Vehicle
from huoyan.vehicles import near
from huoyan.vehicles.case import Case
from huoyan.vehicles.context import Context
from huoyan.vehicles.reasons import RULES, TERMS, Answer, Unknown

GRAVITY: tuple[Code, ...] = ("M11", "M09", "M01", "M02", "M06", "M10", "M04", "M05", "M03", "M08", "M07")
"""The gravest first: harm done and a false identity, no approval, danger on the road, then the terms of an approval."""


def judge(passage: Passage, registry: Registry, context: Context) -> Verdict:
    """Put every rule to a passage.

    A reading that is not registered and may be an approved vehicle's plate misread is never M01: it goes to review
    with all readings. Then a reason that needs the register is listed only if it holds for whichever of the approved
    vehicles it is: the vehicle is one of them, which breaks that rule, or one without approval.

    Args:
        passage: one vehicle through one view.
        registry: the county's registers.
        context: what else is known.
    """
    text = passage.plate.text
    vehicle = registry.vehicle(text) if text else None
    alike = _alike(passage, registry, context) if text and vehicle is None else []
    answers = _answers(passage, registry, context, [vehicle] if vehicle else alike)
    reasons = [answer for answer in answers if isinstance(answer, Reason)]
    if alike:
        # What plate and vehicle have in common says nothing while the plate itself is in doubt.
        reasons = [reason for reason in reasons if reason.code != "M09"]
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


def _answers(
    passage: Passage, registry: Registry, context: Context, vehicles: Sequence[Vehicle]
) -> list[Answer]:
    """What each rule says, whichever of some vehicles it is; of an unregistered one where there are none."""
    cases = [Case(passage, vehicle, registry, context) for vehicle in vehicles or (None,)]
    found: list[Answer] = []
    for rule in RULES:
        answers = [rule(case) for case in cases]
        if all(isinstance(answer, Reason) for answer in answers):
            found.append(answers[0])
        else:
            found.append(next((answer for answer in answers if isinstance(answer, Unknown)), None))
    return found


def _alike(passage: Passage, registry: Registry, context: Context) -> list[Vehicle]:
    """Approved vehicles that an unregistered reading may be.

    A mistake that is possible but not likely counts only where the vehicle would have every right to be here now:
    that a stranger's plate is near to one of those by chance is rare.
    """
    if not registry.vehicles:
        return []
    alike = near.likely(passage.plate, registry.vehicles, context.limits)
    if alike:
        return alike
    others = near.possible(passage.plate, registry.vehicles, context.limits)
    return [vehicle for vehicle in others if _rightly(Case(passage, vehicle, registry, context))]


def _rightly(case: Case) -> bool:
    """Whether a vehicle keeps all the terms of its approval."""
    return not any(isinstance(rule(case), Reason) for rule in TERMS)


def _review(text: str, alike: Sequence[Vehicle]) -> str:
    if not alike:
        return ""
    plates = ", ".join(vehicle.plate for vehicle in alike)
    return f"{text} is not registered and may be {plates} misread"
