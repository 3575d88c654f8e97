"""A crop of a plate, seen as often as it needs: clear ones once, doubtful ones again with a rim, and the mean believed.

How tightly a plate is cut decides much: a T whose bar touches the edge is a 1. Most crops are clear at first sight and
cost one run; the others are shown again with more above and below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from huoyan.perception.plate_grammar import Floats
from huoyan.perception.plate_shape import to_input
from huoyan.perception.plate_vote import evidence
from huoyan.records import Image

See = Callable[[Image], tuple[Floats, Floats]]
"""Probabilities of characters [n, SLOTS, classes] and kinds [n, kinds] for inputs uint8 [n, height, width, 3]."""

# Least probability of a character from which a crop counts as clear, and what is added left and right, above and
# below for the further looks, as shares of the crop.
DOUBT = 0.9
RIMS = ((0.0, 0.08),)


def probabilities(see: See, crops: Sequence[Image]) -> tuple[Floats, Floats]:
    """What a network says of crops: characters [n, SLOTS, classes] and kinds [n, kinds].

    Args:
        see: runs the network.
        crops: uint8 [h, w, 3] RGB of any size, at least one.
    """
    characters, kinds = see(np.stack([to_input(crop) for crop in crops]))
    doubtful = [
        index
        for index, (own, kind) in enumerate(zip(characters, kinds, strict=True))
        if evidence(own, kind).confidence < DOUBT
    ]
    if doubtful:
        again = np.stack([to_input(crops[index], rim) for rim in RIMS for index in doubtful])
        for first, further in zip((characters, kinds), see(again), strict=True):
            looks = further.reshape(len(RIMS), len(doubtful), *further.shape[1:])
            first[doubtful] = (first[doubtful] + looks.sum(axis=0)) / (1 + len(RIMS))
    return characters, kinds
