"""Readings that are one likely mistake away from an approved vehicle's plate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from huoyan.config import Limits
from huoyan.passage import PlateReading
from huoyan.registry import Vehicle, plate_key

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
SERIAL = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
ALIKE = (
    "0D",
    "0Q",
    "DQ",
    "8B",
    "2Z",
    "5S",
    "6G",
    "CG",
    "1T",
    "1L",
    "7T",
    "7Z",
    "4A",
    "MN",
    "EF",
    "PR",
    "UV",
    "KX",
)
"""Characters that blur and mud make alike."""
PROVINCES_ALIKE = (
    "浙沪",
    "浙津",
    "浙渝",
    "浙湘",
    "津沪",
    "鲁晋",
    "苏赣",
    "陕皖",
    "京宁",
    "川皖",
    "贵青",
    "豫赣",
)
WEAK_SLOTS = 2
"""How many doubtful characters may both be others: each more multiplies what is looked up by 33."""


def _likenesses() -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for pair in (*ALIKE, *PROVINCES_ALIKE):
        first, second = pair[0], pair[1]
        found.setdefault(first, set()).add(second)
        found.setdefault(second, set()).add(first)
    return {character: "".join(sorted(others)) for character, others in found.items()}


LIKE: Mapping[str, str] = _likenesses()


def near(reading: PlateReading, vehicles: Mapping[str, Vehicle], limits: Limits) -> list[Vehicle]:
    """Approved vehicles whose plate one likely mistake would turn into this reading, by plate.

    Likely are: one character for one that looks like it; any character for one that the reader was not sure of
    (two of them where it was not sure of two); one character lost or doubled. A vehicle whose plate has surely
    another colour is none of them.

    Args:
        reading: what was read.
        vehicles: by plate key.
        limits: from when on a character and a colour are sure.
    """
    text = plate_key(reading.text)
    found = {key: vehicles[key] for key in _variants(text, _weak(reading, text, limits)) if key in vehicles}
    found.pop(text, None)
    return [found[key] for key in sorted(found) if not colours_differ(reading, found[key], limits)]


def colours_differ(reading: PlateReading, vehicle: Vehicle, limits: Limits) -> bool:
    """Whether a plate's ground is surely another colour than the register says."""
    if not reading.colour or not vehicle.colour or reading.colour_confidence < limits.colour:
        return False
    # Plates of large new-energy vehicles are yellow and green; readers say one of them or both.
    energy = {"green", "yellow_green"}
    if vehicle.colour == "yellow_green":
        energy.add("yellow")
    same = reading.colour == vehicle.colour or (reading.colour in energy and vehicle.colour in energy)
    return not same


def _weak(reading: PlateReading, text: str, limits: Limits) -> list[int]:
    """Slots of the least sure characters, the least sure first."""
    if len(reading.characters) != len(text):
        return []
    doubtful = [slot for slot, sure in enumerate(reading.characters) if sure < limits.weak]
    return sorted(doubtful, key=lambda slot: reading.characters[slot])[:WEAK_SLOTS]


def _variants(text: str, weak: list[int]) -> Iterator[str]:
    for slot, character in enumerate(text):
        for other in _any(slot) if slot in weak else LIKE.get(character, ""):
            yield f"{text[:slot]}{other}{text[slot + 1 :]}"
    for first, second in combinations(sorted(weak), 2):
        head, middle, tail = text[:first], text[first + 1 : second], text[second + 1 :]
        for one in _any(first):
            stem = f"{head}{one}{middle}"
            yield from (f"{stem}{two}{tail}" for two in _any(second))
    for slot in range(len(text) + 1):
        if slot < len(text):
            yield text[:slot] + text[slot + 1 :]
        for other in _any(slot):
            yield f"{text[:slot]}{other}{text[slot:]}"


def _any(slot: int) -> str:
    return PROVINCES if slot == 0 else SERIAL
