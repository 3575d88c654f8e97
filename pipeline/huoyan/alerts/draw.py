"""Drawing on evidence pictures: thin outlines, a label on a plate, a strip of facts below the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from huoyan.alerts import text
from huoyan.alerts.text import Colour
from huoyan.records import Box, Image, Priority, Ring

COLOURS: dict[Priority, Colour] = {
    Priority.URGENT: (214, 40, 57),
    Priority.HIGH: (238, 108, 23),
    Priority.NORMAL: (255, 190, 11),
    Priority.RECORD: (93, 144, 186),
}
_INK: Colour = (18, 22, 28)
_PAPER: Colour = (250, 250, 250)
_MUTED: Colour = (176, 186, 197)
_ZONE: Colour = (0, 194, 209)
_OTHER: Colour = (245, 245, 245)


@dataclass(frozen=True, slots=True)
class Footer:
    """What stands on a picture (`label`) and below it: a heading, the place, when and by whom it was seen."""

    label: str
    heading: str
    place: str
    seen: str


def outline(image: Image, points: Sequence[tuple[float, float]], colour: Colour, thickness: int = 2) -> None:
    """A closed outline with a dark casing, so that it shows on light and dark ground, in place."""
    corners = [np.round(np.asarray(points, dtype=np.float64)).astype(np.int32).reshape(-1, 1, 2)]
    cv2.polylines(image, corners, True, _INK, thickness + 2, cv2.LINE_AA)
    cv2.polylines(image, corners, True, colour, thickness, cv2.LINE_AA)


def subject(image: Image, box: Box, polygon: Ring, label: str, priority: Priority) -> None:
    """Mark what the alert is about: its polygon or its box, and a label on a plate, in place."""
    colour = COLOURS[priority]
    height, width = image.shape[:2]
    thickness = 2 if max(height, width) < 1600 else 3
    if len(polygon) >= 3:
        _tint(image, polygon, colour, 0.18)
        outline(image, polygon, colour, thickness)
    else:
        x1, y1, x2, y2 = _inside(box, width, height)
        outline(image, [(x1, y1), (x2, y1), (x2, y2), (x1, y2)], colour, thickness)
    _plate(image, _inside(box, width, height), label, colour, priority)


def zone(image: Image, ring: Ring) -> None:
    """The outline of a control zone, in place: thin, it is context and not evidence."""
    if len(ring) >= 3:
        _tint(image, ring, _ZONE, 0.06)
        outline(image, ring, _ZONE, 1)


def other(image: Image, box: Box) -> None:
    """Further evidence beside the subject, in place."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = _inside(box, width, height)
    outline(image, [(x1, y1), (x2, y1), (x2, y2), (x1, y2)], _OTHER, 1)


def tag(image: Image, words: str) -> None:
    """A word in the top left corner (before, after), in place."""
    size = font_size(image.shape[1])
    pad = size // 2
    right = 2 * pad + text.width(words, size, bold=True)
    cv2.rectangle(image, (0, 0), (right, size + 2 * pad - 2), _INK, -1)
    text.write(image, words, pad, pad + size - 3, size, _PAPER, bold=True)


def with_footer(image: Image, footer: Footer, priority: Priority) -> Image:
    """The picture with a strip below it that says what, where, when and who."""
    width = image.shape[1]
    size = font_size(width)
    pad = max(6, size // 2)
    small = max(11, round(size * 0.82))
    strip = np.full((2 * pad + size + small + size // 3, width, 3), _INK, np.uint8)
    strip[:, : max(4, size // 4)] = COLOURS[priority]
    left = max(4, size // 4) + pad
    room = width - left - pad
    mark = "火眼 Huoyan" if text.chinese() else "Huoyan"
    mark_width = text.width(mark, small)
    heading = text.fitted(footer.heading, size, room - mark_width - 2 * pad, bold=True)
    top = pad + size - size // 8
    text.write(strip, heading, left, top, size, _PAPER, bold=True)
    if width >= 420:
        text.write(strip, mark, width - pad - mark_width, top, small, _MUTED)
    below = top + small + size // 3 + size // 8
    facts = f"{footer.place}   {footer.seen}"
    text.write(strip, text.fitted(facts, small, room), left, below, small, _MUTED)
    return np.ascontiguousarray(np.vstack([image, strip]))


def font_size(width: int) -> int:
    """Pixels of the main font on a picture of a width."""
    return int(np.clip(round(width / 56), 13, 30))


def _plate(
    image: Image, box: tuple[int, int, int, int], label: str, colour: Colour, priority: Priority
) -> None:
    """The label above the box, or inside its top where there is no room."""
    height, width = image.shape[:2]
    size = font_size(width)
    pad = size // 3
    label = text.fitted(label, size, width - 2 * pad - 2, bold=True)
    wide, high = text.width(label, size, bold=True) + 2 * pad, size + 2 * pad - 2
    left = min(max(0, box[0] - 1), max(0, width - wide))
    top = box[1] - high - 1
    if top < 0:
        top = min(box[1] + 2, max(0, height - high))
    cv2.rectangle(image, (left, top), (left + wide, top + high), colour, -1)
    ink = _INK if priority is Priority.NORMAL else _PAPER
    text.write(image, label, left + pad, top + pad + size - size // 6, size, ink, bold=True)


def _tint(image: Image, ring: Ring, colour: Colour, share: float) -> None:
    """Lay a colour over an area, in place."""
    corners = np.round(np.asarray(ring, dtype=np.float64)).astype(np.int32)
    height, width = image.shape[:2]
    x1, y1 = np.clip(corners.min(axis=0), 0, (width, height))
    x2, y2 = np.clip(corners.max(axis=0) + 1, 0, (width, height))
    if x2 <= x1 or y2 <= y1:
        return
    part = image[y1:y2, x1:x2]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [(corners - (x1, y1)).astype(np.int32).reshape(-1, 1, 2)], 1)
    tinted = cv2.addWeighted(part, 1 - share, np.full_like(part, colour), share, 0)
    cv2.copyTo(tinted, mask, part)


def _inside(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The box in whole pixels, cut to the picture."""
    x1, x2 = (round(min(max(x, 1), width - 2)) for x in (box[0], box[2]))
    y1, y2 = (round(min(max(y, 1), height - 2)) for y in (box[1], box[3]))
    return x1, y1, x2, y2
