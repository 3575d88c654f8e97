"""The register of approved vehicles: what each may carry, from where to where, on which roads, at which hours."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from huoyan.registry import hours, tables
from huoyan.registry.entries import PLATE_COLOURS, VEHICLE_KINDS, Vehicle, plate_key
from huoyan.registry.hours import ALWAYS, Hours
from huoyan.registry.mistakes import Mistakes, did_you_mean
from huoyan.registry.tables import Row

OPTIONAL = (
    "colour",
    "kind",
    "company",
    "permit",
    "valid_from",
    "valid_to",
    "sites",
    "trips",
    "corridors",
    "hours",
    "load_kg",
    "tare_kg",
    "note",
)
LEAST_KG, MOST_KG = 200.0, 150_000.0
"""What a load or an empty vehicle may weigh; less is probably given in tonnes."""
_ARROW = re.compile(r"\s*(?:->|→|>)\s*")


def read_vehicles(
    path: Path, zones: Collection[str], corridors: Collection[str], mistakes: Mistakes
) -> dict[str, Vehicle]:
    """Vehicles of a CSV, by the key of their plate.

    Columns: plate, and as wanted colour, kind, company, permit, valid_from, valid_to, sites (zone ids), trips
    (`from->to` pairs of zone ids), corridors (ids), hours (see `hours.parse`), load_kg, tare_kg, note.
    """
    found: dict[str, Vehicle] = {}
    for row in tables.read(path, ("plate",), OPTIONAL, mistakes):
        plate = row.required("plate")
        key = plate_key(plate)
        if plate and not 5 <= len(key) <= 10:
            row.wrong("plate", f"does not look like a plate: {plate!r}")
        if key and key in found:
            row.wrong("plate", f"{plate!r} is used twice")
        first, last = row.day("valid_from"), row.day("valid_to")
        if first and last and first > last:
            row.wrong("valid_to", f"{last} is before valid_from {first}")
        found[key] = Vehicle(
            plate=plate,
            colour=_word(row, "colour", PLATE_COLOURS, ("牌", "色")),
            kind=_word(row, "kind", VEHICLE_KINDS),
            company=row.text("company"),
            permit=row.text("permit"),
            valid_from=first,
            valid_to=last,
            sites=_ids(row, "sites", "zone", zones),
            note=row.text("note"),
            trips=_trips(row, zones),
            corridors=_ids(row, "corridors", "corridor", corridors),
            hours=_hours(row),
            load_kg=_kilograms(row, "load_kg"),
            tare_kg=_kilograms(row, "tare_kg"),
        )
    return found


def _ids(row: Row, column: str, what: str, known: Collection[str]) -> tuple[str, ...]:
    words = tuple(row.words(column))
    for word in words:
        if word not in known:
            row.wrong(column, f"unknown {what} {word!r}", row.mistakes.hint(word, known))
    return words


def _trips(row: Row, zones: Collection[str]) -> tuple[tuple[str, str], ...]:
    trips = []
    for word in tables.split_words(_ARROW.sub("->", row.text("trips"))):
        ends = word.split("->")
        if len(ends) != 2 or not all(ends):
            row.wrong("trips", f"expected two zones such as plot-b->spoil-yard, got {word!r}")
            continue
        for end in ends:
            if end not in zones:
                row.wrong("trips", f"unknown zone {end!r}", row.mistakes.hint(end, zones))
        trips.append((ends[0], ends[1]))
    return tuple(trips)


def _hours(row: Row) -> Hours:
    text = row.text("hours")
    if not text:
        return ALWAYS
    try:
        return hours.parse(text)
    except ValueError as error:
        row.wrong("hours", str(error))
        return ALWAYS


def _kilograms(row: Row, column: str) -> float | None:
    value = row.number(column)
    if value is not None and not LEAST_KG <= value <= MOST_KG:
        hint = "kilograms, not tonnes" if 0 < value < LEAST_KG else ""
        row.wrong(column, f"expected kilograms from {LEAST_KG:.0f} to {MOST_KG:.0f}, got {value:g}", hint)
    return value


def _word(row: Row, column: str, names: dict[str, str], suffixes: tuple[str, ...] = ()) -> str:
    """A cell as Huoyan's word for it, given that word or its Chinese name."""
    text = row.text(column).lower()
    stem = text
    for suffix in suffixes:
        stem = stem.removesuffix(suffix)
    word = names.get(text) or names.get(stem, text)
    if word and word not in names.values():
        what = "plate colour" if column == "colour" else column
        row.wrong(column, f"unknown {what} {text!r}", did_you_mean(word, names.values()))
    return word
