"""Is it dust? A classifier of whole pictures that knows smoke and haze too, and the motion of a cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.errors import ModelError
from huoyan.perception import models
from huoyan.perception.detector import picture_size
from huoyan.records import Box, Detection, Image

Floats = npt.NDArray[np.float32]

LABEL = "dust_plume"
STRIDE = 32
# What a crop round a candidate shows: the plume and what raised it. Smaller ones are enlarged no further than this.
_ZOOM = 2.0
_MOST_ENLARGED = 2.0
# So many candidates of a frame are looked at, the surest first; a frame full of them is a frame of one cloud.
_LIMIT = 4


@dataclass(frozen=True, slots=True)
class Air:
    """What is in the air of a picture.

    Attributes:
        dust, smoke, haze: probabilities of the picture as a whole, 0 to 1. Haze is fog, mist and smog alike.
        dusty: dust has reached the operating threshold of the model's card.
        cells: float32 (classes, rows, columns), the same for each cell of the picture, in the card's order.
    """

    dust: float
    smoke: float
    haze: float
    dusty: bool
    cells: Floats


class DustClassifier:
    """A model that classifies what is in the air, loaded.

    Attributes:
        name: as registered.
        classes: in the order of the model's outputs; `dust` is among them.
        threshold: the card's operating threshold for dust in whole pictures.
        doubt: the card's score below which a detected plume is taken for something else.
        sha256: digest of the loaded file.
    """

    def __init__(
        self,
        model: str | Path = "dust-s",
        *,
        folder: Path | None = None,
        threads: int = 1,
        providers: tuple[str, ...] | None = None,
    ) -> None:
        """Load a model; arguments as for `Detector`.

        Raises:
            ModelError: there is no such model, or it does not fit its card.
        """
        self.model, self._session = models.open_for("classify", model, folder, threads, providers)
        self.card = self.model.card
        if "dust" not in self.card.classes:
            raise ModelError(
                f"expected a model that knows dust, this one's classes are {', '.join(self.card.classes)}",
                subject=str(model),
                code="wrong_classes",
            )
        self.name = self.card.name
        self.classes = self.card.classes
        self.threshold = self.card.threshold("dust")
        self.doubt = self.threshold if self.card.doubt is None else self.card.doubt
        self.sha256 = self._session.sha256

    def look(self, image: Image) -> Air:
        """What is in the air of a whole picture.

        Args:
            image: uint8 (height, width, 3), RGB, of any size.

        Raises:
            SourceError: something is not such a picture.
            ModelError: the model fails.
        """
        width, height = picture_size(image)
        scale = self.card.input.long_side / max(width, height)
        size = [max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in (width, height)]
        # Stretched by a few per cent rather than framed in grey: a frame would be part of the air.
        shrinks = width > size[0]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        scores, cells = self._session.run({"images": small[None]})
        found = dict(zip(self.classes, scores[0].tolist(), strict=True))
        dust = found["dust"]
        return Air(dust, found.get("smoke", 0.0), found.get("haze", 0.0), dust >= self.threshold, cells[0])


def settle(
    classifier: DustClassifier, image: Image, detections: Sequence[Detection], *, drop: bool = True
) -> list[Detection]:
    """Confirm or doubt the dust plumes among `detections`, each by a look at a crop round it.

    Args:
        classifier: the model.
        image: uint8 (height, width, 3), RGB.
        detections: of this picture; all but dust plumes are passed on as they are.
        drop: leave out what is no dust; False keeps it marked `uncertain`, for explanations.

    Returns:
        Detections by falling score. A plume that was looked at carries `first_score`, `dust`, `smoke` and `haze` in
        its attributes; its score is the mean of the first look's and the classifier's.
    """
    plumes = sorted((d for d in detections if d.label == LABEL), key=lambda d: -d.score)
    settled = [d for d in detections if d.label != LABEL] + plumes[_LIMIT:]
    for plume in plumes[:_LIMIT]:
        x1, y1, x2, y2 = crop_window(plume.box, image, classifier.card.input.long_side)
        air = classifier.look(image[y1:y2, x1:x2])
        looked: dict[str, str | float | bool] = {
            "first_score": plume.score,
            "dust": air.dust,
            "smoke": air.smoke,
            "haze": air.haze,
        }
        doubted = air.dust < classifier.doubt
        if doubted:
            looked["uncertain"] = True
        if not (doubted and drop):
            score = (plume.score + air.dust) / 2
            settled.append(replace(plume, score=score, attributes={**plume.attributes, **looked}))
    return sorted(settled, key=lambda d: -d.score)


def crop_window(box: Box, image: Image, long_side: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of the crop in which a box is looked at: twice its size, within the picture."""
    height, width = image.shape[:2]
    least = long_side / _MOST_ENLARGED
    wide = min(width, round(max(_ZOOM * (box[2] - box[0]), least)))
    high = min(height, round(max(_ZOOM * (box[3] - box[1]), 0.7 * least)))
    left = min(max(0, round((box[0] + box[2] - wide) / 2)), width - wide)
    top = min(max(0, round((box[1] + box[3] - high) / 2)), height - high)
    return left, top, left + wide, top + high
