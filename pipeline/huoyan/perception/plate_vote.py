"""One answer from many reads of one vehicle's plate: what each read says of each character, weighed together.

A vehicle in view is read frame by frame. No single read need be right: where one is unsure of the third character, the
next may be sure. So not texts are counted but probabilities multiplied, slot by slot, and the grammar decides last.
Four things keep the product honest:

- *Likeness.* Consecutive frames show the same blur; ten of them know little more than one. Reads that say the
  same, probability by probability, together count as one, the surest of them most.
- *Width.* On a plate so far away that a character is a few pixels wide a network is surer than it may be: reads of
  crops narrower than `FULL_WIDTH` count less, and the answer from none but such is less sure.
- *A floor.* No single read can rule a character out, however sure it is.
- *Strangers.* Now and then a read is of another plate, or of lettering. Reads that contradict the common answer in
  several characters are left out. Are they too many, there is no answer.

Agreement is needed: a plate that only one read saw is unreadable, however sure that read was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from huoyan.perception import plate_grammar as grammar
from huoyan.perception.plate_grammar import Floats

LEAST_AGREEING = 2
"""Reads whose own likeliest text is the answer; fewer, and there is none."""
FULL_WIDTH = 64
"""Pixels of a crop's width from which a read counts fully; a narrower one by its share of it."""
# Share of every read's probability that is spread over all characters: what a read is wrong about in spite of itself.
_DOUBT = 0.03
# The overlap of two whole texts to this power is how alike two reads count. It is so small because views of one plate
# err alike (mud, a worn 8): even unlike ones are far from independent. Reads that are alike share what one counts by
# the second power of how sure each is of its weakest character. Both were fitted on rendered passages and on some
# made from held-back crops: without any of it, hardly a plate could be told without telling wrong ones.
_LIKENESS = 0.12
_SURENESS = 2.0
# A read contradicts a character if it holds another for so many times likelier. One that contradicts so many of them is
# of something else: a read that is any good seldom misreads three of seven, and a bad one is not that sure.
_TIMES_LIKELIER = 20.0
_STRANGE_CHARACTERS = 3
# Strangers that weigh more than this share of those who agree are no accident: two plates, or two vehicles in a track.
_MOST_STRANGE = 1 / 3
_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class PlateEvidence:
    """What one crop says, before anything is decided: probabilities, and the likeliest text alone."""

    characters: Floats
    """float32 [SLOTS, len(ALPHABET)]: probability of each character in each slot."""
    kinds: Floats
    """float32 [len(KINDS)]: probability of each kind."""
    guess: str
    """The likeliest text that the grammar allows."""
    kind: str
    """The kind that goes with it, of `plate_grammar.NAMES`."""
    confidence: float
    """Probability of the least sure character of `guess`, the end of the text included."""
    width: int = FULL_WIDTH
    """Of the crop, px."""


@dataclass(frozen=True, slots=True)
class PlateVote:
    """What all reads say together."""

    text: str
    """Empty if unreadable."""
    guess: str
    """The likeliest text, readable or not: for comparing, never for accusing. Empty without reads."""
    kind: str
    """Of `plate_grammar.NAMES`; empty without reads."""
    colour: str
    """Of `plate_grammar.COLOURS`; empty without reads."""
    colour_confidence: float
    confidence: float
    """Probability of the least sure character."""
    characters: tuple[float, ...]
    """Probability of each character of `guess`."""
    reads: int
    """Reads that took part: those given, less the strangers."""
    agreeing: int
    """Those whose own likeliest text is `guess`."""


def evidence(characters: Floats, kinds: Floats, width: int = FULL_WIDTH) -> PlateEvidence:
    """What a network says of one crop, as evidence.

    Args:
        characters: float32 [SLOTS, len(ALPHABET)], probabilities.
        kinds: float32 [len(KINDS)], probabilities.
        width: of the crop, px.
    """
    decoded = grammar.decode(characters, kinds)
    sure = least(characters, decoded)
    return PlateEvidence(characters, kinds, decoded.text, decoded.kind, sure, width)


def least(characters: Floats, decoded: grammar.Decoded) -> float:
    """Probability of the least sure character of a text. Empty slots count: a plate cut off behind its sixth
    character must not pass for a whole one."""
    return float(characters[np.arange(grammar.SLOTS), decoded.classes].min())


def colour_share(kinds: Floats, colour: str) -> float:
    """Probability of a colour: of all kinds that have it. `kinds` as in `PlateEvidence`."""
    return float(kinds[[grammar.kind(name).colour == colour for name in grammar.NAMES]].sum())


def vote(evidence: Sequence[PlateEvidence], threshold: float) -> PlateVote:
    """One answer from the reads of one vehicle's plate, in any order.

    Args:
        evidence: the reads; those of the same frame, cut otherwise, count like consecutive frames.
        threshold: from this probability of the least sure character the plate is readable, if at least
            `LEAST_AGREEING` reads agree and strangers are few; `PlateReader.passage_threshold`.
    """
    if not evidence:
        return PlateVote("", "", "", "", 0.0, 0.0, (), 0, 0)
    characters = np.stack([one.characters for one in evidence])
    kinds = np.stack([one.kinds for one in evidence])
    sure = np.array([one.confidence for one in evidence], dtype=np.float32)
    trust = np.minimum(1.0, np.array([one.width for one in evidence], dtype=np.float32) / FULL_WIDTH)
    alike = _likeness(characters)
    # The text that the surest reads go along with begins: what contradicts it must not pull the first answer its way.
    kept = _companions(characters, [grammar.encode(one.guess) for one in evidence], sure)
    for _ in range(_ROUNDS):
        again = _goes_along(
            characters, _decide(characters, kinds, trust * _weights(sure, alike, kept))[2].classes
        )
        if (again == kept).all() or not again.any():
            break
        kept = again
    fused, fused_kinds, decoded = _decide(characters, kinds, trust * _weights(sure, alike, kept))
    agreeing = sum(one.guess == decoded.text for one in evidence)
    confidence = least(fused, decoded)
    divided = float(sure[~kept].sum()) > _MOST_STRANGE * float(sure[kept].sum())
    readable = confidence >= threshold and agreeing >= LEAST_AGREEING and not divided
    chances = fused[np.arange(grammar.SLOTS), decoded.classes]
    colour = grammar.kind(decoded.kind).colour
    return PlateVote(
        text=decoded.text if readable else "",
        guess=decoded.text,
        kind=decoded.kind,
        colour=colour,
        colour_confidence=colour_share(fused_kinds, colour),
        confidence=confidence,
        characters=tuple(float(c) for c in chances[: len(decoded.text)]),
        reads=int(kept.sum()),
        agreeing=agreeing,
    )


def _decide(characters: Floats, kinds: Floats, weights: Floats) -> tuple[Floats, Floats, grammar.Decoded]:
    """The fused probabilities of characters and kinds, and the likeliest text that the grammar allows."""
    fused, fused_kinds = _product(characters, weights), _product(kinds, weights)
    return fused, fused_kinds, grammar.decode(fused, fused_kinds)


def _weights(sure: Floats, alike: Floats, kept: npt.NDArray[np.bool_]) -> Floats:
    """How much each read counts: reads that are alike share what one counts, by how sure they are."""
    share = np.where(kept, sure**_SURENESS, 0).astype(np.float32)
    return np.asarray(share / np.maximum(alike @ share, 1e-9), dtype=np.float32)


def _product(probabilities: Floats, weights: Floats) -> Floats:
    """The weighted product over the first axis, made to sum to one over the last."""
    logs = np.log((1 - _DOUBT) * probabilities + _DOUBT / probabilities.shape[-1])
    total = np.tensordot(weights, logs, axes=1)
    product = np.exp(total - total.max(axis=-1, keepdims=True))
    return np.asarray(product / product.sum(axis=-1, keepdims=True), dtype=np.float32)


def _likeness(characters: Floats) -> Floats:
    """How alike reads are, [n, n], 0 to 1: Bhattacharyya's coefficient of their texts as if slots were independent."""
    roots = np.sqrt(characters).transpose(1, 0, 2)
    overlap = np.clip(roots @ roots.transpose(0, 2, 1), 0, 1).prod(axis=0)
    alike = np.asarray(overlap**_LIKENESS, dtype=np.float32)
    np.fill_diagonal(alike, 1.0)
    return alike


def _goes_along(characters: Floats, classes: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which reads, [n], may be of the plate with these characters."""
    chances = characters[:, np.arange(grammar.SLOTS), classes]
    contradicted = characters.max(axis=2) > _TIMES_LIKELIER * chances
    return np.asarray(contradicted.sum(axis=1) < _STRANGE_CHARACTERS, dtype=np.bool_)


def _companions(characters: Floats, texts: Sequence[Sequence[int]], sure: Floats) -> npt.NDArray[np.bool_]:
    """The reads that go along with the text that the surest reads go along with."""
    groups = [_goes_along(characters, classes) for classes in texts]
    return max(groups, key=lambda group: float(sure[group].sum()))
