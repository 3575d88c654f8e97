"""Hiding people's faces and the number plates of the uninvolved before a picture becomes evidence.

Three ways find what is to be hidden, and all of them are used, because a face too many is the smaller fault:
a face detector over the picture, the head of every person that *look* saw, and plate-like fields together
with the plate band of every vehicle that is large enough to be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from huoyan.alerts import faces as face_finder
from huoyan.records import Box, Detection, Image

PEOPLE = frozenset({"person", "pedestrian", "people"})
VEHICLES = frozenset(
    {"car", "dump_truck", "mixer_truck", "truck", "bus", "van", "concrete_pump", "tricycle", "motorcycle"}
)
FACE_SCORE = 60
"""Of 100. In 170 real pictures this covers all 23 faces that another detector was sure of, and 18 more."""
FACE_SIDE_PX = 960
"""The detector's own limit of the long side; larger pictures are looked at smaller."""
HEAD_SHARE = 1 / 3
READABLE_VEHICLE_PX = 60
"""A plate is about a quarter as wide as its vehicle; below 15 px nobody reads it."""
PLATE_BAND = (0.3, 0.97)
"""The part of a vehicle's height where its plate hangs, car or truck, seen from in front or behind."""
PLATE_MAX_SHARE = 0.5
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
    found: Sequence[Box] | None = None,
    closer: Box | None = None,
) -> Image:
    """A copy of the picture with faces and uninvolved plates made unreadable.

    Args:
        image: the picture, uint8 RGB.
        detections: all that was seen in it, in its pixels.
        involved: the detections that the alert is about; the plates of these vehicles stay readable.
        faces: hide faces.
        plates: hide plates.
        found: the faces of the picture where it was searched before, as `face_boxes` gives them.
        closer: a part that will be shown enlarged and so is searched for faces at its own scale, too.

    Returns:
        The copy; pixels outside the hidden boxes are those of `image`.
    """
    boxes: list[Box] = []
    if faces:
        boxes += face_boxes(image) if found is None else found
        if closer is not None and max(image.shape[:2]) > FACE_SIDE_PX:
            boxes += face_boxes(image, closer)
        boxes += head_boxes([*detections, *involved])
    if plates:
        kept = [d.box for d in involved if d.label in VEHICLES]
        boxes += [
            box
            for box in plate_boxes(image)
            if not any(_covered(box, by) > 0.5 for by in kept)
            # What takes up much of the evidence is the evidence, not somebody's plate.
            and not any(_covered(d.box, box) > 0.1 for d in involved)
        ]
        boxes += plate_bands(d for d in detections if not any(_overlap(d.box, by) > 0.5 for by in kept))
    return blur(image, boxes)


def can_find_faces() -> bool:
    """Whether the face detector is installed (it comes as a wheel for Linux on x86-64 only)."""
    return face_finder.can_find()


def face_boxes(image: Image, part: Box | None = None) -> list[Box]:
    """Faces found by their look, with a margin; empty where the detector is not installed.

    Args:
        image: the picture, uint8 RGB.
        part: search only this part, at up to `FACE_SIDE_PX` of its own long side; default the whole picture.

    Returns:
        Boxes in pixels of the picture, which they may leave.
    """
    height, width = image.shape[:2]
    return [_grown(box, 0.3) for box in _faces_in(image, part or (0, 0, width, height))]


def head_boxes(detections: Iterable[Detection]) -> list[Box]:
    """The upper third of every person, as wide as a head can sway but no wider than half the height."""
    boxes = []
    for detection in detections:
        if detection.label in PEOPLE:
            x1, y1, x2, y2 = detection.box
            middle, half = (x1 + x2) / 2, min(x2 - x1, 0.5 * (y2 - y1)) / 2
            rise = 0.03 * (y2 - y1)
            boxes.append((middle - half, y1 - rise, middle + half, y1 + HEAD_SHARE * (y2 - y1)))
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
    """Fields that look like a number plate: one of the plate colours, its shape, and strokes of writing.

    Seen on 136 plates of 129 close views: 88 found, 0.6 fields too many a picture; plates without one of the
    colours (black, white) are not found, which is why the bands of vehicles are hidden, too.
    """
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
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            x, y, w, h = cv2.boundingRect(contour)
            fits = 20 <= w <= PLATE_MAX_SHARE * small.shape[1] and h >= 7
            if fits and _like_a_plate(contour, grey[y : y + h, x : x + w]):
                box = (x / scale, y / scale, (x + w) / scale, (y + h) / scale)
                boxes.append(_grown(box, 0.1))
    return boxes


def blur(image: Image, boxes: Iterable[Box]) -> Image:
    """A copy in which every box is beyond reading: a coarse mosaic, smoothed to be easy on the eye."""
    result = image.copy()
    height, width = image.shape[:2]
    for box in boxes:
        x1, y1 = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
        x2, y2 = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
        if x2 - x1 < 2 or y2 - y1 < 2:
            continue
        patch = result[y1:y2, x1:x2]
        # Three cells along the short side keep no feature: the mosaic destroys, not the smoothing.
        cell = max(2, -(-min(x2 - x1, y2 - y1) // 3))
        coarse = cv2.resize(
            patch,
            (max(1, (x2 - x1) // cell), max(1, (y2 - y1) // cell)),
            interpolation=cv2.INTER_AREA,
        )
        result[y1:y2, x1:x2] = cv2.resize(coarse, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)
    return result


def _faces_in(image: Image, part: Box) -> list[Box]:
    height, width = image.shape[:2]
    x1, y1 = max(0, int(part[0])), max(0, int(part[1]))
    x2, y2 = min(width, int(np.ceil(part[2]))), min(height, int(np.ceil(part[3])))
    if x2 - x1 < 16 or y2 - y1 < 16:
        return []
    patch = image[y1:y2, x1:x2]
    scale = min(1.0, FACE_SIDE_PX / max(patch.shape[:2]))
    small = cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else patch
    found = face_finder.finder.find(small.shape[1], small.shape[0], np.ascontiguousarray(small).tobytes())
    return [
        (x1 + x / scale, y1 + y / scale, x1 + (x + w) / scale, y1 + (y + h) / scale)
        for x, y, w, h, score in found
        if score >= FACE_SCORE
    ]


def _like_a_plate(contour: np.ndarray, grey: np.ndarray) -> bool:
    """Whether a field of a plate's colour has a plate's shape, which may lean, and writing on it."""
    _, sides, _ = cv2.minAreaRect(contour)
    long, short = max(sides), max(1.0, min(sides))
    if not 1.6 <= long / short <= 5.6 or cv2.contourArea(contour) < 0.68 * long * short:
        return False
    # Seven characters on a line: their strokes cross most lines through the middle at least nine times.
    _, ink = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    high = len(grey)
    lines = ink[3 * high // 10 : max(3 * high // 10 + 1, 7 * high // 10)].astype(np.int8)
    crossings = np.abs(np.diff(lines, axis=1)).sum(axis=1)
    few, middle = np.quantile(crossings, (0.25, 0.5))
    if long > 100:
        return bool(few >= 10 and 12 <= middle <= 34 and grey.std() >= 22)
    return bool((6 if long < 40 else 9) <= middle <= 34 and grey.std() >= 20)


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
