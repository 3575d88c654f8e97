from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huoyan.perception import boxes, nms
from huoyan.perception.boxes import Hits


def hits(rows: list[tuple[float, float, float, float, float, int]]) -> Hits:
    """Rows of x1, y1, x2, y2, score, class."""
    table = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return Hits(table[:, :4], table[:, 4], table[:, 5].astype(np.intp))


def slow_nms(found: Hits, overlap: float) -> list[int]:
    """The textbook loop: indices by falling score."""
    order = sorted(range(len(found)), key=lambda i: (-found.scores[i], i))
    kept: list[int] = []
    for i in order:
        rivals = [j for j in kept if found.classes[j] == found.classes[i]]
        if all(boxes.iou(found.boxes[[j]], found.boxes[[i]])[0, 0] <= overlap for j in rivals):
            kept.append(i)
    return kept


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([], []),
        ([(0, 0, 10, 10, 0.9, 0)], [0.9]),
        ([(0, 0, 10, 10, 0.8, 0), (1, 0, 11, 10, 0.9, 0)], [0.9]),
        ([(0, 0, 10, 10, 0.8, 0), (1, 0, 11, 10, 0.9, 1)], [0.9, 0.8]),
        ([(0, 0, 10, 10, 0.8, 0), (30, 0, 40, 10, 0.9, 0)], [0.9, 0.8]),
        # A chain: the first removes the second, so the third, which only the second covers, stays.
        ([(0, 0, 10, 10, 0.9, 0), (3, 0, 13, 10, 0.8, 0), (6, 0, 16, 10, 0.7, 0)], [0.9, 0.7]),
        # An empty box overlaps nothing.
        ([(5, 5, 5, 5, 0.9, 0), (0, 0, 10, 10, 0.8, 0)], [0.9, 0.8]),
    ],
)
def test_suppress(rows: list[tuple[float, float, float, float, float, int]], kept: list[float]) -> None:
    assert nms.suppress(hits(rows), 0.5).scores.tolist() == pytest.approx(kept)


box = st.tuples(
    st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(1, 40), st.integers(1, 20)
)


@settings(max_examples=200)
@given(st.lists(st.tuples(box, st.integers(0, 2)), max_size=60), st.sampled_from([0.3, 0.5, 0.7]))
def test_same_as_the_textbook(rows: list[tuple[tuple[int, ...], int]], overlap: float) -> None:
    found = hits([(x, y, x + w, y + h, s / 20, c) for (x, y, w, h, s), c in rows])
    expected = found.take(np.array(slow_nms(found, overlap), dtype=np.intp))
    got = nms.suppress(found, overlap)
    assert got.boxes.tolist() == expected.boxes.tolist()
    assert got.scores.tolist() == expected.scores.tolist()
    assert got.classes.tolist() == expected.classes.tolist()


def test_candidates_meet_the_threshold_of_their_class() -> None:
    predictions = np.array([[0, 0, 1, 1, 0.4, 0.4], [2, 2, 3, 3, 0.1, 0.9]], dtype=np.float32)
    found = nms.candidates(predictions, np.array([0.3, 0.5], dtype=np.float32))
    assert found.boxes.tolist() == [[0, 0, 1, 1], [2, 2, 3, 3]]
    assert found.classes.tolist() == [0, 1]


def test_scores_that_are_no_numbers_are_no_detections() -> None:
    predictions = np.array([[0, 0, 1, 1, np.nan]], dtype=np.float32)
    assert len(nms.candidates(predictions, np.zeros(1, np.float32))) == 0


def test_the_best_candidates_are_kept_when_there_are_too_many() -> None:
    count = nms.MAX_CANDIDATES + 500
    scores = np.linspace(0.1, 0.9, count, dtype=np.float32)
    predictions = np.hstack([np.tile(np.float32([0, 0, 1, 1]), (count, 1)), scores[:, None]])
    found = nms.candidates(predictions, np.zeros(1, np.float32))
    assert len(found) == nms.MAX_CANDIDATES
    assert found.scores.min() == pytest.approx(scores[500])
