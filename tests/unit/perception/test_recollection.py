"""The answers of second looks are remembered as long as nothing has changed there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pytest

from huoyan.perception.recollection import LASTS, Answer, Recollection
from huoyan.records import Detection

Image = npt.NDArray[np.uint8]
NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
VIEW = ("cam-1", "site-n")
BOX = (100.0, 100.0, 140.0, 130.0)


class Looker:
    """Answers each look with another score, and counts."""

    def __init__(self) -> None:
        self.looks: list[Detection] = []

    def __call__(self, things: Sequence[Detection]) -> list[Answer]:
        answers = []
        for thing in things:
            self.looks.append(thing)
            answers.append((len(self.looks) / 100, thing.box))
        return answers


def view(seed: int = 0) -> Image:
    """A picture with structure, and the noise of a sensor."""
    ground = np.random.default_rng(7).integers(40, 200, (36, 64, 3), np.uint8).repeat(10, 0).repeat(10, 1)
    noise = np.random.default_rng(seed).normal(0, 2, ground.shape)
    return np.clip(ground + noise, 0, 255).astype(np.uint8)


def thing(box: tuple[float, float, float, float] = BOX, label: str = "excavator") -> Detection:
    return Detection(label, 0.2, box)


def ask(
    memory: Recollection,
    look: Looker,
    image: Image,
    *things: Detection,
    at: timedelta = timedelta(0),
    name: tuple[str, str] = VIEW,
    least: float = 1.0,
) -> list[float]:
    return [score for score, _ in memory.answers(name, NOW + at, image, least, things, look)]


@pytest.fixture
def memory() -> Recollection:
    return Recollection()


@pytest.fixture
def look() -> Looker:
    return Looker()


def test_an_unchanged_thing_is_looked_at_once(memory: Recollection, look: Looker) -> None:
    for number in range(5):
        moved = thing((BOX[0] + number % 2, BOX[1], BOX[2] + number % 2, BOX[3]))
        assert ask(memory, look, view(number), moved, at=timedelta(seconds=2 * number)) == [0.01]
    assert len(look.looks) == 1
    assert (memory.asked, memory.known) == (5, 4)


def test_a_brighter_picture_is_the_same_and_something_new_in_it_is_not(
    memory: Recollection, look: Looker
) -> None:
    ask(memory, look, view(), thing())
    brighter = np.clip(view(1).astype(np.int16) + 25, 0, 255).astype(np.uint8)
    assert ask(memory, look, brighter, thing()) == [0.01]
    changed = view(2)
    changed[105:125, 110:118] = 20
    assert ask(memory, look, changed, thing()) == [0.02]
    # What was there before is still known when it comes back.
    assert ask(memory, look, view(3), thing()) == [0.01]


def test_what_changes_elsewhere_does_not_matter(memory: Recollection, look: Looker) -> None:
    ask(memory, look, view(), thing())
    elsewhere = view(1)
    elsewhere[200:300, 300:400] = 0
    assert ask(memory, look, elsewhere, thing()) == [0.01]


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (thing(label="crane"), VIEW),
        (thing((130.0, 100.0, 170.0, 130.0)), VIEW),
        (thing(), ("cam-2", "site-n")),
        (thing(), ("cam-1", "street-n")),
    ],
)
def test_another_thing_view_or_model_is_looked_at(
    memory: Recollection, look: Looker, other: Detection, name: tuple[str, str]
) -> None:
    ask(memory, look, view(), thing())
    assert ask(memory, look, view(), other, name=name) == [0.02]


def test_an_answer_does_not_last_for_ever(memory: Recollection, look: Looker) -> None:
    ask(memory, look, view(), thing())
    assert ask(memory, look, view(), thing(), at=LASTS - timedelta(seconds=1)) == [0.01]
    # A memory that is used is not younger for it.
    assert ask(memory, look, view(), thing(), at=LASTS) == [0.02]


def test_what_was_seen_is_looked_at_anew(memory: Recollection, look: Looker) -> None:
    assert ask(memory, look, view(), thing(), least=0.01) == [0.01]
    assert ask(memory, look, view(), thing(), least=0.03) == [0.02]
    assert ask(memory, look, view(), thing(), least=0.03) == [0.02]


def test_answers_keep_the_order_of_things(memory: Recollection, look: Looker) -> None:
    ask(memory, look, view(), thing())
    left, right = thing((20.0, 20.0, 60.0, 60.0)), thing((400.0, 200.0, 440.0, 240.0))
    assert ask(memory, look, view(), left, thing(), right) == [0.02, 0.01, 0.03]


def test_what_is_kept_of_a_view_is_bounded(memory: Recollection, look: Looker) -> None:
    things = [thing((x, y, x + 20.0, y + 20.0)) for x in range(0, 600, 30) for y in range(0, 300, 60)]
    ask(memory, look, view(), *things)
    ask(memory, look, view(), *things)
    assert len(things) < len(look.looks) < 2 * len(things)


def test_things_at_the_border_are_compared_within_the_picture(memory: Recollection, look: Looker) -> None:
    corner = thing((-4.0, -4.0, 10.0, 10.0))
    far = thing((630.0, 350.0, 645.0, 365.0))
    assert ask(memory, look, view(), corner, far) == [0.01, 0.02]
    assert ask(memory, look, view(1), corner, far) == [0.01, 0.02]
