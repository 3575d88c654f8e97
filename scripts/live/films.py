"""Films of cameras that never were: real machines, cut out of real pictures, drive through real views.

Encoded the way cameras do it (640x360, 25 pictures a second, H.264 at about 400 kbit/s, a key frame every two seconds,
no B-frames), they begin again without a seam. How long machines drive is chosen so that the gate of the daemon lets a
wanted share of the pictures through; it is measured with that very gate, on the pictures that a reader would take.

The pictures are read from a folder of data (`site`, `machinery`, `street`, `video`) and are no part of this repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from huoyan.perception.motion import Gate

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

WIDTH, HEIGHT, RATE, GOP_S = 640, 360, 25, 2
BIT_RATE = 400_000
_LENGTH_S = 80
"""Of a film, in seconds; then it begins again."""
_GRAIN = 2.0
"""Noise of the sensor, grey levels."""
_GOLDEN = 0.618
VIEWS = (
    "video/series/excavated_pit_terraces/0001.jpg",
    "video/series/pit_foundation/0001.jpg",
    "video/series/fog_to_sun_one_day/0009.jpg",
    "video/series/roof_slab_day/0001.jpg",
    "video/series/roof_slab_noon/0001.jpg",
    "video/series/far_smoke_36_min/0001.jpg",
    "site/train/images/sitecam_0012.jpg",
    "site/train/images/sitecam_0015.jpg",
    "street/train/images/amsterdam_036.jpg",
    "video/street_people.mp4",
    "video/parking_person_bicycle_car.mp4",
    "video/clips/motorway_tunnel_trucks.mp4",
)
"""Stills, or films of which the first picture counts. Each is used as it is and as in a mirror."""


@dataclass(frozen=True)
class Machine:
    """A machine in a picture: its line among the labels, and a part of the box that is nothing but machine."""

    path: str
    line: int
    sure: tuple[float, float, float, float]


MACHINES = (
    Machine("machinery/train/images/samos_0004.jpg", 0, (0.08, 0.3, 0.9, 0.75)),
    Machine("machinery/train/images/samos_0015.jpg", 4, (0.08, 0.35, 0.95, 0.75)),
    Machine("machinery/train/images/css_0022.jpg", 0, (0.1, 0.3, 0.9, 0.75)),
    Machine("site/train/images/stockex_0001.jpg", 0, (0.45, 0.35, 0.9, 0.85)),
    Machine("site/train/images/stockex_0019.jpg", 0, (0.4, 0.35, 0.95, 0.9)),
    Machine("site/train/images/stockex_0025.jpg", 0, (0.4, 0.35, 0.95, 0.9)),
    Machine("machinery/train/images/css_0026.jpg", 0, (0.1, 0.35, 0.8, 0.8)),
    Machine("machinery/train/images/herit_0004.jpg", 0, (0.1, 0.3, 0.9, 0.75)),
)


@dataclass(frozen=True)
class Cutout:
    """A machine by itself: colours [h, w, 3] and how much of each pixel is machine, 0 to 1."""

    image: Image
    cover: Floats


@dataclass(frozen=True)
class Visit:
    """A machine crosses the view: when (seconds of the film), at which height of the picture, which way."""

    machine: int
    begins: float
    lasts: float
    low: float
    """Height of the wheels, as a share of the picture's."""
    leftward: bool


@dataclass(frozen=True)
class Film:
    """A film and what was measured of it."""

    path: Path
    passed: float
    """Share of its key frames that the gate lets through, once it runs in circles."""
    kilobits: float
    """A second."""


def write(folder: Path, data: Path, share: float, count: int = 24, length_s: int = _LENGTH_S) -> list[Film]:
    """Write films of which the gate lets `share` of the pictures pass, or find them from before.

    Args:
        folder: for `film-<share>-<n>.mp4` and what was measured, as JSON.
        data: the folder of real data.
        share: 0 to 1.
        count: of films.
        length_s: of each; a multiple of the distance of key frames.

    Raises:
        FileNotFoundError: pictures are missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_film(folder, data, share, number, length_s) for number in range(count)]


def _film(folder: Path, data: Path, share: float, number: int, length_s: int) -> Film:
    path = folder / f"film-{round(100 * share):02}-{number:02}.mp4"
    told = path.with_suffix(".json")
    if not (path.is_file() and told.is_file()):
        shown = view(data / VIEWS[number % len(VIEWS)])
        if number // len(VIEWS) % 2:
            shown = np.ascontiguousarray(shown[:, ::-1])
        machines = _cast(data)
        visits = _timetable(shown, machines, share, length_s, number)
        _encode(path, pictures(shown, machines, visits, length_s, RATE, number))
        passed, kilobits = gate_share(_key_frames(path)), path.stat().st_size * 8 / 1000 / length_s
        about = {"passed": passed, "kilobits": kilobits, "visits": [asdict(visit) for visit in visits]}
        told.write_text(json.dumps(about, indent=1))
    known = json.loads(told.read_text())
    return Film(path, known["passed"], known["kilobits"])


@cache
def _cast(data: Path) -> list[Cutout]:
    return [cutout(data, machine) for machine in MACHINES]


def gate_share(round_trip: list[Image], rounds: int = 6, settled: int = 2) -> float:
    """Share of pictures that pass the gate when a film runs in circles.

    Args:
        round_trip: the luma of its key frames, uint8 (height, width), `GOP_S` apart.
        rounds: how often it runs.
        settled: rounds that do not count: the gate learns the view.
    """
    gate, passed = Gate(), 0
    for turn in range(rounds):
        for number, luma in enumerate(round_trip):
            gate.feed(luma, float((turn * len(round_trip) + number) * GOP_S))
            passed += gate.open and turn >= settled
    return passed / ((rounds - settled) * len(round_trip))


def pictures(
    view: Image, machines: list[Cutout], visits: list[Visit], length_s: int, rate: float, seed: int
) -> Iterator[Image]:
    """The pictures of a film, uint8 (360, 640, 3), RGB, `rate` a second."""
    grain = np.random.default_rng(seed).normal(0, _GRAIN, (8, HEIGHT, WIDTH, 1)).astype(np.int16)
    for number in range(round(length_s * rate)):
        image = view.copy()
        for visit in sorted(visits, key=lambda one: one.low):
            since = (number / rate - visit.begins) % length_s
            if since < visit.lasts:
                paste(image, machines[visit.machine], visit, since / visit.lasts)
        yield np.clip(image + grain[number % 8], 0, 255).astype(np.uint8)


def _timetable(view: Image, machines: list[Cutout], share: float, length_s: int, seed: int) -> list[Visit]:
    """Visits that let the gate pass `share`: their length is corrected by what the gate makes of them."""
    rng = np.random.default_rng([seed, round(1000 * share)])
    count = max(1, round(share * length_s / 9))
    first = seed * _GOLDEN * length_s
    starts = [(first + k * length_s / count + rng.uniform(0, 2)) % length_s for k in range(count)]
    cast = [
        (int(rng.integers(len(machines))), float(rng.uniform(0.62, 0.97)), bool(rng.integers(2)))
        for _ in range(count)
    ]
    lasts = share * length_s / count
    best: tuple[float, list[Visit]] = (1.0, [])
    for _ in range(6):
        visits = [Visit(m, start, lasts, low, way) for start, (m, low, way) in zip(starts, cast, strict=True)]
        keys = [
            cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
            for one in pictures(view, machines, visits, length_s, 1 / GOP_S, seed)
        ]
        found = gate_share(keys)
        best = min(best, (abs(found - share), visits), key=lambda one: one[0])
        # A film has few key frames: what is left over of the aim evens out among films.
        lasts = float(np.clip(lasts * share / max(found, 0.2 * share), 2.0, 0.9 * length_s / count))
    return best[1]


def paste(image: Image, machine: Cutout, visit: Visit, way: float) -> None:
    """The machine at `way` (0 to 1) of its visit; what stands lower in the picture is nearer and larger."""
    height, width = machine.cover.shape
    scale = (0.16 + 0.34 * (visit.low - 0.6) / 0.4) * WIDTH / width
    across, up = scale * width, scale * height
    place = (WIDTH + across) * (1 - way if visit.leftward else way) - across
    x, y = place, visit.low * HEIGHT - up + 1.5 * np.sin(40 * way)
    left, top, right, bottom = (
        max(0, int(x)),
        max(0, int(y)),
        min(WIDTH, int(x + across)),
        min(HEIGHT, int(y + up)),
    )
    if right <= left or bottom <= top:
        return
    turn = np.array([[scale, 0, x - left], [0, scale, y - top]])
    size = (right - left, bottom - top)
    drawn = cv2.warpAffine(machine.image, turn, size, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(machine.cover, turn, size)[..., None]
    part = image[top:bottom, left:right]
    part[:] = (part + (drawn.astype(np.float32) - part) * cover).astype(np.uint8)


def _encode(path: Path, images: Iterator[Image]) -> None:
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        stream.bit_rate = BIT_RATE
        stream.options = {
            "preset": "veryfast", "bf": "0", "threads": "1", "g": str(RATE * GOP_S),
            "keyint_min": str(RATE * GOP_S), "sc_threshold": "0", "flags": "+cgop",
            "maxrate": str(BIT_RATE * 5 // 4), "bufsize": str(BIT_RATE),
            # As a camera encodes, which cannot look ahead: otherwise key frames take more than half of all bits.
            "rc-lookahead": "0", "mbtree": "0",
        }  # fmt: skip
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    part.replace(path)


def _key_frames(path: Path) -> list[Image]:
    """The luma of a film's key frames, as a reader decodes them."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        return [np.ascontiguousarray(frame.to_ndarray(format="gray")) for frame in container.decode(stream)]


def view(path: Path) -> Image:
    """A view in the shape of the films: the middle of the picture."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    else:
        picture = _read(path)
    height, width = picture.shape[:2]
    across, down = min(width, height * WIDTH // HEIGHT), min(height, width * HEIGHT // WIDTH)
    left, top = (width - across) // 2, (height - down) // 2
    part = picture[top : top + down, left : left + across]
    way = cv2.INTER_AREA if across > WIDTH else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (WIDTH, HEIGHT), interpolation=way), dtype=np.uint8)


def cutout(data: Path, machine: Machine) -> Cutout:
    """A machine without what is behind it (GrabCut of Rother et al., 2004), about 320 px wide."""
    path = data / machine.path
    picture = _read(path)
    height, width = picture.shape[:2]
    label = (path.parents[1] / "labels" / f"{path.stem}.txt").read_text().splitlines()[machine.line].split()
    cx, cy, across, down = (float(v) for v in label[1:5])
    x1, y1 = max(0, round((cx - across / 2) * width)), max(0, round((cy - down / 2) * height))
    x2, y2 = min(width, round((cx + across / 2) * width)), min(height, round((cy + down / 2) * height))
    rim = round(0.06 * (x2 - x1))
    left, top, right, bottom = max(0, x1 - rim), max(0, y1 - rim), min(width, x2 + rim), min(height, y2 + rim)
    around = np.ascontiguousarray(picture[top:bottom, left:right])
    mask = np.full(around.shape[:2], cv2.GC_BGD, np.uint8)
    mask[y1 - top : y2 - top, x1 - left : x2 - left] = cv2.GC_PR_FGD
    u1, v1, u2, v2 = machine.sure
    rows = slice(round(y1 - top + v1 * (y2 - y1)), round(y1 - top + v2 * (y2 - y1)))
    mask[rows, round(x1 - left + u1 * (x2 - x1)) : round(x1 - left + u2 * (x2 - x1))] = cv2.GC_FGD
    cv2.setRNGSeed(1)
    cv2.grabCut(around, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    cover = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    part, cover = (a[y1 - top : y2 - top, x1 - left : x2 - left] for a in (around, cover))
    scale = 320 / part.shape[1]
    size = (320, max(1, round(part.shape[0] * scale)))
    shrunk = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(cv2.resize(cover, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    return Cutout(np.asarray(shrunk, dtype=np.uint8), np.asarray(soft, dtype=np.float32))


def _read(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{path}: no picture that can be read")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
