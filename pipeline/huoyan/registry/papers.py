"""The register of permits."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from huoyan.registry import features, tables
from huoyan.registry.areas import known_scenes
from huoyan.registry.entries import Permit
from huoyan.registry.mistakes import Mistakes, did_you_mean
from huoyan.registry.tables import Row

_MAX_RADIUS_M = 5_000.0


def read_permits(
    path: Path,
    scenes: Collection[str],
    zones: Collection[str],
    footprints: Collection[str],
    mistakes: Mistakes,
) -> list[Permit]:
    """Permits of a CSV.

    Columns: id, scene, kind, holder, zone or footprint or (lon, lat, radius_m), valid_from, valid_to, note.
    A permit that is bound to no place would silence a whole county, so it is a mistake.
    """
    found: dict[str, Permit] = {}
    required = ("id", "scene", "valid_from", "valid_to")
    optional = ("kind", "holder", "zone", "footprint", "lon", "lat", "radius_m", "note")
    for row in tables.read(path, required, optional, mistakes):
        name = row.required("id")
        if name in found:
            row.wrong("id", f"{name!r} is used twice")
        allowed = _permit_scenes(row, scenes)
        first, last = row.day("valid_from"), row.day("valid_to")
        for column in ("valid_from", "valid_to"):
            row.required(column)
        if first and last and first > last:
            row.wrong("valid_to", f"{last} is before valid_from {first}")
        circle = _circle(row)
        _check_place(row, zones, footprints)
        if first and last:
            found[name] = Permit(
                name,
                allowed,
                row.text("kind"),
                row.text("holder"),
                first,
                last,
                row.text("zone") or None,
                row.text("footprint") or None,
                circle,
                row.text("note"),
            )
    return list(found.values())


def _permit_scenes(row: Row, scenes: Collection[str]) -> frozenset[str]:
    words = row.words("scene")
    if not words:
        row.wrong("scene", "is empty", "name scenes, or * for all")
    if "*" in words:
        return frozenset()
    found, unknown = known_scenes(words, scenes)
    for word in unknown:
        row.wrong("scene", f"unknown scene {word!r}", did_you_mean(word, scenes))
    return found


def _circle(row: Row) -> tuple[float, float, float] | None:
    given = [column for column in ("lon", "lat", "radius_m") if row.text(column)]
    if not given:
        return None
    for column in {"lon", "lat", "radius_m"} - set(given):
        row.wrong(column, "is empty", "a point needs lon, lat and radius_m")
    lon, lat, radius = row.number("lon"), row.number("lat"), row.number("radius_m")
    if lon is not None and lat is not None:
        fault = features.position_fault(lon, lat)
        if fault:
            row.wrong("lon", fault)
    if radius is not None and not 0 < radius <= _MAX_RADIUS_M:
        row.wrong("radius_m", f"expected metres up to {_MAX_RADIUS_M:.0f}, got {radius:g}")
    return None if lon is None or lat is None or radius is None else (lon, lat, radius)


def _check_place(row: Row, zones: Collection[str], footprints: Collection[str]) -> None:
    ways = [
        bool(row.text("zone")),
        bool(row.text("footprint")),
        any(map(row.text, ("lon", "lat", "radius_m"))),
    ]
    if sum(ways) == 0:
        row.wrong("zone", "no place: it would cover the whole county", "give a zone, a footprint or a point")
    elif sum(ways) > 1:
        row.wrong(
            "zone", "more than one place", "give a zone, a footprint or a point, each in a row of its own"
        )
    for column, known in (("zone", zones), ("footprint", footprints)):
        value = row.text(column)
        if value and value not in known:
            row.wrong(column, f"unknown {column} {value!r}", did_you_mean(value, known) if known else "")
