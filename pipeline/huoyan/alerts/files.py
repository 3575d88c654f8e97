"""Evidence files: a picture is either whole on the disk or not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from huoyan.errors import StorageError
from huoyan.files import write_whole
from huoyan.records import Image


def jpeg(image: Image, quality: int) -> bytes:
    """A picture as JPEG.

    Raises:
        StorageError: OpenCV cannot encode it.
    """
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise StorageError(f"a picture of shape {image.shape} cannot be encoded as JPEG", code="encode")
    return np.asarray(data).tobytes()


def write(path: Path, data: bytes) -> str:
    """Write a file whole or not at all, see `write_whole`.

    Returns:
        The SHA-256 of the data in hex.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()
