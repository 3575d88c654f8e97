"""New plates from real ones: characters of one crop set into another of the same source and kind.

Two thousand crops hold few Q, T, W and Z, and a network learns their texts by heart. Where each character is in a
crop, the reader itself tells (its attention was taught on rendered plates, whose places are known), so strips can be
moved from plate to plate: real paint, real blur, texts that nobody has seen. A character is only set where the grammar
lets it stand: a green plate's digits stay digits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.perception import plate_grammar as grammar

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Chances = npt.NDArray[np.float64]

# Crops that must look alike before they lend each other characters.
_FEWEST = 8


@dataclass(frozen=True)
class Placed:
    """A real crop in the reader's input size, its text, and where its characters are: [n, 2] x, y px."""

    group: str
    """Crops of one group look alike and have as many characters."""
    kind: str
    """Of `plate_grammar.NAMES`."""
    image: Image
    text: str
    centres: Floats


class Splicer:
    """Sets characters of other crops into a crop.

    Args:
        crops: plates of one row.
    """

    def __init__(self, crops: Sequence[Placed]) -> None:
        self._groups: dict[str, list[Placed]] = defaultdict(list)
        for crop in crops:
            if _is_regular(crop.centres):
                self._groups[crop.group].append(crop)
        self._chances = {name: _chances(group) for name, group in self._groups.items()}

    def takes(self, crop: Placed) -> bool:
        """Whether the crop has companions, and its characters' places make sense."""
        return len(self._groups.get(crop.group, ())) > _FEWEST and _is_regular(crop.centres)

    def splice(self, crop: Placed, rng: np.random.Generator) -> tuple[Image, str]:
        """The crop with one or more characters of others, and its new text."""
        image, text = crop.image.copy(), list(crop.text)
        donors, chances = self._groups[crop.group], self._chances[crop.group]
        serial = np.arange(2, len(text))
        slots = rng.permutation(serial)[: rng.integers(1, len(serial) + 1)].tolist()
        # Province and city letter keep their places; they are nearly always the same in real crops.
        slots += [slot for slot in (0, 1) if rng.random() < 0.3]
        for slot in slots:
            flat = int(rng.choice(len(chances[slot]), p=chances[slot]))
            donor = donors[flat // len(serial)] if slot > 1 else donors[flat]
            place = 2 + flat % len(serial) if slot > 1 else slot
            _set(image, crop.centres, slot, donor, place)
            text[slot] = donor.text[place]
        return image, "".join(text)


def _chances(group: Sequence[Placed]) -> list[Chances]:
    """By slot, how likely each donor's character is chosen: rare ones more often, none that may not stand there."""
    layout = grammar.kind(group[0].kind).layouts[0]
    serial = [s for c in group for s in c.text[2:]]
    columns = [[c.text[0] for c in group], [c.text[1] for c in group], *[serial] * (len(group[0].text) - 2)]
    chances = []
    for allowed, column in zip(layout, columns, strict=True):
        counts = Counter(column)
        weights = np.array([counts[s] ** -0.9 if s in allowed else 0.0 for s in column])
        chances.append(weights / weights.sum())
    return chances


def _is_regular(centres: Floats) -> bool:
    """Whether characters stand from left to right at steps of a plate."""
    steps = np.diff(centres[:, 0])
    return bool((steps > 10).all() and (steps < 36).all() and np.ptp(steps[2:]) < 7)


def _span(centres: Floats, slot: int) -> tuple[float, float]:
    """Left and right end of a character's strip: half way to its neighbours, at the ends as far as inside."""
    x = centres[:, 0]
    pitch = float(np.median(np.diff(x)[2:]))
    left = (x[slot - 1] + x[slot]) / 2 if slot not in (0, 2) else x[slot] - pitch / 2
    right = (x[slot] + x[slot + 1]) / 2 if slot not in (1, len(x) - 1) else x[slot] + pitch / 2
    return float(max(left, 0)), float(right)


def _set(image: Image, centres: Floats, slot: int, donor: Placed, place: int) -> None:
    """Paint the donor's strip over the slot's, at its height, in the light of what it covers."""
    height, width = image.shape[:2]
    left, right = (round(v) for v in _span(centres, slot))
    right = min(right, width)
    if right - left < 6:
        return
    from_left, from_right = _span(donor.centres, place)
    scale = (from_right - from_left) / (right - left)
    drop = float(donor.centres[place, 1] - centres[slot, 1])
    matrix = np.array([[scale, 0, from_left], [0, 1, drop]], np.float32)
    strip = cv2.warpAffine(
        donor.image,
        matrix,
        (right - left, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
    target = image[:, left:right].astype(np.float32)
    # The ground is what most pixels are; it and how far the ink is from it are brought to the target's.
    ground, own = (np.median(part, axis=(0, 1)) for part in (target, strip))
    gain = np.clip(target.std(axis=(0, 1)) / np.maximum(strip.std(axis=(0, 1)), 1), 0.4, 2.5)
    strip = np.clip((strip - own) * gain + ground, 0, 255)
    blend = np.minimum(1.0, (np.minimum(np.arange(right - left), np.arange(right - left)[::-1]) + 1) / 2.5)
    image[:, left:right] = (target + (strip - target) * blend[None, :, None]).astype(np.uint8)
