"""The gate and the health of live views on real pictures. Larger runs: scripts/bench_view.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from huoyan.perception.motion import Gate
from huoyan.perception.view_health import ViewHealth

from ..conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import view_films as films
from view_films import Luma


def frames(path: Path, step: int) -> Iterator[Luma]:
    """Every so many pictures' luma of a video."""
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % step == 0:
                yield frame.to_ndarray(format="gray")


def told(pictures: Iterator[Luma], every_s: float, health: ViewHealth | None = None) -> list[frozenset[str]]:
    health = health or ViewHealth()
    return [health.feed(picture, index * every_s)[0] for index, picture in enumerate(pictures)]


@pytest.fixture(scope="module")
def views(shared_data: Path) -> list[films.Floats]:
    return [films.read(path) for path in films.views(shared_data)[1::4]]


@pytest.mark.parametrize("name", ["quiet", "noisy", "rain", "leaves", "shake", "headlights"])
def test_nothing_opens_the_gate_where_nothing_happens(views: list[films.Floats], name: str) -> None:
    passed = []
    for number, view in enumerate(views):
        gate = Gate()
        for index, picture in enumerate(films.film(view, films.DISTURBANCES[name], 70, seed=number)):
            gate.feed(picture, 2.0 * index)
            passed.append(gate.open and index >= 40)
    assert sum(passed) <= 0.02 * len(passed), name


def test_machines_that_drive_in_or_work_are_let_through(views: list[films.Floats], shared_data: Path) -> None:
    things = films.cutouts(shared_data, (0, 1, 2, 3), 120)
    random = np.random.default_rng(1)
    missed = []
    for arrive in (films.drives_in, films.passes, films.starts):
        for view in views:
            thing = things[int(random.integers(len(things)))].sized(110)
            arrival = arrive(view, thing, films.quiet, random)
            gate = Gate()
            opened = []
            for index, picture in enumerate(arrival.pictures[: arrival.until]):
                gate.feed(picture, 2.0 * index)
                opened.append(gate.open)
            if not any(opened[arrival.at :]):
                missed.append(arrival.kind)
    assert not missed


def test_a_lens_that_is_covered_is_told(shared_data: Path) -> None:
    """A real one: bright above, dark below, and no edge anywhere, from the first picture on."""
    found = told(frames(shared_data / "video/clips/lens_covered.mp4", 5), 5.0)
    assert found[-1] in ({"camera_black"}, {"camera_blurred"})


def test_a_stream_that_stops_is_frozen_and_the_road_before_it_is_not(shared_data: Path) -> None:
    """Five seconds of traffic, then one picture, coded again and again; played ten times as slowly."""
    found = told(frames(shared_data / "video/clips/made_frozen_after_5s.mp4", 12), 4.8)
    assert set(found[:16]) == {frozenset()} and set(found[20:]) == {frozenset({"camera_frozen"})}


@pytest.mark.parametrize(
    "clip", ["motorway_haze_trucks", "motorway_fog_far", "motorway_sun_glare", "river_bank"]
)
def test_haze_glare_and_ripples_are_no_faults(shared_data: Path, clip: str) -> None:
    assert set(told(frames(shared_data / f"video/clips/{clip}.mp4", 5), 5.0)) == {frozenset()}


@pytest.mark.parametrize("camera", ["knmi_meadow", "zhxu_road"])
def test_days_of_fog_night_and_sun_are_no_faults(shared_data: Path, camera: str) -> None:
    """Each real picture is shown for a minute and a half; nothing was wrong with these cameras in all that time."""
    random = np.random.default_rng(0)

    def pictures() -> Iterator[Luma]:
        for path in films.series_days(shared_data)[camera][::2]:
            view = films.read(path)
            for _ in range(9):
                yield films.coded(films.quiet(view, 0, random))

    found = told(pictures(), 10.0)
    assert sum(bool(conditions) for conditions in found) / len(found) < 0.01


def test_a_real_camera_that_is_turned_is_told_from_its_own_days(shared_data: Path) -> None:
    health, random = ViewHealth(), np.random.default_rng(0)
    paths = films.series_days(shared_data)["zhxu_road"][60:90]
    shown = [films.read(path) for path in paths for _ in range(6)]
    healthy = [films.coded(films.quiet(view, 0, random)) for view in shown]
    assert set(told(iter(healthy), 10.0, health)) == {frozenset()}
    turned = [films.coded(films.quiet(films.moved(view, x=40, y=10), 0, random)) for view in shown[-40:]]
    found = [health.feed(picture, 10.0 * (len(healthy) + index))[0] for index, picture in enumerate(turned)]
    assert found[-1] == {"camera_moved"}
