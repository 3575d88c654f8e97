from __future__ import annotations

import numpy as np
import pytest

from huoyan.georef.spread import CIRCULAR, radius68


@pytest.mark.parametrize("ratio", [0.0, 0.05, 0.25, 0.5, 0.77, 1.0])
def test_two_thirds_of_a_sample_lie_within(ratio: float) -> None:
    random = np.random.default_rng(7)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    covariance = turn @ np.diag([9.0, (3.0 * ratio) ** 2]) @ turn.T
    sample = random.multivariate_normal([0.0, 0.0], covariance, 200_000)
    assert np.mean(np.hypot(*sample.T) <= radius68(*covariance.ravel()[[0, 1, 3]].tolist())) == pytest.approx(
        0.6827, abs=0.005
    )


def test_edges() -> None:
    assert radius68(0.0, 0.0, 0.0) == 0.0
    assert radius68(1.0, 0.0, 1.0) == pytest.approx(CIRCULAR)
