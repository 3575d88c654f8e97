"""Number plates of every kind, drawn from blanks and glyphs and then spoilt the way cameras and roads spoil them.

The templates (MIT, folder `plates/templates` of the data) are read when training starts and are no part of this
repository. `Press` draws clean plates, `crop` hangs them into a picture, `weather` spoils it. Everything comes from
one random generator: the same seed gives the same pictures. Pictures are uint8 RGB.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.perception import plate_grammar as grammar

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Rng = np.random.Generator

# Pixels a millimetre of a clean plate. The reader sees 160 px across; half of the templates' size is enough.
SCALE = 0.5
Cell = tuple[float, float, float, float]


@dataclass(frozen=True)
class Make:
    """How a layout is laid out: size in mm, blank, kind of glyphs by slot, cells in mm (x, y, width, height)."""

    size: tuple[int, int]
    blank: str
    cells: tuple[Cell, ...]
    glyphs: tuple[str, ...]


@dataclass(frozen=True)
class Plate:
    """A clean plate: picture [h, w, 3], and for each character its centre as a share of width and height."""

    text: str
    kind: str
    image: Image
    centres: Floats


@dataclass(frozen=True)
class Crop:
    """What a detector would cut out: picture, centres of characters (share of the crop, NaN for none), corners px."""

    image: Image
    centres: Floats
    corners: Floats


_ONE = ((15.5, 25.0, 45.0, 90.0), *((x, 25.0, 45.0, 90.0) for x in (72.5, 151.5, 208.5, 265.5, 322.5, 379.5)))
_BOTTOM = tuple((27.5 + 80 * i, 90.0, 65.0, 110.0) for i in range(5))
_TWO = ((110.0, 15.0, 80.0, 60.0), (250.0, 15.0, 80.0, 60.0), *_BOTTOM)
_GREEN = (
    (15.5, 25.0, 45.0, 90.0),
    (69.5, 25.0, 43.0, 90.0),
    *((161.5 + 52 * i, 25.0, 43.0, 90.0) for i in range(6)),
)
# Farm machines: province and two digits above, five digits below.
_FARM = ((95.0, 15.0, 80.0, 60.0), (235.0, 15.0, 50.0, 60.0), (295.0, 15.0, 50.0, 60.0), *_BOTTOM)
# Armed police of 2012 in one row: WJ, a small province, five characters; in two rows WJ and the province above.
_POLICE_ONE = ((15.5, 25.0, 40.0, 90.0), (60.5, 25.0, 40.0, 90.0), (108.0, 40.0, 32.0, 60.0), *_ONE[2:])
_POLICE_TWO = ((100.0, 15.0, 50.0, 60.0), (155.0, 15.0, 50.0, 60.0), (250.0, 15.0, 80.0, 60.0), *_BOTTOM)
_EVEN = tuple((17.0 + 58.5 * i, 25.0, 45.0, 90.0) for i in range(7))
_NINE = tuple((14.0 + 46.5 * i, 25.0, 40.0, 90.0) for i in range(9))
_DOWN = ("220_up", *("220_down",) * 5)


def _make_of(kind: str, text: str, rng: Rng) -> Make:
    size, low = (440, 140), (440, 220)
    if kind in ("yellow_double", "trailer"):
        return Make(low, "yellow_220", _TWO, ("220", *_DOWN))
    if kind.startswith("green"):
        return Make(
            (480, 140), "green_140" if kind == "green_small" else "green_yellow_140", _GREEN, ("green",) * 8
        )
    if kind == "white" and text.startswith("WJ"):
        if len(text) == 8:
            if rng.random() < 0.5:
                return Make(low, "white_220", _POLICE_TWO, ("220_up", "220_up", "220", *_DOWN[1:]))
            return Make(size, "white_140", _POLICE_ONE, ("140",) * 8)
        return Make(size, "white_army_140", _EVEN if len(text) == 7 else _NINE, ("140",) * len(text))
    if kind == "other":
        if text.startswith("民"):
            return Make(size, "black_140", _ONE[:1] + _EVEN[1:], ("140",) * 7)
        return Make(low, "yellow_220", _FARM, ("220", "220_up", "220_up", *_DOWN[1:]))
    blank = {"blue": "blue_140", "yellow_single": "yellow_140", "white": "white_140"}.get(kind, "black_140")
    if text.startswith("使"):
        # Red 使, six digits, the dot behind the third.
        blank = "black_shi_140"
    elif text.endswith("领"):
        blank = "black_ling_140"
    return Make(size, blank, _ONE, ("140",) * 7)


class Press:
    """Draws clean plates.

    Args:
        templates: folder with `blank/`, `glyphs/` and `glyphs.csv`.
        font: a TrueType font for the characters that the templates lack (民, 航); without one, no plate that
            needs it is drawn.
    """

    def __init__(self, templates: Path, font: Path | None = None) -> None:
        with (templates / "glyphs.csv").open(encoding="utf-8", newline="") as file:
            self._glyphs = {
                (row["kind"], row["char"]): _ink(templates / "glyphs" / row["file"])
                for row in csv.DictReader(file)
            }
        if font is not None:
            for character in "民航":
                self._glyphs["140", character] = _typeset(character, font)
        self._civil = font is not None
        self._blanks = {path.stem: _read(path) for path in sorted((templates / "blank").glob("*.png"))}
        self._grounds: dict[tuple[str, tuple[int, int]], Image] = {}
        self._sized: dict[tuple[str, str, int, int], Floats] = {}

    def text(self, kind: str, rng: Rng) -> str:
        """A random text of a kind; every province is as likely as the next, digits a little likelier."""
        layouts = grammar.kind(kind).layouts
        if kind == "other" and not self._civil:
            layouts = layouts[1:]
        if kind == "black":
            layout = layouts[rng.choice(4, p=(0.4, 0.3, 0.15, 0.15))]
        elif kind == "white":
            layout = layouts[rng.choice(4, p=(0.55, 0.25, 0.1, 0.1))]
        else:
            layout = layouts[rng.integers(len(layouts))]
        chosen = []
        for allowed in layout:
            special = [c for c in allowed if c in grammar.SPECIAL]
            if special and len(allowed) > 2:
                # A slot for a sign or a serial character: the sign is what makes the kind.
                allowed = special[0] if rng.random() < (0.7 if kind == "white" else 0.25) else grammar.SERIAL
            if allowed == grammar.SERIAL and rng.random() < 0.45:
                allowed = grammar.DIGITS
            chosen.append(allowed[rng.integers(len(allowed))])
        return "".join(chosen)

    def plate(self, kind: str, rng: Rng, text: str | None = None) -> Plate:
        """A clean plate of a kind, with the small differences that makers, paint and age make.

        Raises:
            KeyError: no glyph for a character of the text.
        """
        text = self.text(kind, rng) if text is None else text
        make = _make_of(kind, text, rng)
        width, height = round(make.size[0] * SCALE), round(make.size[1] * SCALE)
        image = self._ground(make.blank, kind, (width, height), rng)
        ink = np.zeros((height, width), np.float32)
        red = np.zeros((height, width), np.float32)
        shift = rng.normal(0, 0.6, 2)
        # Some plates are painted again or pressed flat: strokes grow or shrink.
        weight = rng.normal(0, 0.5)
        centres = np.full((grammar.SLOTS, 2), np.nan, np.float32)
        for slot, (character, cell, style) in enumerate(zip(text, make.cells, make.glyphs, strict=True)):
            x, y, w, h = (v * SCALE for v in cell)
            glyph = self._glyph(style, character, round(w), round(h))
            left, top = round(x + shift[0] + rng.normal(0, 0.25)), round(y + shift[1] + rng.normal(0, 0.25))
            left, top = max(0, min(left, width - glyph.shape[1])), max(0, min(top, height - glyph.shape[0]))
            layer = red if _is_red(kind, text, slot) else ink
            part = layer[top : top + glyph.shape[0], left : left + glyph.shape[1]]
            np.maximum(part, glyph, out=part)
            centres[slot] = ((x + w / 2) / width, (y + h / 2) / height)
        if abs(weight) > 0.25:
            ink, red = (_heavier(layer, weight) for layer in (ink, red))
        light = kind in ("blue", "black", "other")
        colour = rng.normal(232 if light else 28, 12, 3)
        scarlet = np.array([rng.normal(190, 20), rng.normal(35, 12), rng.normal(40, 12)])
        picture = image.astype(np.float32)
        picture += (colour.astype(np.float32) - picture) * ink[..., None]
        picture += (scarlet.astype(np.float32) - picture) * red[..., None]
        return Plate(text, kind, np.clip(picture, 0, 255).astype(np.uint8), centres)

    def _glyph(self, style: str, character: str, width: int, height: int) -> Floats:
        key = (style, character, width, height)
        if key not in self._sized:
            source = self._glyphs.get((style, character))
            if source is None:
                # 220 px glyphs have digits and 挂 in one size only, letters in two.
                source = self._glyphs.get(("220", character), self._glyphs.get(("140", character)))
            if source is None:
                raise KeyError(f"no glyph {style} {character}")
            self._sized[key] = cv2.resize(source, (width, height), interpolation=cv2.INTER_AREA)
        return self._sized[key]

    def _ground(self, blank: str, kind: str, size: tuple[int, int], rng: Rng) -> Image:
        """The blank at its size, in a colour as paint, age and cameras give it."""
        if (blank, size) not in self._grounds:
            self._grounds[blank, size] = cv2.resize(self._blanks[blank], size, interpolation=cv2.INTER_AREA)
        image = self._grounds[blank, size]
        if kind == "other":
            # Green under white: civil aviation and farm machines, for which there is no blank.
            drawn = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None] / 255
            drawn = np.abs(drawn - drawn[size[1] // 2, 4]) > 0.25
            image = np.where(drawn, 225, np.array([20, 95, 60])).astype(np.uint8)
        if kind == "blue" and rng.random() < 0.15:
            # Without border or dot: worn, or cut away.
            image = np.broadcast_to(self._blanks[blank][60, 60], image.shape).astype(np.uint8)
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
        hsv[..., 0] = (hsv[..., 0] + rng.normal(0, 5 if kind == "blue" else 3)) % 180
        hsv[..., 1] *= rng.uniform(0.55, 1.1)
        # The blank's blue is darker than any under daylight.
        hsv[..., 2] = hsv[..., 2] * rng.uniform(0.75, 1.05) + (rng.uniform(0, 90) if kind == "blue" else 0)
        return cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)


def _is_red(kind: str, text: str, slot: int) -> bool:
    if kind == "white":
        return text[slot] == "警" or (text.startswith("WJ") and slot < 2)
    return kind == "black" and text[slot] in "使领"


def _heavier(layer: Floats, weight: float) -> Floats:
    blurred = cv2.GaussianBlur(layer, (0, 0), 0.8 + abs(weight) * 0.3)
    return np.clip((blurred - 0.5) * 2.2 + 0.5 + weight * 0.5, 0, 1) * (blurred > 0.02)


def soil(plate: Image, rng: Rng) -> Image:
    """What happens to the plate itself: dust, mud, bolts, scratches, glare."""
    height, width = plate.shape[:2]
    picture = plate.astype(np.float32)
    if rng.random() < 0.45:
        coarse = rng.random((rng.integers(2, 9), rng.integers(3, 20)), dtype=np.float32)
        cloud = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        cover = np.clip((cloud - rng.uniform(0.35, 0.9)) * rng.uniform(1.5, 5), 0, rng.uniform(0.3, 0.85))
        mud = np.array([rng.uniform(70, 170), rng.uniform(60, 150), rng.uniform(45, 130)], np.float32)
        picture += (mud - picture) * cover[..., None]
    if rng.random() < 0.4:
        # A film of dust or of light: less contrast everywhere.
        grey = np.float32(rng.uniform(90, 220))
        picture += (grey - picture) * np.float32(rng.uniform(0.05, 0.5))
    for _ in range(rng.integers(0, 5) if rng.random() < 0.4 else 0):
        side = rng.choice((0.1, 0.9))
        centre = (int(rng.uniform(0.1, 0.9) * width), int(side * height))
        shade = float(rng.uniform(30, 230))
        cv2.circle(picture, centre, int(rng.integers(1, 4)), (shade,) * 3, -1, cv2.LINE_AA)
    for _ in range(rng.integers(1, 4) if rng.random() < 0.12 else 0):
        a, b = (tuple(int(v) for v in rng.uniform(0, 1, 2) * (width, height)) for _ in range(2))
        cv2.line(picture, a, b, (float(rng.uniform(60, 200)),) * 3, 1, cv2.LINE_AA)
    if rng.random() < 0.15:
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        radius = rng.uniform(0.15, 0.6) * width
        grid = np.mgrid[0:height, 0:width].astype(np.float32)
        spot = np.exp(-((grid[1] - x) ** 2 + 3 * (grid[0] - y) ** 2) / (2 * (radius / 2) ** 2))
        picture += rng.uniform(40, 200) * spot[..., None]
    if rng.random() < 0.2:
        # The edge of a shadow.
        angle, where = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
        grid = np.mgrid[0:height, 0:width].astype(np.float32)
        side = (grid[1] / width - 0.5) * np.cos(angle) + (grid[0] / height - 0.5) * np.sin(angle) - where
        picture *= 1 - rng.uniform(0.2, 0.6) * np.clip(side * 20 + 0.5, 0, 1)[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def crop(plate: Plate, rng: Rng) -> Crop:
    """The plate as a detector cuts it out of a picture: small, askew, with a rim, on something."""
    image = soil(plate.image, rng)
    tall = plate.image.shape[0] / plate.image.shape[1]
    # Small plates are the hard ones; half of them are between 20 and 60 px high or wide.
    across = float(np.exp(rng.uniform(np.log(44), np.log(190))))
    squeeze = 1.0 if rng.random() < 0.5 else float(rng.uniform(0.6, 1.1))
    down = across * tall / squeeze if squeeze > 1 else across * tall
    across *= min(squeeze, 1.0)
    corners = np.array([[0, 0], [across, 0], [across, down], [0, down]], np.float32)
    if rng.random() < 0.75:
        corners = askew(corners, rng)
    else:
        corners += rng.normal(0, 0.015 * across, (4, 2)).astype(np.float32)
    low, high = corners.min(axis=0), corners.max(axis=0)
    extent = high - low
    rim = rng.normal(0.04, 0.045, 4).clip(-0.035, 0.16) * np.array([extent[0], extent[1]] * 2)
    # What would cut a character off leaves nothing to learn.
    origin = low - rim[:2]
    width, height = (max(8, round(float(v))) for v in (high + rim[2:]) - origin)
    corners -= origin
    if image.shape[1] > 1.3 * across:
        # Warping alone would skip pixels.
        size = (max(8, round(across)), max(4, round(image.shape[0] * across / image.shape[1])))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    source = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * image.shape[1::-1]
    turn = cv2.getPerspectiveTransform(source.astype(np.float32), corners.astype(np.float32))
    scene = _surroundings(width, height, corners, rng)
    cv2.warpPerspective(
        image, turn, (width, height), dst=scene, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )
    at = plate.centres.astype(np.float64) * image.shape[1::-1]
    moved = cv2.perspectiveTransform(np.nan_to_num(at)[None], turn.astype(np.float64))[0]
    centres = np.where(np.isnan(at), np.nan, moved / (width, height)).astype(np.float32)
    return Crop(scene, centres, corners.astype(np.float32))


def askew(corners: Floats, rng: Rng) -> Floats:
    """Rolled, sheared and seen from the side."""
    centre = corners.mean(axis=0)
    roll, shear = np.deg2rad(rng.normal(0, 4.5)), rng.normal(0, 0.12)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]) @ np.array(
        [[1, shear], [0, 1]]
    )
    points = (corners - centre) @ turn.T
    # The far side is smaller.
    near = rng.normal(0, 0.09)
    half = points[:, :1] / max(1.0, float(np.abs(points[:, 0]).max()))
    points = points * (1 + near * half)
    jitter = rng.normal(0, 0.012, (4, 2)) * np.ptp(points, axis=0)
    return (points + centre + jitter).astype(np.float32)


def _surroundings(width: int, height: int, corners: Floats, rng: Rng) -> Image:
    """What is behind a plate: bumper, body, shadow, and often a frame or a line of lettering."""
    base = rng.uniform(0, 255) * np.ones(3) + rng.normal(0, 25, 3)
    coarse = base + rng.normal(0, rng.uniform(3, 45), (rng.integers(2, 7), rng.integers(2, 9), 3))
    scene = cv2.resize(
        np.clip(coarse, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR
    )
    if rng.random() < 0.4:
        grown = corners + (corners - corners.mean(axis=0)) * np.array(
            [rng.uniform(0.02, 0.08), rng.uniform(0.04, 0.3)]
        )
        shade = np.clip(rng.choice((20, 60, 170, 220)) + rng.normal(0, 15, 3), 0, 255)
        cv2.fillPoly(scene, [np.round(grown).astype(np.int32)], tuple(float(v) for v in shade), cv2.LINE_AA)
    return np.ascontiguousarray(scene)


def weather(image: Image, rng: Rng, strength: float = 1.0, enlarge: bool = True) -> Image:
    """What light, lens, sensor and codec do. `strength` 0 to 1 scales how bad it gets; the size may grow where
    `enlarge` allows it."""
    height, width = image.shape[:2]
    curves = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[:, None], 3, axis=1)
    if rng.random() < 0.9:
        gain = float(np.exp(rng.normal(-0.05, 0.3 * strength)))
        cast = np.exp(rng.normal(0, 0.08 * strength, 3)).astype(np.float32)
        gamma = float(np.exp(rng.normal(0, 0.3 * strength)))
        curves = curves**gamma * gain * cast
    picture = cv2.LUT(image, np.ascontiguousarray(255 * curves).reshape(256, 1, 3))
    if rng.random() < 0.12 * strength:
        # Night: little light, or lamps on reflective paint, which go nearly white.
        if rng.random() < 0.6:
            picture *= rng.uniform(0.2, 0.5)
        else:
            picture = picture * rng.uniform(0.5, 0.9) + rng.uniform(60, 130)
    if rng.random() < 0.15:
        grey = picture.mean(axis=2, keepdims=True)
        picture += (grey - picture) * rng.uniform(0.3, 1.0)
    size = min(height / 30, 3.0)
    if rng.random() < 0.6:
        sigma = rng.uniform(0.2, 1.15) * strength * size**0.7
        picture = cv2.GaussianBlur(picture, (0, 0), max(0.15, sigma))
    if rng.random() < 0.2 * strength:
        picture = motion(picture, rng.uniform(2, 5.5) * size**0.7, rng)
    picture = np.clip(picture, 0, 255)
    if rng.random() < 0.5:
        sigma = abs(rng.normal(0, 7 * strength))
        noise = rng.standard_normal((height, width, 3 if rng.random() < 0.5 else 1), dtype=np.float32)
        picture = picture + noise * np.float32(sigma)
    if rng.random() < 0.22:
        # Cameras sharpen what they blurred, some until dark halos stand round the strokes.
        soft = cv2.GaussianBlur(
            picture, (0, 0), rng.uniform(0.7, 1.6) * (size if rng.random() < 0.5 else 1.0)
        )
        picture = picture + rng.uniform(0.5, 3.0) * (picture - soft)
    spoilt = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.55:
        quality = int(rng.uniform(95 - 75 * strength, 96))
        done, data = cv2.imencode(".jpg", spoilt, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done:
            spoilt = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if enlarge and rng.random() < 0.2:
        # Enlarged by somebody before it got here.
        grow = rng.uniform(1.2, 2.5)
        spoilt = cv2.resize(spoilt, None, fx=grow, fy=grow, interpolation=cv2.INTER_CUBIC)
    return spoilt


def motion(picture: Floats, length: float, rng: Rng) -> Floats:
    """Smeared over `length` px along a line, mostly a flat one."""
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    angle = rng.normal(0, 0.35) if rng.random() < 0.6 else rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * (length / 2)
    a, b = (tuple(round(v) for v in (side // 2 + s * reach) * 16) for s in (-1, 1))
    cv2.line(kernel, a, b, 1.0, 1, cv2.LINE_AA, shift=4)
    return cv2.filter2D(picture, -1, kernel / max(1e-6, float(kernel.sum())), borderType=cv2.BORDER_REPLICATE)


def _read(path: Path) -> Image:
    data: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if data is None:
        raise FileNotFoundError(f"{path}: no picture that can be read; expected a plate template")
    return cv2.cvtColor(data, cv2.COLOR_BGR2RGB)


def _ink(path: Path) -> Floats:
    """A glyph as coverage 0..1; files are black on white."""
    return 1 - cv2.cvtColor(_read(path), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255


def _typeset(character: str, font: Path) -> Floats:
    """A character of a font, cut to its ink, to be squeezed into a cell."""
    from PIL import Image as pillow
    from PIL import ImageDraw, ImageFont

    canvas = pillow.new("L", (300, 300), 0)
    face = ImageFont.truetype(str(font), 220)
    # Plates are lettered bolder than books.
    ImageDraw.Draw(canvas).text((30, 20), character, fill=255, font=face, stroke_width=5, stroke_fill=255)
    drawn = np.asarray(canvas, dtype=np.float32) / 255
    rows, columns = np.nonzero(drawn > 0.5)
    return np.ascontiguousarray(drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
