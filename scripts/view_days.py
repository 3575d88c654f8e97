"""Days before a fixed camera that never were: real views, real things set into them, light and weather of every hour.

The view is a real picture of a fixed camera; things are cut out of real pictures (GrabCut from their labelled boxes)
and stand on its ground. Light is made: the sun's shadows wander, clouds take them away, fog hides what is far, rain
blurs and streaks, night leaves noise, lamps and headlights; the camera shakes, and every picture is compressed. It
measures what a memory of a view, a detector and a judge make of one thing in all kinds of light; it does not replace
a year before a real camera.

The pictures are read from a folder of data (`site`, `machinery`, `structures`, `geo`, `air`) and are no part of this
repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Sky = Literal["sun", "cloud", "rain", "fog"]

SIZE = (640, 360)
DAWN, DUSK = 6.5, 18.5
_CUT_SIDE = 280


@dataclass(frozen=True)
class Thing:
    """A labelled thing in a real picture: box as centre and size, in shares of the picture."""

    picture: str
    box: tuple[float, float, float, float]
    label: str


@dataclass(frozen=True)
class Spot:
    """Where something stands: middle of its foot and its width, in shares of the view."""

    x: float
    y: float
    width: float


@dataclass(frozen=True)
class View:
    """A fixed camera's picture, where its horizon is (share of the height), and places on its ground."""

    name: str
    picture: str
    horizon: float
    machine: Spot
    structure: Spot
    lorry: Spot


@dataclass(frozen=True)
class Put:
    """A thing standing somewhere; `part` of its height is there already (a wall that grows)."""

    thing: Thing
    spot: Spot
    mirrored: bool = False
    part: float = 1.0


EXCAVATORS = (
    Thing("site/train/images/krsiteb_0045.jpg", (0.514, 0.278, 0.428, 0.55), "excavator"),
    Thing("site/train/images/stockex_0012.jpg", (0.396, 0.501, 0.789, 0.937), "excavator"),
    Thing("site/train/images/krsiteb_0026.jpg", (0.346, 0.453, 0.462, 0.627), "excavator"),
    Thing("site/train/images/krsiteb_0056.jpg", (0.486, 0.481, 0.788, 0.957), "excavator"),
    Thing("machinery/train/images/mirza_0002.jpg", (0.635, 0.593, 0.654, 0.391), "excavator"),
    Thing("site/train/images/krsite_0033.jpg", (0.41, 0.334, 0.675, 0.663), "excavator"),
)
STRUCTURES = (
    Thing("structures/train/images/abhc_018.jpg", (0.51, 0.525, 0.9, 0.67), "building_under_construction"),
    Thing("structures/train/images/pcab_002.jpg", (0.17, 0.465, 0.24, 0.39), "colour_steel_shed"),
    Thing("structures/train/images/timur_001.jpg", (0.18, 0.675, 0.36, 0.29), "earth_heap"),
    Thing("structures/train/images/abhc_009.jpg", (0.685, 0.535, 0.63, 0.25), "building_under_construction"),
    Thing("site/train/images/krsite_0005.jpg", (0.745, 0.865, 0.23, 0.27), "material_stack"),
    Thing("structures/train/images/abhc_026.jpg", (0.335, 0.77, 0.67, 0.46), "building_under_construction"),
)
LORRIES = (
    Thing("site/train/images/krsite_0031.jpg", (0.29, 0.65, 0.48, 0.4), "dump_truck"),
    Thing("machinery/train/images/css_0014.jpg", (0.439, 0.313, 0.365, 0.51), "dump_truck"),
    Thing("machinery/train/images/css_0015.jpg", (0.484, 0.603, 0.855, 0.637), "dump_truck"),
)
VIEWS = (
    View(
        "airport_way",
        "geo/seattle_airport_way/frame.jpg",
        0.33,
        Spot(0.57, 0.83, 0.26),
        Spot(0.86, 0.72, 0.2),
        Spot(0.42, 0.62, 0.13),
    ),
    View(
        "aurora",
        "geo/seattle_aurora/frame.jpg",
        0.42,
        Spot(0.5, 0.93, 0.28),
        Spot(0.2, 0.88, 0.24),
        Spot(0.4, 0.7, 0.12),
    ),
    View(
        "madison",
        "geo/seattle_madison/frame.jpg",
        0.45,
        Spot(0.33, 0.9, 0.3),
        Spot(0.14, 0.78, 0.18),
        Spot(0.4, 0.66, 0.12),
    ),
    View(
        "marginal_way",
        "geo/seattle_marginal_way_squeezed/frame.jpg",
        0.3,
        Spot(0.72, 0.9, 0.3),
        Spot(0.2, 0.74, 0.2),
        Spot(0.62, 0.6, 0.11),
    ),
    View(
        "marion",
        "geo/seattle_marion/frame.jpg",
        0.3,
        Spot(0.5, 0.88, 0.26),
        Spot(0.16, 0.85, 0.22),
        Spot(0.58, 0.6, 0.11),
    ),
    View(
        "meadow",
        "air/visibility/knmi_meadow/Meetterrein_20151009_1200.jpg",
        0.6,
        Spot(0.5, 0.86, 0.26),
        Spot(0.2, 0.76, 0.18),
        Spot(0.76, 0.72, 0.13),
    ),
)


class Days:
    """Pictures of one view at any moment.

    Args:
        data: the folder of real data.
        view: what the camera sees.
        seed: of the trees and poles that cast shadows, and of every picture's noise and shake.
        shake: pixels by which a picture may be moved.
    """

    def __init__(self, data: Path, view: View, seed: int = 0, shake: float = 2.0) -> None:
        self.view = view
        self._data = data
        self._shake = shake
        self._seed = seed
        self._empty = _read(data / view.picture, SIZE)
        casters = np.random.default_rng([seed, 1])
        height = 1 - view.horizon
        self._casters = [
            (
                float(casters.uniform(0, 1)),
                view.horizon + height * float(casters.uniform(0.15, 0.9)),
                float(casters.uniform(0.02, 0.08)),
            )
            for _ in range(6)
        ]
        depth = np.clip((np.arange(SIZE[1]) / SIZE[1] - view.horizon) / height, 0.02, 1)
        self._distance = (0.08 / depth).astype(np.float32)[:, None, None]

    def picture(
        self, time: datetime, sky: Sky, puts: tuple[Put, ...] = (), *, headlights: bool = False
    ) -> Image:
        """uint8 (360, 640, 3), RGB: what the camera sees at a local time. The same arguments give the same picture."""
        rng = np.random.default_rng([self._seed, time.toordinal(), time.hour * 60 + time.minute])
        scene = self._empty.copy()
        for put in sorted(puts, key=lambda one: one.spot.y):
            _stand(scene, self._data, put)
        lit = self._lit(scene.astype(np.float32), time.hour + time.minute / 60, sky, rng, headlights)
        lit = _shaken(lit, self._shake, rng)
        noisy = lit + 2 * rng.standard_normal(lit.shape, np.float32)
        return _compressed(np.clip(noisy, 0, 255).astype(np.uint8))

    def night(self, time: datetime) -> bool:
        return not DAWN <= time.hour + time.minute / 60 < DUSK

    def _lit(
        self, scene: Floats, hour: float, sky: Sky, rng: np.random.Generator, headlights: bool
    ) -> Floats:
        day = DAWN <= hour < DUSK
        height = np.sin(np.pi * (hour - DAWN) / (DUSK - DAWN)) if day else 0.0
        if sky == "sun" and day:
            scene = scene * self._shadows(hour, float(height))[..., None]
            low = np.float32(1 - height)
            scene = scene * (np.array([1.0, 0.93, 0.82], np.float32) * low + (1 - low))
        if sky in ("cloud", "rain"):
            mean = scene.mean()
            scene = mean + (scene - mean) * np.float32(0.8 if sky == "cloud" else 0.62)
        if sky == "fog":
            clear = np.exp(-self._distance * rng.uniform(4, 9)).astype(np.float32)
            scene = scene * clear + 190 * (1 - clear)
        if sky == "rain":
            scene = self._rain(scene, rng)
        if day:
            return scene * np.float32((0.55 + 0.45 * height) * rng.uniform(0.92, 1.08))
        return self._night(scene, rng, headlights)

    def _shadows(self, hour: float, height: float) -> Floats:
        """Share of the light that reaches each pixel: what stands about casts shadows that wander with the sun."""
        shade = np.ones((SIZE[1], SIZE[0]), np.float32)
        lean = float(np.cos(np.pi * (hour - DAWN) / (DUSK - DAWN)))
        for x, y, width in self._casters:
            reach = 0.08 + 0.25 * abs(lean)
            tip = (x - lean * reach, y + 0.05 + 0.04 * height)
            corners = [
                (x - width / 2, y),
                (x + width / 2, y),
                (tip[0] + width / 2, tip[1]),
                (tip[0] - width / 2, tip[1]),
            ]
            points = np.array([(round(a * SIZE[0]), round(b * SIZE[1])) for a, b in corners], np.int32)
            cv2.fillConvexPoly(shade, points, 0.45)
        return cv2.GaussianBlur(shade, (0, 0), 2.5)

    def _rain(self, scene: Floats, rng: np.random.Generator) -> Floats:
        scene = cv2.GaussianBlur(scene, (0, 0), 1.0)
        streaks = np.zeros(scene.shape[:2], np.float32)
        for _ in range(250):
            x, y, length = int(rng.integers(SIZE[0])), int(rng.integers(SIZE[1])), int(rng.integers(8, 22))
            cv2.line(streaks, (x, y), (x + length // 5, y + length), float(rng.uniform(10, 35)), 1)
        drops = np.zeros(scene.shape[:2], np.float32)
        for _ in range(5):
            cv2.circle(
                drops,
                (int(rng.integers(SIZE[0])), int(rng.integers(SIZE[1]))),
                int(rng.integers(6, 16)),
                1.0,
                -1,
            )
        drops = cv2.GaussianBlur(drops, (0, 0), 3)[..., None]
        return (scene * (1 - drops) + cv2.GaussianBlur(scene, (0, 0), 7) * drops) + streaks[..., None]

    def _night(self, scene: Floats, rng: np.random.Generator, headlights: bool) -> Floats:
        lamps = np.zeros(scene.shape[:2], np.float32)
        for x, y, _ in self._casters[:3]:
            cv2.circle(lamps, (int(x * SIZE[0]), int(y * SIZE[1])), 60, 0.35, -1)
        lamps = cv2.GaussianBlur(lamps, (0, 0), 40)
        grey = cv2.cvtColor(np.clip(scene, 0, 255), cv2.COLOR_RGB2GRAY)
        dark = np.repeat((grey * (0.2 + lamps))[..., None], 3, axis=2)
        dark += 6 * rng.standard_normal(dark.shape, np.float32)
        if headlights:
            beams = np.zeros(scene.shape[:2], np.float32)
            for _ in range(int(rng.integers(1, 4))):
                x, y = (
                    rng.uniform(0.2, 0.8),
                    self.view.horizon + (1 - self.view.horizon) * rng.uniform(0.1, 0.7),
                )
                for side in (-1, 1):
                    centre = (int((x + side * 0.02) * SIZE[0]), int(y * SIZE[1]))
                    cv2.circle(beams, centre, int(rng.integers(4, 9)), 220.0, -1)
                cv2.ellipse(
                    beams, (int(x * SIZE[0]), int((y + 0.12) * SIZE[1])), (90, 28), 0, 0, 360, 60.0, -1
                )
            dark += cv2.GaussianBlur(beams, (0, 0), 6)[..., None]
        return dark


def relit(picture: Image, time: datetime, rng: np.random.Generator) -> Image:
    """A real picture at another hour of its day: brightness, warmth, contrast, a shake, noise and compression."""
    hour = time.hour + time.minute / 60
    low = 1 - np.sin(np.pi * (hour - DAWN) / (DUSK - DAWN))
    lit = picture.astype(np.float32) * (np.array([1.0, 0.95, 0.88], np.float32) * low + (1 - low))
    lit = lit.mean() + (lit - lit.mean()) * np.float32(rng.uniform(0.75, 1.05))
    lit = _shaken(lit * np.float32((1 - 0.4 * low) * rng.uniform(0.92, 1.08)), 2.0, rng)
    noisy = lit + 2 * rng.standard_normal(lit.shape, np.float32)
    return _compressed(np.clip(noisy, 0, 255).astype(np.uint8))


def _stand(scene: Image, data: Path, put: Put) -> None:
    """Set a thing on the ground of a scene, with the dark that is under everything."""
    image, cover = cutout(data, put.thing)
    if put.mirrored:
        image, cover = image[:, ::-1], cover[:, ::-1]
    width = max(4, round(put.spot.width * SIZE[0]))
    height = max(4, round(width * cover.shape[0] / cover.shape[1]))
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    cover = cv2.resize(cover, (width, height), interpolation=cv2.INTER_AREA)
    # A wall grows from its foot: only the lower part stands.
    gone = round((1 - put.part) * height)
    image, cover = image[gone:], cover[gone:]
    foot = (round(put.spot.x * SIZE[0]), round(put.spot.y * SIZE[1]))
    under = np.zeros(scene.shape[:2], np.float32)
    cv2.ellipse(under, foot, (width // 2, max(2, width // 12)), 0, 0, 360, 0.5, -1)
    scene[:] = (scene * (1 - cv2.GaussianBlur(under, (0, 0), max(1.0, width / 40))[..., None])).astype(
        np.uint8
    )
    left, top = foot[0] - width // 2, foot[1] - cover.shape[0]
    x1, y1, x2, y2 = max(0, left), max(0, top), min(SIZE[0], left + width), min(SIZE[1], foot[1])
    own = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
    share = cover[own][..., None]
    scene[y1:y2, x1:x2] = (scene[y1:y2, x1:x2] * (1 - share) + image[own] * share).astype(np.uint8)


@cache
def cutout(data: Path, thing: Thing) -> tuple[Image, Floats]:
    """A thing by itself: colours uint8 (h, w, 3) RGB, and how much of each pixel is the thing, 0 to 1."""
    picture = _read(data / thing.picture)
    height, width = picture.shape[:2]
    x, y, w, h = thing.box
    box = np.array([(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height])
    margin = 0.15 * np.array([box[2] - box[0], box[3] - box[1]])
    a, b = np.maximum(box[:2] - margin, 0).astype(int)
    c, d = np.minimum(box[2:] + margin, (width, height)).astype(int)
    scale = min(1.0, _CUT_SIDE / max(c - a, d - b))
    crop = cv2.resize(picture[b:d, a:c], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    left, top = (max(1, round(float(v))) for v in (box[:2] - (a, b)) * scale)
    right, bottom = (round(float(v)) for v in (box[2:] - (a, b)) * scale)
    right, bottom = min(right, crop.shape[1] - 1), min(bottom, crop.shape[0] - 1)
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(
        np.ascontiguousarray(crop[..., ::-1]),
        mask,
        (left, top, right - left, bottom - top),
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        6,
        cv2.GC_INIT_WITH_RECT,
    )
    solid = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    _, marks, stats, _ = cv2.connectedComponentsWithStats(solid)
    largest = (marks == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.float32)
    rows, columns = np.where(largest.any(1))[0], np.where(largest.any(0))[0]
    inner = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return crop[inner], cv2.GaussianBlur(largest, (0, 0), 0.8)[inner]


def _read(path: Path, size: tuple[int, int] | None = None) -> Image:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"{path} is no picture")
    if size is not None:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[..., ::-1])


def _shaken(picture: Floats, shake: float, rng: np.random.Generator) -> Floats:
    x, y = rng.normal(0, max(1e-6, shake / 2), 2).clip(-shake, shake)
    turn = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), float(rng.normal(0, 0.03 * shake)), 1.0)
    turn[:, 2] += (x, y)
    return cv2.warpAffine(picture, turn, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _compressed(picture: Image) -> Image:
    _, packed = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])
    return np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[..., ::-1])
