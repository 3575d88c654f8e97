"""The plates of the vehicles in a frame: found on each, rectified, read, and hung on the detection.

Only vehicles whose plates somebody has to compare are looked at (muck trucks): the plates of others are never read,
so nothing can store them. It costs nothing on frames without a near truck.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from huoyan.perception.plate_shape import Points, rectify
from huoyan.perception.plate_vote import PlateEvidence
from huoyan.perception.plates import FINDER, READER, FoundPlate, PlateFinder, PlateRead, PlateReader
from huoyan.records import Box, Detection, Image

# A plate is about a sixth as wide as its truck; below some 25 px nobody reads it.
MIN_VEHICLE_PX = 150
MIN_PLATE_PX = 24
READING = ("text_from", "text_score", "text_scores", "plate_kind", "plate_colour", "plate_colour_score")
"""Attributes that belong to a reading, and go with it when somebody knows better."""
MOST_VEHICLES = 4
# Boxes of vehicles often end above the bumper.
_MARGIN = 0.06
# Plates hang low; what is found on the upper third is lettering.
_LOWEST_SHARE = 0.33


class VehiclePlates:
    """Finder and reader, loaded.

    Attributes:
        labels: whose plates are read.
    """

    def __init__(
        self,
        labels: Collection[str],
        reader: str | Path = READER,
        finder: str | Path = FINDER,
        *,
        folder: Path | None = None,
        threads: int = 1,
    ) -> None:
        """Load both models.

        Raises:
            ModelError: a model cannot be used.
        """
        self.labels = frozenset(labels)
        self._reader = PlateReader(reader, folder=folder, threads=threads)
        self._finder = PlateFinder(finder, folder=folder, threads=threads)

    def on(self, image: Image, detections: Sequence[Detection]) -> list[Detection]:
        """The detections, those of vehicles with what their plates say.

        Args:
            image: uint8 [H, W, 3] RGB.
            detections: in pixels of `image`.

        Returns:
            The detections in their order. A readable plate becomes `text`, with the attributes `text_from` (the
            model), `text_score` (of the least sure character), `text_scores` (of each), `plate_kind`,
            `plate_colour`, `plate_colour_score` and `plate_box` (xyxy px). Of a plate that was seen and could
            not be read only `plate_box` is told.

        Raises:
            ModelError: a model fails.
        """
        plates = self._found(image, detections)
        return [
            _with_plate(d, plates[i], self._read(image, plates[i]), self._reader.name) if i in plates else d
            for i, d in enumerate(detections)
        ]

    def evidence_on(
        self, image: Image, detections: Sequence[Detection]
    ) -> dict[int, tuple[FoundPlate, PlateEvidence]]:
        """What the plates of the vehicles in a frame say, to be collected until a vehicle has passed.

        Args:
            image: uint8 [H, W, 3] RGB.
            detections: in pixels of `image`.

        Returns:
            By index of the detection: where its plate hangs, in pixels of `image`, and the surest evidence from it.
            Vehicles without a plate that could be found are missing. `plate_vote.vote` makes one answer of the
            evidence of many frames.

        Raises:
            ModelError: a model fails.
        """
        return {
            index: (plate, self._evidence(image, plate))
            for index, plate in self._found(image, detections).items()
        }

    @property
    def passage_threshold(self) -> float:
        """The reader's threshold for votes."""
        return self._reader.passage_threshold

    def _found(self, image: Image, detections: Sequence[Detection]) -> dict[int, FoundPlate]:
        """The plates by index of the vehicle: the largest vehicles that are near and whose plates are wanted."""
        wanted = [i for i, d in enumerate(detections) if d.label in self.labels and _is_near(d.box)]
        wanted = sorted(wanted, key=lambda i: -_area(detections[i].box))[:MOST_VEHICLES]
        plates = {index: self._best(image, detections[index].box) for index in wanted}
        return {index: plate for index, plate in plates.items() if plate is not None}

    def _read(self, image: Image, plate: FoundPlate) -> PlateRead:
        return max(self._reader.read(_rectified(image, plate)), key=lambda read: read.confidence)

    def _evidence(self, image: Image, plate: FoundPlate) -> PlateEvidence:
        return max(self._reader.evidence(_rectified(image, plate)), key=lambda told: told.confidence)

    def _best(self, image: Image, box: Box) -> FoundPlate | None:
        """The surest plate that hangs where a vehicle's own plate hangs, in pixels of the picture."""
        height, width = image.shape[:2]
        rim = _MARGIN * max(box[2] - box[0], box[3] - box[1])
        x1, y1 = max(0, int(box[0] - rim)), max(0, int(box[1]))
        x2, y2 = min(width, int(box[2] + rim)), min(height, int(box[3] + rim))
        if x2 - x1 < MIN_PLATE_PX or y2 - y1 < MIN_PLATE_PX:
            return None
        for plate in self._finder.find(np.ascontiguousarray(image[y1:y2, x1:x2])):
            left, top, right, bottom = plate.box
            if right - left >= MIN_PLATE_PX and (top + bottom) / 2 >= _LOWEST_SHARE * (y2 - y1):
                return FoundPlate(plate.score, plate.corners + np.array([x1, y1], dtype=np.float32))
        return None


def _rectified(image: Image, plate: FoundPlate) -> list[Image]:
    """A few cuts of a plate, of which the surest reading counts: corners that are a little off spoil one cut, seldom
    all."""
    return [rectify(image, corners, margin) for corners, margin in _cuts(plate)]


def _cuts(plate: FoundPlate) -> Iterator[tuple[Points, float]]:
    """Corners and margins: tight and loose round the corners, and the upright box."""
    yield plate.corners, 0.04
    yield plate.corners, 0.08
    x1, y1, x2, y2 = plate.box
    yield np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], dtype=np.float32), 0.04


def _with_plate(detection: Detection, plate: FoundPlate, read: PlateRead, model: str) -> Detection:
    seen = {**detection.attributes, "plate_box": [round(v, 1) for v in plate.box]}
    if not read.text:
        return replace(detection, attributes=seen)
    values = (
        model,
        round(read.confidence, 4),
        [round(c, 4) for c in read.characters],
        read.kind,
        read.colour,
        round(read.colour_confidence, 4),
    )
    told = dict(zip(READING, values, strict=True))
    return replace(detection, text=read.text, attributes={**seen, **told})


def _is_near(box: Box) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) >= MIN_VEHICLE_PX


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
