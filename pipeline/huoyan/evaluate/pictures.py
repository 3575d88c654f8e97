"""Reading the pictures of a labelled set."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from huoyan.errors import UnreadableFile
from huoyan.records import Image


def read(path: Path) -> Image:
    """A picture as uint8 (height, width, 3), RGB, turned as its EXIF says.

    Raises:
        UnreadableFile: it is missing or not a picture.
    """
    # Bytes first: OpenCV itself cannot open every file name on every system.
    return _decode(path, cv2.IMREAD_COLOR_RGB)


def read_mask(path: Path) -> Image:
    """A mask as uint8 (height, width): anything but 0 is marked.

    Raises:
        UnreadableFile: it is missing or not a picture.
    """
    return _decode(path, cv2.IMREAD_GRAYSCALE)


def _decode(path: Path, how: int) -> Image:
    try:
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise UnreadableFile(f"cannot be read: {error.strerror or error}", subject=str(path)) from error
    try:
        image = cv2.imdecode(content, how) if content.size else None
    except cv2.error as error:
        raise UnreadableFile(f"not a picture: {error.err}", subject=str(path)) from error
    if image is None:
        raise UnreadableFile(f"not a picture ({content.size} bytes)", subject=str(path))
    return image.astype(np.uint8, copy=False)
