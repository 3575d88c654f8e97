"""Changes between two pictures of one place: buildings by a network, bare soil and heaps by radiometry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from huoyan.errors import ModelError, SourceError
from huoyan.perception import models, radiometry
from huoyan.perception.radiometry import Floats, Mask
from huoyan.records import Box, Detection, Image, Ring

_STRIDE = 32
# Larger pictures go through the network block by block; the rim is context and thrown away.
_BLOCK = 1024
_RIM = 64
_MIN_PIXELS = 9
_MAX_ENLARGED = 4.0
_SOIL_THRESHOLD = 0.5
_SOIL_MIN_M2 = 300.0
_HEAP_M2 = (20.0, 1500.0)
# A heap is no building, but the network must at least find something odd about it.
_HEAP_SUPPORT = 0.3
_RECTANGULAR = 0.6


@dataclass(frozen=True, slots=True)
class Region:
    """A connected patch of a mask in pixels of its picture."""

    box: Box
    polygon: Ring
    pixels: int
    score: float
    window: tuple[slice, slice]
    """Rows and columns of its bounding box."""
    inside: Mask
    """Its pixels within the window."""

    @property
    def rectangularity(self) -> float:
        """Area over that of the smallest rectangle, turned freely, round it: 1 for a rectangle."""
        points = np.argwhere(self.inside).astype(np.float32)
        (_, _), (width, height), _ = cv2.minAreaRect(points)
        return min(1.0, self.pixels / ((width + 1) * (height + 1)))


class ChangeDetector:
    """A change model, loaded, with the radiometric rules beside it.

    Attributes:
        name: as registered.
        threshold: the card's.
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
        self.model = models.load(model, folder)
        self.card = self.model.card
        if self.card.task != "change":
            raise ModelError(
                f"expected a model that finds changes, this one's task is {self.card.task!r}",
                subject=str(model),
                code="wrong_task",
            )
        self.name = self.card.name
        self.threshold = self.card.threshold()
        self._session = models.open_session(self.model, threads, providers)
        models.require(self._session, self.model)
        self.sha256 = self._session.sha256

    def probability(self, before: Image, after: Image) -> Floats:
        """Probability of change of every pixel, at the given size: float32 (height, width).

        Args:
            before, after: uint8 (height, width, 3), RGB, on the same grid.

        Raises:
            SourceError: the pictures are not of one size.
            ModelError: the model fails.
        """
        _check_pair(before, after)
        height, width = before.shape[:2]
        out = np.zeros((height, width), dtype=np.float32)
        for top in range(0, height, _BLOCK):
            for left in range(0, width, _BLOCK):
                self._block(before, after, out, top, left)
        return out

    def _block(self, before: Image, after: Image, out: Floats, top: int, left: int) -> None:
        height, width = out.shape
        y1, x1 = max(0, top - _RIM), max(0, left - _RIM)
        y2, x2 = min(height, top + _BLOCK + _RIM), min(width, left + _BLOCK + _RIM)
        feeds = {
            name: _padded(image[y1:y2, x1:x2])[None] for name, image in (("before", before), ("after", after))
        }
        block = self._session.run(feeds)[0][0]
        bottom, right = min(height, top + _BLOCK), min(width, left + _BLOCK)
        out[top:bottom, left:right] = block[top - y1 : bottom - y1, left - x1 : right - x1]

    def detect(
        self, before: Image, after: Image, gsd_m: float | None = None, *, threshold: float | None = None
    ) -> list[Detection]:
        """Changes from `before` to `after`.

        Args:
            before, after: uint8 (height, width, 3), RGB, on the same grid. Pixels that are black in either
                hold no data and never change.
            gsd_m: metres per pixel; pictures finer or coarser than the model was trained on are resampled
                for it. None: unknown, no areas are given.
            threshold: of the network's probability; default the card's.

        Returns:
            Detections `change` by falling score, with box and polygon in pixels of the pictures. Attributes:
            `change_kind` (`building`, `bare_soil`, `bright_heap` or `vegetation`), `area_px`, `area_m2` where
            the pixel size is known, `model` (`radiometry` for what the rules found).

        Raises:
            SourceError: the pictures are not of one size.
            ModelError: the model fails.
        """
        _check_pair(before, after)
        valid = before.any(axis=2) & after.any(axis=2)
        if not valid.any():
            return []
        limit = self.threshold if threshold is None else threshold
        probability = self._at_model_scale(before, after, gsd_m) * valid
        old, new = before.astype(np.float32), radiometry.match_light(before, after)
        least = max(_MIN_PIXELS, _pixels(self.card.min_area_m2, gsd_m))
        built = regions(probability >= limit, probability, least)
        found = [_describe(r, _kind(r, old, new, gsd_m), gsd_m, self.name) for r in built]
        free = valid & (probability < limit)
        bare = radiometry.soil_gained(old, new, gsd_m) * free
        found += _soil(bare, gsd_m)
        found += _heaps(old, new, free & (bare < _SOIL_THRESHOLD), probability, limit, gsd_m)
        return sorted(found, key=lambda d: (-d.score, d.box))

    def _at_model_scale(self, before: Image, after: Image, gsd_m: float | None) -> Floats:
        """Probability on the pictures' own grid, computed at a pixel size that the model knows."""
        known = self.card.input.gsd_m
        height, width = before.shape[:2]
        if gsd_m is None or known is None or known[0] <= gsd_m <= known[1]:
            return self.probability(before, after)
        scale = min(gsd_m / min(max(gsd_m, known[0]), known[1]), _MAX_ENLARGED)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        coarse = self.probability(*(_resized(image, size, way) for image in (before, after)))
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(
            np.float32, copy=False
        )


def regions(mask: Mask, scores: Floats, least: float) -> list[Region]:
    """Connected patches of `mask` (height, width), `least` pixels or more; score is the mean of `scores`."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    sums = np.bincount(labels.ravel(), weights=scores.ravel(), minlength=count)
    found = []
    for index in range(1, count):
        left, top, width, height, pixels = (int(v) for v in stats[index])
        if pixels < least:
            continue
        window = (slice(top, top + height), slice(left, left + width))
        inside = labels[window] == index
        box = (float(left), float(top), float(left + width), float(top + height))
        outline = _outline(inside, left, top)
        found.append(Region(box, outline, pixels, float(sums[index]) / pixels, window, inside))
    return found


def _outline(inside: Mask, left: int, top: int) -> Ring:
    """Outer ring of a patch in pixels of the picture, good to a quarter of a pixel, simplified to one."""
    # Contours run through pixel centres: on a doubled mask that costs a quarter of a pixel instead of half.
    doubled = np.repeat(np.repeat(inside.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outer = max(contours, key=cv2.contourArea)
    points = cv2.approxPolyDP(outer, 2.0, True).reshape(-1, 2)
    if len(points) < 3:
        points = cv2.boxPoints(cv2.minAreaRect(outer))
    return tuple((left + (float(x) + 0.5) / 2, top + (float(y) + 0.5) / 2) for x, y in points)


def _kind(region: Region, old: Floats, new: Floats, gsd_m: float | None) -> str:
    """What a patch that the network marked has become; a building unless it plainly is something else."""
    was, now = (image[region.window][region.inside].mean(axis=0) for image in (old, new))
    green_was, green_now = float(radiometry.excess_green(was)), float(radiometry.excess_green(now))
    if green_now > 0.06 and green_now > green_was + 0.02:
        return "vegetation"
    if region.rectangularity >= _RECTANGULAR:
        return "building"
    area = region.pixels * (gsd_m or 1.0) ** 2
    brighter = float(radiometry.luma(now) - radiometry.luma(was))
    warm = float(radiometry.warmth(now))
    if area >= 1000 and green_was > green_now + 0.03 and 0.06 < warm < 0.35:
        return "bare_soil"
    if area <= 400 and brighter > 30 and warm > 0.06:
        return "bright_heap"
    return "building"


def _soil(sureness: Floats, gsd_m: float | None) -> list[Detection]:
    mask = _cleaned(sureness >= _SOIL_THRESHOLD, gsd_m)
    found = regions(mask, sureness, max(_MIN_PIXELS, _pixels(_SOIL_MIN_M2, gsd_m)))
    return [_describe(region, "bare_soil", gsd_m, "radiometry") for region in found]


def _heaps(
    old: Floats, new: Floats, free: Mask, probability: Floats, limit: float, gsd_m: float | None
) -> list[Detection]:
    sureness = radiometry.brightened(old, new, gsd_m)
    mask = _cleaned((sureness >= 0.5) & free, gsd_m)
    least, most = (_pixels(area, gsd_m) for area in _HEAP_M2)
    found = []
    for region in regions(mask, sureness, max(_MIN_PIXELS, least)):
        support = float(probability[region.window][region.inside].mean())
        if region.pixels <= most and support >= _HEAP_SUPPORT * limit:
            found.append(_describe(region, "bright_heap", gsd_m, "radiometry"))
    return found


def _cleaned(mask: Mask, gsd_m: float | None) -> Mask:
    """Without threads and specks narrower than about 3 m."""
    side = max(3, round(3.0 / (gsd_m or 1.0)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    opened: Mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)
    return opened


def _describe(region: Region, kind: str, gsd_m: float | None, model: str) -> Detection:
    attributes: dict[str, str | float] = {
        "change_kind": kind,
        "model": model,
        "area_px": float(region.pixels),
    }
    if gsd_m is not None:
        attributes["area_m2"] = round(region.pixels * gsd_m**2, 1)
    return Detection("change", region.score, region.box, region.polygon, attributes=attributes)


def _pixels(area_m2: float, gsd_m: float | None) -> float:
    return area_m2 / (gsd_m or 1.0) ** 2


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
