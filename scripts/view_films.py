"""Films of live views made of real stills: nothing happens and everything disturbs, or something real arrives.

A film is a list of luma pictures (uint8, 360 x 640), two seconds apart as a sub-stream is sampled, each coded as a JPEG
of middling quality, which is what a key frame looks like. Disturbances are drawn; what arrives is cut out of real
pictures by its box and pasted with a soft edge. Pictures are read from a folder of data (`site`, `street`, `video`) and
are no part of this repository.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
WIDTH, HEIGHT = 640, 360
EVERY_S = 2.0
MACHINES = {0: "excavator", 1: "loader", 2: "dump_truck", 3: "mixer_truck"}
PERSON = 10


def read(path: Path) -> Floats:
    """The luma of a picture, cut to 16:9 about its middle, float32 (360, 640)."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FileNotFoundError(path)
    scale = max(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    size = (max(WIDTH, round(image.shape[1] * scale)), max(HEIGHT, round(image.shape[0] * scale)))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (size[1] - HEIGHT) // 2, (size[0] - WIDTH) // 2
    return image[top : top + HEIGHT, left : left + WIDTH].astype(np.float32)


def coded(picture: Floats, quality: int = 60) -> Luma:
    """The picture as a decoder would give it."""
    data = cv2.imencode(
        ".jpg", np.clip(picture, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def moved(picture: Floats, x: float = 0, y: float = 0, degrees: float = 0, zoom: float = 1) -> Floats:
    """The view of a camera that was turned: by pixels, degrees about its axis, and zoomed."""
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, zoom)
    matrix[:, 2] += (x, y)
    return cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)


@cache
def _grains() -> Floats:
    """Sixteen pictures of noise."""
    return np.random.default_rng(0).normal(0, 1, (16, HEIGHT, WIDTH)).astype(np.float32)


def _grain(random: np.random.Generator) -> Floats:
    """Noise of deviation 1; drawing it afresh would cost more than all else."""
    grain = _grains()[int(random.integers(16))]
    return np.roll(grain, int(random.integers(WIDTH)), axis=1)


# ----------------------------------------------------------------------------------------- disturbances
Disturbance = Callable[[Floats, int, np.random.Generator], Floats]
"""From the view, the number of the picture (0, 1, ...) and randomness to the picture."""


def quiet(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """A sensor's noise by day."""
    return view + 2.5 * _grain(random)


def noisy(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """A sensor's noise by night: a quarter of the light, strong gain."""
    return 0.35 * view + 6 * _grain(random)


def dawn(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """From night to day within half an hour."""
    return quiet(view * min(1.0, 0.15 + 0.85 * index / 900), index, random)


def clouds(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """Soft shadows of clouds drift over the view: light falls to two thirds in a minute."""
    x = np.arange(WIDTH, dtype=np.float32)[None] / WIDTH
    y = np.arange(HEIGHT, dtype=np.float32)[:, None] / HEIGHT
    shade = 0.83 + 0.17 * np.sin(2 * np.pi * (0.7 * x + 0.4 * y - index / 60))
    return quiet(view * shade, index, random)


def exposure(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """Auto-exposure steps by a third now and then."""
    return quiet(view * (0.85, 1.15, 0.95)[index // 20 % 3], index, random)


def shake(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """The pole sways: 2 px to and fro, a quarter of a degree."""
    x, y = random.uniform(-2, 2, 2)
    return quiet(moved(view, x, y, random.uniform(-0.12, 0.12)), index, random)


def rain(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """Streaks, 250 a picture, and less contrast."""
    drops = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(250):
        x, y = int(random.integers(0, WIDTH)), int(random.integers(0, HEIGHT))
        length = int(random.integers(8, 30))
        cv2.line(drops, (x, y), (x + 2, y + length), float(random.uniform(15, 50)), 1, cv2.LINE_AA)
    return quiet(view * 0.85 + 20 + drops, index, random)


def snow(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """Flakes near the lens, 60 a picture."""
    flakes = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(60):
        centre = (int(random.integers(0, WIDTH)), int(random.integers(0, HEIGHT)))
        cv2.circle(flakes, centre, int(random.integers(1, 4)), float(random.uniform(30, 90)), -1, cv2.LINE_AA)
    return quiet(view + cv2.GaussianBlur(flakes, (0, 0), 1.0), index, random)


def leaves(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """The upper third of the view sways by 3 px in waves, as trees do."""
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    sway = 3 * np.clip(1.3 - y / (HEIGHT / 3), 0, 1)
    phase = random.uniform(0, 2 * np.pi)
    waved = cv2.remap(view, x + sway * np.sin(x / 25 + phase), y + sway * 0.5 * np.cos(x / 40 + phase), 1)
    return quiet(waved, index, random)


def headlights(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """By night a beam sweeps over the ground every half minute, seen in one or two pictures."""
    dark = 0.22 * view
    step = index % 15
    if step < 2:
        beam = np.zeros((HEIGHT, WIDTH), np.float32)
        centre = (int(120 + 330 * step + random.integers(0, 60)), int(HEIGHT * 0.65))
        cv2.ellipse(beam, centre, (110, 45), 0, 0, 360, 1.0, -1)
        dark = dark + cv2.GaussianBlur(beam, (0, 0), 18) * (0.55 * view + 25)
    return dark + 3.5 * _grain(random)


def lamps(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """By night the camera switches between lamps and infra-red every two minutes: contrast and light change."""
    lit = 30 + 0.5 * view if index // 60 % 2 else 0.3 * view
    return lit + 3.5 * _grain(random)


DISTURBANCES: dict[str, Disturbance] = {
    f.__name__: f
    for f in (quiet, noisy, dawn, clouds, exposure, shake, rain, snow, leaves, headlights, lamps)
}


def film(view: Floats, disturb: Disturbance, count: int, seed: int = 0) -> Iterator[Luma]:
    """`count` pictures in which nothing happens."""
    random = np.random.default_rng(seed)
    for index in range(count):
        yield coded(disturb(view, index, random))


# ------------------------------------------------------------------------------------------- what arrives
@dataclass(frozen=True)
class Cutout:
    """A thing cut out of a real picture: luma and how opaque, float32 (height, width) each."""

    luma: Floats
    alpha: Floats

    def sized(self, width: int) -> Cutout:
        """The same, so many pixels wide."""
        size = (width, max(4, round(self.luma.shape[0] * width / self.luma.shape[1])))
        return Cutout(
            cv2.resize(self.luma, size, interpolation=cv2.INTER_AREA),
            cv2.resize(self.alpha, size, interpolation=cv2.INTER_AREA),
        )


def cutouts(data: Path, kinds: tuple[int, ...], least_px: int = 60) -> list[Cutout]:
    """Things of these classes in the site pictures, the larger ones, by their boxes with a soft elliptic edge."""
    found = []
    for label in sorted((data / "site/train/labels").glob("*.txt")):
        picture = next((data / "site/train/images").glob(label.stem + ".*"), None)
        if picture is None:
            continue
        image = None
        for line in label.read_text().split("\n"):
            parts = line.split()
            if not parts or int(parts[0]) not in kinds:
                continue
            if image is None:
                image = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
            x, y, w, h = (float(p) for p in parts[1:5])
            height, width = image.shape
            x1, y1 = max(0, round((x - w / 2) * width)), max(0, round((y - h / 2) * height))
            x2, y2 = round((x + w / 2) * width), round((y + h / 2) * height)
            part = image[y1:y2, x1:x2].astype(np.float32)
            if min(part.shape) >= least_px:
                found.append(Cutout(part, _soft(part.shape)))
    return found


def _soft(shape: tuple[int, ...]) -> Floats:
    """Opaque inside a rounded box, clear at its border."""
    alpha = np.zeros(shape, np.float32)
    cv2.ellipse(
        alpha,
        (shape[1] // 2, shape[0] // 2),
        (int(shape[1] * 0.46), int(shape[0] * 0.46)),
        0,
        0,
        360,
        1.0,
        -1,
    )
    return cv2.GaussianBlur(alpha, (0, 0), max(1.0, min(shape) / 25))


def paste(view: Floats, thing: Cutout, x: float, y: float, light: float = 1.0) -> Floats:
    """The view with a thing whose middle is at (x, y); what lies outside of the view is cut off."""
    height, width = thing.luma.shape
    left, top = round(x - width / 2), round(y - height / 2)
    x1, y1, x2, y2 = max(0, left), max(0, top), min(WIDTH, left + width), min(HEIGHT, top + height)
    if x1 >= x2 or y1 >= y2:
        return view
    part = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
    alpha = thing.alpha[part]
    out = view.copy()
    out[y1:y2, x1:x2] = (1 - alpha) * out[y1:y2, x1:x2] + alpha * thing.luma[part] * light
    return out


@dataclass(frozen=True)
class Arrival:
    """A film in which something arrives at the picture `at`, and is there until `until`."""

    kind: str
    pictures: list[Luma]
    at: int
    until: int


BEFORE = 60


def drives_in(view: Floats, thing: Cutout, disturb: Disturbance, random: np.random.Generator) -> Arrival:
    """It comes in from the side within five pictures and stops."""
    y, stop = random.uniform(0.45, 0.85) * HEIGHT, random.uniform(0.25, 0.75) * WIDTH
    start = -thing.luma.shape[1] / 2 if random.random() < 0.5 else WIDTH + thing.luma.shape[1] / 2
    pictures = []
    for index in range(BEFORE + 12):
        done = min(1.0, max(0.0, (index - BEFORE + 1) / 5))
        scene = paste(view, thing, start + (stop - start) * done, y) if done else view
        pictures.append(coded(disturb(scene, index, random)))
    return Arrival("drives in", pictures, BEFORE, len(pictures))


def passes(view: Floats, thing: Cutout, disturb: Disturbance, random: np.random.Generator) -> Arrival:
    """It crosses the view within three pictures and is gone."""
    y = random.uniform(0.45, 0.85) * HEIGHT
    pictures = []
    for index in range(BEFORE + 5):
        step = index - BEFORE
        scene = paste(view, thing, WIDTH * (0.2 + 0.3 * step), y) if 0 <= step < 3 else view
        pictures.append(coded(disturb(scene, index, random)))
    return Arrival("passes", pictures, BEFORE, BEFORE + 3)


def starts(view: Floats, thing: Cutout, disturb: Disturbance, random: np.random.Generator) -> Arrival:
    """It has stood there all the time and begins to work: it swings and rocks by a tenth of its size."""
    x, y = random.uniform(0.25, 0.75) * WIDTH, random.uniform(0.45, 0.8) * HEIGHT
    height, width = thing.luma.shape
    pictures = []
    for index in range(BEFORE + 12):
        turned = thing
        if index >= BEFORE:
            angle = 14 * np.sin(1.7 * (index - BEFORE + 1))
            matrix = cv2.getRotationMatrix2D((width / 2, height * 0.8), float(angle), 1)
            turned = Cutout(
                cv2.warpAffine(thing.luma, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE),
                cv2.warpAffine(thing.alpha, matrix, (width, height)),
            )
        pictures.append(coded(disturb(paste(view, turned, x, y), index, random)))
    return Arrival("starts", pictures, BEFORE, len(pictures))


def smoke_rises(view: Floats, thing: Cutout, disturb: Disturbance, random: np.random.Generator) -> Arrival:
    """A thin plume grows over a minute to a quarter of the height, at most 60 % opaque; `thing` is not used."""
    x, y = random.uniform(0.2, 0.8) * WIDTH, random.uniform(0.4, 0.6) * HEIGHT
    shade = random.uniform(150, 215)
    lumps = cv2.GaussianBlur(random.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 12)
    lumps = 1 + 0.5 * lumps / max(1e-6, float(np.abs(lumps).max()))
    pictures = []
    for index in range(BEFORE + 45):
        scene, grown = view, min(1.0, (index - BEFORE + 1) / 30)
        if index >= BEFORE:
            plume = np.zeros((HEIGHT, WIDTH), np.float32)
            tall = HEIGHT * 0.25 * grown
            axes = (max(2, int(tall * 0.35)), max(3, int(tall * 0.5)))
            cv2.ellipse(plume, (int(x + tall * 0.2), int(y - tall / 2)), axes, 15, 0, 360, 1.0, -1)
            plume = cv2.GaussianBlur(plume, (0, 0), max(2.0, tall / 8)) * 0.6 * grown
            drift = np.roll(lumps, -3 * index, axis=0)
            alpha = np.clip(plume * drift, 0, 0.8)
            scene = view * (1 - alpha) + shade * alpha
        pictures.append(coded(disturb(scene, index, random)))
    return Arrival("smoke rises", pictures, BEFORE, len(pictures))


ARRIVALS = (drives_in, passes, starts, smoke_rises)


# ------------------------------------------------------------------------------------------- real series
def views(data: Path) -> list[Path]:
    """Stills of fixed cameras, one a place."""
    series = [f"video/series/{name}/0003.jpg" for name in ("pit_foundation", "excavated_pit_terraces")]
    series += [f"video/series/{name}/0003.jpg" for name in ("roof_slab_day", "far_smoke_36_min")]
    site = [f"site/val/images/{p.name}" for p in sorted((data / "site/val/images").glob("hillcam*"))[::6]]
    street = [f"street/val/images/{p.name}" for p in sorted((data / "street/val/images").glob("*"))[::6]]
    return [data / name for name in (*series, *site, *street)]


def series_days(data: Path) -> dict[str, list[Path]]:
    """Pictures of one fixed view each, in order of time, with weather, night and fog between them."""
    folder = data / "air/visibility"
    days: dict[str, list[tuple[str, Path]]] = {}
    with (folder / "series.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["time"]:
                days.setdefault(row["camera"], []).append((row["time"], folder / row["file"]))
    return {camera: [path for _, path in sorted(pictures)] for camera, pictures in days.items()}
