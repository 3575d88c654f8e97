"""Health of a live view: each fault, what nearly is one, and what survives a restart. Real pictures: tests/real."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from huoyan.perception.signature import signature
from huoyan.perception.view_health import Steady, ViewHealth
from huoyan.sample import CONDITIONS, PresetView

from ...support.views import HEIGHT, WIDTH, Floats, Luma, blurred, scene, seen, turned

VIEW, OTHER = scene(1), scene(2)
HEALTHY = 120
"""Pictures of a healthy view, ten seconds apart: 20 minutes."""
Show = Callable[[int], Luma]


def still(view: Floats, noise: float = 2.0) -> Show:
    return lambda i: seen(view, i, noise)


class Camera:
    """A camera whose health is looked at, a picture each ten seconds."""

    def __init__(self, *presets: PresetView, state: dict[str, object] | None = None) -> None:
        self.health = ViewHealth(presets, state)
        self.index = 0
        self.preset = ""
        self.measures: dict[str, float] = {}

    def show(self, pictures: Show, count: int, every_s: float = 10.0) -> list[frozenset[str]]:
        """Conditions after each of some pictures."""
        found = []
        for _ in range(count):
            told = self.health.feed(pictures(self.index), self.index * every_s)
            found.append(told[0])
            _, self.measures, self.preset = told
            self.index += 1
        return found


@pytest.fixture(scope="module")
def learned() -> dict[str, object]:
    """What a healthy camera has learned in 20 minutes."""
    camera = Camera()
    assert set(camera.show(still(VIEW), HEALTHY)) == {frozenset()}
    state = camera.health.state()
    assert len(json.dumps(state)) < 30_000
    return dict(json.loads(json.dumps(state)))


def gone(level: float) -> Show:
    return still(np.full((HEIGHT, WIDTH), level, np.float32))


def fading(to: float, over: int, least: float = 0.0) -> Show:
    """The view fades to a grey within so many pictures after the healthy ones."""

    def show(index: int) -> Luma:
        left = max(least, 1 - (index - HEALTHY) / over)
        return seen(VIEW * left + to * (1 - left), index)

    return show


def lorry(index: int) -> Luma:
    view = VIEW.copy()
    view[60:, 220:] = 60
    view[200:206, 220:] = 150
    return seen(view, index)


@pytest.mark.parametrize(
    ("condition", "show"),
    [
        ("camera_frozen", lambda i: seen(VIEW, 5)),
        ("camera_black", gone(17)),
        ("camera_black", gone(180)),
        ("camera_blurred", still(blurred(VIEW, 2.5))),
        ("camera_blurred", still(blurred(VIEW, 6))),
        ("camera_moved", still(turned(VIEW, x=18))),
        ("camera_moved", still(turned(VIEW, x=-90, y=30))),
        ("camera_moved", still(turned(VIEW, degrees=8))),
        ("camera_moved", still(turned(VIEW, zoom=1.12))),
        ("camera_moved", still(OTHER)),
    ],
)
def test_a_fault_is_told_alone_and_ends_with_its_cause(condition: str, show: Show) -> None:
    assert condition in CONDITIONS
    camera = Camera()
    camera.show(still(VIEW), HEALTHY)
    during = camera.show(show, 60)
    assert during[0] == frozenset(), "one picture is no fault"
    assert during[-1] == {condition}
    assert set(during) <= {frozenset(), frozenset({condition})}
    changes = sum(a != b for a, b in pairwise(during))
    assert changes == 1, "it begins once and does not flicker"
    assert camera.show(still(VIEW), 30)[-1] == frozenset()


@pytest.mark.parametrize(
    ("what", "show"),
    [
        ("a quiet night, strong noise", still(VIEW * 0.35, 6.0)),
        ("dusk without lamps", fading(17, 40)),
        ("fog to a tenth of the contrast", fading(185, 30, 0.1)),
        ("rain", lambda i: seen(0.85 * VIEW + 20, i, 5.0)),
        ("shake", lambda i: seen(turned(VIEW, *np.random.default_rng(i).uniform(-2, 2, 2)), i)),
        ("a lorry before most of the view", lorry),
        ("a shift by a hundredth", still(turned(VIEW, x=6))),
        ("light on and off", lambda i: seen(VIEW * (0.5 if i // 6 % 2 else 1.0), i)),
        ("half of it out of focus", still(np.hstack([VIEW[:, :320], blurred(VIEW, 4)[:, 320:]]))),
    ],
)
def test_what_is_nearly_a_fault_is_none(what: str, show: Show) -> None:
    camera = Camera()
    camera.show(still(VIEW), HEALTHY)
    assert set(camera.show(show, 90)) == {frozenset()}, what


def test_a_coded_picture_that_is_sent_again_is_frozen_though_the_coder_varies_it() -> None:
    """Key frames of one picture differ a little; this camera is never so still while it lives."""
    camera = Camera()
    camera.show(still(VIEW), 240)
    assert camera.show(lambda i: seen(VIEW, 5, 2.0 + 0.02 * (i % 3)), 30)[-1] == {"camera_frozen"}


def test_a_source_without_noise_is_told_from_a_frozen_one_once_something_small_moved_in_it() -> None:
    """A drawing in which a hand of a clock moves every five minutes."""
    camera = Camera()
    drawn = VIEW.astype(np.uint8)

    def clock(index: int) -> Luma:
        picture = drawn.copy()
        picture[100:140, 10 * (index // 30 % 20) + 100 :][:, :10] = 250
        return picture

    first = camera.show(clock, 31)
    assert first[-2] == {"camera_frozen"}, "nothing tells yet that it lives"
    assert camera.show(clock, 5)[-1] == frozenset()
    assert set(camera.show(clock, 200)) == {frozenset()}
    assert camera.show(lambda i: drawn, 300)[-1] == {"camera_frozen"}, (
        "it stands still for far longer than ever"
    )


def test_a_camera_out_of_focus_from_the_start_is_told() -> None:
    assert Camera().show(still(blurred(VIEW, 6), 0.7), 20)[-1] == {"camera_blurred"}


def test_a_camera_without_a_signal_from_the_start_is_black_and_one_in_the_dark_is_not() -> None:
    signal = np.full((HEIGHT, WIDTH), 16, np.uint8)
    assert Camera().show(lambda i: signal, 20)[-1] == {"camera_black"}
    dark = Camera()
    assert set(dark.show(gone(20), 60)) == {frozenset()}
    assert dark.measures["empty"] == 1.0


def test_nothing_is_learned_of_a_camera_that_turns() -> None:
    camera = Camera()
    camera.show(lambda i: seen(turned(VIEW, x=25 * i), i), 12)
    assert camera.show(still(VIEW), 60)[-1] == frozenset()


def test_a_restart_goes_on_with_what_was_learned(learned: dict[str, object]) -> None:
    assert Camera(state=learned).show(still(turned(VIEW, x=40)), 40)[-1] == {"camera_moved"}
    assert Camera(state=learned).show(still(blurred(VIEW, 2.5)), 40)[-1] == {"camera_blurred"}
    assert Camera(state=learned).show(still(VIEW), 40)[-1] == frozenset()


def test_a_camera_that_was_turned_on_purpose_learns_its_view_anew(learned: dict[str, object]) -> None:
    moved = still(turned(VIEW, x=60))
    camera = Camera()
    camera.health = ViewHealth((), learned, aim=1)
    assert set(camera.show(moved, 40)) == {frozenset()}
    assert ViewHealth((), camera.health.state(), aim=1).state() == camera.health.state()


def test_a_restart_does_not_end_what_was_told(learned: dict[str, object]) -> None:
    camera = Camera(state=learned)
    camera.show(still(turned(VIEW, x=40)), 40)
    again = Camera(state=json.loads(json.dumps(camera.health.state())))
    assert set(again.show(still(turned(VIEW, x=40)), 40)) == {frozenset({"camera_moved"})}
    assert again.show(still(VIEW), 40)[-1] == frozenset()


@pytest.mark.parametrize(
    "damage",
    [
        {"pose": {"0": {"looks": 3}}},
        {"pose": {"1": {"looks": 1, "rows": 9, "edges": "no"}}},
        {"sharpness": {"usual": [1, 2]}},
        {"stillness": {"noise": "loud"}},
    ],
)
def test_a_damaged_memory_is_learned_anew(learned: dict[str, object], damage: dict[str, object]) -> None:
    assert Camera(state={**learned, **damage}).show(still(VIEW), 20)[-1] == frozenset()


def test_a_preset_is_recognised_and_an_unknown_pose_has_moved() -> None:
    poses = (
        PresetView("gate", signature(seen(VIEW, 1))),
        PresetView("yard", signature(seen(OTHER, 2))),
    )
    camera = Camera(*poses)
    assert camera.show(still(VIEW), 20)[-1] == frozenset() and camera.preset == "gate"
    assert set(camera.show(still(OTHER), 20)) == {frozenset()} and camera.preset == "yard"
    assert camera.show(still(OTHER * 0.6), 20)[-1] == frozenset() and camera.preset == "yard"
    assert camera.show(still(scene(7)), 40)[-1] == {"camera_moved"} and camera.preset == ""
    assert camera.show(still(VIEW), 20)[-1] == frozenset() and camera.preset == "gate"


def test_a_condition_hovers_without_flicker() -> None:
    steady = Steady(60, 20)
    said = [steady.feed(i % 3 != 0, 10.0 * i) for i in range(60)]
    assert not any(said), "it is never said for a minute on end"
    assert not steady.feed(False, 650)
    assert [steady.feed(True, 700 + 10.0 * i) for i in range(7)] == [False] * 6 + [True]
    assert steady.feed(None, 800) and steady.feed(False, 810) and steady.feed(True, 820)
    assert steady.feed(False, 830) and not steady.feed(False, 851)
