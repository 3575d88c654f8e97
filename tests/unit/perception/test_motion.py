"""The gate on motion: what opens it, and what must not. Figures on real pictures: docs/camera-health.md."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from huoyan.perception.motion import Gate

from ...support.views import HEIGHT, WIDTH, Floats, scene, seen, turned

VIEW = scene(1)
SETTLED = 40


def play(gate: Gate, view: Callable[[int], Floats], first: int, last: int, noise: float = 2.0) -> list[int]:
    """Feed pictures, two seconds apart; the numbers of those that passed."""
    passed = []
    for index in range(first, last):
        gate.feed(seen(view(index), index, noise), 2.0 * index)
        if gate.open:
            passed.append(index)
    return passed


def settled(gate: Gate | None = None) -> Gate:
    gate = gate or Gate()
    assert play(gate, lambda i: VIEW, 0, SETTLED) == [0], "only the first picture of a quiet view passes"
    return gate


def box(view: Floats, x: float, y: float, w: int = 60, h: int = 40, level: float = 30) -> Floats:
    """The view with a machine, a dark and a light half, about (x, y)."""
    out = view.copy()
    left, top = max(0, int(x - w / 2)), max(0, int(y - h / 2))
    out[top : top + h, left : max(0, int(x + w / 2))] = level
    out[top : top + h // 2, left : max(0, int(x + w / 2))] = 255 - level
    return out


def shade(index: int) -> Floats:
    x = np.arange(WIDTH, dtype=np.float32)[None] / WIDTH
    return VIEW * (0.85 + 0.15 * np.sin(2 * np.pi * (0.5 * x - index / 60))).astype(np.float32)


def shaken(index: int) -> Floats:
    x, y = np.random.default_rng(index).uniform(-2, 2, 2)
    return turned(VIEW, x, y)


def beam(index: int) -> Floats:
    """A night in which a beam of light falls on the ground, each time somewhere else."""
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    if index % 10:
        return VIEW * 0.25
    centre = 100 + (index * 37) % 450
    lit = np.exp(-(((x - centre) / 70.0) ** 2) - ((y - 230) / 40.0) ** 2).astype(np.float32)
    return VIEW * (0.25 + 0.7 * lit)


@pytest.mark.parametrize(
    ("what", "view", "noise"),
    [
        ("noise", lambda i: VIEW * 0.4, 7.0),
        ("dawn", lambda i: VIEW * min(1.0, 0.2 + i / 400), 2.0),
        ("exposure", lambda i: VIEW * (0.8 if i // 10 % 2 else 1.0), 2.0),
        ("contrast", lambda i: 60 + 0.5 * VIEW if i // 20 % 2 else VIEW, 2.0),
        ("shade", shade, 2.0),
        ("shake", shaken, 2.0),
        ("headlights", beam, 3.0),
    ],
)
def test_light_noise_and_shake_open_no_gate(what: str, view: Callable[[int], Floats], noise: float) -> None:
    gate = Gate()
    play(gate, view, 0, SETTLED, noise)
    assert len(play(gate, view, SETTLED, 160, noise)) <= 2, what


@pytest.mark.parametrize("light", [1.0, 0.3])
def test_what_drives_in_passes_at_once_and_again_when_it_leaves_what_it_changed(light: float) -> None:
    gate = Gate()
    play(gate, lambda i: VIEW * light, 0, SETTLED)
    arriving = play(gate, lambda i: box(VIEW, 60.0 * (i - SETTLED), 220) * light, SETTLED, SETTLED + 6)
    assert arriving and arriving[0] <= SETTLED + 1
    assert play(gate, lambda i: box(VIEW, 300, 220) * light, SETTLED + 6, SETTLED + 60), "it stopped: seen"


def test_what_has_stopped_is_background_soon_and_the_usual_view_is_no_news() -> None:
    gate = settled()
    assert max(play(gate, lambda i: box(VIEW, 300, 220), SETTLED, SETTLED + 60)) < SETTLED + 15
    assert play(gate, lambda i: VIEW, SETTLED + 60, SETTLED + 90) == []


def test_what_begins_to_move_passes() -> None:
    gate = Gate()
    play(gate, lambda i: box(VIEW, 300, 220), 0, SETTLED)
    moving = play(gate, lambda i: box(VIEW, 300 + 12 * (i % 3), 220), SETTLED, SETTLED + 6)
    assert moving and moving[0] <= SETTLED + 2


def test_smoke_that_rises_for_a_minute_passes() -> None:
    gate = settled()
    y, x = np.ogrid[:HEIGHT, :WIDTH]

    def smoke(index: int) -> Floats:
        grown = min(1.0, (index - SETTLED) / 30)
        plume = np.exp(-(((x - 320) / 40.0) ** 2) - ((y - 150) / (20 + 50 * grown)) ** 2) * 0.7 * grown
        return (VIEW * (1 - plume) + 205 * plume).astype(np.float32)

    assert play(gate, smoke, SETTLED, SETTLED + 40)


def test_the_whole_view_passes_once_when_the_camera_turns() -> None:
    gate = settled()
    assert 1 <= len(play(gate, lambda i: scene(9), SETTLED, SETTLED + 60)) <= 2


def test_nothing_counts_where_it_is_to_be_ignored() -> None:
    left = ((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0))
    gate = settled(Gate([left]))
    assert play(gate, lambda i: box(VIEW, 100 + 20 * (i % 5), 220), SETTLED, SETTLED + 20) == []
    assert play(gate, lambda i: box(VIEW, 500, 220), SETTLED + 20, SETTLED + 22)


def test_a_more_sensitive_gate_sees_smaller_things() -> None:
    def small(index: int) -> Floats:
        return box(VIEW, 300 + 15 * (index % 4), 220, 16, 14, 60)

    assert play(settled(Gate((), 0.3)), small, SETTLED, SETTLED + 12) == []
    assert play(settled(Gate((), 3.0)), small, SETTLED, SETTLED + 12)


def test_pictures_of_another_size_start_it_anew() -> None:
    gate = settled()
    gate.feed(np.full((288, 352), 90, np.uint8), 1000.0)
    assert gate.open
    gate.feed(np.full((288, 352), 90, np.uint8), 1002.0)
    assert not gate.open


def test_the_share_that_moved_is_told() -> None:
    gate = settled()
    share = gate.feed(seen(box(VIEW, 300, 220, 120, 80), 1), 2.0 * SETTLED)
    assert 0.5 * (120 * 80) / (WIDTH * HEIGHT) < share < 1.5 * (120 * 80) / (WIDTH * HEIGHT)
