"""Small things that keep the place from looking swept: mud on the road, litter, bins, patches, puddles."""

from __future__ import annotations

import groundworks as gw
import layout
import numpy as np
from meshkit import CORNERS, Builder, place

#: Where trucks turn onto the road: x, side of the road.
GATES = ((13.2, 1), (40.0, -1), (67.5, -1))


def _flat(b: Builder, size: tuple[float, float], at: tuple[float, float], z: float, mat: str) -> None:
    """One horizontal face; every layer needs a height of its own."""
    (w, d), (x, y) = size, at
    b.add([(x + i * w / 2, y + j * d / 2, z) for i, j in CORNERS], [(0, 1, 2, 3)], mat)


def _mud_tracks(rng: np.random.Generator) -> None:
    b, layer = Builder(), 0.042
    for _ in range(9):  # repairs of the concrete road
        spot = (rng.uniform(-100, 120), rng.uniform(-2.6, 2.6))
        _flat(b, (rng.uniform(1, 5), rng.uniform(0.8, 3)), spot, 0.034, "patch")
    for x in np.arange(-140, 140, 5.0):
        _flat(b, (0.05, 7.4), (x, 0), 0.038, "joint")
    for gate, side in GATES:
        for lane in (-1.9, 1.9):
            for wheel in (-1.0, 1.0):
                layer += 0.0025
                x = gate + rng.uniform(-6, 11)
                _flat(b, (rng.uniform(30, 55), 0.45), (x, lane + wheel), layer, "track_mud")
        _flat(b, (9.0, 3.6), (gate, side * 2.4), layer + 0.001, "track_mud")
    place(b.mesh("mud_tracks"), "mud_tracks", (0, 0))


def _litter(rng: np.random.Generator) -> None:
    b = Builder()
    for _ in range(420):
        x, side = rng.uniform(-60, 100), rng.choice([-1, 1])
        y = side * rng.uniform(4.5, 8.8)
        size = rng.uniform(0.06, 0.3, 2)
        mat = str(rng.choice(["white", "cloth_blue", "cloth_red", "cardboard", "white"]))
        b.box((*size, rng.uniform(0.01, 0.1)), (x, y, 0.03), mat)
    place(b.mesh("litter"), "litter", (0, 0))


def _bins(rng: np.random.Generator) -> None:
    for x, y in ((-20.5, 5.7), (46.5, 6.4), (94.5, 6.4), (-36.5, -5.9)):
        b = Builder()
        for i, mat in enumerate(("bin_green", "bin_grey", "bin_green")[: int(rng.integers(2, 4))]):
            b.box((0.58, 0.62, 0.95), (i * 0.72, 0, 0.06), mat, 1.08)
            b.box((0.66, 0.74, 0.07), (i * 0.72, 0, 1.01), mat)
        place(b.mesh("bins"), "bins", (x, y), rng.uniform(-5, 5), "garbage_bin")


def _fields(rng: np.random.Generator) -> None:
    """Patchwork of fields round the town, and greenhouses."""
    areas = ((-135, -138, 178, -92, 31, 21), (100, -60, 178, -34, 26, 24), (136, 4, 178, 84, 20, 18))
    crops = ["wheat", "wheat", "rape", "fallow", "earth"]
    for x0, y0, x1, y1, dx, dy in areas:
        for x in np.arange(x0 + dx / 2, x1 - dx / 2 + 1, dx):
            for y in np.arange(y0 + dy / 2, y1 - dy / 2 + 1, dy):
                size = (dx - rng.uniform(1, 4), dy - rng.uniform(1, 3))
                mat, skip = str(rng.choice(crops)), rng.random() < 0.15 or abs(x + 32) < dx / 2 + 3
                if not skip:
                    place(gw.slab(*size, mat, 0.02), "field", (x, y), rng.normal(0, 1.5))
    x, y, w, d = layout.PLOT_C
    place(gw.slab(w + 4, d + 2, "wheat", 0.02), "field", (x, y))
    for x, y, w, d in layout.GREENHOUSES:
        place(gw.tunnels(rng, int(w / 7.2), d - 2), "tunnels", (x, y), rng.normal(0, 2))


def scatter(rng: np.random.Generator) -> None:
    """All of it, from one random stream."""
    _mud_tracks(rng)
    _litter(rng)
    _bins(rng)
    _fields(rng)
    for x, y, r in ((15.5, 6.4, 0.9), (38.8, -6.6, 0.8), (69.0, -6.2, 1.1)):
        place(gw.puddle(rng, r), "puddle", (x, y, 0.055))
