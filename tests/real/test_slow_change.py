"""The memory of slow change on real series: weeks before fixed cameras stay quiet, a growing pit is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import bench_memory


@pytest.mark.parametrize("camera", bench_memory.CAMERAS)
def test_fog_sun_and_dusk_over_weeks_are_no_change(shared_data: Path, camera: str) -> None:
    seen = bench_memory.camera(shared_data, camera)
    assert seen.signatures > 50
    assert seen.told == []


def test_a_pit_that_is_built_over_is_told(shared_data: Path) -> None:
    """The slab over the right part of the pit closes from the ninth picture on; machines and the crane are not told."""
    seen = bench_memory.series(shared_data, "pit_foundation", every_min=60)
    slab = [told for told in seen.told if bench_memory.overlap(told.change.box, (0.4, 0.5, 0.65, 0.75)) > 0.5]
    assert slab
    assert 8 <= (slab[0].time - bench_memory.START).days <= 12
    assert len(seen.told) <= 5
    crane = (0.82, 0.0, 0.86, 0.4)
    assert not [told for told in seen.told if bench_memory.overlap(told.change.box, crane) > 0.5]
