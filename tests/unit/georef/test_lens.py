from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huoyan.georef import lens

WIDE = (-0.25, 0.07, 0.001, -0.002, -0.01)


@given(x=st.floats(-0.9, 0.9), y=st.floats(-0.6, 0.6))
def test_undistort_undoes_distort(x: float, y: float) -> None:
    found = lens.undistort(*lens.distort(x, y, WIDE), WIDE)
    assert found == pytest.approx((x, y), abs=1e-8)


def test_agrees_with_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    import numpy as np

    point = np.array([[[0.4, -0.3, 1.0]]])
    k1, k2, p1, p2, k3 = WIDE
    projected, _ = cv2.projectPoints(
        point, np.zeros(3), np.zeros(3), np.eye(3), np.array([k1, k2, p1, p2, k3])
    )
    assert lens.distort(0.4, -0.3, WIDE) == pytest.approx(tuple(projected.ravel()))


def test_beyond_the_fold_there_is_no_ray() -> None:
    barrel = (-0.3,)
    assert lens.undistort(0.9, 0.0, barrel) is None
    assert lens.bends_back(1.5, 0.0, barrel)
    assert not lens.bends_back(0.5, 0.0, barrel)
