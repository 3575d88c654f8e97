"""The memory of slow change on days before a view made of rectangles; real views in tests/real/test_slow_change.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from huoyan.perception.signature import signature
from huoyan.sample import ViewChange
from huoyan.scenes import lasting
from huoyan.scenes.memory import Memory

Luma = npt.NDArray[np.uint8]
START = datetime(2026, 3, 2)
HOURS = range(8, 17)
WALL = (200, 150, 110, 90)
"""x, y, width, height in a picture of 640 x 360."""


class Camera:
    """A view with its memory; `show` passes an hour of a day before it."""

    def __init__(self, seed: int = 1) -> None:
        self.memory = Memory()
        self.told: list[tuple[int, ViewChange]] = []
        rng = np.random.default_rng(seed)
        self.view = np.full((360, 640), 120, np.uint8)
        for _ in range(70):
            x, y, w, h = (int(rng.integers(*span)) for span in ((0, 640), (0, 360), (10, 90), (10, 70)))
            cv2.rectangle(self.view, (x, y), (x + w, y + h), int(rng.integers(40, 220)), -1)

    def show(
        self, day: int, hour: int, *things: tuple[int, int, int, int], light: float = 1.0, night: bool = False
    ) -> None:
        picture = self.view.copy()
        for x, y, w, h in things:
            picture[y : y + h, x : x + w] = _texture(x, y, w, h)
        rng = np.random.default_rng([day, hour])
        noisy = picture * light * rng.uniform(0.9, 1.1) + rng.normal(0, 2, picture.shape)
        when = START + timedelta(days=day, hours=hour)
        packed = signature(np.clip(noisy, 0, 255).astype(np.uint8))
        found = lasting.remember(self.memory, "cam", when, packed, night=night, days=3)
        self.told += [(day, change) for change in found]

    def days(self, days: range, *things: tuple[int, int, int, int], light: float = 1.0) -> None:
        for day in days:
            for hour in HOURS:
                self.show(day, hour, *things, light=light)


def _texture(x: int, y: int, w: int, h: int) -> Luma:
    """Bricks: the same at the same place every time."""
    rng = np.random.default_rng([x, y])
    bricks = rng.integers(30, 230, (h // 12 + 1, w // 16 + 1), dtype=np.uint8)
    return cv2.resize(bricks, (w, h), interpolation=cv2.INTER_NEAREST)


@pytest.fixture
def camera() -> Iterator[Camera]:
    yield Camera()


def test_a_wall_is_told_once_after_three_days(camera: Camera) -> None:
    camera.days(range(5))
    camera.days(range(5, 14), WALL)
    assert [day for day, _ in camera.told] in ([7], [8])
    change = camera.told[0][1]
    x1, y1, x2, y2 = change.box
    assert (x1 * 640, x2 * 640) == pytest.approx((200, 310), abs=30)
    assert (y1 * 360, y2 * 360) == pytest.approx((150, 240), abs=30)
    assert change.days >= 3
    assert change.hours >= 6
    assert not change.grown
    assert change.share == pytest.approx(110 * 90 / (640 * 360), rel=0.6)


def test_what_grows_by_half_is_told_again(camera: Camera) -> None:
    camera.days(range(5))
    camera.days(range(5, 10), WALL)
    camera.days(range(10, 16), WALL, (310, 150, 120, 90))
    assert [change.grown for _, change in camera.told] == [False, True]
    first, second = (change for _, change in camera.told)
    assert second.share > 1.5 * first.share
    assert second.box[2] * 640 > 400, "the outline is of both"


def test_what_grows_by_little_waits(camera: Camera) -> None:
    camera.days(range(5))
    camera.days(range(5, 10), WALL)
    camera.days(range(10, 16), WALL, (310, 150, 28, 90))
    assert len(camera.told) == 1


def test_what_passes_or_works_is_never_told(camera: Camera) -> None:
    camera.days(range(5))
    rng = np.random.default_rng(3)
    for day in range(5, 15):
        for hour in HOURS:
            things = []
            if hour < 14:
                things.append((420, 240, 120, 80))  # a lorry that parks for the greater part of every day
            x, y = int(rng.integers(150, 260)), int(rng.integers(120, 180))
            things.append((x, y, 90, 80))  # a digger at work
            camera.show(day, hour, *things)
    assert camera.told == []


def test_light_and_dark_are_never_told(camera: Camera) -> None:
    for day in range(14):
        for hour in range(5, 21):
            dark = not 7 <= hour < 18
            camera.show(day, hour, light=0.2 if dark else 0.5 + 0.05 * (day % 10), night=dark)
    assert camera.told == []


def test_fog_neither_ends_nor_begins_a_change(camera: Camera) -> None:
    camera.days(range(5))
    camera.days(range(5, 7), WALL)
    clear = camera.view
    camera.view = np.full_like(clear, 170)
    camera.days(range(7, 9))
    camera.view = clear
    camera.days(range(9, 12), WALL)
    assert len(camera.told) == 1
    assert camera.told[0][0] in (9, 10)


def test_what_stood_there_on_the_first_day_only_is_no_reference(camera: Camera) -> None:
    camera.days(range(1), WALL)
    camera.days(range(1, 12))
    assert camera.told == []


def test_another_view_is_learnt_in_silence(camera: Camera) -> None:
    camera.days(range(5))
    camera.view = Camera(seed=9).view
    camera.days(range(5, 13))
    assert camera.told == []
    camera.days(range(13, 18), WALL)
    assert len(camera.told) == 1, "the new view is remembered like the old one"


def test_a_restart_changes_nothing() -> None:
    one, other = Camera(), Camera()
    for day in range(10):
        things = (WALL,) if day >= 5 else ()
        one.days(range(day, day + 1), *things)
        for hour in HOURS:
            other.show(day, hour, *things)
            other.memory = Memory(
                json.loads(json.dumps({k: other.memory.get(k) for k in other.memory._values}))
            )
    assert one.told == other.told
    assert one.told


def test_a_view_takes_little_room(camera: Camera) -> None:
    camera.days(range(6))
    camera.days(range(6, 10), WALL)
    stored = sum(len(json.dumps(value)) for value in camera.memory.take_changes().values())
    assert stored < 9 * 1024 * (len(HOURS) + 1)


def test_changes_wait_for_looks_that_lie_apart(camera: Camera) -> None:
    camera.days(range(5))
    camera.days(range(5, 10), WALL)
    now = START + timedelta(days=10)
    for number in range(lasting.LOOKS):
        assert [c.polygon for c in lasting.waiting(camera.memory, "cam", now)] == [camera.told[0][1].polygon]
        lasting.looked(camera.memory, "cam", now)
        assert lasting.waiting(camera.memory, "cam", now + timedelta(minutes=5)) == ()
        now += timedelta(minutes=20)
        assert number < lasting.LOOKS
    assert lasting.waiting(camera.memory, "cam", now) == ()
    assert lasting.waiting(camera.memory, "elsewhere", now) == ()


def test_a_look_by_night_counts_for_none(camera: Camera) -> None:
    camera.days(range(5))
    camera.days(range(5, 10), WALL)
    now = START + timedelta(days=10)
    for number in range(2 * lasting.LOOKS):
        assert lasting.waiting(camera.memory, "cam", now)
        lasting.looked(camera.memory, "cam", now, night=number % 2 == 0)
        assert lasting.waiting(camera.memory, "cam", now + timedelta(minutes=5)) == ()
        now += timedelta(minutes=20)
    assert lasting.waiting(camera.memory, "cam", now) == ()


def test_a_view_can_be_forgotten(camera: Camera) -> None:
    camera.days(range(3))
    lasting.forget(camera.memory, "cam")
    assert not any(camera.memory.get(key) for key in list(camera.memory._values))
