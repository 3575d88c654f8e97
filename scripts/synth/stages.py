"""Puts up what stands on the plots at a time: hoarding, machines, materials, storeys, trucks, passers-by."""

from __future__ import annotations

import datetime as dt

import groundworks as gw
import houses
import layout
import numpy as np
import story
import vehicles
from meshkit import place
from shots import Shot

WORKER_SPOTS = {
    "earthwork": [(15.5, 20.0), (10.5, 21.5)],
    "materials": [(19.5, 18.2), (16.6, 20.5), (27.2, 19.6), (22.4, 20.4)],
    "storeys": [(19.5, 19.2), (24.0, 21.0), (27.4, 19.8), (13.5, 14.5)],
}


def _hoarding(
    rng: np.random.Generator, plot: tuple, paint: str, gate: tuple[float, float], gate_side: str, text: str
) -> None:
    """Fence round a plot with a gate between two x positions in the front (south) or back (north) side."""
    cx, cy, w, d = plot
    left, right, low, high = cx - w / 2, cx + w / 2, cy - d / 2, cy + d / 2
    runs = [(right, low, d, 90, ""), (left, high, d, -90, "")]
    if gate_side == "south":
        runs += [
            (left, low, gate[0] - left, 0, text),
            (gate[1], low, right - gate[1], 0, text),
            (right, high, w, 180, ""),
        ]
    else:
        runs += [
            (gate[0], high, gate[0] - left, 180, text),
            (right, high, right - gate[1], 180, text),
            (left, low, w, 0, ""),
        ]
    for x, y, length, heading, words in runs:
        place(gw.hoarding(rng, length, paint, words), "hoarding", (x, y), heading, "hoarding")


def _stack(data, at: tuple, heading: float, part: str) -> None:
    place(data, part, at, heading, "material_stack", part=part)


def _worker(rng: np.random.Generator, x: float, y: float, z: float = 0.13) -> None:
    helmet = str(rng.choice(["helmet", "helmet", "helmet_red"]))
    place(
        vehicles.person(True, helmet, rng.uniform(0.05, 0.3)),
        "person",
        (x, y, z),
        rng.uniform(0, 360),
        "person",
        smooth=True,
    )


def _heap(
    rng: np.random.Generator, x: float, y: float, radius: float, high: float, mat: str, label: str, part: str
) -> None:
    place(
        gw.heap(rng, radius, high, mat),
        part,
        (x, y, 0.12),
        rng.uniform(0, 360),
        label,
        part=part,
        smooth=True,
    )


def _materials_a(rng: np.random.Generator) -> None:
    _stack(gw.pallets(rng, 4, 3, gw.brick_stack), (30.0, 13.6, 0.12), 3, "bricks")
    _stack(gw.pallets(rng, 2, 2, gw.cement_bags), (25.4, 12.2, 0.12), -4, "cement")
    _stack(gw.rebar(rng), (17.6, 23.5, 0.15), 12, "rebar")
    _stack(gw.timber(rng), (20.3, 12.6, 0.12), 86, "timber")
    _heap(rng, 24.6, 16.9, 2.6, 1.6, "sand", "material_stack", "sand")
    _heap(rng, 30.4, 18.6, 2.0, 1.25, "gravel", "material_stack", "gravel")


def plot_a(day: dt.date, rng: np.random.Generator) -> None:
    """The plot without a permit."""
    cx, cy, w, d = layout.PLOT_A
    if day < story.A_EARTHWORK:
        weeds = 26000 if day < story.A_FENCE else 9000
        place(gw.tufts(rng, weeds, lambda r: (r.uniform(-1, 36), r.uniform(8, 44)), 0.34), "weeds", (0, 0))
    if day < story.A_FENCE:
        place(gw.crops(rng, 16, 14), "crops", (8, 20), 4)
        return
    _hoarding(rng, layout.PLOT_A, "hoard_blue", (9.0, 17.5), "south", "文明施工  安全第一")
    place(gw.slab(8.5, 6, "soil", 0.05), "gate_mud", (13.2, 6.6))
    place(gw.cabin(), "cabin", (3.6, 12.2, 0.1), 0, "site_cabin")
    if day < story.A_EARTHWORK:
        place(gw.slab(30, 26, "mud", 0.012), "worn", (cx, cy))
        for x, y in ((14, 14), (20, 26)):
            _worker(rng, x, y, 0.02)
        return
    place(gw.churned(rng, w, d), "site_ground", (cx, cy))
    grown = day >= dt.date(2026, 3, 11)
    for x, y, radius, high in ((3.4, 36.0, 3.6, 2.3), (10, 38, 3.0, 1.8), (5.0, 30.2, 3.0, 1.9))[
        : 3 if grown else 2
    ]:
        _heap(rng, x, y, radius, high, "earth", "earth_heap", "soil")
    if day < story.A_MATERIALS:
        at, heading, swing = ((11.0, 29.0), -60, 75) if grown else ((8.6, 27.0), 25, -70)
        place(vehicles.excavator(swing=swing), "excavator", (*at, 0.12), heading, "excavator", bevel=0.035)
        truck_at, truck_heading = ((13.0, 13.0), 176) if grown else ((14.8, 25.4), 160)
        place(vehicles.muck_truck(rng), "truck", (*truck_at, 0.12), truck_heading, "dump_truck", bevel=0.03)
        spots = WORKER_SPOTS["earthwork"]
    else:
        _materials_a(rng)
        spots = WORKER_SPOTS["materials" if day < story.A_FIRST_STOREY else "storeys"]
    if story.A_MATERIALS <= day < story.A_FIRST_STOREY:
        place(vehicles.excavator(swing=40), "excavator", (8.6, 25, 0.12), -20, "excavator", bevel=0.035)
        place(
            vehicles.muck_truck(rng, "truck_red", True),
            "truck",
            (13.6, 17.0, 0.12),
            168,
            "dump_truck",
            bevel=0.03,
        )
    _shell(rng, layout.SHELL_A, _storeys_a(day), 0.12, day >= story.A_SCAFFOLD, day >= story.A_TOP)
    for x, y in spots:
        _worker(rng, x, y)


def _storeys_a(day: dt.date) -> int:
    steps = (story.A_MATERIALS, story.A_FIRST_STOREY, story.A_SCAFFOLD, story.A_TOP)
    return sum(day >= step for step in steps) - 1


def _shell(rng: np.random.Generator, spot: tuple, floors: int, z: float, scaffolded: bool, net: bool) -> None:
    x, y, w, d = spot
    if floors < 0:
        return
    label = "building_under_construction" if floors else "foundation"
    place(houses.house_shell(rng, w, d, floors), "shell", (x, y, z), 0, label)
    if scaffolded:
        sides = (1, 2) if net else ()
        place(
            houses.scaffold(rng, w, d, floors * layout.STOREY_M + 1.8, sides),
            "scaffold",
            (x, y, z),
            0,
            "scaffolding",
        )


def plot_b(day: dt.date, rng: np.random.Generator) -> None:
    """The plot with a permit: a slower, tidier site."""
    floors = story.plot_b_storeys(day)
    if floors < 0:
        place(gw.tufts(rng, 9000, lambda r: (r.uniform(32, 58), r.uniform(-35, -11)), 0.34), "weeds", (0, 0))
        return
    cx, cy, w, d = layout.PLOT_B
    place(gw.churned(rng, w, d), "site_ground", (cx, cy))
    place(gw.slab(6.5, 7, "soil", 0.05), "gate_mud", (40.0, -7.6))
    _hoarding(rng, layout.PLOT_B, "hoard_green", (36.8, 43.2), "north", "依法建设")
    _shell(rng, layout.SHELL_B, floors, 0.12, floors > 0, floors > 2)
    if floors:
        _stack(gw.pallets(rng, 3, 3, gw.brick_stack), (36.6, -16.4, 0.12), 2, "bricks")
        _stack(gw.rebar(rng), (35.2, -25.5, 0.12), 4, "rebar")
        _heap(rng, 49.5, -14.8, 2.3, 1.4, "sand", "material_stack", "sand")
    else:
        place(vehicles.excavator(swing=-35), "excavator", (38, -20, 0.12), 10, "excavator", bevel=0.035)
        _heap(rng, 36.0, -28.5, 2.8, 1.7, "earth", "earth_heap", "soil")
    for x, y in ((41, -15) if floors else (46.0, -16.4), (43.5, -17.5)):
        _worker(rng, x, y)


def roofs(day: dt.date, rng: np.random.Generator) -> None:
    """Storeys added on two flat roofs, one of them with a permit."""
    if day < story.ROOF_STARTED:
        return
    for use in layout.ROOF_BY.values():
        h = layout.roof_house(use)
        top = h.storeys * layout.STOREY_M + 0.2
        done = day >= story.ROOF_DONE
        data = houses.roof_addition(rng, h.width - 0.7, h.depth - 0.7, done)
        place(data, "addition", (h.x, h.y, top), h.heading, "roof_addition", part=h.id)
        if not done:
            data = houses.scaffold(rng, h.width - 2.4, h.depth - 2.4, 3.4, ())
            place(data, "roof_scaffold", (h.x, h.y, top), h.heading, "scaffolding", part=h.id)
            _stack(gw.pallets(rng, 2, 1, gw.brick_stack), (h.x - 1.5, h.y - 1.0, top), 0, f"bricks on {h.id}")


def elsewhere(day: dt.date, rng: np.random.Generator) -> None:
    """The steel shed in the fields and the levelled field."""
    if day >= story.SHED_BUILT:
        x, y, w, d = layout.SHED
        place(houses.steel_shed(rng, w, d), "shed", (x, y), 2, "colour_steel_shed")
    if day >= story.C_LEVELLED:
        x, y, w, d = layout.PLOT_C
        place(gw.churned(rng, w, d), "site_ground", (x, y))
        place(vehicles.excavator(swing=10), "excavator", (x - 8, y + 3, 0.12), 60, "excavator", bevel=0.035)
        _heap(rng, x + 10, y + 5, 3.4, 2.0, "earth", "earth_heap", "soil")


def traffic(shot: Shot, rng: np.random.Generator) -> None:
    """Cars, passers-by and muck trucks of one picture."""
    paints = ["car_white", "car_white", "car_black", "car_silver", "car_red", "car_grey"]
    for lane, heading in ((-1.9, 90), (1.9, -90)):  # right-hand traffic: eastbound on the south side
        x = rng.uniform(-70, -45)
        while x < 130:
            van, paint = bool(rng.random() < 0.3), str(rng.choice(paints))
            if not (lane < 0 and 60 < x < 73 and shot.time.strftime("%Y%m%dT%H%M%S") in story.GATE_TRUCKS):
                place(
                    vehicles.car(paint, van),
                    "car",
                    (x, lane, 0.03),
                    heading + rng.normal(0, 0.6),
                    "car",
                    bevel=0.09,
                )
            x += rng.uniform(13, 46)
    for x, y, heading in ((-40, 6.6, 88), (52, 6.6, 92), (74.5, 6.5, 88)):
        if rng.random() < 0.75:
            paint = str(rng.choice(paints))
            place(
                vehicles.car(paint, bool(rng.random() < 0.4)), "car", (x, y, 0.03), heading, "car", bevel=0.09
            )
    for _ in range(7):
        at = (rng.uniform(-25, 70), float(rng.choice([-5.2, 5.2, 5.6])), 0.03)
        data = vehicles.person(False, None, rng.uniform(0.1, 0.3))
        place(data, "person", at, float(rng.choice([90, -90])) + rng.normal(0, 8), "person", smooth=True)
    for x in rng.uniform(-20, 60, 3):
        data = vehicles.scooter(rng)
        place(
            data,
            "scooter",
            (x, float(rng.choice([-3.2, 3.2])), 0.03),
            float(rng.choice([90, -90])),
            "scooter",
        )
    plate = story.GATE_TRUCKS.get(shot.time.strftime("%Y%m%dT%H%M%S"))
    if plate:
        data = vehicles.muck_truck(
            rng, "truck_green" if plate == story.PLATE_KNOWN else "truck_orange", True, plate
        )
        part = f"plate {plate}"
        place(data, "gate_truck", (*story.GATE_TRUCK_AT, 0.04), -110, "dump_truck", part=part, bevel=0.03)
    if shot.time.date() == dt.date(2026, 3, 11):
        data = vehicles.muck_truck(rng, "truck_green", False)
        place(data, "truck", (24.5, 2.0, 0.03), 90, "dump_truck", bevel=0.03)


def set_stage(shot: Shot) -> None:
    """Everything that is not there on every day. The plots use one random stream each, whatever the day."""
    day = shot.time.date()
    for i, part in enumerate((plot_a, plot_b, roofs, elsewhere)):
        part(day, np.random.default_rng([layout.SEED, 10 + i]))
    traffic(shot, np.random.default_rng([layout.SEED, 20, int(shot.time.timestamp())]))
