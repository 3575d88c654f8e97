"""Whether what was seen is lawful: by the kind of its zone, or by a permit for place and day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from huoyan.records import PermitCheck
from huoyan.registry import Permit, Registry, Spot
from huoyan.scenes.rules import SceneRule

POINT_SHARE = 0.3
"""A point with an error is in a permit's area from this probability on: in doubt for the holder."""
OUTLINE_SHARE = 0.5
"""An outline must lie in it by half: a small permit does not cover a large change."""


def check(
    scene: str,
    rule: SceneRule,
    registry: Registry,
    spot: Spot | None,
    zones: Iterable[str],
    footprint: str | None,
    day: date,
) -> PermitCheck:
    """Look for what makes a scene lawful at a place on a local day.

    Args:
        scene: its id.
        rule: the scene's rule.
        registry: the county's registers.
        spot: the place; None where it is not known, then only what is bound to `zones` as a whole counts.
        zones: zones that the finding is in.
        footprint: the building it is on.
        day: local day of the frame; a permit's first and last day count.
    """
    lawful = _lawful_zone(rule, registry, spot, zones)
    if lawful:
        return PermitCheck("covered", None, f"lawful in zone {lawful}")
    if rule.permit is None:
        return PermitCheck("not_needed")
    permits = _about(scene, registry, spot, zones, footprint)
    if rule.permit.kinds:
        permits = [permit for permit in permits if permit.kind in rule.permit.kinds]
    for permit in permits:
        if permit.valid_on(day):
            return PermitCheck("covered", permit.id, f"until {permit.valid_to}")
    lapsed = max((p for p in permits if p.valid_to < day), key=lambda p: (p.valid_to, p.id), default=None)
    if lapsed:
        return PermitCheck("lapsed", lapsed.id, f"expired on {lapsed.valid_to}")
    if permits:
        first = min(permits, key=lambda p: (p.valid_from, p.id))
        return PermitCheck("none", None, f"{first.id} begins only on {first.valid_from}")
    return PermitCheck(
        "none", None, "" if spot else "without a place only permits for whole zones were looked up"
    )


def _lawful_zone(rule: SceneRule, registry: Registry, spot: Spot | None, zones: Iterable[str]) -> str | None:
    if not rule.lawful_in:
        return None
    if spot is None:
        inside = [registry.zones[zone] for zone in zones]
    else:
        inside = [match.zone for match in registry.zones_near(spot) if match.share >= 0.5]
    return next((zone.id for zone in inside if zone.kind in rule.lawful_in), None)


def _about(
    scene: str, registry: Registry, spot: Spot | None, zones: Iterable[str], footprint: str | None
) -> list[Permit]:
    """Permits about the scene whose area the place is in, the best placed first."""
    if spot is None:
        return [permit for zone in zones for permit in registry.permits_in_zone(zone, scene)]
    least = POINT_SHARE if spot.outline is None else OUTLINE_SHARE
    return [
        match.permit
        for match in registry.permits_at(spot, scene)
        if match.share >= least or (footprint is not None and match.permit.footprint == footprint)
    ]
