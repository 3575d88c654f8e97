"""How well a detector does on a labelled set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from huoyan.errors import ConfigError, SourceError
from huoyan.evaluate import pictures, precision, yolo
from huoyan.evaluate.precision import Matched
from huoyan.perception import tiling
from huoyan.perception.boxes import Hits
from huoyan.perception.detector import Detector
from huoyan.records import Image

# Precision is read down to this score; below it nothing is left to find.
FLOOR = 0.002


@dataclass(slots=True)
class _Tally:
    """What is counted of one class over the pictures that judge it."""

    matched: list[Matched]
    found: int = 0
    right: int = 0
    boxes: int = 0
    """Pictures: with a box, with a detection, with both."""
    with_box: int = 0
    with_hit: int = 0
    with_both: int = 0


def detector(
    model: str | Path,
    folder: Path,
    *,
    long_side: int | None = None,
    tile: int = 0,
    models_folder: Path | None = None,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge a detector on a labelled set; see `yolo` for the set.

    Classes are matched by name. A class of the set that the model does not know scores 0 and is listed in
    `unknown_classes`; classes of the model that the set does not have are left aside. Classes without a box
    have no average precision and are not in the means.

    Args:
        model: a registered name, or the path of an ONNX file with its card beside it.
        folder: the set.
        long_side: pixels that the longer side is brought to; default the card's.
        tile: side of tiles for larger pictures; 0 looks at each as a whole.
        models_folder: where registered models lie; default those that come with Huoyan.
        threads: threads inside one run; 0 takes all cores.
        progress: called with pictures done and in all.

    Returns:
        `map50`, `map50_95`, `images`, `classes` ({name: `ap50`, `boxes`, `images` (with a box), `precision`,
        `recall` (boxes, at IoU 0.5 and the card's thresholds), `image_precision`, `image_recall` (does the
        picture hold one at all?)}), `unknown_classes` and `skipped` (pictures that cannot be read). None
        where nothing can be said.

    Raises:
        ModelError: the model cannot be used.
        ConfigError: the set cannot be used; the subject is `file:line`.
    """
    looks = Detector(model, folder=models_folder, long_side=long_side, threads=threads)
    labelled = yolo.read(folder)
    tallies = {name: _Tally([]) for name in labelled.classes}
    skipped = []
    for done, picture in enumerate(labelled.pictures, start=1):
        try:
            image = pictures.read(picture.path)
        except SourceError as error:
            skipped.append({"path": str(picture.path), "reason": error.message})
        else:
            _count(tallies, labelled.classes, picture, image, looks, tile)
        if progress is not None:
            progress(done, len(labelled.pictures))
    if len(skipped) == len(labelled.pictures):
        raise ConfigError("none of its pictures can be read", subject=str(folder), code="no_set")
    images = len(labelled.pictures) - len(skipped)
    return {**_summary(tallies, looks), "images": images, "skipped": skipped}


def _count(
    tallies: dict[str, _Tally],
    classes: tuple[str, ...],
    picture: yolo.Labelled,
    image: Image,
    looks: Detector,
    tile: int,
) -> None:
    """Add one picture to the tallies of the classes that it judges."""
    hits = _hits(looks, image, tile)
    height, width = image.shape[:2]
    truth = picture.boxes * np.array([width, height] * 2, dtype=np.float32)
    for index, name in enumerate(classes):
        if not picture.judges(name):
            continue
        boxes = truth[picture.classes == index]
        mine = hits.classes == looks.classes.index(name) if name in looks.classes else hits.classes < 0
        seen = hits.take(mine)
        matched = precision.match(seen.boxes, seen.scores, boxes)
        # Greedy matching goes by falling score, so what stands above a threshold is matched as if alone.
        above = matched.scores >= looks.thresholds.get(name, 1.0)
        tally = tallies[name]
        tally.matched.append(matched)
        tally.found += int(above.sum())
        tally.right += int((matched.hit[0] & above).sum())
        tally.boxes += len(boxes)
        tally.with_box += bool(len(boxes))
        tally.with_hit += bool(above.any())
        tally.with_both += bool(len(boxes) and above.any())


def _hits(looks: Detector, image: Image, tile: int) -> Hits:
    if not tile:
        return looks.hits([image], thresholds=FLOOR)[0]
    return tiling.hits_tiled(looks, image, tile, thresholds=FLOOR)


def _summary(tallies: dict[str, _Tally], looks: Detector) -> dict[str, Any]:
    classes: dict[str, dict[str, float | int | None]] = {}
    curves = []
    for name, tally in tallies.items():
        curve = precision.average_precision(tally.matched)
        if curve is not None:
            curves.append(curve)
        classes[name] = {
            "ap50": None if curve is None else round(float(curve[0]), 4),
            "boxes": tally.boxes,
            "images": tally.with_box,
            "precision": _share(tally.right, tally.found),
            "recall": _share(tally.right, tally.boxes),
            "image_precision": _share(tally.with_both, tally.with_hit),
            "image_recall": _share(tally.with_both, tally.with_box),
        }
    return {
        "map50": round(float(np.mean([c[0] for c in curves])), 4) if curves else None,
        "map50_95": round(float(np.mean(curves)), 4) if curves else None,
        "classes": classes,
        "unknown_classes": [name for name in tallies if name not in looks.classes],
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
