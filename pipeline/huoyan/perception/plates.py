"""Reading number plates: what stands on a crop, and the plates on a vehicle.

The reader gives, for each of nine slots, the probability of every character, and the probability of each kind of
plate; `plate_grammar` picks the likeliest text that may stand on a plate. A plate is readable if its least sure
character is surer than the card's threshold. Otherwise it is *unreadable*: its text is empty, since a wrong plate
accuses somebody. Crops may be cut loosely; what comes from `PlateFinder` is rectified by its four corners first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from huoyan.perception import letterbox, models, plate_grammar, plate_shape, plate_views, plate_vote
from huoyan.perception.plate_shape import Points
from huoyan.perception.plate_vote import PlateEvidence
from huoyan.records import Box, Image

READER, FINDER = "plate-reader", "plate-corners"
# One of two plates that overlap this much is the other, seen again.
_SAME_PLATE = 0.3
_CROPS_AT_ONCE = 32
# A found plate is looked at again on a cut this many times as wide: corners are then good to fewer of its pixels.
_CLOSER = 3.0


@dataclass(frozen=True, slots=True)
class PlateRead:
    """What a crop says."""

    text: str
    """Empty if unreadable."""
    guess: str
    """The likeliest text that the grammar allows, readable or not: for comparing, never for accusing."""
    kind: str
    """Of `plate_grammar.NAMES`."""
    colour: str
    """Of `plate_grammar.COLOURS`."""
    confidence: float
    """Probability of the least sure character."""
    characters: tuple[float, ...]
    """Probability of each character of `guess`."""
    colour_confidence: float


@dataclass(frozen=True, slots=True)
class FoundPlate:
    """Where a plate hangs: score, and corners [4, 2] x, y px, clockwise from the plate's own top left."""

    score: float
    corners: Points

    @property
    def box(self) -> Box:
        """The upright box round it, xyxy px."""
        return plate_shape.box(self.corners)


class PlateReader:
    """The model that reads crops, loaded.

    Attributes:
        name, sha256: of the loaded model.
        threshold: a plate whose least sure character is below it is unreadable.
        passage_threshold: the same for the vote of many reads of one plate, `plate_vote.vote`.
    """

    def __init__(self, model: str | Path = READER, *, folder: Path | None = None, threads: int = 1) -> None:
        """Load a model; arguments as for `Detector`.

        Raises:
            ModelError: there is no such model, or it does not fit its card or the grammar.
        """
        found, self._session = models.open_for("plates", model, folder, threads)
        card = found.card
        self.name, self.sha256 = card.name, self._session.sha256
        self.threshold = card.threshold()
        self.passage_threshold = self.threshold if card.passage is None else card.passage

    def read(self, crops: Sequence[Image]) -> list[PlateRead]:
        """Read crops of plates.

        Args:
            crops: uint8 [h, w, 3] RGB of any size, a plate each, with little round it.

        Raises:
            ModelError: the model fails.
            ValueError: a crop is empty or no picture.
        """
        return [self._decide(evidence) for evidence in self.evidence(crops)]

    def evidence(self, crops: Sequence[Image]) -> list[PlateEvidence]:
        """What each crop says, with all its doubts: for a vote over many reads of one plate.

        Args and errors are those of `read`.
        """
        told: list[PlateEvidence] = []
        for start in range(0, len(crops), _CROPS_AT_ONCE):
            batch = [_checked(crop) for crop in crops[start : start + _CROPS_AT_ONCE]]
            characters, kinds = plate_views.probabilities(self._see, batch)
            told += [
                plate_vote.evidence(c, k, crop.shape[1])
                for c, k, crop in zip(characters, kinds, batch, strict=True)
            ]
        return told

    def _see(self, inputs: Image) -> tuple[plate_grammar.Floats, plate_grammar.Floats]:
        characters, kinds = self._session.run({"images": inputs})
        return characters, kinds

    def _decide(self, evidence: PlateEvidence) -> PlateRead:
        guess, colour = evidence.guess, plate_grammar.kind(evidence.kind).colour
        chances = evidence.characters[np.arange(plate_grammar.SLOTS), plate_grammar.encode(guess)]
        return PlateRead(
            text=guess if evidence.confidence >= self.threshold else "",
            guess=guess,
            kind=evidence.kind,
            colour=colour,
            confidence=evidence.confidence,
            characters=tuple(float(c) for c in chances[: len(guess)]),
            colour_confidence=plate_vote.colour_share(evidence.kinds, colour),
        )


class PlateFinder:
    """The model that finds plates and their corners on a vehicle, loaded.

    Attributes:
        name, sha256: of the loaded model.
        threshold: lowest score of a plate.
    """

    def __init__(self, model: str | Path = FINDER, *, folder: Path | None = None, threads: int = 1) -> None:
        """Load a model; arguments as for `Detector`.

        Raises:
            ModelError: there is no such model, or it does not fit its card.
        """
        found, self._session = models.open_for("plate_corners", model, folder, threads)
        card = found.card
        self.name, self.sha256 = card.name, self._session.sha256
        self.threshold = card.threshold()
        self.long_side = card.input.long_side

    def find(self, image: Image, *, threshold: float | None = None) -> list[FoundPlate]:
        """Plates on a picture of a vehicle, the surest first.

        Args:
            image: uint8 [H, W, 3] RGB, a vehicle that fills most of it.
            threshold: lowest score; default the card's.

        Raises:
            ModelError: the model fails.
        """
        found: list[FoundPlate] = []
        for plate in self._look(image, self.threshold if threshold is None else threshold):
            if all(_overlap(plate.box, other.box) < _SAME_PLATE for other in found):
                found.append(plate)
        return [self._closer(image, plate) for plate in found]

    def _look(self, image: Image, threshold: float) -> list[FoundPlate]:
        """All cells that say plate, the surest first; several of each plate."""
        height, width = image.shape[:2]
        plan = letterbox.fit((width, height), self.long_side)
        cells = self._session.run({"images": letterbox.batch([image], [plan])})[0][0]
        scale = np.array([width / plan.width, height / plan.height], dtype=np.float32)
        shift = np.array([plan.left, plan.top], dtype=np.float32)
        sure = sorted(cells[cells[:, 0] >= threshold], key=lambda cell: -float(cell[0]))
        return [FoundPlate(float(c[0]), (c[1:].reshape(4, 2) - shift) * scale) for c in sure]

    def _closer(self, image: Image, plate: FoundPlate) -> FoundPlate:
        """The same plate on a cut about three times as wide, where its corners are more pixels apart."""
        x1, y1, x2, y2 = plate.box
        reach = _CLOSER * max(x2 - x1, y2 - y1) / 2
        left, top = (max(0, int(v - reach)) for v in ((x1 + x2) / 2, (y1 + y2) / 2))
        cut = np.ascontiguousarray(
            image[top : int((y1 + y2) / 2 + reach) + 1, left : int((x1 + x2) / 2 + reach) + 1]
        )
        if max(cut.shape[:2]) > 0.8 * max(image.shape[:2]):
            return plate
        for seen in self._look(cut, self.threshold):
            again = FoundPlate(plate.score, seen.corners + np.array([left, top], dtype=np.float32))
            if _overlap(again.box, plate.box) >= _SAME_PLATE:
                return again
        return plate


def _checked(crop: Image) -> Image:
    if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8 or not crop.size:
        raise ValueError(f"expected a crop uint8 [h, w, 3], got {crop.dtype}{list(crop.shape)}")
    return crop


def _overlap(a: Box, b: Box) -> float:
    """Shared area over the smaller one."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width * height / max(smaller, 1e-6)
