"""Readings that may be an approved vehicle's plate misread.

Which mistakes are likely was measured: 2,400 rendered passages of six spoilt views each (small, blurred, dazzled,
muddy, at night), read by plate-reader and voted. Of those told wrongly two in three were wrong in the province alone,
most of the others in characters that look alike, one in ten in two characters. The reader was seldom unsure of a
wrong province.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from huoyan.config_vehicles import Limits
from huoyan.passage import PlateReading
from huoyan.registry import Registry, Vehicle, plate_key

SERIAL = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
ALIKE = "0D 8B 5S 2Z 0Q DQ CD 7Z 7T 1T 17 4A 68 6G NW KW HM JU VY XY EF"
"""Pairs of characters that small, blurred and dirty plates make alike."""
WEAK_SLOTS = 2
"""How many doubtful characters may both be others: each more multiplies what is looked up by 33."""


def _likenesses() -> dict[str, str]:
    found: dict[str, str] = {}
    for first, second in map(tuple, ALIKE.split()):
        found[first] = found.get(first, "") + second
        found[second] = found.get(second, "") + first
    return found


LIKE: Mapping[str, str] = _likenesses()


def likely(reading: PlateReading, registry: Registry, limits: Limits) -> list[Vehicle]:
    """Approved vehicles whose plate one likely mistake would turn into this reading, by plate.

    Likely are: another province; a character for one that looks like it; any for one that the reader was not sure
    of (two of them where it was not sure of two); one lost or doubled. A vehicle whose plate surely has another
    colour is none of them.
    """
    text = plate_key(reading.text)
    head, tail = text[:1], text[1:]
    weak = _weak(reading, text, limits)
    inner = [slot - 1 for slot in weak if slot]
    patterns = [*_alike(tail), *(_masked(tail, slot) for slot in inner), *_longer_and_shorter(tail)]
    for first, second in combinations(inner, 2):
        patterns += [_masked(_put(tail, first, character), second) for character in SERIAL]
    found = _like(patterns, registry)
    if 0 not in weak:
        found = [vehicle for vehicle in found if plate_key(vehicle.plate)[0] == head]
    return _of([*registry.vehicles_like(tail), *found], reading, limits)


def possible(reading: PlateReading, registry: Registry, limits: Limits) -> list[Vehicle]:
    """Approved vehicles that differ from a reading in one character, or in two that look alike, by plate; the
    province may be another as well.

    Not likely enough to hold anything by itself: by chance many a plate is so near to some vehicle of a large
    register.
    """
    tail = plate_key(reading.text)[1:]
    patterns = [_masked(tail, slot) for slot in range(len(tail))]
    patterns += [twice for once in _alike(tail) for twice in _alike(once)]
    return _of(_like(patterns, registry), reading, limits)


def remote(reading: PlateReading, registry: Registry, limits: Limits) -> list[Vehicle]:
    """Approved vehicles that differ in one character that looks alike and in any other one, by plate; the province
    may be another as well. Nearly every plate is so near to some vehicle."""
    tail = plate_key(reading.text)[1:]
    patterns = [_masked(once, slot) for once in _alike(tail) for slot in range(len(tail))]
    return _of(_like(patterns, registry), reading, limits)


def colours_differ(reading: PlateReading, vehicle: Vehicle, limits: Limits) -> bool:
    """Whether a plate's ground is surely another colour than the register says."""
    if not reading.colour or not vehicle.colour or reading.colour_confidence < limits.colour:
        return False
    # Plates of large new-energy vehicles are yellow and green: readers say one of them or both.
    energy = {"green", "yellow_green"} | ({"yellow"} if vehicle.colour == "yellow_green" else set())
    both_energy = reading.colour in energy and vehicle.colour in energy
    return reading.colour != vehicle.colour and not both_energy


def _of(vehicles: Iterable[Vehicle], reading: PlateReading, limits: Limits) -> list[Vehicle]:
    """Each once, by plate, without those of surely another colour."""
    found = {vehicle.plate: vehicle for vehicle in vehicles}
    return [found[plate] for plate in sorted(found) if not colours_differ(reading, found[plate], limits)]


def _weak(reading: PlateReading, text: str, limits: Limits) -> list[int]:
    """Slots of the least sure characters, in order."""
    if len(reading.characters) != len(text):
        return []
    doubtful = [slot for slot, sure in enumerate(reading.characters) if sure < limits.weak]
    return sorted(sorted(doubtful, key=lambda slot: reading.characters[slot])[:WEAK_SLOTS])


def _like(patterns: Iterable[str], registry: Registry) -> list[Vehicle]:
    return [vehicle for pattern in patterns for vehicle in registry.vehicles_like(pattern)]


def _put(tail: str, slot: int, character: str) -> str:
    return f"{tail[:slot]}{character}{tail[slot + 1 :]}"


def _masked(tail: str, slot: int) -> str:
    return _put(tail, slot, "?")


def _alike(tail: str) -> Iterator[str]:
    """The text with one character replaced by one that looks like it."""
    for slot, character in enumerate(tail):
        yield from (_put(tail, slot, other) for other in LIKE.get(character, ""))


def _longer_and_shorter(tail: str) -> Iterator[str]:
    """The text with one character more or less."""
    yield from (f"{tail[:slot]}?{tail[slot:]}" for slot in range(len(tail) + 1))
    yield from (tail[:slot] + tail[slot + 1 :] for slot in range(len(tail)))
