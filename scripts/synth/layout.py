"""Plan of the invented place without Blender: houses, plots, zones, poles. Metres in the local frame.

The road runs east-west along y = 0, a lane along x = -32, a river along y = -73. Plot A (north of the road)
is built on without a permit, plot B (south) with one. The same seed gives the same houses whatever happens
on the plots.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

SEED = 7
STOREY_M = 3.3
CAM_1 = {
    "id": "cam-001",
    "title": "滨江路1号杆",
    "at": (-9.5, -8.5, 12.0),
    "pitch": -16.0,
    "yaw": 41.0,
    "hfov": 64.0,
}
CAM_2 = {
    "id": "cam-002",
    "title": "滨江路2号杆",
    "at": (19.0, -7.2, 12.0),
    "pitch": -18.0,
    "yaw": 112.0,
    "hfov": 66.0,
}

PLOT_A = (17.0, 26.0, 36.0, 34.0)  # centre x, centre y, width, depth
PLOT_B = (45.0, -23.0, 26.0, 24.0)
PLOT_C = (72.0, 70.0, 34.0, 26.0)  # levelled field, seen by satellite only
SPOIL_YARD = (77.0, -23.0, 26.0, 26.0)
STORAGE_YARD = (6.0, -20.0, 18.0, 18.0)
SHED = (6.0, -43.0, 16.0, 9.0)
GREENHOUSES = ((-90.0, 70.0, 44.0, 26.0), (113.0, 68.0, 30.0, 26.0))
RIVER_Y, RIVER_WIDTH = -73.0, 16.0
#: What is built between 1 March and 1 April: x, y, width, depth, degrees anticlockwise.
SHELL_A = (26.0, 32.0, 11.0, 11.0)
SHELL_B = (45.5, -26.5, 12.0, 10.0)
ROOF_BY = {(2.0, 62.0): "roof-without-permit", (28.0, 62.0): "roof-with-permit"}

# x range and spacing, y of the centres, heading: fronts face their road
ROWS = [
    (-118, -38, 12.6, 13, 0),
    (46, 130, 12.6, 13, 0),
    (-118, -40, 12.6, 40, 0),
    (48, 130, 13.2, 42, 0),
    (-24, 46, 13.0, 62, 0),
    (-120, -40, 12.8, -14, 180),
    (98, 150, 12.6, -14, 180),
    (-110, 130, 15.5, 96, 0),
    (-150, 170, 17.5, 128, 0),
    (-110, -40, 13.0, -46, 180),
]


@dataclass(frozen=True, slots=True)
class House:
    """One existing house: centre, size, degrees anticlockwise, storeys, roof and the seed of its looks."""

    id: str
    x: float
    y: float
    width: float
    depth: float
    heading: float
    storeys: int
    gable: bool
    seed: int
    addition: str = ""  # what happens to the roof in March, if anything


@functools.cache
def houses(seed: int = SEED) -> tuple[House, ...]:
    """The houses that stand on 1 March, in a fixed order."""
    rng, out = np.random.default_rng([seed, 0]), []
    for first, last, step, y, heading in ROWS:
        for x in np.arange(first, last, step):
            empty, dx, dy, turn = (
                rng.random() < 0.1,
                rng.uniform(-0.3, 0.3),
                rng.uniform(-0.8, 0.8),
                rng.normal(0, 1.2),
            )
            width, depth, gable = rng.uniform(9.5, 11.4), rng.uniform(9, 11.5), rng.random() < 0.35
            storeys = int(rng.choice([2, 3, 3, 4]))
            use = next((v for (ax, ay), v in ROOF_BY.items() if ay == y and abs(ax - x) < step / 2), "")
            if empty and not use:
                continue
            if use:
                storeys, gable = 2, False
            number = len(out) + 1
            out.append(
                House(
                    f"b-{number:03d}",
                    round(float(x + dx), 2),
                    round(float(y + dy), 2),
                    round(float(width), 2),
                    round(float(depth), 2),
                    round(float(heading + turn), 2),
                    storeys,
                    bool(gable),
                    number,
                    use,
                )
            )
    return tuple(out)


def roof_house(use: str) -> House:
    """The house whose roof is built upon (`ROOF_BY`)."""
    return next(h for h in houses() if h.addition == use)


def rectangle(
    x: float, y: float, width: float, depth: float, heading: float = 0.0
) -> list[tuple[float, float]]:
    """Closed ring (first corner repeated), anticlockwise, turned by `heading` degrees anticlockwise."""
    c, s = math.cos(math.radians(heading)), math.sin(math.radians(heading))
    ring = [
        (x + i * width / 2 * c - j * depth / 2 * s, y + i * width / 2 * s + j * depth / 2 * c)
        for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    return [*ring, ring[0]]


def footprint(house: House) -> list[tuple[float, float]]:
    """Closed ring of the walls."""
    return rectangle(house.x, house.y, house.width, house.depth, house.heading)
