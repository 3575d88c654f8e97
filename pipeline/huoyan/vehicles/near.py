"""Readings that may be an approved vehicle's plate misread.

Which mistakes are likely was measured: 2,400 rendered passages of six spoilt views each (small, blurred, dazzled,
muddy, at night), read by plate-reader and voted. Of those told wrongly two in three were wrong in the province alone, most of
the others in characters that look alike; the reader was seldom unsure of a wrong province.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from huoyan.config import Limits
from huoyan.passage import PlateReading
from huoyan.registry import Vehicle, plate_key

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
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


def likely(reading: PlateReading, vehicles: Mapping[str, Vehicle], limits: Limits) -> list[Vehicle]:
    """Approved vehicles whose plate one likely mistake would turn into this reading, by plate.

    Likely are: another province; a character for one that looks like it; any for one that the reader was not sure
    of (two of them where it was not sure of two); one lost or doubled. A vehicle whose plate surely has another
    colour is none of them.

    Args:
        reading: what was read.
        vehicles: by plate key.
        limits: from when on a character and a colour are sure.
    """
    text = plate_key(reading.text)
    return _among(_likely(text, _weak(reading, text, limits)), text, reading, vehicles, limits)


def possible(reading: PlateReading, vehicles: Mapping[str, Vehicle], limits: Limits) -> list[Vehicle]:
    """Approved vehicles that any one wrong character, or two likely ones, would turn into this reading, by plate.

    Not likely enough to hold anything by itself: by chance many a plate is so near to some vehicle of a large
    register.
    """
    text = plate_key(reading.text)
    return _among(_possible(text), text, reading, vehicles, limits)


def colours_differ(reading: PlateReading, vehicle: Vehicle, limits: Limits) -> bool:
    """Whether a plate's ground is surely another colour than the register says."""
    if not reading.colour or not vehicle.colour or reading.colour_confidence < limits.colour:
        return False
    # Plates of large new-energy vehicles are yellow and green: readers say one of them or both.
    energy = {"green", "yellow_green"} | ({"yellow"} if vehicle.colour == "yellow_green" else set())
    both_energy = reading.colour in energy and vehicle.colour in energy
    return reading.colour != vehicle.colour and not both_energy


def _among(
    texts: Iterator[str],
    text: str,
    reading: PlateReading,
    vehicles: Mapping[str, Vehicle],
    limits: Limits,
) -> list[Vehicle]:
    found = {key: vehicles[key] for key in texts if key in vehicles and key != text}
    return [found[key] for key in sorted(found) if not colours_differ(reading, found[key], limits)]


def _weak(reading: PlateReading, text: str, limits: Limits) -> list[int]:
    """Slots of the least sure characters, in order."""
    if len(reading.characters) != len(text):
        return []
    doubtful = [slot for slot, sure in enumerate(reading.characters) if sure < limits.weak]
    return sorted(sorted(doubtful, key=lambda slot: reading.characters[slot])[:WEAK_SLOTS])


def _likely(text: str, weak: list[int]) -> Iterator[str]:
    for slot in range(len(text)):
        yield from _changed(text, slot, _any(slot) if slot in weak else _like(text, slot))
    for first, second in combinations(weak, 2):
        for once in _changed(text, first, _any(first)):
            yield from _changed(once, second, _any(second))
    for slot in range(len(text) + 1):
        yield text[:slot] + text[slot + 1 :]
        yield from (f"{text[:slot]}{other}{text[slot:]}" for other in _any(slot))


def _possible(text: str) -> Iterator[str]:
    for slot in range(len(text)):
        yield from _changed(text, slot, _any(slot))
    for first, second in combinations(range(len(text)), 2):
        for once in _changed(text, first, _like(text, first)):
            yield from _changed(once, second, _like(text, second))


def _changed(text: str, slot: int, others: str) -> Iterator[str]:
    head, tail = text[:slot], text[slot + 1 :]
    return (f"{head}{other}{tail}" for other in others)


def _any(slot: int) -> str:
    return PROVINCES if slot == 0 else SERIAL


def _like(text: str, slot: int) -> str:
    return PROVINCES if slot == 0 else LIKE.get(text[slot], "")
