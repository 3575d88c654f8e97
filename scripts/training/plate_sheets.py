"""Contact sheets of plates: small pictures with a line of text under each, Chinese where a font is at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as pillow
from PIL import ImageDraw, ImageFont

COLUMNS, ROWS, WIDTH, HEIGHT, LINE = 6, 10, 260, 120, 18


def write(
    tiles: Sequence[tuple[str, npt.NDArray[np.uint8]]], folder: Path, name: str, font: Path | None
) -> Iterator[Path]:
    """Write sheets of 60 pictures.

    Args:
        tiles: caption and picture, uint8 [h, w, 3] RGB of any size.
        folder: where to write.
        name: beginning of the files' names.
        font: TrueType font with Chinese characters; without one they show as boxes.

    Yields:
        Paths of the PNG files.
    """
    face = ImageFont.truetype(str(font), 14) if font else ImageFont.load_default()
    for start in range(0, len(tiles), COLUMNS * ROWS):
        part = tiles[start : start + COLUMNS * ROWS]
        rows = -(-len(part) // COLUMNS)
        sheet = pillow.new("RGB", (COLUMNS * WIDTH, rows * (HEIGHT + LINE)), (30, 30, 30))
        pen = ImageDraw.Draw(sheet)
        for number, (caption, image) in enumerate(part):
            left, top = number % COLUMNS * WIDTH, number // COLUMNS * (HEIGHT + LINE)
            scale = min((WIDTH - 4) / image.shape[1], HEIGHT / image.shape[0])
            size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
            small = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
            sheet.paste(pillow.fromarray(small), (left, top))
            pen.text((left + 2, top + HEIGHT), caption, fill=(255, 255, 0), font=face)
        path = folder / f"{name}_{start // (COLUMNS * ROWS):02d}.png"
        sheet.save(path)
        yield path
