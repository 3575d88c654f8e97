"""What a reader makes of a plate: right, misread in one of the ways that were measured, or unreadable."""

from __future__ import annotations

import random

from huoyan.passage import PlateReading
from year.county import SERIAL

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
PAIRS = {
    "0D": 58, "8B": 29, "5S": 21, "CD": 16, "2Z": 15, "NW": 13, "KW": 12, "0Q": 12, "7Z": 11, "DQ": 9, "7T": 9,
    "JU": 9, "4A": 9, "1T": 9, "HM": 8, "68": 8, "VY": 7, "EF": 7, "XY": 7, "17": 7, "BS": 6, "08": 5, "8G": 5,
    "0C": 5, "6G": 5, "56": 5, "TY": 4, "GS": 4, "1U": 4, "BD": 4, "0U": 4,
}  # fmt: skip
"""How often single reads of 2,400 spoilt, rendered passages took one character for the other: the tail of pairs that
the rules do not know is in it."""
WRONG = (0.74, 0.77, 0.81, 0.84, 0.87, 0.90, 0.92, 0.94, 0.96, 0.975, 0.985, 0.992, 0.996, 1.0)
"""How sure the vote was of a wrong character, in those that it told: equal parts lie between two values."""
UNSURE = (0.74, 0.76, 0.83, 0.88, 0.95, 0.993, 1.0)
"""The least sure character of right ones that it told, of spoilt views."""
TWO = (("province", "alike"), ("alike", "alike"), ("province", "random"), ("alike", "random"))
"""What came together in seven readings that were wrong in two characters, 3, 2, 2 and 0 times."""
SPOILT = 0.25
"""Passages whose views are as spoilt as those of the measurement; the others are clear."""


def read(
    plate: str, colour: str, misread: float, unreadable: float, rng: random.Random
) -> tuple[PlateReading, str]:
    """A reading, and how it came about: right, unreadable or the kind of mistake.

    Args:
        plate: what stands there.
        colour: of its ground.
        misread: share of wrong readings among all.
        unreadable: share of plates that nothing is told of.
        rng: where chance comes from.
    """
    fate = rng.random()
    if fate < unreadable:
        return PlateReading(colour="yellow", colour_confidence=0.6), "unreadable"
    if fate >= unreadable + misread:
        return _reading(plate, _sureness(len(plate), rng), colour), "right"
    kind = rng.choices(("province", "alike", "random", "length", "two"), (45, 30, 10, 5, 10))[0]
    text, changed = _mistake(plate, kind, rng)
    sure = _sureness(len(text), rng)
    for slot in changed:
        sure[slot] = _between(WRONG, rng)
    return _reading(text, sure, colour), kind


def _mistake(plate: str, kind: str, rng: random.Random) -> tuple[str, list[int]]:
    if kind == "length":
        slot = rng.randrange(2, len(plate))
        return plate[:slot] + plate[slot + 1 :], []
    if kind == "two":
        first, second = rng.choices(TWO, (3, 2, 2, 1))[0]
        text, slots = _mistake(plate, first, rng)
        text, more = _mistake(text, second, rng)
        return text, slots + more
    slots = list(range(1, len(plate)))
    pairs = [(s, _other(pair, plate[s]), n) for s in slots for pair, n in PAIRS.items() if plate[s] in pair]
    if kind == "province" or (kind == "alike" and not pairs):
        return _replaced(plate, 0, rng.choice(PROVINCES.replace(plate[0], "")))
    if kind == "alike":
        slot, other, _ = rng.choices(pairs, [n for _, _, n in pairs])[0]
        return _replaced(plate, slot, other)
    slot = rng.choice(slots)
    return _replaced(plate, slot, rng.choice((SERIAL[10:] if slot == 1 else SERIAL).replace(plate[slot], "")))


def _replaced(text: str, slot: int, other: str) -> tuple[str, list[int]]:
    return text[:slot] + other + text[slot + 1 :], [slot]


def _other(pair: str, character: str) -> str:
    return pair.replace(character, "")


def _sureness(count: int, rng: random.Random) -> list[float]:
    sure = [1.0 - 0.015 * rng.random() ** 2 for _ in range(count)]
    if rng.random() < SPOILT:
        sure[rng.randrange(count)] = _between(UNSURE, rng)
    return sure


def _between(values: tuple[float, ...], rng: random.Random) -> float:
    step = rng.randrange(len(values) - 1)
    return rng.uniform(values[step], values[step + 1])


def _reading(text: str, sure: list[float], colour: str) -> PlateReading:
    return PlateReading(
        text=text,
        guess=text,
        colour="green" if colour == "yellow_green" else colour,
        confidence=min(sure),
        characters=tuple(sure),
        colour_confidence=0.97,
        reads=6,
        agreeing=5,
    )
