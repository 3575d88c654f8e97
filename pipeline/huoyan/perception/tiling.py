"""Looking at large frames tile by tile, and putting things together again that a tile border cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from huoyan.perception import boxes, nms
from huoyan.perception.boxes import Hits, Matrix
from huoyan.perception.detector import Detector, Thresholds
from huoyan.records import Detection, Image

Window = tuple[int, int, int, int]
"""(x_min, y_min, x_max, y_max) in pixels of the picture."""

# A box this near to a border (share of the tile's side) reaches it: detectors miss edges by a few pixels.
_MARGIN = 0.01
# A fragment of which this share lies in a whole box is a part of the same thing.
_INSIDE = 0.7
# Two fragments on both sides of a border are one thing if their extents along it agree so far (IoU).
_ALONG = 0.5
# Boxes of the same thing from looks of different scale agree less than anchors of one look do.
_OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class Pieces:
    """Detections of all looks in pixels of the picture; `cut` (n, 4) marks left, top, right, bottom
    edges that lie on a border inside the picture, `look` (n,) says which look saw it."""

    hits: Hits
    cut: npt.NDArray[np.bool_]
    look: npt.NDArray[np.intp]

    def take(self, mask: npt.NDArray[np.bool_]) -> Pieces:
        return Pieces(self.hits.take(mask), self.cut[mask], self.look[mask])


def detect_tiled(
    detector: Detector,
    image: Image,
    tile: int,
    overlap: float = 0.2,
    *,
    thresholds: Thresholds = None,
    whole: bool = True,
) -> list[Detection]:
    """Detect in a large picture.

    Args:
        detector: what looks.
        image: uint8 (height, width, 3), RGB.
        tile: side of the square tiles in pixels; a smaller picture is looked at once, as a whole.
        overlap: share of a tile that neighbours have in common, at least.
        thresholds: as for `Detector.detect`.
        whole: look at the whole picture once too: it sees what is larger than a tile.

    Returns:
        Detections by falling score, each thing once.

    Raises:
        SourceError, ModelError: as `Detector.detect`.
    """
    return detector.describe(hits_tiled(detector, image, tile, overlap, thresholds=thresholds, whole=whole))


def hits_tiled(
    detector: Detector,
    image: Image,
    tile: int,
    overlap: float = 0.2,
    *,
    thresholds: Thresholds = None,
    whole: bool = True,
) -> Hits:
    """As `detect_tiled`, as arrays."""
    height, width = image.shape[:2]
    if max(height, width) <= tile:
        return detector.hits([image], thresholds=thresholds)[0]
    parts = windows((width, height), tile, overlap)
    views = [image[y1:y2, x1:x2] for x1, y1, x2, y2 in parts]
    found = detector.hits(views, thresholds=thresholds)
    if whole:
        parts.append((0, 0, width, height))
        found += detector.hits([image], thresholds=thresholds)
    merged = merge(place(found, parts, (width, height)))
    return nms.suppress(merged, min(_OVERLAP, detector.card.nms_iou))


def windows(size: tuple[int, int], tile: int, overlap: float) -> list[Window]:
    """Evenly spread tiles that cover a picture of `size` (width, height), row by row."""
    columns, rows = (_starts(side, tile, overlap) for side in size)
    return [(x, y, min(x + tile, size[0]), min(y + tile, size[1])) for y in rows for x in columns]


def _starts(side: int, tile: int, overlap: float) -> list[int]:
    if side <= tile:
        return [0]
    count = int(np.ceil((side - tile) / (tile * (1 - overlap)))) + 1
    return [round(start) for start in np.linspace(0, side - tile, count)]


def place(found: list[Hits], parts: list[Window], size: tuple[int, int]) -> Pieces:
    """Bring each look's detections to pixels of the picture and mark the edges that a border cut."""
    moved, cuts, looks = [], [], []
    inner_limits = np.array([0, 0, *size])
    for index, (hits, window) in enumerate(zip(found, parts, strict=True)):
        corner = np.array([window[0], window[1]] * 2, dtype=np.float32)
        rows = hits.boxes + corner
        edges = np.array(window)
        margin = max(2.0, _MARGIN * max(window[2] - window[0], window[3] - window[1]))
        cuts.append((np.abs(rows - edges) <= margin) & (edges != inner_limits))
        moved.append(Hits(rows, hits.scores, hits.classes))
        looks.append(np.full(len(hits), index))
    return Pieces(boxes.join(moved), np.concatenate(cuts), np.concatenate(looks))


def merge(pieces: Pieces) -> Hits:
    """Drop fragments of things that some look saw whole, join the other fragments into one box each."""
    cut: npt.NDArray[np.bool_] = np.any(pieces.cut, axis=1)
    whole, fragments = pieces.take(~cut), pieces.take(cut)
    if not len(fragments.hits):
        return whole.hits
    inside = _share_inside(fragments.hits, whole.hits) >= _INSIDE
    complete = _raise_scores(whole.hits, fragments.hits, inside)
    seen_whole: npt.NDArray[np.bool_] = np.any(inside, axis=1)
    rest = fragments.take(~seen_whole)
    return boxes.join([complete, _join(rest)])


def _same_class(a: Hits, b: Hits) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = a.classes[:, None] == b.classes[None, :]
    return same


def _share_inside(a: Hits, b: Hits) -> Matrix:
    """Share of each of `a` that lies in each of `b` of its class: (n, m)."""
    shared = boxes.shared_area(a.boxes, b.boxes) * _same_class(a, b)
    share: Matrix = (shared / np.maximum(boxes.area(a.boxes), 1e-6)[:, None]).astype(np.float32)
    return share


def _raise_scores(whole: Hits, fragments: Hits, inside: npt.NDArray[np.bool_]) -> Hits:
    """A thing seen whole is as certain as the best look at a part of it."""
    best = np.where(inside, fragments.scores[:, None], 0).max(axis=0, initial=0)
    return Hits(whole.boxes, np.maximum(whole.scores, best).astype(np.float32), whole.classes)


def _join(fragments: Pieces) -> Hits:
    """One box for every group of fragments that continue each other across a border."""
    hits = fragments.hits
    count = len(hits)
    if count < 2:
        return hits
    links = _same_class(hits, hits) & (fragments.look[:, None] != fragments.look[None, :])
    links &= _continues(hits, fragments.cut, 0) | _continues(hits, fragments.cut, 1)
    links = links | links.T
    pairs = np.nonzero(links)
    graph = coo_array((np.ones(len(pairs[0]), dtype=bool), pairs), shape=(count, count))
    groups, group = connected_components(graph, directed=False)
    low = np.full((groups, 2), np.inf, dtype=np.float32)
    high = np.full((groups, 2), -np.inf, dtype=np.float32)
    scores = np.zeros(groups, dtype=np.float32)
    classes = np.zeros(groups, dtype=np.intp)
    np.minimum.at(low, group, hits.boxes[:, :2])
    np.maximum.at(high, group, hits.boxes[:, 2:])
    np.maximum.at(scores, group, hits.scores)
    classes[group] = hits.classes
    return Hits(np.hstack([low, high]), scores, classes)


def _continues(hits: Hits, cut: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.bool_]:
    """(n, n): is j the continuation of i to the right (axis 0) or below (axis 1)?

    i is cut at its far edge and j at its near one, so both cover the band that their tiles share; they
    must meet there, and agree in their extent along the border.
    """
    near, far = hits.boxes[:, axis], hits.boxes[:, axis + 2]
    facing = cut[:, axis + 2][:, None] & cut[:, axis][None, :]
    meet = (far[:, None] >= near[None, :]) & (near[:, None] <= far[None, :])
    low, high = hits.boxes[:, 1 - axis], hits.boxes[:, 3 - axis]
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    covered = np.maximum(high[:, None], high) - np.minimum(low[:, None], low)
    result: npt.NDArray[np.bool_] = facing & meet & (shared >= _ALONG * covered)
    return result
