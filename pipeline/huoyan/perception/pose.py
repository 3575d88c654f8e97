"""Has a fixed camera been moved? Its edges are compared with references of its own that it learns by and by.

Twelve tiles of a reference are looked for one by one near where they were; a turn, shift and zoom that most of them
agree on tell a moved camera from a lorry that stands in the way. What is further away is measured by phase correlation
of the whole view (Kuglin and Hines, 1975). What is compared is the mean of a minute, so that neither noise nor traffic
has a say.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from huoyan.perception.thumbs import Floats, Luma, thumb

COLUMNS = 128
_CONTRAST = 8.0
"""Added to the strength of a neighbourhood's edges, so that noise does not count as edges."""
_EDGE, _EDGES = 20.0, 0.02
"""Strength of a cell's edge that stands out of noise, and the share of such cells that a picture needs."""
_MEAN_OF, _SETTLED = 6, 3
"""Pictures that the compared mean is of, and how many it needs."""
_HERE, _AWAY = 1.5, 2.2
"""Cells of shift up to which a view is where it was, and from which it is not."""
_ALIKE, _UNLIKE = 0.8, 0.25
"""Correlation from which two pictures are of one view without further ado, and below which they are of two."""
_RESPONSE = 0.25
"""Height of the peak of the phase correlation from which a shift is believed."""
_TILES, _REACH = (4, 3), 10
"""Columns and rows of tiles, and how far away each is looked for, in cells."""
_FOUND, _TEXTURE = 0.5, 0.15
"""Correlation from which a tile is found again; deviation of its edges from which it can be told from others."""
_AS_GOOD = 0.1
"""A tile that fits nearly as well where it was has not moved: along a kerb it would fit anywhere."""
_AGREE, _AGREE_SHARE, _APART = 4, 0.5, 1.5
"""Tiles, and share of those found, that must agree on a motion to within so many cells."""
_STAYED = 3
"""Tiles that are where they were vouch for a view, whatever else is in it."""
_BRIGHTNESSES = 3
_FIRST, _FOLLOW = 30, 1 / 800
"""Looks that make a reference, and the weight of each one after them."""
_ADOPT = 180
"""Looks at a view in light that is new to it, resting all the while, after which it becomes a reference on trial."""

Verdict = Literal["same", "shifted", "other", "moving", "unclear"]


@dataclass(slots=True)
class _Reference:
    edges: Floats
    looks: int
    sure: bool
    """Not sure: taken on trial, and good only for its own brightness until a sure one has said `same` again."""


class Pose:
    """Of one camera. A reference for each of three brightnesses, because lamps and infra-red draw other edges.

    Attributes:
        shift: of the last picture against the reference, as a share of the width.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self.shift = 0.0
        self._references: dict[int, _Reference] = {}
        self._last: Floats | None = None
        self._mean: Floats = np.empty((0, 0), np.float32)
        self._count = self._strange = 0
        for key, value in (state or {}).items():
            self._references[int(key)] = _Reference(
                _unpack(value), int(value["looks"]), bool(value.get("sure", True))
            )

    def state(self) -> dict[str, Any]:
        """JSON values from which it can go on after a restart."""
        return {str(key): _pack(reference) for key, reference in sorted(self._references.items())}

    def feed(self, y: Luma, mean: float, learn: bool = True) -> Verdict:
        """Take a picture and compare it with the references.

        Args:
            y: luma, uint8 (height, width).
            mean: of the luma.
            learn: whether the references may follow (not while something is known to be wrong with the picture).
        """
        small = thumb(y, COLUMNS)
        edges, last = _edges(small), self._last
        self._last = edges
        if last is None or last.shape != edges.shape or not _rests(last, edges):
            self._count = 0
            return "moving"
        self._count += 1
        share = np.float32(1 / min(self._count, _MEAN_OF))
        self._mean = small if self._count == 1 else self._mean + share * (small - self._mean)
        if self._count < _SETTLED:
            return "moving"
        view = _edges(self._mean)
        if float((_strength(self._mean) >= _EDGE).mean()) < _EDGES:
            return "unclear"
        verdict, self.shift = self._verdict(view, _bin(mean))
        if learn:
            self._learn(view, _bin(mean), verdict)
        return verdict

    def _verdict(self, view: Floats, at: int) -> tuple[Verdict, float]:
        """The kindest verdict of the reference for this brightness and of all sure ones.

        Without one for this brightness only likeness counts: other light may look like another view.
        """
        known = {
            k: r for k, r in self._references.items() if r.edges.shape == view.shape and (r.sure or k == at)
        }
        if not known:
            return "same", 0.0
        order = ("same", "shifted", "unclear", "other")
        best: tuple[Verdict, float] = ("other", 0.0)
        for reference in known.values():
            found = _compare(reference.edges, view)
            best = min(best, found, key=lambda one: (order.index(one[0]), one[1]))
            if best[0] == "same":
                return best
        return best if at in known else ("unclear", 0.0)

    def _learn(self, view: Floats, at: int, verdict: Verdict) -> None:
        reference = self._references.get(at)
        fits = reference is not None and reference.edges.shape == view.shape
        if verdict == "same":
            self._strange = 0
            if reference is None or not fits:
                self._references[at] = _Reference(view, 1, True)
                return
            if reference.sure:
                for other in self._references.values():
                    other.sure = True
            reference.looks += 1
            weight = 1 / reference.looks if reference.looks <= _FIRST else _FOLLOW
            reference.edges = reference.edges + np.float32(weight) * (view - reference.edges)
        elif verdict in ("shifted", "other"):
            self._strange = 0
            # What was taken on trial may have been the moved view.
            self._references = {key: one for key, one in self._references.items() if one.sure}
        elif not fits:
            self._strange += 1
            if self._strange >= _ADOPT:
                self._references[at] = _Reference(view, 1, False)


def _strength(small: Floats) -> Floats:
    soft = cv2.GaussianBlur(small, (0, 0), 0.7)
    strength = cv2.magnitude(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
    return strength.astype(np.float32, copy=False)


def _edges(small: Floats) -> Floats:
    """Strength of the edges relative to their neighbourhood, float32 (rows, 128)."""
    strength = _strength(small)
    around: Floats = cv2.blur(strength, (COLUMNS // 8 | 1, COLUMNS // 8 | 1)).astype(np.float32, copy=False)
    return strength / (around + np.float32(_CONTRAST))


def _compare(reference: Floats, view: Floats) -> tuple[Verdict, float]:
    """Where a view lies against another, and its shift as a share of the width."""
    alike = _correlation(reference, view)
    if alike >= _ALIKE:
        return "same", 0.0
    before, after = _tiles(reference, view)
    stay = np.hypot(*(after - before).T) <= _HERE
    shift = _agreed(before, after)
    if shift is not None and shift >= _AWAY:
        return "shifted", shift / COLUMNS
    # What a camera writes along the upper and lower border stays whatever happens.
    inside = np.abs(before[:, 1] / reference.shape[0] - 0.5) < 0.5 / _TILES[1]
    if int(stay.sum()) >= _STAYED and bool((stay & inside).any()):
        return "same", min(shift or 0.0, _HERE) / COLUMNS
    # Further away than tiles are looked for.
    whole, response = _shift(reference, view)
    if response >= _RESPONSE and whole >= _AWAY:
        return "shifted", whole / COLUMNS
    return ("other" if alike < _UNLIKE and not (stay & inside).any() else "unclear"), 0.0


def _tiles(reference: Floats, view: Floats) -> tuple[Floats, Floats]:
    """Middles of the reference's tiles that are found again, and where: float32 (n, 2) each, (x, y) in cells."""
    rows, columns = reference.shape
    height, width = rows // _TILES[1], columns // _TILES[0]
    before, after = [], []
    for row in range(_TILES[1]):
        for column in range(_TILES[0]):
            # The middle of a tile is looked for, so that the search stays within the view for longer.
            top, left = row * height + height // 8, column * width + width // 8
            part = np.ascontiguousarray(reference[top : top + 3 * height // 4, left : left + 3 * width // 4])
            if float(part.std()) < _TEXTURE:
                continue
            y, x = max(0, top - _REACH), max(0, left - _REACH)
            around = view[y : top + part.shape[0] + _REACH, x : left + part.shape[1] + _REACH]
            likeness = cv2.matchTemplate(np.ascontiguousarray(around), part, cv2.TM_CCOEFF_NORMED)
            _, best, _, place = cv2.minMaxLoc(likeness)
            if best < _FOUND:
                continue
            stay_y, stay_x = top - y, left - x
            near = likeness[max(0, stay_y - 1) : stay_y + 2, max(0, stay_x - 1) : stay_x + 2]
            moved = (0, 0) if float(near.max()) >= best - _AS_GOOD else (place[0] - stay_x, place[1] - stay_y)
            middle = (left + part.shape[1] / 2, top + part.shape[0] / 2)
            before.append(middle)
            after.append((middle[0] + moved[0], middle[1] + moved[1]))
    return np.array(before, np.float32).reshape(-1, 2), np.array(after, np.float32).reshape(-1, 2)


def _agreed(before: Floats, after: Floats) -> float | None:
    """How far, in cells, the motion moves a tile (median) that most tiles agree on; None: they do not agree."""
    if len(before) < _AGREE:
        return None
    motion, inliers = cv2.estimateAffinePartial2D(before, after, ransacReprojThreshold=_APART)
    if motion is None or int(inliers.sum()) < max(_AGREE, _AGREE_SHARE * len(before)):
        return None
    moved = before @ motion[:, :2].T + motion[:, 2]
    return float(np.median(np.hypot(*(moved - before).T)))


def _rests(last: Floats, edges: Floats) -> bool:
    """Whether the camera stood still between two pictures; what moves in the view does not count."""
    if _correlation(last, edges) >= _ALIKE:
        return True
    distance, response = _shift(last, edges)
    return response < _RESPONSE or distance <= _HERE


def _shift(a: Floats, b: Floats) -> tuple[float, float]:
    """Length of the shift in cells, and the height of its peak (0 to 1)."""
    window = cv2.createHanningWindow((a.shape[1], a.shape[0]), cv2.CV_32F)
    # Copies: where the size needs no padding, OpenCV lays the window on what it is given.
    (x, y), response = cv2.phaseCorrelate(a.copy(), b.copy(), window)
    return float(np.hypot(x, y)), float(response)


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt(np.vdot(a, a) * np.vdot(b, b)))
    return float(np.vdot(a, b)) / norm if norm > 0 else 0.0


def _bin(mean: float) -> int:
    return min(_BRIGHTNESSES - 1, int(mean) // 60)


def _pack(reference: _Reference) -> dict[str, Any]:
    """Thirty-seconds of the neighbourhood's mean edge are fine enough."""
    values = np.clip(np.rint(reference.edges * 32), 0, 255).astype(np.uint8)
    return {
        "looks": reference.looks,
        "sure": reference.sure,
        "rows": values.shape[0],
        "edges": base64.b64encode(zlib.compress(values.tobytes())).decode("ascii"),
    }


def _unpack(value: Mapping[str, Any]) -> Floats:
    flat = np.frombuffer(zlib.decompress(base64.b64decode(value["edges"])), np.uint8)
    return (flat.reshape(int(value["rows"]), COLUMNS) / 32).astype(np.float32)
