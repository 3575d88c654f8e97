"""From a truck's passage on a road and the verdict on it to the scene that tells of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import hypot
from types import MappingProxyType
from typing import Any

from huoyan.passage import Passage, Reason, Sight, Verdict
from huoyan.perception.passage_story import FAMILY, TRUCK
from huoyan.records import (
    Box,
    Detection,
    Finding,
    Observation,
    Place,
    Placement,
    Priority,
    Unplaced,
    VehicleFinding,
)
from huoyan.scenes import relations
from huoyan.scenes.judge import JudgeContext
from huoyan.scenes.loading import Alternative
from huoyan.scenes.relations import Zoning
from huoyan.scenes.vehicles import permit_of
from huoyan.vehicles import levels
from huoyan.vehicles.levels import Standing

SEEN = frozenset({"M08", "M10", "M11"})
"""Reasons that a camera sees on any truck, whoever it is."""
Others = Mapping[str, Sequence[Detection]]
"""By frame id, all that was seen in the frames that show a passage."""


def finding(
    passage: Passage,
    verdict: Verdict,
    trip: str,
    standing: Standing | None,
    context: JudgeContext,
    others: Others,
    models: Mapping[str, str] = MappingProxyType({}),
) -> Finding | None:
    """What a scene has to tell of a passage; None where nothing holds against it.

    Where the reading may be another vehicle's (`verdict.review`) only what was seen of the truck itself is told, and
    no plate: who it was is for a person to find out.

    Args:
        passage: of a road camera.
        verdict: on it.
        trip: id of the trip that it belongs to.
        standing: the vehicle's level by what it did before this trip; None: its plate is not known.
        context: registers, rules and time zone.
        others: to show the whole truck where only its plate is framed.
        models: names of the models that looked: `model`, and `text_from` for the plate.
    """
    reasons = [r for r in verdict.reasons if not verdict.review or r.code in SEEN]
    alternative = _asked(passage, context)
    if not reasons or alternative is None or not passage.sights:
        return None
    place: Place = passage.place if passage.place is not None else Unplaced("no calibration")
    zoning = _zoning(alternative, passage, place, context)
    if zoning is None:
        return None
    rule, codes = alternative.rule, tuple(reason.code for reason in reasons)
    named = "" if verdict.review else verdict.plate
    known = context.registry.vehicle(named) if named else None
    evidence = _evidence(passage, named, reasons[0], place, others, models)
    return Finding(
        scene=alternative.scene,
        stage=alternative.evidence.stage,
        frame=evidence.frame,
        evidence=(evidence, *_load(passage, evidence, place)),
        place=place,
        confidence=round(max(reason.confidence for reason in reasons) * min(1.0, zoning.probability), 4),
        zones=zoning.zones,
        permit=permit_of(verdict, known, context.registry, passage.time.astimezone(context.timezone)),
        priority=_priority(rule.priority_for(codes), standing, context),
        code=context.rules.code(alternative.scene),
        reason="; ".join(_words(reasons, verdict, standing)),
        looks=passage.looks,
        vehicle=VehicleFinding(
            plate=named,
            colour=passage.plate.colour or (known.colour if known else ""),
            confidence=passage.plate.confidence if named else 0.0,
            reasons=codes,
            level=standing.level if standing else "",
        ),
        window_s=rule.window_s,
        trip=trip,
    )


def _asked(passage: Passage, context: JudgeContext) -> Alternative | None:
    """The first way to see a scene about vehicles that asks cameras for this kind of vehicle, or for any truck; of the
    camera's own scenes only, where it has some."""
    only = context.scenes.get(passage.source_id)
    for alternative in context.rules.alternatives:
        if only is not None and alternative.scene not in only:
            continue
        labels = {term.label for term in alternative.evidence.terms}
        fits = passage.label in labels or (passage.label == TRUCK and labels & FAMILY)
        if fits and alternative.rule.vehicle and "camera" in alternative.evidence.sensors:
            return alternative
    return None


def _zoning(alternative: Alternative, passage: Passage, place: Place, context: JudgeContext) -> Zoning | None:
    """The zones of a passage; None where or when the scene does not watch."""
    rule = alternative.rule
    if not rule.guards.open_at(passage.time.astimezone(context.timezone).time()):
        return None
    spot = context.registry.spot(place) if isinstance(place, Placement) else None
    if spot is None and rule.needs_place:
        return None
    watched: Collection[str] = context.watched.get(passage.source_id, ())
    found = relations.zoning(alternative.scene, rule, place, spot, context.registry, watched)
    return found if found.held else None


def _priority(gravest: Priority, standing: Standing | None, context: JudgeContext) -> Priority:
    """The gravest reason's, or that of the vehicle's level where it is more urgent."""
    if standing is None:
        return gravest
    return min(gravest, levels.priority(standing.level, context.levels))


def _words(reasons: Sequence[Reason], verdict: Verdict, standing: Standing | None) -> list[str]:
    words = [f"{reason.code}: {reason.en}" for reason in reasons]
    if verdict.review:
        words.append(f"to be reviewed: {verdict.review}")
    elif standing is not None and standing.level != "green":
        words.append(f"before this trip {standing.en}")
    return words


def _evidence(
    passage: Passage, plate: str, gravest: Reason, place: Place, others: Others, models: Mapping[str, str]
) -> Observation:
    """The sight to show, the whole truck in it: its plate where that was read, else what the reason is about."""
    by_role = {sight.role: sight for sight in reversed(passage.sights)}
    wanted = ("plate", *gravest.roles) if plate else gravest.roles
    sight = next((by_role[role] for role in (*wanted, "wide") if role in by_role), passage.sights[0])
    box, attributes = sight.box, dict[str, Any](models)
    if sight.role == "plate":
        box = _truck(sight, others) or sight.box
        attributes["plate_box"] = [round(value, 1) for value in sight.box]
    detection = Detection(passage.label, sight.score, box, text=plate, attributes=attributes)
    return Observation(sight.frame, detection, place)


def _load(passage: Passage, shown: Observation, place: Place) -> tuple[Observation, ...]:
    """The frame that shows the load best, as further evidence, where that is another one."""
    best = next((sight for sight in passage.sights if sight.role == "load"), None)
    if best is None or best.frame.frame_id == shown.frame.frame_id:
        return ()
    truck = Detection(passage.label, best.score, best.box, attributes={"shows": "load"})
    return (Observation(best.frame, truck, place),)


def _truck(sight: Sight, others: Others) -> Box | None:
    """The vehicle that a plate hangs on: the smallest box round its middle."""
    x, y = (sight.box[0] + sight.box[2]) / 2, (sight.box[1] + sight.box[3]) / 2
    round_it = [
        d.box
        for d in others.get(sight.frame.frame_id, ())
        if d.box[0] <= x <= d.box[2] and d.box[1] <= y <= d.box[3] and d.box != sight.box
    ]
    return min(round_it, key=lambda box: hypot(box[2] - box[0], box[3] - box[1]), default=None)
