"""What trucks do in a generated year: hauls from a loading site over the road to a disposal site, and what is wrong.

Times here are naive local ones and the truth is found by plain arithmetic on days and seconds of the week, by other
means than the rules that it measures.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal

from year.county import DAY_S, HOURS, WIDTH_M, YEAR, County, Truck, plate

Where = Literal["leave", "road", "enter"]
FAULTS = {"M02": 0.012, "M03": 0.012, "M04": 0.03, "M05": 0.01, "M06": 0.01}
"""Share of hauls in which it is tried: not every truck has a second trip, or a day without a permit."""
STRANGERS = 0.025
EDGES = 0.02
"""Share of hauls that begin on the first or last second of a window or a permit, or one second beyond."""
APART = timedelta(hours=3)


@dataclass(frozen=True)
class Step:
    """A truck at one camera."""

    when: datetime
    """Local, naive, to the second."""
    where: Where
    plate: str
    colour: str
    site: str
    """Zone id at a gate; empty on the road."""
    spot: tuple[float, float]
    """Metres east and north."""
    net_kg: float | None
    truth: frozenset[str]
    edge: bool
    """On the first or last second of what is allowed, or one beyond."""


@dataclass(frozen=True)
class _Haul:
    truck: Truck | None
    """None: a stranger."""
    plate: str
    colour: str
    start: datetime
    load: int
    tip: int
    faults: frozenset[str]
    edge: bool


def steps(county: County, passages: int, seed: int) -> list[Step]:
    """About `passages` steps of a year, in order of time; the same numbers give the same ones."""
    rng = random.Random(seed)
    strangers = _strangers(county, rng)
    busy: dict[str, list[datetime]] = {}
    found: list[Step] = []
    while len(found) < passages:
        haul = _stranger(county, strangers, rng) if rng.random() < STRANGERS else _haul(county, rng)
        if haul is not None and _free(busy.setdefault(haul.plate, []), haul.start):
            found += _steps(haul, county, rng)
    return sorted(found[:passages], key=lambda step: step.when)


def _strangers(county: County, rng: random.Random) -> list[str]:
    taken = {truck.plate for truck in county.trucks}
    found: set[str] = set()
    while len(found) < 400:
        text = plate(rng)
        if rng.random() < 0.3:
            text = rng.choice("浙浙浙皖苏赣沪") + rng.choice("ABCEFG") + text[2:]
        if text not in taken:
            found.add(text)
    return sorted(found)


def _stranger(county: County, plates: list[str], rng: random.Random) -> _Haul:
    load, tip = rng.choice(sorted(county.corridors))
    start = datetime(YEAR, 1, 1) + timedelta(seconds=rng.randrange(365 * DAY_S))
    return _Haul(None, rng.choice(plates), "yellow", start, load, tip, frozenset(), False)


def _haul(county: County, rng: random.Random) -> _Haul | None:
    truck = rng.choice(county.trucks)
    faults = {code for code, share in FAULTS.items() if rng.random() < share}
    edge = rng.random() < EDGES
    start = _edge(truck, rng) if edge else _start(truck, faults, rng)
    if start is None:
        return None
    load, tip = rng.choice(truck.trips)
    if "M04" in faults:
        load, tip = _wrong_trip(county, truck, rng)
    return _Haul(truck, truck.plate, truck.colour, start, load, tip, frozenset(faults), edge)


def _start(truck: Truck, faults: set[str], rng: random.Random) -> datetime | None:
    for _ in range(200):
        if "M02" in faults:
            day = (
                truck.last + timedelta(rng.randrange(1, 60))
                if rng.random() < 0.7
                else truck.first - timedelta(rng.randrange(1, 60))
            )
        else:
            day = truck.first + timedelta(rng.randrange((truck.last - truck.first).days + 1))
        start = datetime.combine(day, time()) + timedelta(seconds=rng.randrange(DAY_S))
        if truck.allowed(_second_of_week(start)) != ("M03" in faults):
            return start
    return None


def _edge(truck: Truck, rng: random.Random) -> datetime:
    """A second on either side of where something begins or ends to be allowed."""
    if rng.random() < 0.5:
        day = rng.choice((truck.first, truck.last + timedelta(1)))
        return datetime.combine(day, time()) + timedelta(seconds=rng.choice((-1, 0)))
    days, start, end = HOURS[truck.hours][1]
    day = truck.first + timedelta(rng.randrange((truck.last - truck.first).days + 1))
    day -= timedelta((day.weekday() - rng.choice(tuple(days))) % 7)
    return datetime.combine(day, time()) + timedelta(seconds=rng.choice((start, end)) - rng.choice((0, 1)))


def _wrong_trip(county: County, truck: Truck, rng: random.Random) -> tuple[int, int]:
    """Another disposal site, its own one from the wrong loading site, or a strange loading site."""
    loads, tips = {a for a, _ in truck.trips}, {b for _, b in truck.trips}
    crossed = [(a, b) for a in sorted(loads) for b in sorted(tips) if (a, b) not in truck.trips]
    if crossed and rng.random() < 0.6:
        return rng.choice(crossed)
    load, tip = rng.choice(truck.trips)
    if rng.random() < 0.7:
        return load, rng.choice([b for b in range(len(county.disposal)) if b not in tips])
    return rng.choice([a for a in range(len(county.loading)) if a not in loads]), tip


def _steps(haul: _Haul, county: County, rng: random.Random) -> Iterator[Step]:
    start, end = county.loading[haul.load], county.disposal[haul.tip]
    metres = ((start[0] - end[0]) ** 2 + (start[1] - end[1]) ** 2) ** 0.5
    away = timedelta(seconds=round(240 + 1.3 * metres / rng.uniform(8.0, 15.0)))
    yield _step(haul, haul.start, "leave", f"load-{haul.load}", start, None, haul.edge)
    on_road = county.corridors.get((haul.load, haul.tip))
    if on_road and rng.random() < 0.4:
        yield _step(haul, haul.start + away / 2, "road", "", _beside(on_road, haul, rng), None, False)
    net = None
    if haul.truck is not None:
        limit = haul.truck.load_kg
        net = limit + rng.uniform(300, 6000) if "M06" in haul.faults else limit * rng.uniform(0.7, 1.0)
    yield _step(haul, haul.start + away, "enter", f"tip-{haul.tip}", end, net, False)


def _step(
    haul: _Haul,
    when: datetime,
    where: Where,
    site: str,
    spot: tuple[float, float],
    net: float | None,
    edge: bool,
) -> Step:
    when = when.replace(microsecond=0)
    return Step(when, where, haul.plate, haul.colour, site, spot, net, _truth(haul, when, where), edge)


def _truth(haul: _Haul, when: datetime, where: Where) -> frozenset[str]:
    truck = haul.truck
    if truck is None:
        return frozenset({"M01"})
    loads, tips = {a for a, _ in truck.trips}, {b for _, b in truck.trips}
    wrong_site = haul.load not in loads if where == "leave" else haul.tip not in tips
    wrong_trip = haul.load not in {a for a, b in truck.trips if b == haul.tip}
    found = {
        "M02": not truck.first <= when.date() <= truck.last,
        "M03": not truck.allowed(_second_of_week(when)),
        "M04": (where == "leave" and wrong_site) or (where == "enter" and (wrong_site or wrong_trip)),
        "M05": where == "road" and ("M05" in haul.faults or (haul.load, haul.tip) not in truck.trips),
        "M06": where == "enter" and "M06" in haul.faults,
    }
    return frozenset(code for code, holds in found.items() if holds)


def _beside(road: list[tuple[float, float]], haul: _Haul, rng: random.Random) -> tuple[float, float]:
    """A point in the middle part of a road, on it or well beside it."""
    at = rng.randrange(15, 34)
    (x1, y1), (x2, y2) = road[at], road[at + 1]
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    off = rng.uniform(-WIDTH_M / 6, WIDTH_M / 6)
    if "M05" in haul.faults:
        off = rng.choice((-1, 1)) * rng.uniform(WIDTH_M / 2 + 60, 400)
    return x1 - off * (y2 - y1) / length, y1 + off * (x2 - x1) / length


def _free(busy: list[datetime], start: datetime) -> bool:
    """Whether a truck has the time for another haul; then it has it no more."""
    at = bisect_left(busy, start)
    if any(abs(other - start) < APART for other in busy[max(0, at - 1) : at + 1]):
        return False
    insort(busy, start)
    return True


def _second_of_week(when: datetime) -> int:
    return when.weekday() * DAY_S + when.hour * 3600 + when.minute * 60 + when.second
