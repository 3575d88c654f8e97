"""Reading all registers that a configuration names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import yaml

from huoyan import share
from huoyan.config import LoadedConfig
from huoyan.registry import areas, fleet, papers
from huoyan.registry.corridors import read_corridors
from huoyan.registry.entries import Zone
from huoyan.registry.index import Registry
from huoyan.registry.mistakes import Mistakes, did_you_mean


def load(loaded: LoadedConfig, scenes: Collection[str] | None = None) -> Registry:
    """Read, check and index the registers.

    Args:
        loaded: the configuration; a register that it does not name is empty.
        scenes: ids of the scenes that registers may name; by default those of the configuration's rules.

    Raises:
        RegistryError: there are mistakes; all of them are in the message, a line each as file:row:column.
        MissingExtra: a Shapefile or GeoPackage is named and GeoPandas is not installed.
    """
    named = loaded.config.registry
    known = _scene_ids(loaded) if scenes is None else scenes
    mistakes = Mistakes()
    zones = areas.read_zones(loaded.resolve(named.zones), known, mistakes) if named.zones else []
    if named.venues:
        venues = areas.read_venues(loaded.resolve(named.venues), known, mistakes)
        zones += _unlike(venues, zones, named.venues, mistakes)
    footprints = areas.read_footprints(loaded.resolve(named.footprints), mistakes) if named.footprints else []
    zone_ids = {zone.id for zone in zones}
    permits = (
        papers.read_permits(
            loaded.resolve(named.permits), known, zone_ids, {f.id for f in footprints}, mistakes
        )
        if named.permits
        else []
    )
    corridors = read_corridors(loaded.resolve(named.corridors), mistakes) if named.corridors else []
    corridor_ids = {corridor.id for corridor in corridors}
    vehicles = (
        fleet.read_vehicles(loaded.resolve(named.vehicles), zone_ids, corridor_ids, mistakes)
        if named.vehicles
        else None
    )
    _check_cameras(loaded, zone_ids, mistakes)
    mistakes.raise_any()
    return Registry(zones, permits, footprints, vehicles, corridors)


def empty() -> Registry:
    """A registry that knows nothing: the one of an archive without a configuration."""
    return Registry()


def _unlike(venues: list[Zone], zones: list[Zone], path: Path, mistakes: Mistakes) -> list[Zone]:
    """The venues; an id that a zone or another venue has too is a mistake."""
    seen = {zone.id for zone in zones}
    for venue in venues:
        if venue.id in seen:
            mistakes.add(
                path.name, "", "id", f"{venue.id!r} is used twice", "zones and venues share their ids"
            )
        seen.add(venue.id)
    return venues


def _check_cameras(loaded: LoadedConfig, zones: Collection[str], mistakes: Mistakes) -> None:
    name = loaded.path.name if loaded.path else "configuration"
    for camera in loaded.config.cameras:
        for zone in camera.zones:
            if zone not in zones:
                mistakes.add(
                    name, f"cameras.{camera.id}", "zones", f"unknown zone {zone!r}", did_you_mean(zone, zones)
                )


def _scene_ids(loaded: LoadedConfig) -> frozenset[str]:
    """The ids under `scenes:` of the rules; their content is checked where they are used.

    A file that cannot be read gives none here: loading the rules says what is wrong with it.
    """
    named = loaded.config.scenes.file
    path = loaded.resolve(named) if named else share.folder("configs") / "scenes.yaml"
    try:
        data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError):
        return frozenset()
    rules = data.get("scenes") if isinstance(data, dict) else None
    return frozenset(map(str, rules)) if isinstance(rules, dict) else frozenset()
