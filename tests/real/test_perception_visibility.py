"""Visibility from fixed cameras: against a weather station's sensor, and where only the order is known."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from huoyan.evaluate import pictures
from huoyan.perception import quality, visibility
from huoyan.perception.visibility import Landmark, Reference
from huoyan.records import Image

SKY = (150.0, 120.0, 450.0, 160.0)
# Rows of trees, a radar tower and a roof, all against the sky; their distances are learnt from other days.
OUTLINES = (
    (320.0, 165.0, 380.0, 225.0),
    (380.0, 185.0, 445.0, 230.0),
    (290.0, 155.0, 318.0, 205.0),
    (60.0, 180.0, 118.0, 215.0),
    (228.0, 178.0, 275.0, 212.0),
)
CLEAR_M = 14_000.0

Seen = tuple[str, float | None, Image]


@pytest.fixture(scope="module")
def meadow(shared_data: Path) -> list[Seen]:
    """Time, sensor's metres and picture of the weather camera's frames by day."""
    folder = shared_data / "air" / "visibility"
    with (folder / "series.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["camera"] == "knmi_meadow"]
    seen = []
    for row in rows:
        image = pictures.read(folder / row["file"])
        if "night" not in row["note"] and not quality.is_night(image):
            metres = float(row["visibility_m"]) if row["visibility_m"] else None
            seen.append((row["time"], metres, image))
    return seen


def learn(frames: list[tuple[float, Image]]) -> Reference:
    clear = visibility.reference(
        [image for metres, image in frames if metres > CLEAR_M],
        [Landmark(box, 300.0) for box in OUTLINES],
        SKY,
        visibility_m=20_000,
    )
    return visibility.fit_distances(clear, [image for _, image in frames], [metres for metres, _ in frames])


def test_against_the_sensor_on_days_that_nothing_was_learnt_from(meadow: list[Seen]) -> None:
    measured = [(time, metres, image) for time, metres, image in meadow if metres is not None]
    days = sorted({time[:10] for time, _, _ in measured})
    answers = []
    for day in days:
        other = learn([(metres, image) for time, metres, image in measured if not time.startswith(day)])
        for time, metres, image in measured:
            if time.startswith(day):
                found = visibility.estimate(image, other)
                assert found.metres is not None
                answers.append((metres, found.metres, found.low_m, found.high_m))
    truth, told, low, high = np.array(answers).T
    assert len(truth) >= 18
    hazy = truth < 3000
    assert np.median(np.abs(told[hazy] / truth[hazy] - 1)) <= 0.45
    assert np.mean((low <= truth) & (truth <= high)) >= 0.55, "the error is meant to hold 68 %"
    assert (told[truth > CLEAR_M] > 4000).all(), "clear days are not called hazy"


def test_a_morning_clears_up(meadow: list[Seen]) -> None:
    """9 October 2015: fog in the morning, sun by noon; that day took no part in the reference."""
    measured = [
        (m, image) for time, m, image in meadow if m is not None and not time.startswith("2015-10-09")
    ]
    clear = learn(measured)
    day = sorted((time, image) for time, _, image in meadow if time.startswith("2015-10-09"))
    told = {time: visibility.estimate(image, clear).metres or 0.0 for time, image in day}
    fog = [metres for time, metres in told.items() if "08:00" <= time[11:16] < "08:40"]
    noon = [metres for time, metres in told.items() if "11:00" <= time[11:16] < "15:00"]
    assert fog and noon
    assert max(fog) < 600
    assert min(noon) > 2500
