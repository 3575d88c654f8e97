"""From what was seen in one frame to the scenes whose rules hold there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from huoyan.records import Finding, Observations, PermitCheck, Place, Placement, VehicleFinding
from huoyan.registry import Registry, Spot
from huoyan.scenes import groups, permits, persistence, relations, vehicles
from huoyan.scenes.groups import Group, Item
from huoyan.scenes.loading import Alternative, Rules
from huoyan.scenes.memory import Memory
from huoyan.scenes.relations import Zoning
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


@dataclass(frozen=True, slots=True)
class Judgement:
    findings: tuple[Finding, ...]
    """Scenes whose rules hold; those whose `permit.result` is `covered` are lawful and never told."""
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
    number = persistence.count_frame(memory, frame.source_id) if frame.kind in context.rules.counted else 0
    candidates = _candidates(observations, context.rules)
    if not candidates:
        return Judgement(())
    local = frame.time.astimezone(context.timezone)
    state = _Frame(observations, number, local, context, memory, Trace(trace))
    found: list[Finding] = []
    for alternative, items in candidates:
        found += _alternative(alternative, items, state)
    return Judgement(_distinct(found), tuple(state.trace.steps))


def _candidates(observations: Observations, rules: Rules) -> list[tuple[Alternative, list[Item]]]:
    """The alternatives that ask for a label of this frame, in the file's order, with their observations."""
    asked: dict[str, tuple[Alternative, list[Item]]] = {}
    for index, observation in enumerate(observations.items):
        for alternative in rules.by_label.get(observation.detection.label, ()):
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
    if not guards.night and state.observations.night:
        state.trace.note(alternative.key, "guard", False, "the picture is taken at night")
        return False
    if not guards.open_at(state.local.time()):
        state.trace.note(alternative.key, "guard", False, f"{state.local:%H:%M} is outside {guards.hours}")
        return False
    return True


def _group(alternative: Alternative, group: Group, state: _Frame) -> Finding | None:
    """The finding of a group of observations, if all the rule's conditions hold."""
    rule, evidence, registry = alternative.rule, alternative.evidence, state.context.registry
    note, who = state.trace.note, group.indices
    lack = groups.lacking(evidence, group)
    if state.trace.wanted:
        note(alternative.key, "evidence", not lack, lack or _seen(group), who)
    if lack:
        return None
    other = groups.explained_away(evidence, group, state.observations.items)
    if other:
        note(alternative.key, "unless", False, f"overlaps {other}", who)
        return None
    place = group.anchor.place
    spot = state.spot(who[0], place)
    if spot is None and (rule.needs_place or evidence.ground != "any"):
        note(alternative.key, "place", False, f"not placed: {getattr(place, 'reason', '')}", who)
        return None
    around = EXPLAINED_M if state.trace.wanted else 0.0
    zoning = relations.zoning(alternative.scene, rule, place, spot, registry, state.watched, around)
    note(alternative.key, "zone", zoning.held, zoning.detail, who)
    if not zoning.held:
        return None
    footprint, on = _on(alternative, spot, registry, state.trace, who)
    if not on:
        return None
    lasting = persistence.look(alternative, group.anchor, zoning.zones, state.number, state.memory)
    note(alternative.key, "persistence", lasting.held, lasting.detail, who)
    if not lasting.held:
        return None
    checked = _lawful(alternative, group, spot, zoning, footprint, state)
    if checked is None:
        return None
    permit, vehicle, why = checked
    return Finding(
        scene=alternative.scene,
        stage=evidence.stage,
        frame=state.observations.frame,
        evidence=group.observations,
        place=place,
        confidence=_confidence(group, zoning),
        zones=zoning.zones,
        permit=permit,
        priority=rule.priority_level,
        code=state.context.rules.code(alternative.scene),
        reason="; ".join(part for part in (_seen(group), zoning.detail, lasting.detail, why) if part),
        looks=lasting.looks,
        extent_m2=_extent(group),
        footprint=footprint,
        vehicle=vehicle,
        window_s=rule.window_s,
    )


def _on(
    alternative: Alternative, spot: Spot | None, registry: Registry, trace: Trace, who: tuple[int, ...]
) -> tuple[str | None, bool]:
    """The building a place is on, and whether the rule wants it there."""
    if spot is None:
        return None, True
    footprint, share = relations.on_footprint(spot, registry)
    wanted = alternative.evidence.ground
    held = wanted == "any" or (footprint is not None) == (wanted == "footprint")
    if wanted != "any":
        which = f"on building {footprint}" if footprint else "on no building"
        trace.note(alternative.key, "footprint", held, f"{which} ({share:.0%}); asks for {wanted}", who)
    return footprint, held


def _lawful(
    alternative: Alternative,
    group: Group,
    spot: Spot | None,
    zoning: Zoning,
    footprint: str | None,
    state: _Frame,
) -> tuple[PermitCheck, VehicleFinding | None, str] | None:
    """The permit check with its vehicle and its words; None if nothing can be said about a vehicle."""
    registry, day = state.context.registry, state.local.date()
    if alternative.rule.vehicle:
        verdict = vehicles.check(group.anchor.detection, registry, day)
        state.trace.note(
            alternative.key, "vehicle", verdict.vehicle is not None, verdict.detail, group.indices
        )
        return (verdict.permit, verdict.vehicle, verdict.detail) if verdict.vehicle else None
    permit = permits.check(alternative.scene, alternative.rule, registry, spot, zoning.zones, footprint, day)
    words = " ".join(part for part in (permit.result, permit.permit_id or "", permit.note) if part)
    state.trace.note(alternative.key, "permit", permit.result != "covered", words, group.indices)
    return permit, None, ""


def _seen(group: Group) -> str:
    """`excavator 0.83, earth_heap 0.61`, at most four of them."""
    words = [f"{o.detection.label} {o.detection.score:.2f}" for o in group.observations[:4]]
    more = len(group.items) - len(words)
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


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
