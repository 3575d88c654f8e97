"""What may stand on a number plate of mainland China, and the likeliest text that may (after GA 36-2018).

A plate has a *kind* (the ground and who drives under it) and at most nine characters, one a slot. Every kind is a few
layouts, each of which says what may stand in each slot; the regular expression of a kind is made from them, so what
decoding allows and what `matches` accepts cannot differ. Dots, blanks and the emblem are no part of a text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
# I is never used; O only on official cars of before 2013, where nobody can tell it from 0.
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
DIGITS = "0123456789"
SERIAL = DIGITS + LETTERS
SPECIAL = "学挂警港澳领使民航"
# The group letters of new energy: A-E run on batteries, F-K on something else.
ENERGY = "ABCDEFGHJK"

EMPTY = 0
"""Class of a slot behind the end of the text."""
ALPHABET = ("", *PROVINCES, *DIGITS, *LETTERS, *SPECIAL)
"""Characters by class."""
CLASS = {character: index for index, character in enumerate(ALPHABET)}
SLOTS = 9
COLOURS = ("blue", "yellow", "green", "white", "black")

Layout = tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of plate."""

    name: str
    colour: str
    layouts: tuple[Layout, ...]
    """Each: the characters that may stand in each slot."""
    rows: int = 1
    """Rows of the usual make; armed police and farm machines have either."""
    expression: re.Pattern[str] = field(init=False)
    """What a whole text of this kind matches."""

    def __post_init__(self) -> None:
        branches = ("".join(f"[{allowed}]" for allowed in layout) for layout in self.layouts)
        object.__setattr__(self, "expression", re.compile("|".join(branches)))


_P, _C, _S, _D = (PROVINCES,), (LETTERS,), (SERIAL,), (DIGITS,)
_PLAIN: Layout = _P + _C + _S * 5

KINDS = (
    Kind("blue", "blue", (_PLAIN,)),
    Kind("yellow_single", "yellow", (_P + _C + _S * 4 + (SERIAL + "学",),)),
    Kind("yellow_double", "yellow", (_PLAIN,), rows=2),
    Kind("trailer", "yellow", (_P + _C + _S * 4 + ("挂",),), rows=2),
    Kind("green_small", "green", (_P + _C + (ENERGY,) + _S + _D * 4,)),
    Kind("green_large", "green", (_P + _C + _D * 5 + (ENERGY,),)),
    Kind(
        "white",
        "white",
        (
            _P + _C + _S * 4 + (SERIAL + "警",),
            ("W", "J", PROVINCES) + _D * 4 + _S,
            ("W", "J") + _D * 4 + _S,
            ("W", "J") + _D * 2 + _S + _D * 4,
        ),
    ),
    Kind(
        "black",
        "black",
        (_PLAIN, ("粤", "Z") + _S * 4 + ("港澳",), _P + _C + _S * 4 + ("领",), ("使",) + _D * 6),
    ),
    Kind("other", "green", (("民", "航") + _C + _D * 4, _P + _D * 7)),
)
NAMES = tuple(kind.name for kind in KINDS)
_BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Decoded:
    """The likeliest text that the grammar allows."""

    text: str
    kind: str
    classes: tuple[int, ...]
    """Of every slot, empty ones included."""
    log_probability: float
    """Of kind and characters together, as if slots were independent."""


def kind(name: str) -> Kind:
    """The kind of this name.

    Raises:
        KeyError: there is none.
    """
    return _BY_NAME[name]


def matches(text: str, name: str) -> bool:
    """Whether a text may stand on a plate of this kind."""
    return _BY_NAME[name].expression.fullmatch(text) is not None


def kinds_of(text: str) -> tuple[str, ...]:
    """Names of the kinds that a text may stand on; none for what is no plate."""
    return tuple(k.name for k in KINDS if k.expression.fullmatch(text))


def encode(text: str) -> list[int]:
    """Class of each of the `SLOTS` slots.

    Raises:
        ValueError: the text is too long or holds a character that no plate has.
    """
    unknown = [c for c in text if c not in CLASS]
    if unknown or len(text) > SLOTS:
        what = f"holds {unknown[0]!r}" if unknown else f"has {len(text)} characters"
        raise ValueError(f"no plate {what}: {text!r}")
    return [CLASS[c] for c in text] + [EMPTY] * (SLOTS - len(text))


def decode(characters: Floats, kinds: Floats) -> Decoded:
    """The kind and text of the highest joint probability among those that the grammar allows.

    Args:
        characters: float32 [SLOTS, len(ALPHABET)], probability of each class in each slot.
        kinds: float32 [len(KINDS)], probability of each kind.
    """
    logs = np.log(np.maximum(characters, 1e-9))
    allowed = logs[None] + _MASKS
    best = allowed.max(axis=2).sum(axis=1) + np.log(np.maximum(kinds, 1e-9))[_KIND_OF_LAYOUT]
    chosen = int(best.argmax())
    classes = tuple(int(c) for c in allowed[chosen].argmax(axis=1))
    text = "".join(ALPHABET[c] for c in classes)
    return Decoded(text, NAMES[_KIND_OF_LAYOUT[chosen]], classes, float(best[chosen]))


def _masks() -> tuple[Floats, npt.NDArray[np.intp]]:
    """0 where a layout allows a class, minus infinity elsewhere: [layouts, SLOTS, classes]; the kind of each."""
    layouts = [(index, layout) for index, k in enumerate(KINDS) for layout in k.layouts]
    masks = np.full((len(layouts), SLOTS, len(ALPHABET)), -np.inf, dtype=np.float32)
    for row, (_, layout) in enumerate(layouts):
        for slot in range(SLOTS):
            for character in layout[slot] if slot < len(layout) else ("",):
                masks[row, slot, CLASS[character]] = 0
    return masks, np.array([index for index, _ in layouts])


_MASKS, _KIND_OF_LAYOUT = _masks()
