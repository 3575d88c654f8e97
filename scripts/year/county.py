"""A generated county in register files: sites, corridors between them and fleets of approved vehicles."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

YEAR = 2026
ORIGIN = (120.9, 29.5)
PER_LON, PER_LAT = 96_900.0, 110_850.0
SIDE_M = 24_000.0
WIDTH_M = 60.0
DAY_S, WEEK_S = 86_400, 7 * 86_400
SERIAL = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
HOURS = (
    ("Mo-Sa 19:00-05:00", (range(6), 19 * 3600, 29 * 3600)),
    ("Mo-Su 20:00-06:00", (range(7), 20 * 3600, 30 * 3600)),
    ("Mo-Fr 08:30-16:30", (range(5), 8 * 3600 + 1800, 16 * 3600 + 1800)),
    ("22:00-04:30:30", (range(7), 22 * 3600, 28 * 3600 + 1830)),
    ("Tu,Th-Sa 18:00-24:00", ((1, 3, 4, 5), 18 * 3600, 24 * 3600)),
    ("", (range(7), 0, DAY_S)),
)
"""What the register says, and the same as days, first second and the second after the last, by hand."""


@dataclass(frozen=True)
class Truck:
    """What the generator knows of an approved vehicle; nothing here is read back from the register."""

    plate: str
    colour: str
    company: str
    first: date
    last: date
    hours: int
    """Index into `HOURS`."""
    trips: tuple[tuple[int, int], ...]
    """(loading site, disposal site)."""
    load_kg: int

    def allowed(self, second_of_week: float) -> bool:
        days, start, end = HOURS[self.hours][1]
        return any(
            start <= second_of_week - DAY_S * day + shift < end for day in days for shift in (0, WEEK_S)
        )


@dataclass(frozen=True)
class County:
    loading: tuple[tuple[float, float], ...]
    """Metres east and north."""
    disposal: tuple[tuple[float, float], ...]
    trucks: tuple[Truck, ...]
    corridors: dict[tuple[int, int], list[tuple[float, float]]]


def degrees(point: tuple[float, float]) -> list[float]:
    return [round(ORIGIN[0] + point[0] / PER_LON, 7), round(ORIGIN[1] + point[1] / PER_LAT, 7)]


def make(vehicles: int, loading: int, disposal: int, seed: int) -> County:
    """A county; the same numbers give the same one."""
    rng = random.Random(seed)
    spots = _apart(loading + disposal, rng)
    county = County(tuple(spots[:loading]), tuple(spots[loading:]), (), {})
    corridors = {
        (a, b): _road(county.loading[a], county.disposal[b], rng)
        for a in range(loading)
        for b in rng.sample(range(disposal), min(disposal, 5))
    }
    trucks: list[Truck] = []
    taken: set[str] = set()
    while len(trucks) < vehicles:
        trucks += _fleet(min(rng.randint(4, 40), vehicles - len(trucks)), sorted(corridors), taken, rng)
    return County(county.loading, county.disposal, tuple(trucks), corridors)


def write(county: County, folder: Path) -> Path:
    """The county as files; the path of its configuration."""
    _dump(folder / "zones.geojson", _zones(county))
    _dump(
        folder / "corridors.geojson",
        [
            _feature("LineString", list(map(degrees, line)), id=f"c-{a}-{b}", width_m=WIDTH_M)
            for (a, b), line in county.corridors.items()
        ],
    )
    with (folder / "vehicles.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        named = ("plate", "colour", "kind", "company", "permit", "valid_from", "valid_to")
        table.writerow((*named, "trips", "corridors", "hours", "load_kg"))
        for number, truck in enumerate(county.trucks):
            trips = "; ".join(f"load-{a}->tip-{b}" for a, b in truck.trips)
            roads = " ".join(f"c-{a}-{b}" for a, b in truck.trips)
            permit, hours = f"ZT-{number:05d}", HOURS[truck.hours][0]
            own = (truck.plate, truck.colour, "muck_truck", truck.company, permit, truck.first, truck.last)
            table.writerow((*own, trips, roads, hours, truck.load_kg))
    path = folder / "county.yaml"
    path.write_text(
        "registry: {zones: zones.geojson, corridors: corridors.geojson, vehicles: vehicles.csv}\n",
        encoding="utf-8",
    )
    return path


def plate(rng: random.Random) -> str:
    """A plate of the county: five characters of which at most two are letters."""
    signs = [rng.choice("0123456789") for _ in range(5)]
    for slot in rng.sample(range(5), rng.choice((0, 1, 1, 2))):
        signs[slot] = rng.choice(SERIAL[10:])
    return "浙D" + "".join(signs)


def _fleet(size: int, routes: list[tuple[int, int]], taken: set[str], rng: random.Random) -> list[Truck]:
    """Trucks of one company under one permit; many fleets have plates in a row."""
    company = f"{len(taken)}号渣土运输公司"
    first = date(YEAR, 1, 1) if rng.random() < 0.6 else date(YEAR, 1, 1) + timedelta(rng.randrange(200))
    last = date(YEAR, 12, 31) if rng.random() < 0.5 else first + timedelta(rng.randrange(60, 300))
    trips = tuple(rng.sample(routes, rng.choice((1, 2, 2, 3))))
    hours, load = rng.randrange(len(HOURS)), rng.choice((12_000, 15_000, 18_000))
    row = rng.random() < 0.6
    head, start = plate(rng)[:4], rng.randrange(0, 900)
    found = []
    while len(found) < size:
        energy = rng.random() < 0.15
        text = f"{head}{(start + len(found)) % 1000:03d}" if row else plate(rng)
        if energy:
            text = f"浙D{rng.randrange(100_000):05d}{rng.choice('ABCDE')}"
        if text in taken:
            row = False
            continue
        taken.add(text)
        colour = "yellow_green" if energy else "yellow"
        found.append(Truck(text, colour, company, first, last, hours, trips, load))
    return found


def _apart(count: int, rng: random.Random) -> list[tuple[float, float]]:
    """Places at least 400 m apart on a grid that is shaken a little."""
    side = int(SIDE_M // 600)
    cells = rng.sample(range(side * side), count)
    return [
        (
            c % side * 600.0 + rng.uniform(-90, 90) - SIDE_M / 2,
            c // side * 600.0 + rng.uniform(-90, 90) - SIDE_M / 2,
        )
        for c in cells
    ]


def _road(
    start: tuple[float, float], end: tuple[float, float], rng: random.Random
) -> list[tuple[float, float]]:
    """A road of some fifty points that bends on its way."""
    bend = rng.uniform(-0.2, 0.2)
    across = (start[1] - end[1], end[0] - start[0])
    steps = [step / 48 for step in range(49)]
    return [
        (
            start[0] + t * (end[0] - start[0]) + bend * 4 * t * (1 - t) * across[0] / 2,
            start[1] + t * (end[1] - start[1]) + bend * 4 * t * (1 - t) * across[1] / 2,
        )
        for t in steps
    ]


def _zones(county: County) -> list[dict[str, object]]:
    kinds = (("load", "control", county.loading), ("tip", "disposal_site", county.disposal))
    return [
        _feature("Polygon", [_square(spot)], id=f"{name}-{index}", kind=kind)
        for name, kind, spots in kinds
        for index, spot in enumerate(spots)
    ]


def _square(spot: tuple[float, float]) -> list[list[float]]:
    corners = ((-80, -80), (80, -80), (80, 80), (-80, 80), (-80, -80))
    return [degrees((spot[0] + x, spot[1] + y)) for x, y in corners]


def _feature(shape: str, coordinates: object, **properties: object) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": shape, "coordinates": coordinates},
    }


def _dump(path: Path, features: list[dict[str, object]]) -> None:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
