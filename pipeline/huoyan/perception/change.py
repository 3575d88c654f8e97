"""Changes between two pictures of one place: buildings by a network, bare soil and heaps by radiometry."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from huoyan.errors import SourceError
from huoyan.perception import groundwork, models, radiometry, regions
from huoyan.perception.radiometry import Floats
from huoyan.perception.regions import Mask, Region
from huoyan.records import Detection, Image

_STRIDE = 32
# Larger pictures go through the network block by block; the rim is context and thrown away.
_BLOCK = 512
_RIM = 64
_MIN_PIXELS = 9
_MAX_ENLARGED = 4.0
_RULES = "radiometry"


class ChangeDetector:
    """A change model, loaded, with the radiometric rules beside it.

    Attributes:
        name: as registered.
        threshold: the card's, of fine pictures.
        sha256: digest of the loaded file.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        folder: Path | None = None,
        threads: int = 1,
        providers: tuple[str, ...] | None = None,
    ) -> None:
        """Load a model; arguments as for `Detector`.

        Raises:
            ModelError: there is no such model, or it does not fit its card.
        """
        self.model, self._session = models.open_for("change", model, folder, threads, providers)
        self.card = self.model.card
        self.name = self.card.name
        self.threshold = self.card.threshold()
        self.sha256 = self._session.sha256

    def probability(self, before: Image, after: Image) -> Floats:
        """Probability of change of every pixel, at the given size: float32 (height, width).

        Args:
            before, after: uint8 (height, width, 3), RGB, on the same grid.

        Raises:
            SourceError: the pictures are not of one size.
            ModelError: the model fails.
        """
        return self._look(before, after)[0]

    def _look(self, before: Image, after: Image) -> tuple[Floats, float | None]:
        """Probability, and the ground sampling distance that the model takes the pair for, where it says so."""
        _check_pair(before, after)
        height, width = before.shape[:2]
        out = np.zeros((height, width), dtype=np.float32)
        guesses = [
            self._block(before, after, out, top, left)
            for top in range(0, height, _BLOCK)
            for left in range(0, width, _BLOCK)
        ]
        known = [guess for guess in guesses if guess is not None]
        return out, float(np.median(known)) if known else None

    def _block(self, before: Image, after: Image, out: Floats, top: int, left: int) -> float | None:
        height, width = out.shape
        y1, x1 = max(0, top - _RIM), max(0, left - _RIM)
        y2, x2 = min(height, top + _BLOCK + _RIM), min(width, left + _BLOCK + _RIM)
        feeds = {
            name: _padded(image[y1:y2, x1:x2])[None] for name, image in (("before", before), ("after", after))
        }
        answers = self._session.run(feeds)
        named = {tensor.name: value[0] for tensor, value in zip(self._session.outputs, answers, strict=True)}
        block = named["change"]
        bottom, right = min(height, top + _BLOCK), min(width, left + _BLOCK)
        out[top:bottom, left:right] = block[top - y1 : bottom - y1, left - x1 : right - x1]
        return float(named["gsd_m"]) if "gsd_m" in named else None

    def detect(
        self, before: Image, after: Image, gsd_m: float | None = None, *, threshold: float | None = None
    ) -> list[Detection]:
        """Changes from `before` to `after`.

        Args:
            before, after: uint8 (height, width, 3), RGB, on the same grid. Pixels that are black in either
                hold no data and never change.
            gsd_m: metres per pixel; pictures finer or coarser than the model was trained on are resampled
                for it. None: unknown, no areas are given.
            threshold: of the network's probability; default the card's for this pixel size; where that is not
                known, for what the model takes it to be.

        Returns:
            Detections `change` by falling score, with box and polygon in pixels of the pictures. Attributes:
            `change_kind` (`building`, `bare_soil`, `bright_heap` or `vegetation`), `area_px`, `area_m2` where
            the pixel size is known, `model` (`radiometry` for what the rules found).

        Raises:
            SourceError: the pictures are not of one size.
            ModelError: the model fails.
        """
        _check_pair(before, after)
        valid = _has_data(before) & _has_data(after)
        if not valid.any():
            return []
        seen, guess = self._at_model_scale(before, after, gsd_m)
        probability = seen * valid
        limit, peak = self.card.point(gsd_m or guess)
        if threshold is not None:
            limit = threshold
        light = radiometry.compare_light(before, after)
        found = [
            _describe(region, groundwork.kind(region, before, after, light, gsd_m), gsd_m, self.name)
            for region in self._patches(probability, limit, peak, gsd_m)
        ]
        ground = groundwork.coarse(before, after, light, valid, probability, limit, gsd_m)
        soil = groundwork.soil(ground)
        found += [_describe(r, "bare_soil", gsd_m, _RULES) for r in groundwork.bare_soil(ground, soil)]
        heaps = groundwork.bright_heaps(ground, soil, limit)
        found += [_describe(r, "bright_heap", gsd_m, _RULES) for r in heaps]
        return sorted(found, key=lambda d: (-d.score, d.box))

    def marked(self, before: Image, after: Image, gsd_m: float | None = None) -> Mask:
        """Pixels of the patches that the network alone reports, bool (height, width), at the given size.

        Args and errors as for `detect`.
        """
        mask = np.zeros(before.shape[:2], dtype=bool)
        probability, guess = self._at_model_scale(before, after, gsd_m)
        for region in self._patches(probability, *self.card.point(gsd_m or guess), gsd_m):
            mask[region.window] |= region.inside
        return mask

    def _patches(self, probability: Floats, limit: float, peak: float, gsd_m: float | None) -> list[Region]:
        least = max(_MIN_PIXELS, self.card.min_area_m2 / (gsd_m or 1.0) ** 2)
        return regions.find(probability >= limit, probability, least, max(limit, peak))

    def _at_model_scale(
        self, before: Image, after: Image, gsd_m: float | None
    ) -> tuple[Floats, float | None]:
        """As `_look`, on the pictures' own grid, computed at a pixel size that the model knows."""
        known = self.card.input.gsd_m
        height, width = before.shape[:2]
        if gsd_m is None or known is None or known[0] <= gsd_m <= known[1]:
            return self._look(before, after)
        scale = min(gsd_m / min(max(gsd_m, known[0]), known[1]), _MAX_ENLARGED)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        seen, guess = self._look(*(_resized(image, size, way) for image in (before, after)))
        fitted = cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR)
        return fitted.astype(np.float32, copy=False), guess


def _describe(region: Region, kind: str, gsd_m: float | None, model: str) -> Detection:
    attributes: dict[str, str | float] = {
        "change_kind": kind,
        "model": model,
        "area_px": float(region.pixels),
    }
    if gsd_m is not None:
        attributes["area_m2"] = round(region.pixels * gsd_m**2, 1)
    return Detection("change", region.score, region.box, region.polygon, attributes=attributes)


def _has_data(image: Image) -> Mask:
    red, green, blue = cv2.split(image)
    data: Mask = cv2.bitwise_or(cv2.bitwise_or(red, green), blue) > 0
    return data


def _resized(image: Image, size: tuple[int, int], way: int) -> Image:
    return cv2.resize(image, size, interpolation=way).astype(np.uint8, copy=False)


def _padded(image: Image) -> Image:
    """Filled up at the right and below to multiples of 32 by reflection."""
    height, width = image.shape[:2]
    padded = cv2.copyMakeBorder(image, 0, -height % _STRIDE, 0, -width % _STRIDE, cv2.BORDER_REFLECT_101)
    return padded.astype(np.uint8, copy=False)


def _check_pair(before: Image, after: Image) -> None:
    for image in (before, after):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise SourceError(
                f"expected pictures as uint8 [height, width, 3], got {image.dtype}{list(image.shape)}",
                code="not_a_picture",
            )
    if before.shape != after.shape:
        raise SourceError(
            f"the pictures of a pair must be on one grid: {before.shape[1]}x{before.shape[0]} px before, "
            f"{after.shape[1]}x{after.shape[0]} px after",
            hint="resample one onto the other first",
            code="pair_size",
        )
