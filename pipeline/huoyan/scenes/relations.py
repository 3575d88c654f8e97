"""How a place lies to zones and buildings, its error reckoned in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from huoyan.records import Place, Placement
from huoyan.registry import Registry, Spot, Zone, ZoneMatch
from huoyan.scenes.rules import SceneRule, ZoneCondition

FOOTPRINT_SHARE = 0.35
"""A place is on a building if at least this share of it is (of its probability, or of its outline's area).

Below one half, because a change's outline swells beyond the building it belongs to by a pixel or two.
"""
_INSIDE = ZoneCondition(kinds=["control"])
"""What is asked of a zone that names a scene which its kind does not watch by itself."""


@dataclass(frozen=True, slots=True)
class Zoning:
    """Whether the zone condition holds, in which zones, how probably, and why."""

    held: bool
    zones: tuple[str, ...]
    probability: float
    detail: str


@dataclass(frozen=True, slots=True)
class OnFootprint:
    """The building that a place is on, None for none, and the share of the place on the likeliest one."""

    id: str | None
    share: float


def zoning(
    scene: str,
    rule: SceneRule,
    place: Place,
    spot: Spot | None,
    registry: Registry,
    watched: Collection[str],
    around_m: float = 0.0,
) -> Zoning:
    """Put the zone conditions of a scene to a place.

    Args:
        scene: its id.
        rule: the scene's rule.
        place: where the thing is, or why that is not known.
        spot: `place` in the registry's plane, where there is one.
        registry: the county's registers.
        watched: zones that the source watches; empty for all.
        around_m: zones so near are named where the condition fails; this changes no answer.
    """
    if not rule.zones:
        inside = tuple(m.zone.id for m in registry.zones_near(spot) if m.share >= 0.5) if spot else ()
        return Zoning(True, inside, 1.0, "counts everywhere")
    if not registry.zones:
        held = any(condition.unzoned for condition in rule.zones)
        return Zoning(
            held, (), 1.0, "the county has no zones, so " + ("all is watched" if held else "none fits")
        )
    if spot is None:
        return _by_source(scene, rule, place, registry, watched)
    return _by_place(scene, rule, spot, registry, watched, around_m)


def on_footprint(spot: Spot, registry: Registry) -> OnFootprint:
    """The building a place is on, with the share of the place on the likeliest building."""
    match = registry.footprint_at(spot)
    if match is None:
        return OnFootprint(None, 0.0)
    return OnFootprint(match.footprint.id if match.share >= FOOTPRINT_SHARE else None, match.share)


def _fits(scene: str, zone: Zone, rule: SceneRule) -> list[ZoneCondition]:
    """The conditions under which a zone watches a scene: those of its kind; inside, if it names the scene."""
    if zone.scenes and scene not in zone.scenes:
        return []
    by_kind = [condition for condition in rule.zones if zone.kind in condition.kinds]
    return by_kind or ([_INSIDE] if zone.scenes else [])


def _by_source(
    scene: str, rule: SceneRule, place: Place, registry: Registry, watched: Collection[str]
) -> Zoning:
    why = "" if isinstance(place, Placement) else place.reason
    fits = [z for z in sorted(watched) if z in registry.zones and _fits(scene, registry.zones[z], rule)]
    if len(fits) == 1:
        return Zoning(True, (fits[0],), 1.0, f"not placed ({why}), but its source watches only {fits[0]}")
    which = ", ".join(fits) if fits else "no zone"
    return Zoning(False, (), 0.0, f"not placed ({why}), and its source watches {which} for this scene")


def _by_place(
    scene: str, rule: SceneRule, spot: Spot, registry: Registry, watched: Collection[str], around_m: float
) -> Zoning:
    reach = max(around_m, *(condition.metres for condition in rule.zones))
    held: list[tuple[str, float]] = []
    missed: list[str] = []
    for match in registry.zones_near(spot, reach):
        zone = match.zone
        if watched and zone.id not in watched:
            continue
        conditions = _fits(scene, zone, rule)
        if not conditions:
            continue
        tries = [_relate(condition, match, spot, registry) for condition in conditions]
        best = max(tries, key=lambda t: (t[0], t[1]))
        if best[0]:
            held.append((zone.id, best[1]))
        else:
            missed.append(f"{zone.id}: {best[2]}")
    if not held:
        return Zoning(False, (), 0.0, "; ".join(missed) or "in no zone that watches this scene")
    detail = ", ".join(f"{name} ({chance:.0%})" for name, chance in held)
    return Zoning(True, tuple(name for name, _ in held), max(chance for _, chance in held), f"in {detail}")


def _relate(
    condition: ZoneCondition, match: ZoneMatch, spot: Spot, registry: Registry
) -> tuple[bool, float, str]:
    """Whether the relation holds, how probably, and the numbers."""
    metres = f"{match.distance_m:.0f} m off, error {spot.error_m:.0f} m"
    if condition.relation == "touching":
        held = match.distance_m <= spot.error_m
        return held, max(match.share, 0.5) if held else 0.0, f"does not touch, {metres}"
    share = match.share
    if condition.relation == "within":
        share = registry.share_within(spot, match.zone.id, condition.metres)
    return share >= condition.share, share, f"{share:.0%} of {condition.share:.0%} needed ({metres})"
