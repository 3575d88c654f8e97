from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from huoyan.perception import tiling
from huoyan.perception.boxes import Hits
from huoyan.perception.detector import Detector


@pytest.mark.parametrize(
    ("size", "tile", "overlap", "count"),
    [
        ((640, 640), 640, 0.2, 1),
        ((641, 640), 640, 0.2, 2),
        ((2000, 1000), 500, 0.2, 15),
        ((100, 3000), 1000, 0.5, 5),
    ],
)
def test_windows_cover_the_picture(size: tuple[int, int], tile: int, overlap: float, count: int) -> None:
    parts = tiling.windows(size, tile, overlap)
    assert len(parts) == count
    covered = np.zeros((size[1], size[0]), dtype=bool)
    for x1, y1, x2, y2 in parts:
        assert x2 - x1 == min(tile, size[0])
        assert y2 - y1 == min(tile, size[1])
        covered[y1:y2, x1:x2] = True
    assert covered.all()


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "box",
    [
        (300, 200, 420, 300),  # over the border of two tiles
        (380, 380, 460, 450),  # over the corner of four
        (100, 150, 900, 260),  # wider than a tile
        (120, 100, 220, 900),  # higher than a tile
        (20, 30, 80, 90),  # in one tile
        (0, 0, 60, 60),  # at the picture's own corner
        (940, 940, 1000, 1000),
    ],
)
def test_a_thing_is_found_once(
    colours: Callable[..., Path], box: tuple[int, int, int, int], whole: bool
) -> None:
    image = np.zeros((1000, 1000, 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = (255, 0, 0)
    found = tiling.detect_tiled(Detector(colours()), image, 400, 0.2, whole=whole)
    assert len(found) == 1
    assert found[0].box == pytest.approx(box, abs=4)
    assert found[0].score == pytest.approx(1, abs=0.02)


def test_a_small_thing_gains_from_tiles(colours: Callable[..., Path]) -> None:
    image = np.zeros((2400, 3200, 3), np.uint8)
    image[1000:1003, 2000:2003] = (255, 0, 0)
    detector = Detector(colours(thresholds={"default": 0.5}))
    assert detector.detect([image]) == [[]]
    [found] = tiling.detect_tiled(detector, image, 400, 0.2)
    assert found.box == pytest.approx((2000, 1000, 2003, 1003), abs=2)


def test_a_picture_smaller_than_a_tile_is_looked_at_once(colours: Callable[..., Path]) -> None:
    image = np.zeros((300, 380, 3), np.uint8)
    image[50:90, 60:120] = (0, 255, 0)
    detector = Detector(colours())
    assert tiling.detect_tiled(detector, image, 400) == detector.detect([image])[0]


def _pieces(rows: list[tuple[float, float, float, float, float, int]], looks: list[int]) -> tiling.Pieces:
    """Rows of x1, y1, x2, y2, score, class, seen in two tiles, 0-100 and 80-180 wide, 100 high."""
    parts = [(0, 0, 100, 100), (80, 0, 180, 100)]
    found = []
    for look, part in enumerate(parts):
        mine = [row for row, at in zip(rows, looks, strict=True) if at == look]
        table = np.array(mine, dtype=np.float32).reshape(-1, 6)
        corner = np.array([part[0], part[1]] * 2, dtype=np.float32)
        found.append(Hits(table[:, :4] - corner, table[:, 4], table[:, 5].astype(np.intp)))
    return tiling.place(found, parts, (180, 100))


@pytest.mark.parametrize(
    ("rows", "looks", "expected"),
    [
        # Two halves of one thing.
        ([(50, 20, 100, 40, 0.6, 0), (80, 21, 140, 41, 0.7, 0)], [0, 1], [(50, 20, 140, 41)]),
        # Two things, one above the other, both cut.
        (
            [(50, 10, 100, 30, 0.6, 0), (80, 60, 140, 80, 0.7, 0)],
            [0, 1],
            [(50, 10, 100, 30), (80, 60, 140, 80)],
        ),
        # Different classes never join.
        (
            [(50, 20, 100, 40, 0.6, 0), (80, 20, 140, 40, 0.7, 1)],
            [0, 1],
            [(50, 20, 100, 40), (80, 20, 140, 40)],
        ),
        # The second tile saw it whole: the fragment goes.
        ([(85, 20, 100, 40, 0.9, 0), (85, 20, 110, 40, 0.7, 0)], [0, 1], [(85, 20, 110, 40)]),
    ],
)
def test_merge(
    rows: list[tuple[float, float, float, float, float, int]],
    looks: list[int],
    expected: list[tuple[float, float, float, float]],
) -> None:
    merged = tiling.merge(_pieces(rows, looks))
    assert sorted(tuple(box) for box in merged.boxes.tolist()) == expected
    if len(expected) == 1:
        assert merged.scores[0] == pytest.approx(max(row[4] for row in rows))
