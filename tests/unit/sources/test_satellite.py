"""Windows of a satellite picture and the part that each answers for."""

from __future__ import annotations

import random

import pytest

from huoyan.sources import satellite


@pytest.mark.parametrize("area", [(0, 0, 700, 500), (13, 40, 300, 300), (5, 7, 200, 900), (0, 0, 90, 80)])
def test_what_a_window_shows_whole_comes_out_once(area: tuple[int, int, int, int]) -> None:
    found = satellite.windows(area, 300, 64)
    cores = satellite.cores(found)
    rng = random.Random(1)
    for _ in range(400):
        width, height = rng.randint(2, 60), rng.randint(2, 60)
        x1, y1 = (
            rng.randint(area[0], area[0] + area[2] - width),
            rng.randint(area[1], area[1] + area[3] - height),
        )
        reports = 0
        for (col, row, across, down), core in zip(found, cores, strict=True):
            # The patch as this window sees it, cut at its edges.
            left, right = max(x1, col) - col, min(x1 + width, col + across) - col
            top, bottom = max(y1, row) - row, min(y1 + height, row + down) - row
            if left < right and top < bottom:
                x, y = (left + right) / 2, (top + bottom) / 2
                reports += core[0] <= x < core[2] and core[1] <= y < core[3]
        assert reports == 1


def test_a_long_patch_is_never_lost() -> None:
    found = satellite.windows((0, 0, 1000, 300), 300, 64)
    for start in range(0, 800, 7):
        reports = 0
        for (col, _, across, _), core in zip(found, satellite.cores(found), strict=True):
            left, right = max(start, col) - col, min(start + 200, col + across) - col
            reports += left < right and core[0] <= (left + right) / 2 < core[2]
        assert 1 <= reports <= 2
