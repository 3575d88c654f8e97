"""Open, hold or review: what a gate does with a vehicle, and why.

Held is only who surely breaks a rule that the gate holds for. What is not known never holds anybody: an unreadable
plate, a reading next to an approved one, two readers that disagree are for a person to look at.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from huoyan.config_gate import Hold
from huoyan.gate.joining import distance
from huoyan.passage import Direction, Outcome, PlateReading, SmartPassage, Verdict


def decide(
    verdict: Verdict,
    ours: PlateReading,
    others: Sequence[PlateReading],
    direction: Direction,
    hold: Hold,
    *,
    approved: Collection[str] = (),
) -> tuple[Outcome, str]:
    """The outcome and its reason, in one English sentence.

    Args:
        verdict: of the register and the rules.
        ours: the reading that it rests on.
        others: what other cameras and smart cameras read of the same vehicle.
        direction: over the gate's line.
        hold: reasons that keep a vehicle here.
        approved: those of the others' readings that are registered.
    """
    if verdict.review:
        return "review", verdict.review
    unlike = disagreeing(ours, others)
    if not ours.readable:
        said = f"; a smart camera reads {unlike[0]}" if unlike else ""
        reasons = f"; seen: {_told(verdict)}" if verdict.reasons else ""
        return "review", f"the plate is unreadable{said}{reasons}"
    rivals = [text for text in unlike if text in approved]
    if rivals and not verdict.registered:
        # Ours may be the misread one: nobody is turned away on one of two readings.
        return "review", f"readings differ: {ours.text} is not registered, {', '.join(rivals)} is"
    kept = hold.leave if direction == "leave" else hold.enter
    holding = [reason for reason in verdict.reasons if reason.code in kept]
    if holding:
        return "hold", "; ".join(f"{reason.code} {reason.en}" for reason in holding)
    if verdict.reasons:
        return "open", f"let through and flagged: {_told(verdict)}"
    if not verdict.registered:
        return "review", next((u for u in verdict.unknown if u.startswith("registration")), "not registered")
    return "open", f"approved: {verdict.company}, permit {verdict.permit}".removesuffix(", permit ")


def disagreeing(ours: PlateReading, others: Sequence[PlateReading]) -> list[str]:
    """Readings by others that are not ours."""
    texts = dict.fromkeys(other.text for other in others if other.text)
    return [text for text in texts if not ours.text or distance(text, ours.text)]


def readings(verdict: Verdict, ours: PlateReading, others: Sequence[PlateReading]) -> tuple[str, ...]:
    """What a reviewer compares: ours first, then what others read and what the register has beside it."""
    unlike = disagreeing(ours, others)
    if not unlike:
        return verdict.readings
    mine = (ours.text,) if ours.text else ()
    return tuple(dict.fromkeys((*mine, *unlike, *verdict.readings)))


def is_flagged(verdict: Verdict, outcome: Outcome) -> bool:
    """Whether somebody must be told beside the gate itself: a rule is surely broken, by a vehicle that is surely it."""
    return bool(verdict.reasons) and outcome != "review"


def is_truck(smart: SmartPassage) -> bool:
    """Whether a smart camera says that it was a goods vehicle (GA/T 16.4: H lorries, Q tractors, B trailers)."""
    return smart.vehicle_class[:1] in ("H", "Q", "B")


def _told(verdict: Verdict) -> str:
    return "; ".join(f"{reason.code} {reason.en}" for reason in verdict.reasons)
