"""Labelled pictures of one's own for fine-tuning: read, and divided into what is trained on and what judges.

Pictures of one camera on one day look alike. If some of them were trained on and others judged, the figures would
say how well the model remembers. So whole groups are held back: a group is the part of a file name before its last
underscore, `<camera>_<day>` in `<camera>_<day>_<number>.jpg`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from huoyan.evaluate import yolo
from training.data import Box, Picture


def read(folder: Path) -> tuple[tuple[str, ...], list[Picture]]:
    """Classes and pictures of a folder in the layout of `huoyan evaluate detector`, all of the split `train`.

    Raises:
        ConfigError: the folder is not such a set, or a row of it is wrong; the subject is `file:line`.
    """
    labelled = yolo.read(folder)
    pictures = []
    for one in labelled.pictures:
        boxes = tuple(
            Box(labelled.classes[number], (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
            for number, (x1, y1, x2, y2) in zip(one.classes.tolist(), one.boxes.tolist(), strict=True)
        )
        known = frozenset(labelled.classes) if one.complete is None else one.complete
        pictures.append(Picture(one.path, "own", "train", boxes, known))
    return labelled.classes, pictures


def hold_back(
    pictures: Sequence[Picture], share: float, seed: int, named: Sequence[str] = ()
) -> list[Picture]:
    """Divide the pictures into `train` and `val`, group by group.

    Args:
        pictures: all of them.
        share: of the pictures to hold back, as near as whole groups allow.
        seed: of the drawing.
        named: groups to hold back; then nothing is drawn.

    Raises:
        ValueError: there are not two groups, or a named one does not exist.
    """
    groups: dict[str, list[Picture]] = {}
    for picture in pictures:
        groups.setdefault(picture.source, []).append(picture)
    if len(groups) < 2:
        raise ValueError(
            f"all pictures are of one group, {next(iter(groups))!r}: nothing is left to judge by. Name pictures "
            "<camera>_<day>_<number>, with at least two cameras or days"
        )
    if unknown := sorted(set(named) - set(groups)):
        raise ValueError(f"no such group: {', '.join(unknown)}; there are {', '.join(sorted(groups))}")
    chosen = set(named) or _draw(groups, share, seed)
    return [replace(p, split="val") if p.source in chosen else p for p in pictures]


def _draw(groups: dict[str, list[Picture]], share: float, seed: int) -> set[str]:
    """Groups to hold back: never the last one with boxes of a class, never much more than the share."""
    left = Counter(label for group in groups.values() for label in _labels(group))
    wanted = share * sum(map(len, groups.values()))
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    # Groups with many classes first: they tell most about the model.
    order.sort(key=lambda name: -len(_labels(groups[name])))
    chosen: set[str] = set()
    held = 0
    for name in order:
        labels = _labels(groups[name])
        after = held + len(groups[name])
        if held < wanted and after <= 1.5 * wanted and all(left[label] > 1 for label in labels):
            chosen.add(name)
            held = after
            left.subtract(labels)
    if not chosen:
        chosen = {min(groups, key=lambda name: (len(groups[name]), name))}
    return chosen


def _labels(group: Sequence[Picture]) -> set[str]:
    return {box.label for picture in group for box in picture.boxes}
