"""Live roads, apart from the processes: what may be configured, what is judged, what masks and outlines leave out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from huoyan import config
from huoyan.errors import ConfigError
from huoyan.passage import Passage
from huoyan.perception import masks
from huoyan.records import Placement, Unplaced
from huoyan.runs import road
from huoyan.runs.passages import passages
from huoyan.runs.prepare import prepare
from huoyan.runs.road import Passed, crowded
from huoyan.runs.watch.county import County, county
from huoyan.runs.watch.following import Passing

from ...support.roads import Video, write_road_county
from ...support.traffic import Vehicle, drive
from .test_passages import VIEW, eyes, film

# 22:30 and 10:30 in Shanghai.
NIGHT, MORNING = datetime(2026, 3, 1, 14, 30, tzinfo=UTC), datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
HALF_LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
URL = "rtsp://127.0.0.1/x"


def made(folder: Path, register: str | None = "vehicles.csv", **stream: Any) -> County:
    path = write_road_county(folder, [Video("road-1", MORNING)])
    text = yaml.safe_load(path.read_text(encoding="utf-8"))
    text["cameras"][0]["stream"] = {"url": URL, "passages": True, **stream}
    text["cameras"].append({"id": "other", "stream": {"url": URL}})
    text["registry"] = {"vehicles": register} if register else {}
    path.write_text(yaml.safe_dump(text), encoding="utf-8")
    return county(prepare(config.load(path)))


@pytest.fixture
def live(tmp_path: Path) -> Iterator[County]:
    found = made(tmp_path, quiet=["22:00-06:00"], masks=[HALF_LEFT], passages_url="rtsp://127.0.0.1/large")
    yield found
    found.close()


def passing(time: datetime) -> Passing:
    place = Placement(120.9, 29.5, 5.0, "test")
    seen = Passage(
        "p-1", "road-1", "dump_truck", time, time + timedelta(seconds=3), place=place, track=((time, place),)
    )
    return Passing("road-1", Passed(seen), {}, 1.0)


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        ("{id: a, stream: {url: 'rtsp://h/x', passages: true}}", "needs road: true"),
        (
            "{id: a, road: true, stream: {url: 'rtsp://h/x', passages_url: 'rtsp://h/y'}}",
            "is for stream.passages",
        ),
        ("{id: a, road: true, stream: {url: 'http://h/x', snapshot: true, passages: true}}", "needs a video"),
        (
            "{id: a, road: true, stream: {url: 'rtsp://h/x', passages: true, presets: [{id: p, picture: p.jpg}]}}",
            "cannot be followed through presets",
        ),
        ("{id: a, road: true, stream: {url: x, passages: true, passages_url: 'rtsp://u:word@h/y'}}", "${"),
    ],
)
def test_what_cannot_be_followed_is_said(camera: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        config.parse(f"cameras: [{camera}]", "n")
    text = f"{told.value} {told.value.hint}"
    assert words in text
    assert "word@" not in text


def test_a_road_is_followed_by_a_plan_of_its_own(live: County) -> None:
    assert set(live.roads) == {"road-1"}
    plan = live.roads["road-1"]
    assert (plan.address, plan.masks) == ("rtsp://127.0.0.1/large", (HALF_LEFT,))
    assert live.plans["road-1"].address == URL
    # Neither it nor itself turned away is asked for plates picture by picture; another camera is.
    assert live.prepared.settings.by_passage == {"road-1", "road-1/moved"}


def test_without_a_register_no_road_is_followed(tmp_path: Path) -> None:
    found = made(tmp_path, register=None)
    assert found.roads == {}
    assert not found.prepared.settings.by_passage
    found.close()


def test_quiet_hours_hold_for_trucks(live: County) -> None:
    assert live.passing(passing(NIGHT), ()) is None
    assert (set(live.roads_at(NIGHT)), set(live.roads_at(MORNING))) == (set(), {"road-1"})
    assert live.passing(passing(MORNING), ()) == passing(MORNING)


def test_a_camera_that_has_moved_places_no_truck(live: County) -> None:
    found = live.passing(passing(MORNING), ("camera_moved",))
    assert found is not None
    assert isinstance(found.passed.passage.place, Unplaced)
    assert not found.passed.passage.track
    assert replace(found.passed.passage, place=None) == replace(
        passing(MORNING).passed.passage, place=None, track=()
    )


def test_more_roads_than_cores_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road.os, "sched_getaffinity", lambda _: {0, 1})
    assert crowded(0, 1000) == ""
    assert crowded(1, 214) == ""
    assert "3 roads" in crowded(3, 214)


def test_what_stands_in_an_ignored_outline_is_no_passage(tmp_path: Path) -> None:
    path = film(tmp_path / "2026-05-01_080000.mp4", [Vehicle(drive((380, 170), (0, 60), 0.5, 6.0))])
    right = tuple((1.0 - x, y) for x, y in HALF_LEFT)
    assert len(list(passages(path, VIEW, eyes()))) == 1
    assert len(list(passages(path, VIEW, eyes(), ignore=(right,)))) == 1
    assert list(passages(path, VIEW, eyes(), ignore=(HALF_LEFT,))) == []


def test_masks_are_painted_on_pictures() -> None:
    image = np.full((48, 64, 3), 200, np.uint8)
    masks.paint(image, (HALF_LEFT,))
    assert not image[:, :32].any()
    assert (image[:, 34:] == 200).all()
