"""Plates that somebody may have meant: one or two slips away, slips between characters that look alike first."""

from __future__ import annotations

from collections.abc import Iterable

from huoyan.registry import plate_key
from huoyan.vehicles.near import LIKE

MOST = 3
FARTHEST = 2.0
_FRAGMENT = 4
"""From so many characters on a part of a plate is looked for in plates."""


def suggestions(text: str, plates: Iterable[str], most: int = MOST) -> list[str]:
    """The plates nearest to what was typed, the nearest first.

    Args:
        text: what was typed, perhaps only a part of a plate.
        plates: keys of known plates.
        most: no more than this.
    """
    key = plate_key(text)
    found: list[tuple[float, str]] = []
    for plate in plates:
        if len(key) >= _FRAGMENT and key in plate:
            found.append((0.0, plate))
        elif abs(len(plate) - len(key)) <= FARTHEST and (slips := _slips(key, plate)) <= FARTHEST:
            found.append((slips, plate))
    return [plate for _, plate in sorted(found)[:most]]


def _slips(a: str, b: str) -> float:
    """Levenshtein's distance; half a slip for characters that look alike."""
    row = [float(i) for i in range(len(b) + 1)]
    for i, one in enumerate(a, 1):
        last, row[0] = row[0], float(i)
        for j, other in enumerate(b, 1):
            cost = 0.0 if one == other else 0.5 if other in LIKE.get(one, "") else 1.0
            last, row[j] = row[j], min(row[j] + 1.0, row[j - 1] + 1.0, last + cost)
    return row[-1]
