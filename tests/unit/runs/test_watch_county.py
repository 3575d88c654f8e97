"""What becomes of a live sample: looked at, left to itself, remembered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from huoyan.config import load
from huoyan.errors import ConfigError
from huoyan.perception.signature import signature
from huoyan.records import GroundPlane
from huoyan.runs.prepare import prepare
from huoyan.runs.watch.county import County, county
from huoyan.sample import Picture, Sample
from huoyan.scenes.memory import Memory

from ...support.county import write_county

# 22:30 in Shanghai.
NIGHT = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
POSE = {"height_m": 12.0, "yaw_deg": 30.0, "pitch_deg": -25.0, "hfov_deg": 60.0}


def sample(camera: str = "one", time: datetime = NIGHT, **changes: object) -> Sample:
    plain = Sample(camera, time, 100.0, (64, 48), "motion", picture=Picture(bytes(64 * 72), (64, 48)))
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[County]:
    url = "rtsp://127.0.0.1/x"
    cameras = [
        {"id": "one", "position": [120.9, 29.5], "pose": POSE, "stream": {"url": url, "priority": "high"}},
        {"id": "two", "stream": {"url": url, "quiet": ["22:00-06:00", "12:00-13:00"]}},
        {"id": "archive-only"},
    ]
    found = county(prepare(load(write_county(tmp_path, frames=0, cameras=cameras))))
    yield found
    found.close()


def test_only_cameras_with_a_stream_are_watched(made: County) -> None:
    assert set(made.cameras) == set(made.plans) == {"one", "two"}
    assert made.weights["one"] > made.weights["two"]
    assert "camera_health" in made.prepared.rules.scenes


def test_a_pose_places_pictures_though_nobody_stated_their_size(made: County) -> None:
    assert isinstance(made.prepared.settings.grounds["one"], GroundPlane)


def test_what_passed_is_looked_at_under_a_name_of_its_own(made: County) -> None:
    look = made.look(sample(), Memory())
    assert look is not None
    assert look.placed
    assert look.frame.source_id == "one"
    assert (
        Path(look.frame.path)
        == made.prepared.loaded.state / f"watch/frames/20260301/{look.frame.frame_id}.jpg"
    )
    later = made.look(sample(time=NIGHT + timedelta(seconds=2)), Memory())
    assert later is not None
    assert later.frame.frame_id != look.frame.frame_id


@pytest.mark.parametrize("conditions", [{"camera_black"}, {"camera_frozen"}])
def test_what_shows_nothing_is_not_looked_at(made: County, conditions: set[str]) -> None:
    assert made.look(sample(conditions=frozenset(conditions)), Memory()) is None
    assert made.look(sample(picture=None, passed=""), Memory()) is None


def test_a_view_that_moved_places_nothing(made: County) -> None:
    look = made.look(sample(conditions=frozenset({"camera_moved"})), Memory())
    assert look is not None
    assert not look.placed


@pytest.mark.parametrize(
    ("local", "quiet"),
    [
        ("21:59", False),
        ("22:00", True),
        ("23:59", True),
        ("00:00", True),
        ("05:59", True),
        ("06:00", False),
        ("12:30", True),
        ("13:00", False),
    ],
)
def test_in_quiet_hours_the_models_rest(made: County, local: str, quiet: bool) -> None:
    hour, minute = map(int, local.split(":"))
    time = datetime(2026, 3, 1, hour, minute, tzinfo=made.zone)
    assert (made.look(sample("two", time), Memory()) is None) == quiet
    assert made.look(sample("one", time), Memory()) is not None


def test_signatures_of_known_views_go_into_the_memory(made: County) -> None:
    view = signature(np.random.default_rng(0).integers(0, 255, (360, 640), dtype=np.uint8))
    memory = Memory()
    task = made.remember(sample(signature=view))
    assert task is not None
    task.change(memory)
    assert memory.take_changes()
    assert made.remember(sample()) is None
    assert made.remember(sample(signature=view, conditions=frozenset({"camera_moved"}))) is None


def test_a_lasting_change_is_looked_at_more_closely_by_day(made: County) -> None:
    memory = Memory()
    change = {"polygon": [[0.1, 0.1], [0.2, 0.1], [0.2, 0.3]], "share": 0.02, "strength": 0.5}
    memory.put("#changes|one", [[{**change, "days": 3, "hours": 5, "grown": False}, 6, 0]])
    by_day, by_night = (made.look(sample(night=night), memory) for night in (False, True))
    assert by_day is not None and by_night is not None
    assert [found.days for found in by_day.changes] == [3]
    assert not by_night.changes


def test_a_county_without_live_cameras_is_told_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no camera has a stream.*stream: \{url"):
        county(prepare(load(write_county(tmp_path, frames=0))))
