"""Visibility in metres from a fixed camera, against its own clear days.

A landmark at distance d is seen through air of extinction b with contrast C = C0 exp(-b d) (Koschmieder, Beiträge
zur Physik der freien Atmosphäre 12, 1924). The meteorological optical range, what visibility sensors report, is the
distance at which the contrast has fallen to 5 %: V = -ln(0.05) / b = 2.996 / b (WMO-No. 8, part I, chapter 9).

C0 needs no target of known blackness: it is the landmark's own contrast on clear days. Its contrast now is how
strongly the pattern of the clear days shows in the picture, as the slope of a regression on fine structure, in linear
light and relative to the sky. Fog fades that slope; noise and passing lorries do not raise it.

What disturbs it is light: another sun raises or lowers the contrast of one landmark (`LANDMARK_SIGMA`) or of all
(`GAIN_SIGMA`), and a slope below the noise (`FLOOR`) says only that the landmark is gone. The answer is the
distribution over ln V that these leave, so its error grows by itself where the camera cannot know: far beyond its
landmarks in clear air, or with all of them drowned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.errors import SourceError
from huoyan.perception import quality
from huoyan.records import Box, Image

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

CONTRAST_THRESHOLD = 0.05
KOSCHMIEDER = -math.log(CONTRAST_THRESHOLD)
NEAREST_M, FARTHEST_M = 30.0, 50_000.0

# From the frames of one weather camera with a visibility sensor, see docs/models.md.
LANDMARK_SIGMA = 0.25
"""Standard deviation of ln(contrast) of one landmark from one clear picture to another."""
GAIN_SIGMA = 0.25
"""The same, of all landmarks together."""
FLOOR = 0.012
"""Standard deviation of the slope where nothing is to be seen."""
AIR_SIGMA = 0.4
"""Of ln(V) between the way to the landmarks and the air elsewhere, at a sensor or at a road: fog is uneven."""

_STRUCTURE_PX = 6.0
_GRID = np.linspace(math.log(NEAREST_M), math.log(FARTHEST_M), 600)
_GAINS = np.linspace(-2.5, 2.5, 21)


@dataclass(frozen=True, slots=True)
class Landmark:
    """Something lasting with clear edges: a tower, a ridge, a row of trees.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the reference, with some sky or background round its outline.
        distance_m: from the camera. A landmark helps to tell visibilities from about its distance to ten times that.
    """

    box: Box
    distance_m: float


@dataclass(frozen=True, slots=True)
class Reference:
    """A fixed view on clear days; made by `reference`.

    Attributes:
        light: float32 (height, width), linear luminance over the sky's, mean of the clear pictures.
        sky: x1, y1, x2, y2 of a stretch of sky low over the horizon.
        landmarks: at least one.
        visibility_m: of the clear days.
    """

    light: Floats
    sky: Box
    landmarks: tuple[Landmark, ...]
    visibility_m: float


@dataclass(frozen=True, slots=True)
class Visibility:
    """How far one sees, as a meteorological optical range.

    Attributes:
        metres: the median of what is possible; None where nothing can be said, see `reason`.
        low_m, high_m: 68 % of what is possible lies between them. `high_m` is infinite where the landmarks are too
            near to tell haze from clear air.
        reason: why there is no figure, else empty.
    """

    metres: float | None
    low_m: float = 0.0
    high_m: float = math.inf
    reason: str = ""


def reference(
    images: Sequence[Image], landmarks: Sequence[Landmark], sky: Box, visibility_m: float = 30_000.0
) -> Reference:
    """The clear view of a camera.

    Args:
        images: uint8 (height, width, 3), RGB, of one size, by day in clear air, the camera unmoved. Several, under
            different light, are better than one.
        landmarks: see `Landmark`.
        sky: x1, y1, x2, y2 in pixels: sky low over the horizon, which is what distant air looks like.
        visibility_m: of those days.

    Raises:
        SourceError: there is no picture or no landmark, sizes differ, or a box leaves the picture.
    """
    if not images or not landmarks:
        raise SourceError("a reference needs a clear picture and a landmark", code="no_reference")
    if any(image.shape != images[0].shape for image in images):
        raise SourceError("the clear pictures differ in size", code="no_reference")
    for box in (sky, *(landmark.box for landmark in landmarks)):
        _check_box(box, images[0])
    if any(landmark.distance_m <= 0 for landmark in landmarks):
        raise SourceError("a landmark's distance must be above 0 m", code="no_reference")
    light = np.mean([_relative_light(image, sky) for image in images], axis=0).astype(np.float32)
    return Reference(light, sky, tuple(landmarks), visibility_m)


def estimate(image: Image, clear: Reference) -> Visibility:
    """Visibility in a picture of the reference's camera.

    Args:
        image: uint8 (height, width, 3), RGB, of the reference's size, by day.
        clear: the camera's reference.

    Raises:
        SourceError: the picture has another size than the reference.
    """
    if image.shape[:2] != clear.light.shape:
        raise SourceError(
            f"the reference is {clear.light.shape[1]} x {clear.light.shape[0]} px, "
            f"the picture {image.shape[1]} x {image.shape[0]}",
            code="reference_size",
        )
    if quality.is_night(image):
        return Visibility(None, reason="at night landmarks shine or are dark: their contrast says nothing")
    return _answer(slopes(image, clear), clear)


def slopes(image: Image, clear: Reference) -> Doubles:
    """How much of each landmark's clear-day contrast is left: 1 as on clear days, 0 gone; (landmarks,)."""
    light = _relative_light(image, clear.sky)
    result = []
    for landmark in clear.landmarks:
        now, then = (_structure(_cut(view, landmark.box)) for view in (light, clear.light))
        result.append(float((now * then).sum() / max(float((then * then).sum()), 1e-9)))
    return np.array(result)


def fit_distances(clear: Reference, images: Sequence[Image], metres: Sequence[float]) -> Reference:
    """The reference with the distances of its landmarks, learnt from pictures of known visibility.

    For cameras near a sensor or an airport, or where no map tells the distances: each landmark gets the distance that
    explains its slopes best (median of ln(slope) / (b_clear - b)).

    Args:
        clear: the reference; its distances are replaced.
        images: as for `estimate`, by day.
        metres: the visibility of each.

    Raises:
        SourceError: no picture tells anything about one of the landmarks.
    """
    seen = np.array([slopes(image, clear) for image in images]).reshape(len(images), len(clear.landmarks))
    haze = KOSCHMIEDER / np.asarray(metres, dtype=np.float64) - KOSCHMIEDER / clear.visibility_m
    fitted = []
    for number, landmark in enumerate(clear.landmarks):
        # Faded enough to tell the distance from the light, not so much that noise is left.
        telling = (seen[:, number] > 2 * FLOOR) & (seen[:, number] < 1 - LANDMARK_SIGMA) & (haze > 0)
        if not telling.any():
            raise SourceError(f"no picture shows the landmark {number + 1} half faded", code="no_distance")
        distances = -np.log(seen[telling, number]) / haze[telling]
        fitted.append(replace(landmark, distance_m=float(np.median(distances))))
    return replace(clear, landmarks=tuple(fitted))


def _answer(seen: Doubles, clear: Reference) -> Visibility:
    """Median and 68 % interval of the distribution over ln V, flat before the picture was seen."""
    haze = KOSCHMIEDER / np.exp(_GRID) - KOSCHMIEDER / clear.visibility_m
    likelihood = np.zeros_like(_GRID)
    for gain in _GAINS:
        chance = np.full_like(_GRID, -gain * gain / 2)
        for slope, landmark in zip(seen, clear.landmarks, strict=True):
            expected = np.exp(np.clip(GAIN_SIGMA * gain - haze * landmark.distance_m, -60, 5))
            sigma = np.hypot(FLOOR, LANDMARK_SIGMA * expected)
            # Tails heavier than Gauss': a cloud on the ridge or a lorry before the tower must not decide alone.
            chance += -2.5 * np.log1p(((slope - expected) / sigma) ** 2 / 4) - np.log(sigma)
        likelihood += np.exp(chance)
    cumulative = np.cumsum(_uneven(likelihood))
    cumulative /= cumulative[-1]
    low, middle, high = (float(np.exp(np.interp(share, cumulative, _GRID))) for share in (0.16, 0.5, 0.84))
    return Visibility(middle, low, math.inf if high > FARTHEST_M / 2 else high)


def _uneven(likelihood: Doubles) -> Doubles:
    """The distribution over ln V, widened by `AIR_SIGMA`."""
    step = _GRID[1] - _GRID[0]
    offsets = np.arange(-round(3 * AIR_SIGMA / step), round(3 * AIR_SIGMA / step) + 1) * step
    kernel = np.exp(-((offsets / AIR_SIGMA) ** 2) / 2)
    return np.convolve(likelihood, kernel, mode="same")


def _relative_light(image: Image, sky: Box) -> Floats:
    """Linear luminance (IEC 61966-2-1, Rec. 709 weights) over the sky's median, float32 (height, width)."""
    share = np.arange(256, dtype=np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4).astype(np.float32)
    light = linear[image] @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    result: Floats = light / max(float(np.median(_cut(light, sky))), 1e-4)
    return result


def _structure(light: Floats) -> Floats:
    """What is finer than `_STRUCTURE_PX`: the slow gradients of fog and sky are no contrast of a landmark."""
    smooth = cv2.GaussianBlur(light, (0, 0), _STRUCTURE_PX)
    return light - np.asarray(smooth, dtype=np.float32)


def _cut(light: Floats, box: Box) -> Floats:
    x1, y1, x2, y2 = (round(edge) for edge in box)
    return light[y1:y2, x1:x2]


def _check_box(box: Box, image: Image) -> None:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    if not (0 <= x1 < x2 - 3 and 0 <= y1 < y2 - 3 and x2 <= width and y2 <= height):
        raise SourceError(
            f"expected a box of at least 4 x 4 px inside {width} x {height}, got {[round(v) for v in box]}",
            code="no_reference",
        )
