"""The annotated picture of `huoyan explain`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from huoyan.errors import StorageError
from huoyan.records import Detection, Image, Observations, Placement
from huoyan.runs.outlines import rings_in_picture
from huoyan.runs.prepare import Prepared
from huoyan.sources import reopen

_SURE, _UNSURE, _ZONE = (229, 57, 53), (158, 158, 158), (79, 195, 247)


def annotated(seen: Observations, prepared: Prepared, path: Path) -> None:
    """Write the frame with every box (grey below its threshold), its place, and the zones that can be seen.

    Raises:
        SourceError: the frame cannot be read again.
        StorageError: the picture cannot be written.
    """
    image = reopen(seen.frame).copy()
    ground = prepared.settings.grounds.get(seen.frame.source_id)
    thick = max(1, round(max(image.shape[:2]) / 800))
    if ground is not None:
        for zone in prepared.registry.zones.values():
            for ring in rings_in_picture(zone.geometry, ground, seen.frame.size):
                cv2.polylines(image, [np.array(ring).round().astype(np.int32)], True, _ZONE, thick)
    for item in seen.items:
        place = item.place
        where = (
            f" {place.lon:.5f},{place.lat:.5f} +-{place.error_m:.0f}m" if isinstance(place, Placement) else ""
        )
        _box(image, item.detection, f"{item.detection.label} {item.detection.score:.2f}{where}", thick)
    suffix = path.suffix.lower() if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp") else ".png"
    data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", subject=str(path)) from error


def _box(image: Image, detection: Detection, text: str, thick: int) -> None:
    colour = _UNSURE if detection.attributes.get("uncertain") else _SURE
    if len(detection.polygon) >= 3:
        cv2.polylines(image, [np.array(detection.polygon).round().astype(np.int32)], True, colour, thick + 1)
    left, top, right, bottom = (round(value) for value in detection.box)
    cv2.rectangle(image, (left, top), (right, bottom), colour, thick)
    scale = 0.45 * thick
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    top = max(top, height + base)
    cv2.rectangle(image, (left, top - height - base), (left + width, top), colour, -1)
    cv2.putText(
        image,
        text,
        (left, top - base // 2),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        (255, 255, 255),
        thick,
        cv2.LINE_AA,
    )
