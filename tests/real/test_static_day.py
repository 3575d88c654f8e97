"""A digger that stands in view for 24 hours: one incident, told once; the same day without it tells nothing.

Real views and real diggers, the shipped models and rules, the daemon's judge with its store. Headlights in the dark,
sun, rain, fog, a camera that shakes. `scripts/bench_static.py` does the same with more of both, and more often.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import bench_static
from view_days import EXCAVATORS, VIEWS

EVERY = timedelta(minutes=50)
"""Between looks: 29 in a day, at another minute of each hour."""


@pytest.fixture(scope="module")
def days(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bench_static.Day]:
    """A placed camera with a digger, one that can place nothing with another, and a placed one without."""
    runs = [(VIEWS[0], EXCAVATORS[0]), (VIEWS[5], EXCAVATORS[5]), (VIEWS[1], None)]
    return bench_static.run(tmp_path_factory.mktemp("county"), shared_data, runs, EVERY)


@pytest.mark.parametrize("which", [0, 1])
def test_a_digger_that_stands_there_is_one_incident_told_once(
    days: list[bench_static.Day], which: int
) -> None:
    day = days[which]
    assert day.looks >= 28
    assert day.seen >= 8, "in most of the daylight"
    assert [(alert.scene, alert.revision) for alert in day.alerts] == [("earthwork", 1)]


def test_weather_and_headlights_are_no_incident(days: list[bench_static.Day]) -> None:
    assert days[2].looks >= 28
    assert days[2].alerts == ()
