"""Pictures of vehicles with the corners of their plates: real ones, and rendered plates hung on real vehicles."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training import plate_render as render
from training.plate_data import is_held_back

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
GREY = 114


@dataclass(frozen=True)
class Scene:
    """A picture and its plates: corners [k, 4, 2] px, clockwise from each plate's top left; texts by plate."""

    name: str
    image: Image
    quads: Floats
    texts: tuple[str, ...]
    kinds: tuple[str, ...]
    held_back: bool


@dataclass(frozen=True)
class Vehicle:
    """A real vehicle on which a rendered plate can be hung: its picture, its box xyxy px."""

    path: Path
    box: Box


def collect(config: dict[str, Any], data: Path) -> list[Scene]:
    """All pictures with labelled corners; whole pictures are held back."""
    scenes = []
    for folder in config["scenes"]:
        rows = defaultdict(list)
        for line in (data / folder / "labels.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows[row["file"]].append(row)
        for name, plates in sorted(rows.items()):
            image = _read(data / folder / "images" / name)
            quads = np.array(
                [[[row[f"x{i}"], row[f"y{i}"]] for i in range(1, 5)] for row in plates], dtype=np.float32
            )
            scenes.append(
                Scene(
                    name,
                    image,
                    quads,
                    tuple(row["text"] for row in plates),
                    tuple(row["type"] for row in plates),
                    is_held_back(name, config["scenes_held_back_one_in"]),
                )
            )
    return scenes


def vehicles(config: dict[str, Any], data: Path) -> list[Vehicle]:
    """Vehicles of the detectors' sets that are large enough to carry a plate of some pixels."""
    found = []
    for entry in config["vehicles"]:
        folder = data / entry["folder"]
        names = (data / entry["names"]).read_text(encoding="utf-8").split()
        wanted = {names.index(name) for name in entry["labels"]}
        for labels in sorted((folder / "labels").glob("*.txt")):
            path = next((folder / "images").glob(f"{labels.stem}.*"), None)
            if path is None:
                continue
            height, width = _read(path).shape[:2]
            for line in labels.read_text(encoding="utf-8").splitlines():
                index, x, y, w, h = (float(word) for word in line.split())
                if int(index) in wanted and w * width >= 90 and h * height >= 60:
                    box = (
                        (x - w / 2) * width,
                        (y - h / 2) * height,
                        (x + w / 2) * width,
                        (y + h / 2) * height,
                    )
                    found.append(Vehicle(path, box))
    return found


class Batches:
    """Endless batches of square pictures with the corners of their plates.

    Args:
        scenes: real pictures.
        vehicles: to hang rendered plates on.
        press: draws plates.
        config: `corners` of the configuration: `batch`, `side`, `real`, `bare` and `kinds`.
        seed: of every random choice.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        vehicles: Sequence[Vehicle],
        press: render.Press,
        config: dict[str, Any],
        seed: int,
    ) -> None:
        self._scenes, self._vehicles, self._press, self._config = scenes, vehicles, press, config
        self._rng = np.random.default_rng(seed)
        self._kinds = tuple(config["kinds"])
        shares = np.array([config["kinds"][kind] for kind in self._kinds], dtype=np.float64)
        self._shares = shares / shares.sum()
        self._crops: dict[Vehicle, tuple[Image, Box]] = {}

    def draw(self) -> tuple[Image, list[Floats]]:
        """One batch: pictures [N, side, side, 3] and the plates of each, [k, 4, 2] px."""
        images, quads = [], []
        for _ in range(self._config["batch"]):
            image, own = self._real() if self._rng.random() < self._config["real"] else self._rendered()
            images.append(image)
            quads.append(own)
        return np.stack(images), quads

    def _real(self) -> tuple[Image, Floats]:
        rng, side = self._rng, self._config["side"]
        scene = self._scenes[rng.integers(len(self._scenes))]
        quads = scene.quads
        one = quads[rng.integers(len(quads))]
        low, high = one.min(axis=0), one.max(axis=0)
        # A vehicle is three to eight times as wide as its plate.
        extent = float(max(high - low)) * float(np.exp(rng.uniform(np.log(2.2), np.log(9.0))))
        centre = (low + high) / 2 + rng.uniform(-0.38, 0.38, 2) * extent
        image, quads = _square(scene.image, quads, centre, extent, rng.normal(0, 4), side)
        if rng.random() < 0.4:
            image = np.ascontiguousarray(image[:, ::-1])
            # Seen in a mirror, top left is where top right was.
            quads = (quads * (-1, 1) + (side, 0))[:, [1, 0, 3, 2]].astype(np.float32)
        return render.weather(image, rng, float(rng.uniform(0, 0.6)), enlarge=False), _visible(quads, side)

    def _rendered(self) -> tuple[Image, Floats]:
        rng, side = self._rng, self._config["side"]
        image, box = self._vehicle(self._vehicles[rng.integers(len(self._vehicles))])
        quads = np.zeros((0, 4, 2), np.float32)
        width, height = box[2] - box[0], box[3] - box[1]
        if rng.random() >= self._config["bare"]:
            kind = self._kinds[rng.choice(len(self._kinds), p=self._shares)]
            plate = self._press.plate(kind, rng)
            across = width * float(np.exp(rng.uniform(np.log(0.1), np.log(0.32))))
            down = across * plate.image.shape[0] / plate.image.shape[1]
            middle = np.array(
                [box[0] + width * rng.uniform(0.2, 0.8), box[1] + height * rng.uniform(0.5, 0.95)]
            )
            corners = render.askew(
                np.array([[0, 0], [across, 0], [across, down], [0, down]], np.float32), rng
            )
            quads = (corners - corners.mean(axis=0) + middle)[None].astype(np.float32)
            image = _hang(image, render.soil(plate.image, rng), quads[0], rng)
        extent = max(width, height) * rng.uniform(0.8, 1.3)
        centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]) + rng.normal(0, 0.06, 2) * extent
        image, quads = _square(image, quads, centre, extent, rng.normal(0, 2), side)
        return render.weather(image, rng, float(rng.uniform(0, 0.7)), enlarge=False), _visible(quads, side)

    def _vehicle(self, vehicle: Vehicle) -> tuple[Image, Box]:
        """A vehicle with what is round it, not larger than twice the training size; kept."""
        if vehicle not in self._crops:
            image = _read(vehicle.path)
            x1, y1, x2, y2 = vehicle.box
            rim = 0.3 * max(x2 - x1, y2 - y1)
            left, top = max(0, int(x1 - rim)), max(0, int(y1 - rim))
            part = image[top : int(y2 + rim), left : int(x2 + rim)]
            scale = min(1.0, 2 * self._config["side"] / max(part.shape[:2]))
            part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            box = ((x1 - left) * scale, (y1 - top) * scale, (x2 - left) * scale, (y2 - top) * scale)
            self._crops[vehicle] = (part, box)
        return self._crops[vehicle]


def _hang(image: Image, plate: Image, quad: Floats, rng: np.random.Generator) -> Image:
    """The plate in the picture, as bright as what is round it."""
    height, width = plate.shape[:2]
    around = cv2.boundingRect(np.round(quad).astype(np.int32))
    x, y, w, h = around
    part = image[max(0, y - h) : y + 2 * h, max(0, x - w // 2) : x + 3 * w // 2]
    if part.size:
        light = np.clip(float(np.percentile(part, 75)) / 150 + rng.normal(0, 0.25), 0.25, 1.6)
        plate = np.clip(plate.astype(np.float32) * light, 0, 255).astype(np.uint8)
    across = float(np.linalg.norm(quad[1] - quad[0]))
    if width > 1.3 * across:
        size = (max(4, round(across)), max(2, round(height * across / width)))
        plate = cv2.resize(plate, size, interpolation=cv2.INTER_AREA)
    source = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * plate.shape[1::-1]
    turn = cv2.getPerspectiveTransform(source.astype(np.float32), quad)
    size = (image.shape[1], image.shape[0])
    cover = cv2.warpPerspective(np.ones(plate.shape[:2], np.float32), turn, size, flags=cv2.INTER_LINEAR)
    drawn = cv2.warpPerspective(plate, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return (image + (drawn.astype(np.float32) - image) * cover[..., None]).astype(np.uint8)


def _square(
    image: Image, quads: Floats, centre: npt.NDArray[Any], extent: float, degrees: float, side: int
) -> tuple[Image, Floats]:
    """A square of `extent` px round `centre`, turned, brought to `side` px; grey beyond the picture."""
    scale = side / extent
    # Only what can be in the square, whatever the turn, is worth shrinking.
    reach = 0.8 * extent
    left, top = (max(0, int(c - reach)) for c in centre)
    image = image[top : max(top + 1, int(centre[1] + reach)), left : max(left + 1, int(centre[0] + reach))]
    quads, centre = quads - np.array([left, top], np.float32), centre - np.array([left, top])
    if scale < 0.6:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        quads, centre, scale = quads * scale, centre * scale, 1.0
    turn = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), float(degrees), scale)
    turn[:, 2] += side / 2 - np.asarray(centre, dtype=np.float64)
    cut = cv2.warpAffine(
        image,
        turn,
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(GREY,) * 3,
    )
    return cut, (quads @ turn[:, :2].T + turn[:, 2]).astype(np.float32)


def _visible(quads: Floats, side: int) -> Floats:
    """The plates that are wholly in the picture."""
    inside = (quads > -2).all(axis=(1, 2)) & (quads < side + 2).all(axis=(1, 2))
    return quads[inside]


def _read(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path}: no picture that can be read")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class View:
    """A held-back plate as a vehicle's crop would show it."""

    name: str
    image: Image
    quads: Floats


def views(scene: Scene, side: int) -> list[View]:
    """Two views of each plate of a picture, three and six times as wide as the plate; nothing is random."""
    seen = []
    for number, quad in enumerate(scene.quads):
        low, high = quad.min(axis=0), quad.max(axis=0)
        for times in (3.0, 6.0):
            # The plate hangs in the lower half of its vehicle.
            extent = float(max(high - low)) * times
            centre = (low + high) / 2 - np.array([0.0, 0.15 * extent])
            image, quads = _square(scene.image, scene.quads, centre, extent, 0.0, side)
            seen.append(View(f"{scene.name}#{number} x{times:.0f}", image, _visible(quads, side)))
    return seen


def drawn(image: Image, quads: Sequence[Floats]) -> Image:
    """A copy with the outlines of plates, the top left corner marked."""
    copy = image.copy()
    for quad in quads:
        cv2.polylines(copy, [np.round(quad).astype(np.int32)], True, (0, 255, 0), 1)
        cv2.circle(copy, (round(float(quad[0][0])), round(float(quad[0][1]))), 2, (255, 0, 0), -1)
    return copy
