"""What is there on every day: ground, road, river, houses, green; and the light of the hour."""

from __future__ import annotations

import math

import bpy
import details
import geo
import groundworks as gw
import houses
import layout
import numpy as np
from meshkit import Builder, place
from shots import Shot
from sun import sun_position

FIELDS = [(x, y) for x in (-9, -22) for y in (14.5, 27.5, 40.5)]
FIELDS += [(x, y) for x in np.arange(-24, 92, 14.5) for y in (-16, -30, -44)]
LONE_TREES = ((-15.5, 21), (-15.8, 34), (-3, 46), (-27, 46), (39, 34), (40.5, 47), (-15, 47))
GROVES = (  # low corner, high corner, number
    ((-140, 70), (50, 90), 24),
    ((96, 58), (130, 90), 14),
    ((-140, 106), (150, 165), 35),
    ((-20, -92), (120, -58), 30),
)
TAKEN = (layout.PLOT_B, layout.SPOIL_YARD, layout.STORAGE_YARD, layout.SHED, *layout.GREENHOUSES)


def _clear(x: float, y: float, margin: float = 0.0) -> bool:
    """Whether a spot is on none of the plots that are used for something else."""
    return not any(abs(x - cx) < w / 2 + margin and abs(y - cy) < d / 2 + margin for cx, cy, w, d in TAKEN)


def _ground() -> None:
    place(gw.terrain(), "terrain", (0, 0))
    slabs = (
        ("road", (0, 0), (560, 8, "road")),
        ("lane", (-32, 150), (4.5, 300, "road", 0.025)),
        ("lane", (-32, -67), (3.6, 130, "road", 0.02)),
        ("line", (0, 3.7), (560, 0.1, "line", 0.034)),
        ("line", (0, -3.7), (560, 0.1, "line", 0.034)),
        ("kerb", (0, 4.3), (560, 0.35, "concrete", 0.14)),
        ("kerb", (0, -4.3), (560, 0.35, "concrete", 0.14)),
        ("footway", (0, 5.6), (560, 2.2, "paving", 0.022)),
        ("footway", (0, -5.6), (560, 2.2, "paving", 0.022)),
        ("river", (0, layout.RIVER_Y), (560, layout.RIVER_WIDTH, "water", 0.01)),
    )
    for name, at, size in slabs:
        place(gw.slab(*size), name, at)
    for side in (-1, 1):
        y = layout.RIVER_Y + side * layout.RIVER_WIDTH / 2
        place(gw.slab(560, 0.5, "concrete", 0.9), "embankment", (0, y))
        place(gw.slab(560, 3.0, "paving", 0.02), "river_path", (0, y + side * 2.0))
    place(gw.slab(4.6, layout.RIVER_WIDTH + 3, "concrete", 1.0), "bridge", (-32, layout.RIVER_Y))
    dashes = Builder()
    dashes.boxes("line", *[((3, 0.12, 0.034), (i * 6, 0, 0)) for i in range(-46, 47)])
    place(dashes.mesh("dashes"), "dashes", (0, 0))
    place(gw.power_line([(x, 6.9) for x in range(-110, 130, 34)]), "power_line", (0, 0))


def _yards(rng: np.random.Generator) -> None:
    """The storage yard with its stacks and the spoil yard with its heaps, both there from the start."""
    x, y, w, d = layout.STORAGE_YARD
    place(gw.slab(w, d, "concrete", 0.05), "storage_yard", (x, y))
    place(gw.low_wall(w, d, (-3.0, 3.0)), "yard_wall", (x, y))
    for i, (dx, dy) in enumerate(((-5.2, 4.5), (-5.2, -0.5), (-5.0, -5.5), (4.6, -5.2))):
        make = (gw.brick_stack, gw.cement_bags)[i % 2]
        place(
            gw.pallets(rng, 3, 2, make),
            "yard_stack",
            (x + dx, y + dy, 0.05),
            90,
            "material_stack",
            part="storage yard",
        )
    place(gw.rebar(rng), "yard_rebar", (x + 5.4, y + 2.5, 0.05), 0, "material_stack", part="storage yard")
    x, y, w, d = layout.SPOIL_YARD
    place(gw.churned(rng, w, d), "spoil_ground", (x, y))
    place(gw.slab(9, 6, "soil", 0.05), "spoil_gate", (67.5, -8.2))
    for dx, dy, radius, high in ((-4, -5, 4.8, 3.0), (5, -3, 4.2, 2.5), (0.5, -8.5, 4.0, 2.4)):
        place(
            gw.heap(rng, radius, high, "earth"),
            "spoil_heap",
            (x + dx, y + dy, 0.1),
            rng.uniform(0, 360),
            "earth_heap",
            part="spoil yard",
            smooth=True,
        )
    place(gw.board("建筑垃圾消纳场", 5.2, 1.1), "spoil_sign", (72.4, -9.8), 180)


def _houses() -> None:
    for h in layout.houses():
        place(houses.house(h), "house", (h.x, h.y), h.heading, "house", part=h.id)
        place(gw.slab(12.6, 17.5, "concrete", 0.018), "yard", (h.x, h.y))


def _trees(rng: np.random.Generator) -> None:
    kinds = ((6, "leaf"), (7.5, "leaf_dark"), (4.6, "leaf"), (5.4, "leaf_dark"))
    variants = [gw.tree(rng, high, mat) for high, mat in kinds]

    def plant(x: float, y: float, z: float = 0.0, low: float = 0.75, high: float = 1.2) -> None:
        kind, turn, size = int(rng.integers(4)), rng.uniform(0, 360), rng.uniform(low, high)
        if abs(y - layout.RIVER_Y) > layout.RIVER_WIDTH / 2 + 4 and _clear(x, y, 1.5):
            place(variants[kind], "tree", (x, y, z), turn, scale=size)

    for x in np.arange(-116, 128, 9.5):
        if abs(x + 32) > 5 and not -14 < x < 94:
            plant(x + rng.uniform(-1, 1), -7.4)
    for x, y in LONE_TREES:
        plant(x, y)
    for low, high, n in GROVES:
        for x, y in rng.uniform(low, high, (n, 2)):
            plant(x, y)
    for a, away in rng.uniform((-0.5, 205), (math.pi + 0.5, 400), (2900, 2)):  # wooded hills
        x, y = away * math.cos(a), away * math.sin(a)
        plant(x, y, gw.hill_height(x, y) - 0.5, 1, 1.9)


def _verge(r: np.random.Generator) -> tuple[float, float]:
    x = r.uniform(-40, 9) if r.random() < 0.45 else r.uniform(17.4, 100)
    return x, r.choice([-1, 1]) * r.uniform(6.8, 9.0)


def _fallow(r: np.random.Generator) -> tuple[float, float]:
    return r.uniform(-29, -2), r.uniform(8.8, 50)


def _far(r: np.random.Generator) -> tuple[float, float]:
    return r.uniform(36, 92), r.uniform(22, 56) if r.random() < 0.6 else r.uniform(-58, -37)


def _green(rng: np.random.Generator) -> None:
    _trees(rng)
    for x, y in FIELDS:
        data, turn = gw.crops(rng, 12.2, 11), rng.normal(0, 1)
        if _clear(x, y, 6.2):
            place(data, "crops", (x, y), turn)
    for name, n, size, spot in (
        ("verge", 22000, 0.2, _verge),
        ("fallow", 16000, 0.22, _fallow),
        ("far", 16000, 0.3, _far),
    ):
        place(gw.tufts(rng, n, spot, size), name, (0, 0))


def build() -> None:
    """Empties Blender and puts up the base."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    streams = [np.random.default_rng([layout.SEED, i]) for i in range(1, 4)]
    _ground()
    _yards(streams[0])
    _houses()
    _green(streams[1])
    details.scatter(streams[2])


LIGHT = {  # sun strength, sun angle in degrees, sky strength, dust, haze colour, haze strength
    "clear": (4.8, 0.6, 0.13, 1.6, (0.62, 0.70, 0.80), 0.32),
    "hazy": (4.2, 1.2, 0.17, 4.0, (0.86, 0.89, 0.92), 0.55),
    "overcast": (0.5, 30.0, 0.95, 0.0, (0.62, 0.64, 0.67), 0.42),
}


def light(shot: Shot) -> None:
    """Light of the hour: Nishita sky without its disc plus a sun lamp (far less noise), or a grey sky."""
    scene = bpy.context.scene
    height, bearing = sun_position(shot.time, *geo.to_lonlat(0, 0))
    power, angle, strength, dust, _, _ = LIGHT[shot.weather]
    for world in list(bpy.data.worlds):
        bpy.data.worlds.remove(world)
    scene.world = bpy.data.worlds.new("sky")
    scene.world.use_nodes = True
    nodes = scene.world.node_tree.nodes
    nodes["Background"].inputs[1].default_value = strength
    if shot.weather == "overcast":
        nodes["Background"].inputs[0].default_value = (0.80, 0.85, 0.92, 1)
    else:
        sky = nodes.new("ShaderNodeTexSky")
        sky.sky_type, sky.sun_disc, sky.dust_density, sky.air_density = "NISHITA", False, dust, 1.2
        sky.sun_elevation, sky.sun_rotation = math.radians(height), math.radians(bearing)
        scene.world.node_tree.links.new(sky.outputs[0], nodes["Background"].inputs[0])
    lamp = bpy.data.lights.new("sun", "SUN")
    warm = max(0.0, 1 - height / 55)
    lamp.energy, lamp.angle, lamp.color = (
        power,
        math.radians(angle),
        (1, 0.95 - 0.09 * warm, 0.87 - 0.22 * warm),
    )
    ob = bpy.data.objects.new("sun", lamp)
    ob.rotation_euler = (math.radians(90 - height), 0, math.radians(180 - bearing))
    scene.collection.objects.link(ob)
