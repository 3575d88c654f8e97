"""Passages: one plate seen on several frames while its vehicle comes nearer, for judging the vote over many reads.

What belongs to the plate or the hour lasts for the whole passage (mud, night); what belongs to the frame differs from
view to view (where the corners were found, blur, the place of a glare, noise, compression). A view is as large as the
plate is on the sensor. Everything comes from one random generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.perception import plate_shape
from training import plate_render as render

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Rng = np.random.Generator

VIEWS = 6
# How large the plate is on the first and on the last view, px: its vehicle comes nearer.
FIRST, LAST = (20.0, 40.0), (40.0, 60.0)
DISTANCES = ("high", "wide")
"""What those sizes are: the plate's height, as where a lens was chosen for plates; or its width, which is so little
that a character is 3 to 8 px wide."""


@dataclass(frozen=True)
class Passage:
    """One plate, what spoils it, and its views, the farthest first."""

    text: str
    kind: str
    condition: str
    size: float
    """Of the plate on the last view, px: its height or width."""
    views: list[Image]


def of_crops(crops: Iterable[tuple[str, str, Image]], distance: str, seed: int) -> Iterator[Passage]:
    """Passages made from real crops (text, kind, picture): each crop once in every condition.

    A crop is one frame already: what spoilt that stays in all views. It is never enlarged.
    """
    rng = np.random.default_rng(seed)
    for text, kind, image in crops:
        height, width = image.shape[:2]
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        for condition in CONDITIONS:
            yield _passage(text, kind, image, corners, condition, distance, rng)


def rendered(
    press: render.Press, kinds: Sequence[str], each: int, distance: str, seed: int
) -> Iterator[Passage]:
    """Passages of rendered plates: `each` of every kind in every condition."""
    rng = np.random.default_rng(seed)
    for kind in kinds:
        for condition in CONDITIONS:
            for _ in range(each):
                plate = press.plate(kind, rng)
                height, width = plate.image.shape[:2]
                corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
                # Round the plate is a bumper, or the frame that the plate hangs in.
                rim = width // 8
                tone = tuple(float(v) for v in np.clip(rng.uniform(20, 230) + rng.normal(0, 12, 3), 0, 255))
                framed = cv2.copyMakeBorder(plate.image, *(rim,) * 4, cv2.BORDER_CONSTANT, value=tone)
                yield _passage(plate.text, kind, framed, corners + rim, condition, distance, rng)


def _passage(
    text: str, kind: str, image: Image, corners: Floats, condition: str, distance: str, rng: Rng
) -> Passage:
    lasting, passing = CONDITIONS[condition]
    image = lasting(image, rng)
    across, down = (float(np.linalg.norm(corners[i] - corners[0])) for i in (1, 3))
    sizes = np.geomspace(rng.uniform(*FIRST), rng.uniform(*LAST), VIEWS)
    scales = np.minimum(1.0, sizes / (down if distance == "high" else across))
    views = [_finish(passing(_view(image, corners, float(s), rng), rng), rng) for s in scales]
    return Passage(text, kind, condition, float(sizes[-1]), views)


def _view(image: Image, corners: Floats, scale: float, rng: Rng) -> Image:
    """The plate at this scale, cut out along corners that are found more or less well."""
    # The picture is made as small as the sensor makes it before anything is cut out of it.
    size = (max(8, round(image.shape[1] * scale)), max(4, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    width = scale * float(np.linalg.norm(corners[1] - corners[0]))
    off = rng.normal(0, 0.02, (4, 2)) * width
    return plate_shape.rectify(small, (corners * scale + off).astype(np.float32))


def _finish(view: Image, rng: Rng) -> Image:
    """Sensor noise and compression, which every frame has."""
    noisy = view + rng.normal(0, rng.uniform(1, 5), view.shape)
    done, data = cv2.imencode(
        ".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(60, 95))]
    )
    if not done:
        raise RuntimeError("OpenCV cannot write JPEG")
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def _as_it_is(image: Image, rng: Rng) -> Image:
    return image


def _muddy(image: Image, rng: Rng) -> Image:
    """Dried mud in clouds, and a film over everything."""
    height, width = image.shape[:2]
    coarse = rng.random((rng.integers(3, 7), rng.integers(6, 16)), dtype=np.float32)
    cloud = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    cover = np.clip((cloud - rng.uniform(0.35, 0.6)) * 3, 0, rng.uniform(0.4, 0.8))
    cover = np.maximum(cover, rng.uniform(0.1, 0.35))[..., None]
    mud = np.array([rng.uniform(90, 160), rng.uniform(75, 135), rng.uniform(55, 110)])
    return np.clip(image + (mud - image) * cover, 0, 255).astype(np.uint8)


def _blurred(view: Image, rng: Rng) -> Image:
    """Out of focus, or moving while the shutter was open; the nearer, the more pixels."""
    reach = max(1.0, view.shape[0] / 20)
    if rng.random() < 0.5:
        smeared = render.motion(view.astype(np.float32), rng.uniform(1.5, 4) * reach, rng)
        return np.clip(smeared, 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(view, (0, 0), rng.uniform(0.4, 0.9) * reach)


def _glaring(view: Image, rng: Rng) -> Image:
    """The sun or a lamp in a patch of it, somewhere else on every frame, and a veil over all."""
    height, width = view.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    at, reach = rng.uniform(0, 1, 2) * (width, height), rng.uniform(0.1, 0.25) * width
    patch = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * reach**2))[..., None]
    return np.clip(view * 0.85 + rng.uniform(20, 50) + rng.uniform(80, 200) * patch, 0, 255).astype(np.uint8)


def _night(image: Image, rng: Rng) -> Image:
    """Little light, or the own headlights on reflective paint."""
    if rng.random() < 0.6:
        return (image * rng.uniform(0.15, 0.4)).astype(np.uint8)
    return np.clip(image * rng.uniform(0.5, 0.8) + rng.uniform(60, 110), 0, 255).astype(np.uint8)


def _grainy(view: Image, rng: Rng) -> Image:
    return np.clip(view + rng.normal(0, rng.uniform(4, 10), view.shape), 0, 255).astype(np.uint8)


Spoil = Callable[[Image, Rng], Image]
# By name: what lasts for the whole passage, and what differs from view to view.
CONDITIONS: dict[str, tuple[Spoil, Spoil]] = {
    "small": (_as_it_is, _as_it_is),
    "blur": (_as_it_is, _blurred),
    "glare": (_as_it_is, _glaring),
    "mud": (_muddy, _as_it_is),
    "night": (_night, _grainy),
}
