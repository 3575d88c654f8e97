"""Videos of a gate that never was: real trucks, cut out of real pictures, drive through a real street.

Each truck carries a rendered plate where its own hung. Two lanes lead to the camera; trucks come nearer in perspective
until they leave over the lower edge. Real frames' noise is added, and everything is encoded as H.264 the way cameras do
(1080p, 25 pictures a second, a key frame every two seconds, no B-frames). The truth is told beside: which plate crosses
which line when. It measures how fast a gate is, not how good its models
are: its trucks are such as the detectors know, and some were trained on.

The pictures are read from a folder of data (`site`, `machinery`, `plates`) and are no part of this repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from training import plate_render

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

WIDTH, HEIGHT, RATE = 1920, 1080, 25
LINE = ((120.0, 860.0), (1800.0, 860.0))
STREET = "plates/full/images/yyq_0002.jpg"
# Vanishing point of the lanes, where they reach the full size, and the width of a truck there.
_HORIZON, _MIDDLE, _NEAR = 250.0, 960.0, 1010.0
_LANES = (510.0, 1410.0)
_TRUCK_PX = 620.0
# How far away a truck begins and ends, in distances of the full size, and how fast it drives: distances a second.
_FAR, _GONE, _SPEED = 3.0, 0.52, 0.5


@dataclass(frozen=True)
class Model:
    """A truck in a picture: box xyxy as shares of it; a part that is nothing but truck, and the plate's middle and
    width, as shares of the box; the plate's turn in degrees."""

    path: str
    box: tuple[float, float, float, float]
    sure: tuple[float, float, float, float]
    plate: tuple[float, float, float]
    degrees: float = 0.0


MODELS = (
    Model(
        "machinery/train/images/css_0022.jpg",
        (0.131, 0.302, 0.933, 0.914),
        (0.04, 0.15, 0.95, 0.78),
        (0.135, 0.725, 0.10),
        3,
    ),
    Model(
        "machinery/train/images/herit_0002.jpg",
        (0.05, 0.395, 0.87, 0.82),
        (0.04, 0.06, 0.96, 0.9),
        (0.48, 0.82, 0.16),
    ),
    Model(
        "machinery/train/images/jeb_0003.jpg",
        (0.178, 0.258, 0.654, 0.83),
        (0.2, 0.14, 0.92, 0.88),
        (0.665, 0.775, 0.125),
        -2,
    ),
    Model(
        "machinery/train/images/samos_0003.jpg",
        (0.45, 0.364, 0.823, 0.716),
        (0.05, 0.18, 0.97, 0.86),
        (0.80, 0.82, 0.125),
    ),
    Model(
        "machinery/train/images/samos_0004.jpg",
        (0.67, 0.32, 0.91, 0.80),
        (0.08, 0.1, 0.97, 0.9),
        (0.62, 0.836, 0.19),
    ),
)
_KINDS = ("yellow_single", "yellow_double", "yellow_single", "blue", "green_large")


@dataclass(frozen=True)
class Pass:
    """What is true of one truck: plate, lane, and seconds from the start of the video."""

    plate: str
    kind: str
    lane: int
    model: int
    begins: float
    crosses: float
    ends: float


@dataclass(frozen=True)
class Cutout:
    """A truck by itself: colours [h, w, 3] and how much of each pixel is truck, 0 to 1."""

    image: Image
    cover: Floats


def write(
    folder: Path, data: Path, camera: int, minutes: float, a_minute: int, seed: int = 0
) -> tuple[Path, list[Pass]]:
    """Write the video of one camera and its truth, or find them from before.

    Args:
        folder: for `camera-<n>.mp4` and `camera-<n>.json`.
        data: the folder of real data.
        camera: 0 or 1.
        minutes: length.
        a_minute: trucks.
        seed: of every choice.

    Raises:
        FileNotFoundError: pictures are missing.
    """
    rng = np.random.default_rng([seed, camera])
    passes = _timetable(data, minutes, a_minute, rng)
    path, truth = folder / f"camera-{camera}.mp4", folder / f"camera-{camera}.json"
    told = json.dumps([asdict(one) for one in passes], ensure_ascii=False, indent=1)
    if path.is_file() and truth.is_file() and truth.read_text(encoding="utf-8") == told:
        return path, passes
    folder.mkdir(parents=True, exist_ok=True)
    cutouts = {model: _cutout(data, MODELS[model]) for model in {one.model for one in passes}}
    press = plate_render.Press(data / "plates" / "templates")
    trucks = [_dressed(cutouts[one.model], one, press, rng) for one in passes]
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        stream.options = {"preset": "veryfast", "crf": "25", "g": str(2 * RATE), "bf": "0", "threads": "1"}
        for image in _frames(_street(data, camera), passes, trucks, minutes * 60, rng):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    part.replace(path)
    truth.write_text(told, encoding="utf-8")
    return path, passes


def _timetable(data: Path, minutes: float, a_minute: int, rng: np.random.Generator) -> list[Pass]:
    press = plate_render.Press(data / "plates" / "templates")
    passes = []
    last = (_FAR - _GONE) / _SPEED
    gap = 60 / a_minute
    count = int((minutes * 60 - last - 2) / gap)
    # The lower edge of a truck at distance z is at horizon + (near - horizon) / z.
    to_line = (_FAR - (_NEAR - _HORIZON) / (LINE[0][1] - _HORIZON)) / _SPEED
    for number in range(count):
        begins = 1.0 + number * gap + float(rng.uniform(0, 0.15 * gap))
        kind = _KINDS[int(rng.integers(len(_KINDS)))]
        text = press.text(kind, rng)
        model = int(rng.integers(len(MODELS)))
        passes.append(Pass(text, kind, number % 2, model, begins, begins + to_line, begins + last))
    return passes


def _frames(
    street: Image, passes: list[Pass], trucks: list[Cutout], seconds: float, rng: np.random.Generator
) -> Iterator[Image]:
    noise = rng.normal(0, 3.0, (8, HEIGHT // 2, WIDTH // 2, 3)).astype(np.int16)
    for number in range(round(seconds * RATE)):
        now = number / RATE
        image = street.copy()
        there = [
            (one, truck) for one, truck in zip(passes, trucks, strict=True) if one.begins <= now < one.ends
        ]
        # The far ones first: near ones hide them.
        for one, truck in sorted(there, key=lambda pair: -pair[0].begins):
            _paste(image, truck, 1 / (_FAR - _SPEED * (now - one.begins)), _LANES[one.lane])
        grain = cv2.resize(noise[number % len(noise)], (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
        yield np.clip(image + grain, 0, 255).astype(np.uint8)


def _paste(image: Image, truck: Cutout, scale: float, lane: float) -> None:
    """The truck where it is at a scale, cut off at the border."""
    height, width = truck.cover.shape
    factor = scale * _TRUCK_PX / width
    x = _MIDDLE + (lane - _MIDDLE) * scale - factor * width / 2
    y = _HORIZON + (_NEAR - _HORIZON) * scale - factor * height
    left, top = max(0, int(x)), max(0, int(y))
    right, bottom = min(WIDTH, int(x + factor * width) + 1), min(HEIGHT, int(y + factor * height) + 1)
    if right <= left or bottom <= top:
        return
    turn = np.array([[factor, 0, x - left], [0, factor, y - top]], np.float64)
    # Shrinking by half steps first keeps plates free of moire.
    source, cover = truck.image, truck.cover
    while factor < 0.5:
        source, cover = (
            cv2.resize(a, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for a in (source, cover)
        )
        factor *= 2
        turn[0, 0] = turn[1, 1] = factor
    size = (right - left, bottom - top)
    drawn = cv2.warpAffine(source, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(cover, turn, size, flags=cv2.INTER_LINEAR)[..., None]
    part = image[top:bottom, left:right]
    part[:] = (part + (drawn.astype(np.float32) - part) * share).astype(np.uint8)


def _street(data: Path, camera: int) -> Image:
    """The street, for the second camera as in a mirror. Cars stand in it, beside the lanes."""
    picture = cv2.resize(_read(data / STREET), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[:, ::-1]) if camera else picture


def _cutout(data: Path, model: Model) -> Cutout:
    """A truck without what is behind it (GrabCut of Rother et al., 2004), about 900 px wide."""
    picture = _read(data / model.path)
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = (round(v * s) for v, s in zip(model.box, (width, height, width, height), strict=True))
    rim = round(0.04 * (x2 - x1))
    left, top, right, bottom = max(0, x1 - rim), max(0, y1 - rim), min(width, x2 + rim), min(height, y2 + rim)
    around = np.ascontiguousarray(picture[top:bottom, left:right])
    mask = np.full(around.shape[:2], cv2.GC_BGD, np.uint8)
    mask[y1 - top : y2 - top, x1 - left : x2 - left] = cv2.GC_PR_FGD
    u1, v1, u2, v2 = model.sure
    wide, high = x2 - x1, y2 - y1
    rows = slice(round(y1 - top + v1 * high), round(y1 - top + v2 * high))
    mask[rows, round(x1 - left + u1 * wide) : round(x1 - left + u2 * wide)] = cv2.GC_FGD
    cv2.setRNGSeed(1)
    cv2.grabCut(around, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    cover = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    cover = cv2.morphologyEx(cover, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)).astype(np.float32)
    part, cover = (a[y1 - top : y2 - top, x1 - left : x2 - left] for a in (around, cover))
    scale = 900 / part.shape[1]
    large = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(cv2.resize(cover, large.shape[1::-1], interpolation=cv2.INTER_LINEAR), (0, 0), 2)
    return Cutout(large, soft)


def _dressed(truck: Cutout, one: Pass, press: plate_render.Press, rng: np.random.Generator) -> Cutout:
    """The truck with the plate of a pass, and in a paint a little of its own."""
    height, width = truck.cover.shape
    x, y, share = MODELS[one.model].plate
    plate = press.plate(one.kind, rng, one.plate).image
    across = share * width
    down = across * plate.shape[0] / plate.shape[1]
    corners = np.array([[-across, -down], [across, -down], [across, down], [-across, down]], np.float32) / 2
    angle = np.radians(MODELS[one.model].degrees)
    turned = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    quad = (turned + np.array([x * width, y * height], np.float32)).astype(np.float32)
    source = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * plate.shape[1::-1]
    paint = np.clip(truck.image * rng.uniform(0.8, 1.1), 0, 255).astype(np.uint8)
    turn = cv2.getPerspectiveTransform(source.astype(np.float32), quad)
    hung = cv2.warpPerspective(
        plate, turn, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    there = cv2.warpPerspective(np.ones(plate.shape[:2], np.float32), turn, (width, height))[..., None]
    return Cutout((paint + (hung.astype(np.float32) * 0.9 - paint) * there).astype(np.uint8), truck.cover)


def _read(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{path}: no picture that can be read")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
