"""How well the cheap checks of a live view work: the gate on motion, and the health of the picture.

    python scripts/bench_view.py ../shared/data                  # tables in Markdown; about ten minutes of one core
    python scripts/bench_view.py ../shared/data --views 4        # fewer views, quicker

Films are made of real stills by `view_films.py`, a picture each two seconds, coded as JPEG. The gate is shown films in
which nothing happens (how often does it open?) and films in which a machine out of a real picture drives in, passes,
begins to work, or smoke rises (is it let through, and how soon?). The health checks are shown views that are frozen,
covered, blurred or moved after half an hour, and what must not be taken for that. Real series of fixed cameras over
days, with night, fog and sun, are played too, their pictures faded into each other.

CPU is of one thread, for a picture of 640 x 360.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

import view_films as films
from huoyan.perception.motion import Gate
from huoyan.perception.view_health import ViewHealth
from view_films import EVERY_S, Floats, Luma

SETTLED = 90
"""Pictures after which the gate is counted: three minutes."""
QUIET_PICTURES = 240
SIZES = (40, 80, 140)
KINDS = tuple(films.MACHINES)
HEALTHY = 900
"""Pictures of a healthy view before a fault: half an hour."""
FAULT_PICTURES = 300
LASTING = frozenset({"dawn", "_dusk", "_fog", "lamps"})
"""Disturbances that go on; of the others a minute is shown again and again."""
FADE = 50


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("data", type=Path)
    options.add_argument("--views", type=int, default=13)
    options.add_argument("--only", choices=("gate", "health", "days"), default=None)
    chosen = options.parse_args()
    cv2.setNumThreads(1)
    views = [films.read(path) for path in films.views(chosen.data)[: chosen.views]]
    if chosen.only in (None, "gate"):
        print(f"\n{len(views)} views.\n")
        quiet_table(views)
        arrival_table(views, chosen.data)
    if chosen.only in (None, "health"):
        health_table(views)
    if chosen.only in (None, "days"):
        day_table(chosen.data)


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


# ----------------------------------------------------------------------------------------------- the gate
def quiet_table(views: list[Floats]) -> None:
    """How often the gate opens where nothing happens."""
    row("nothing happens, but", "pictures", "passed", "worst view")
    row("---", "---", "---", "---")
    spent = fed = 0.0
    for name, disturb in films.DISTURBANCES.items():
        opened = counted = 0
        worst = 0.0
        for number, view in enumerate(views):
            gate, here = Gate(), 0
            for index, picture in enumerate(films.film(view, disturb, QUIET_PICTURES, seed=number)):
                begun = time.thread_time()
                gate.feed(picture, index * EVERY_S)
                spent, fed = spent + time.thread_time() - begun, fed + 1
                here += gate.open and index >= SETTLED
            opened, counted = opened + here, counted + QUIET_PICTURES - SETTLED
            worst = max(worst, here / (QUIET_PICTURES - SETTLED))
        row(name, counted, f"{opened / counted:.2%}", f"{worst:.1%}")
    print(f"\nGate: {spent / fed * 1e3:.2f} ms a picture.\n")


def arrival_table(views: list[Floats], data: Path) -> None:
    """How much of what arrives is let through."""
    things = films.cutouts(data, KINDS)
    row("what arrives", "in", "px wide", "let through", "median delay, pictures", "longest")
    row("---", "---", "---", "---", "---", "---")
    for arrive in films.ARRIVALS:
        for weather in ("quiet", "noisy", "rain"):
            for size in SIZES if arrive is not films.smoke_rises else (0,):
                delays = []
                for number, view in enumerate(views):
                    random = np.random.default_rng(1000 * number + size)
                    thing = things[int(random.integers(len(things)))]
                    thing = thing.sized(size) if size else thing
                    delays.append(_delay(arrive(view, thing, films.DISTURBANCES[weather], random)))
                caught = [delay for delay in delays if delay is not None]
                middle = f"{np.median(caught):.0f}" if caught else "–"
                row(
                    arrive.__name__.replace("_", " "),
                    weather,
                    size or "–",
                    f"{len(caught)} of {len(delays)}",
                    middle,
                    max(caught, default="–"),
                )
    print()


def _delay(arrival: films.Arrival) -> int | None:
    """Pictures from the arrival until the gate opens; None: it stays shut while the thing is there."""
    gate = Gate()
    for index, picture in enumerate(arrival.pictures[: arrival.until]):
        gate.feed(picture, index * EVERY_S)
        if index >= arrival.at and gate.open:
            return index - arrival.at
    return None


# ---------------------------------------------------------------------------------------------- health
Fault = Callable[[Floats, int, np.random.Generator], Floats]


def _covered(view: Floats, index: int, random: np.random.Generator) -> Floats:
    return films.quiet(np.full_like(view, 17), index, random)


def _white(view: Floats, index: int, random: np.random.Generator) -> Floats:
    return films.quiet(np.full_like(view, 190), index, random)


def _dusk(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """Within ten minutes to a night without lamps."""
    left = max(0.01, 1 - index / 300)
    return films.quiet(16 + (view - 16) * left, index, random)


def _fog(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """Within five minutes to a tenth of the contrast."""
    left = max(0.1, 1 - index / 150)
    return films.quiet(view * left + 190 * (1 - left), index, random)


def _drops(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """Drops cover the glass but for a strip at the left."""
    soft = cv2.GaussianBlur(view, (0, 0), 5)
    soft[:, :100] = view[:, :100]
    return films.quiet(soft, index, random)


def _lorry(view: Floats, index: int, random: np.random.Generator) -> Floats:
    """A lorry stands before two thirds of the view."""
    scene = view.copy()
    scene[60:, 200:] = 70 + 0.1 * scene[60:, 200:]
    scene[180:186, 200:] = 140
    return films.quiet(scene, index, random)


def _turned(**by: float) -> Fault:
    return lambda view, index, random: films.quiet(films.moved(view, **by), index, random)


def _blurred(pixels: float) -> Fault:
    return lambda view, index, random: films.quiet(cv2.GaussianBlur(view, (0, 0), pixels), index, random)


FAULTS: list[tuple[str, str, Fault]] = [
    ("covered, black", "camera_black", _covered),
    ("covered, white", "camera_black", _white),
    ("out of focus by 2 px", "camera_blurred", _blurred(2)),
    ("out of focus by 6 px", "camera_blurred", _blurred(6)),
    ("drops on most of the glass", "camera_blurred", _drops),
    ("shifted by 16 px", "camera_moved", _turned(x=16)),
    ("shifted by 60 px", "camera_moved", _turned(x=60, y=15)),
    ("turned about its axis by 6 degrees", "camera_moved", _turned(degrees=6)),
    ("zoomed by a tenth", "camera_moved", _turned(zoom=1.1)),
    ("quiet", "", films.quiet),
    ("night, strong noise", "", films.noisy),
    ("dawn", "", films.dawn),
    ("dusk without lamps", "", _dusk),
    ("fog to a tenth of the contrast", "", _fog),
    ("rain", "", films.rain),
    ("shake", "", films.shake),
    ("leaves", "", films.leaves),
    ("lamps and infra-red in turn", "", films.lamps),
    ("a lorry before two thirds of the view", "", _lorry),
    ("shifted by 6 px", "", _turned(x=6)),
]


def health_table(views: list[Floats]) -> None:
    """Which faults are told, and what is wrongly told."""
    row("after half an hour", "wanted", "told on", "median delay, s", "told wrongly")
    row("---", "---", "---", "---", "---")
    spent = fed = 0.0
    cases: list[tuple[str, str, Fault | None]] = [("the same picture again and again", "camera_frozen", None)]
    for name, wanted, fault in [*cases, *FAULTS]:
        delays, wrong = [], 0
        for number, view in enumerate(views):
            health, found, others = ViewHealth(), None, set()
            for index, picture in enumerate(_film_with(view, fault, number)):
                begun = time.thread_time()
                conditions, _, _ = health.feed(picture, index * EVERY_S)
                spent, fed = spent + time.thread_time() - begun, fed + 1
                others |= conditions - {wanted}
                if wanted in conditions and found is None:
                    found = index
                    others |= {"too early"} if index < HEALTHY else set()
            wrong += bool(others)
            if found is not None:
                delays.append((found - HEALTHY) * EVERY_S)
        told = f"{len(delays)} of {len(views)}" if wanted else "–"
        row(name, wanted or "nothing", told, f"{np.median(delays):.0f}" if delays else "–", wrong)
    print(f"\nHealth: {spent / fed * 1e3:.2f} ms a picture.\n")


def _film_with(view: Floats, fault: Fault | None, seed: int) -> Iterator[Luma]:
    """Half an hour of a healthy view, then a fault; None: it freezes."""
    random = np.random.default_rng(seed)
    # Noise costs more than the checks: a minute of coded pictures is shown again and again.
    loop = [films.coded(films.quiet(view, index, random)) for index in range(31)]
    for index in range(HEALTHY):
        yield loop[index % len(loop)]
    if fault is None:
        yield from [loop[7]] * FAULT_PICTURES
        return
    lasts = FAULT_PICTURES if fault.__name__ in LASTING else len(loop)
    shown = [films.coded(fault(view, index, random)) for index in range(lasts)]
    for index in range(FAULT_PICTURES):
        yield shown[index % lasts]


# ------------------------------------------------------------------------------------------- real days
def day_table(data: Path) -> None:
    """Real cameras over days: nothing is wrong with them, and light opens no gate."""
    row("real series, faded", "pictures", "shown", "gate passed", "faults told")
    row("---", "---", "---", "---", "---")
    for camera, paths in films.series_days(data).items():
        pictures = [films.read(path) for path in paths]
        if len(pictures) < 10:
            continue
        gate, health, told = Gate(), ViewHealth(), {}
        opened = shown = 0
        random = np.random.default_rng(0)
        for before, after in itertools.pairwise(pictures):
            for step in range(FADE):
                share = step / FADE
                picture = films.coded(films.quiet(before * (1 - share) + after * share, 0, random))
                gate.feed(picture, shown * EVERY_S)
                for condition in health.feed(picture, shown * EVERY_S)[0]:
                    told[condition] = told.get(condition, 0) + 1
                opened, shown = opened + gate.open, shown + 1
        faults = ", ".join(f"{name} {count / shown:.1%}" for name, count in sorted(told.items()))
        row(camera, len(pictures), shown, f"{opened / shown:.2%}", faults or "none")
    print()


if __name__ == "__main__":
    main()
