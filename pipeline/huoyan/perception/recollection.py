"""What second looks gave in fixed views: where nothing has changed since, the same answer holds.

A fixed camera shows the same doubtful background in every picture. Looked at twice each time, it costs more than all
that is new. So where the second look saw nothing, that is kept with a small copy of the thing and what is close round
it, and holds while that looks the same. What it did see is looked at anew in every picture: a scene that asks for
several sightings asks for independent ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import cv2
import numpy as np
import numpy.typing as npt

from huoyan.perception import boxes
from huoyan.records import Box, Detection, Image

Thumb = npt.NDArray[np.float32]
Answer = tuple[float, Box]
"""Score of the same label at the same place, 0 if nothing is there, and its box in the picture."""

LASTS = timedelta(minutes=10)
"""After this a thing is looked at again, changed or not: light creeps."""
_SAME_PLACE = 0.7
"""IoU of two boxes of one label from which they are about the same thing."""
_AROUND = 1.5
"""Side of what is compared over the longer side of the box."""
_LEAST_PX = 24
_SIDE = 16
# Grey levels, once brighter or darker as a whole is taken out. In films of fixed views what had not changed differed by
# at most 8 in its worst cell, where something had passed by more than 80 (`scripts/bench_second_look.py`).
_CELL, _MEAN = 14.0, 3.0
_MOST = 32
"""Answers kept of one view."""


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    label: str
    box: Box
    around: tuple[int, int, int, int]
    thumb: Thumb
    answer: Answer
    time: datetime


class Recollection:
    """The latest answers of each view. Belongs to one thread.

    Attributes:
        asked: answers that were wanted.
        known: of them, those that were remembered.
    """

    def __init__(self) -> None:
        self.asked = self.known = 0
        self._views: dict[tuple[str, str], list[_Known]] = {}

    def answers(
        self,
        view: tuple[str, str],
        time: datetime,
        image: Image,
        least: float,
        things: Sequence[Detection],
        look: Callable[[Sequence[Detection]], list[Answer]],
    ) -> list[Answer]:
        """The answer about each thing, remembered or by `look`.

        Args:
            view: source id and name of the model.
            time: of the picture.
            image: uint8 (height, width, 3), RGB.
            least: a lower score than this is none, and remembered.
            things: what is to be looked at again.
            look: looks at things.
        """
        known = [one for one in self._views.get(view, ()) if abs(time - one.time) < LASTS]
        found = [_same(known, thing, image) for thing in things]
        new = [thing for thing, one in zip(things, found, strict=True) if one is None]
        answers = look(new) if new else []
        fresh = [
            _keep(thing, answer, image, time)
            for thing, answer in zip(new, answers, strict=True)
            if answer[0] < least
        ]
        self.asked += len(things)
        self.known += len(things) - len(new)
        # The latest used come first: what is not asked for any more falls off the end.
        used = {id(one): one for one in (*fresh, *found, *known) if one is not None}
        self._views[view] = list(used.values())[:_MOST]
        rest = iter(answers)
        return [one.answer if one is not None else next(rest) for one in found]


def _same(known: list[_Known], thing: Detection, image: Image) -> _Known | None:
    """What is known of a thing at this place, if it still looks the same."""
    alike = [one for one in known if one.label == thing.label]
    if not alike:
        return None
    overlap = boxes.iou(
        np.array([thing.box], dtype=np.float32), np.array([one.box for one in alike], dtype=np.float32)
    )[0]
    for share, one in sorted(zip(overlap.tolist(), alike, strict=True), key=lambda pair: -pair[0]):
        if share < _SAME_PLACE:
            return None
        if _alike(one.thumb, _thumb(image, one.around)):
            return one
    return None


def _keep(thing: Detection, answer: Answer, image: Image, time: datetime) -> _Known:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = thing.box
    half = max(_AROUND * max(x2 - x1, y2 - y1), _LEAST_PX) / 2
    across, down = (x1 + x2) / 2, (y1 + y2) / 2
    around = (
        min(max(0, round(across - half)), width - 1),
        min(max(0, round(down - half)), height - 1),
        max(1, min(width, round(across + half))),
        max(1, min(height, round(down + half))),
    )
    return _Known(thing.label, thing.box, around, _thumb(image, around), answer, time)


def _alike(one: Thumb, other: Thumb) -> bool:
    apart = one - other
    apart = np.abs(apart - apart.mean())
    return bool(apart.max() <= _CELL and apart.mean() <= _MEAN)


def _thumb(image: Image, around: tuple[int, int, int, int]) -> Thumb:
    """Grey levels of a part of the picture in 16 x 16 cells, float32."""
    x1, y1, x2, y2 = around
    small = cv2.resize(image[y1:y2, x1:x2], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
