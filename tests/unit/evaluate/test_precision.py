from __future__ import annotations

import numpy as np
import pytest

from huoyan.evaluate import precision

Row = tuple[float, float, float, float]


def boxes(*rows: Row) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def scores(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def test_average_precision_by_hand() -> None:
    # Two pictures, three boxes. By falling score: hit, miss, hit; the third box is never found.
    first = precision.match(boxes((0, 0, 10, 10), (50, 50, 60, 60)), scores(0.9, 0.8), boxes((0, 0, 10, 10)))
    second = precision.match(boxes((0, 0, 10, 10)), scores(0.7), boxes((0, 0, 10, 10), (80, 80, 90, 90)))
    # Recall 0.00 to 0.33 (34 levels) at precision 1, 0.34 to 0.66 (33) at 2/3, nothing above.
    curve = precision.average_precision([first, second])
    assert curve == pytest.approx([(34 + 33 * 2 / 3) / 101] * 10)


def test_perfect_and_nothing() -> None:
    perfect = precision.match(boxes((0, 0, 10, 10)), scores(0.3), boxes((0, 0, 10, 10)))
    assert precision.average_precision([perfect]) == pytest.approx([1.0] * 10)
    nothing = precision.match(boxes(), scores(), boxes((0, 0, 10, 10)))
    assert precision.average_precision([nothing]) == pytest.approx([0.0] * 10)
    no_box = precision.match(boxes((0, 0, 10, 10)), scores(0.9), boxes())
    assert precision.average_precision([no_box]) is None


def test_a_box_is_found_once() -> None:
    twice = precision.match(boxes((0, 0, 10, 10), (0, 0, 10, 9.6)), scores(0.6, 0.9), boxes((0, 0, 10, 10)))
    assert twice.scores.tolist() == pytest.approx([0.9, 0.6])
    assert twice.hit[0].tolist() == [True, False]
    # At IoU 0.95 too the better-scored one holds the box, though the other fits it better.
    assert twice.hit[-1].tolist() == [True, False]


def test_overlap_levels() -> None:
    # IoU 0.8: found at 0.50 to 0.80, seven of the ten levels.
    part = precision.match(boxes((0, 0, 8, 10)), scores(0.9), boxes((0, 0, 10, 10)))
    assert part.hit[:, 0].sum() == 7


def test_each_takes_the_free_box_it_fits_best() -> None:
    found = boxes((0, 0, 10, 10), (1, 0, 11, 10))
    truth = boxes((1, 0, 11, 10), (0, 0, 10, 10))
    assert precision.match(found, scores(0.9, 0.8), truth).hit.all()
