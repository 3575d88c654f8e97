"""From what was seen in one frame to the scenes whose rules hold there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from huoyan.config_vehicles import Levels, Limits
from huoyan.records import (
    Detection,
    Finding,
    Observations,
    PermitCheck,
    Place,
    Placement,
    Unplaced,
    VehicleFinding,
)
from huoyan.registry import Registry, Spot
from huoyan.scenes import groups, permits, persistence, relations, vehicles
from huoyan.scenes.groups import Group, Item
from huoyan.scenes.loading import Alternative, Rules
from huoyan.scenes.memory import Memory
from huoyan.scenes.relations import OnFootprint, Zoning
from huoyan.scenes.trace import Step, Trace

EXPLAINED_M = 200.0
"""An explanation names the zones that a place misses by no more than this."""


@dataclass(frozen=True, slots=True)
class JudgeContext:
    """What the judge knows of the county."""

    registry: Registry
    rules: Rules
    timezone: ZoneInfo
    watched: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Zones that a source watches; a source that is not here watches all it can see."""
    limits: Limits = field(default_factory=Limits)
    """From when on what is seen of a vehicle counts against it."""
    levels: Levels = field(default_factory=Levels)
    """What a vehicle's level makes of its priority."""
    periods: Mapping[str, float] = field(default_factory=dict)
    """Of live sources, the seconds within which all looks count as one frame (see `persistence.count_frame`)."""
    scenes: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Scenes that a source is asked for; one that is not here is asked for all."""


@dataclass(frozen=True, slots=True)
class Judgement:
    findings: tuple[Finding, ...]
    """Scenes whose rules hold; those whose `permit.result` is `covered` are lawful and never told."""
    pending: tuple[str, ...] = ()
    """Scenes that lack nothing but another look."""
    steps: tuple[Step, ...] = ()
    """The way through the rules, if it was asked for."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame under judgement."""

    observations: Observations
    number: int
    local: datetime
    context: JudgeContext
    memory: Memory
    trace: Trace
    spots: dict[int, Spot] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)

    def spot(self, index: int, place: Place) -> Spot | None:
        """The place of an observation in the registry's plane: many rules ask for the same one."""
        if not isinstance(place, Placement):
            return None
        if index not in self.spots:
            self.spots[index] = self.context.registry.spot(place)
        return self.spots[index]

    @property
    def watched(self) -> Collection[str]:
        return self.context.watched.get(self.observations.frame.source_id, ())


@dataclass(frozen=True, slots=True)
class _Law:
    """What registers say about a group."""

    permit: PermitCheck
    vehicle: VehicleFinding | None = None
    words: str = ""


def judge(
    observations: Observations, context: JudgeContext, memory: Memory, *, trace: bool = False
) -> Judgement:
    """Put the rules to one frame.

    Frames of one source must come in their order; the order of sources among one another does not matter.
    The same frames with the same memory give the same judgement, however they are batched.

    Args:
        observations: what *look* says about the frame.
        context: registers, rules and time zone.
        memory: what was seen before; this frame is added to it.
        trace: also tell the way through the rules.
    """
    frame = observations.frame
    number = 0
    if frame.kind in context.rules.counted:
        period = context.periods.get(frame.source_id, 0.0)
        number = persistence.count_frame(memory, frame.source_id, frame.time, period)
    candidates = _candidates(observations, context)
    if not candidates and not trace:
        return Judgement(())
    local = frame.time.astimezone(context.timezone)
    state = _Frame(observations, number, local, context, memory, Trace(trace))
    for index, observation in enumerate(observations.items):
        if observation.detection.label not in context.rules.by_label:
            state.trace.note("", "label", False, f"no scene asks for {observation.detection.label}", (index,))
    found: list[Finding] = []
    for alternative, items in candidates:
        found += _alternative(alternative, items, state)
    return Judgement(_distinct(found), tuple(dict.fromkeys(state.pending)), tuple(state.trace.steps))


def _candidates(observations: Observations, context: JudgeContext) -> list[tuple[Alternative, list[Item]]]:
    """The alternatives that ask for a label of this frame, in the file's order, with their observations."""
    rules, only = context.rules, context.scenes.get(observations.frame.source_id)
    asked: dict[str, tuple[Alternative, list[Item]]] = {}
    for index, observation in enumerate(observations.items):
        for alternative in rules.by_label.get(observation.detection.label, ()):
            if only is not None and alternative.scene not in only:
                continue
            asked.setdefault(alternative.key, (alternative, []))[1].append((index, observation))
    if len(asked) < 2:
        return list(asked.values())
    return [asked[a.key] for a in rules.alternatives if a.key in asked]


def _alternative(alternative: Alternative, items: list[Item], state: _Frame) -> list[Finding]:
    evidence, note = alternative.evidence, state.trace.note
    frame = state.observations.frame
    if frame.kind not in evidence.sensors:
        note(
            alternative.key,
            "sensor",
            False,
            f"a {frame.kind}'s picture; asks for {', '.join(evidence.sensors)}",
        )
        return []
    fitting, misfits = groups.fitting(evidence, items)
    for index, fault in misfits:
        note(alternative.key, "evidence", False, fault, (index,))
    if not fitting or not _guards_open(alternative, state):
        return []
    found = []
    for group in groups.gather(evidence, fitting, alternative.rule.vehicle):
        finding = _group(alternative, group, state)
        if finding:
            found.append(finding)
    return found


def _guards_open(alternative: Alternative, state: _Frame) -> bool:
    guards = alternative.rule.guards
    if state.observations.night and not (guards.night and alternative.evidence.night):
        state.trace.note(alternative.key, "guard", False, "the picture is taken at night")
        return False
    if not guards.open_at(state.local.time()):
        state.trace.note(alternative.key, "guard", False, f"{state.local:%H:%M} is outside {guards.hours}")
        return False
    return True


def _group(alternative: Alternative, group: Group, state: _Frame) -> Finding | None:
    """The finding of a group of observations, if all the rule's conditions hold."""
    note, who = state.trace.note, group.indices
    if not _is_evidence(alternative, group, state):
        return None
    spot = state.spot(who[0], group.anchor.place)
    zoning = _zoning(alternative, group, spot, state)
    if not zoning.held:
        return None
    footprint = relations.on_footprint(spot, state.context.registry) if spot else OnFootprint(None, 0.0)
    if not _stands_right(alternative, footprint, state.trace, who):
        return None
    lasting = persistence.look(alternative, group.anchor, zoning.zones, state.number, state.memory)
    note(alternative.key, "persistence", lasting.held, lasting.detail, who)
    if not lasting.held:
        state.pending.append(alternative.scene)
        return None
    law = _lawful(alternative, group, spot, zoning, footprint.id, state)
    if law is None:
        return None
    rule = alternative.rule
    return Finding(
        scene=alternative.scene,
        stage=alternative.evidence.stage,
        frame=state.observations.frame,
        evidence=group.observations,
        place=group.anchor.place,
        confidence=_confidence(group, zoning),
        zones=zoning.zones,
        permit=law.permit,
        priority=rule.priority_for(law.vehicle.reasons if law.vehicle else ()),
        code=state.context.rules.code(alternative.scene),
        reason="; ".join(part for part in (_seen(group), zoning.detail, lasting.detail, law.words) if part),
        looks=lasting.looks,
        extent_m2=_extent(group),
        footprint=footprint.id,
        vehicle=law.vehicle,
        window_s=rule.window_s,
        reach_m=rule.reach,
    )


def _is_evidence(alternative: Alternative, group: Group, state: _Frame) -> bool:
    """Whether the group is complete, not explained away, and placed where the rule needs a place."""
    evidence, note, who = alternative.evidence, state.trace.note, group.indices
    lack = groups.lacking(evidence, group)
    if state.trace.wanted:
        note(alternative.key, "evidence", not lack, lack or _seen(group), who)
    if lack:
        return False
    other = groups.explained_away(evidence, group, state.observations.items)
    if other:
        note(alternative.key, "unless", False, f"overlaps {other}", who)
        return False
    place = group.anchor.place
    if isinstance(place, Unplaced) and (alternative.rule.needs_place or evidence.ground != "any"):
        note(alternative.key, "place", False, f"not placed: {place.reason}", who)
        return False
    return True


def _zoning(alternative: Alternative, group: Group, spot: Spot | None, state: _Frame) -> Zoning:
    zoning = relations.zoning(
        alternative.scene,
        alternative.rule,
        group.anchor.place,
        spot,
        state.context.registry,
        state.watched,
        EXPLAINED_M if state.trace.wanted else 0.0,
    )
    state.trace.note(alternative.key, "zone", zoning.held, zoning.detail, group.indices)
    return zoning


def _stands_right(
    alternative: Alternative, footprint: OnFootprint, trace: Trace, who: tuple[int, ...]
) -> bool:
    """Whether a place is on a building, or off every one, as the rule wants it."""
    wanted = alternative.evidence.ground
    if wanted == "any":
        return True
    held = (footprint.id is not None) == (wanted == "footprint")
    which = f"on building {footprint.id}" if footprint.id else "on no building"
    trace.note(alternative.key, "footprint", held, f"{which} ({footprint.share:.0%}); asks for {wanted}", who)
    return held


def _lawful(
    alternative: Alternative,
    group: Group,
    spot: Spot | None,
    zoning: Zoning,
    footprint: str | None,
    state: _Frame,
) -> _Law | None:
    """The permit check; None if nothing can be said about a vehicle."""
    registry, day = state.context.registry, state.local.date()
    if alternative.rule.vehicle:
        context = state.context
        checked = vehicles.check(group.anchor, registry, context.timezone, context.limits)
        state.trace.note(
            alternative.key, "vehicle", checked.vehicle is not None, checked.detail, group.indices
        )
        return _Law(checked.permit, checked.vehicle, checked.detail) if checked.vehicle else None
    permit = permits.check(alternative.scene, alternative.rule, registry, spot, zoning.zones, footprint, day)
    words = " ".join(part for part in (permit.result, permit.permit_id or "", permit.note) if part)
    state.trace.note(alternative.key, "permit", permit.result != "covered", words, group.indices)
    return _Law(permit)


def _seen(group: Group) -> str:
    """`excavator 0.83, earth_heap 0.61`, at most four of them."""
    words = [_named(observation.detection) for observation in group.observations[:4]]
    more = len(group.items) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _named(detection: Detection) -> str:
    """What it is, how surely, and what is known of its cause."""
    why = detection.attributes.get("why")
    return f"{detection.label} {detection.score:.2f}" + (f" ({why})" if why else "")


def _confidence(group: Group, zoning: Zoning) -> float:
    """Score of the surest observation times the probability that it is where the rule wants it."""
    return round(group.anchor.detection.score * min(1.0, zoning.probability), 4)


def _extent(group: Group) -> float | None:
    areas = [o.detection.attributes.get("area_m2") for o in group.observations]
    known = [float(area) for area in areas if area is not None]
    return round(sum(known), 1) if known else None


def _distinct(found: list[Finding]) -> tuple[Finding, ...]:
    """Without those that tell the same stage of the same scene by the same observation a second time."""
    kept: dict[tuple[str, str, int], Finding] = {}
    for finding in found:
        key = (finding.scene, finding.stage, id(finding.evidence[0]))
        best = kept.get(key)
        if best is None or finding.confidence > best.confidence:
            kept[key] = finding
    return tuple(kept.values())
