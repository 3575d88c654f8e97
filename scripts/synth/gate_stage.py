"""Blender's side of the gate: the empty lanes, and trucks alone with their shadows, one picture a pose."""

from __future__ import annotations

from pathlib import Path

import bpy
import groundworks as gw
import numpy as np
import vehicles
from gate_lanes import EXIT, GROUND_Z, LANES, Lane, Pose
from meshkit import Builder, place
from PIL import Image

PORTAL_HALF = 4.3
KINDS = {"loaded": True, "empty": False}  # of trucks: with earth in it, under a closed lid
PAINT = "truck_green"  # other paints are made of it when frames are put together


def _portal(words: str) -> object:
    """Steel portal over a lane, its board read from the yard."""
    b = Builder()
    for x in (-PORTAL_HALF, PORTAL_HALF):
        b.box((0.32, 0.32, 5.3), (x, 0, 0), "steel_blue")
        b.box((0.6, 0.6, 0.5), (x, 0, 0), "yellow")
    b.box((2 * PORTAL_HALF + 0.3, 0.3, 0.4), (0, 0, 5.1), "steel_blue")
    b.box((6.4, 0.12, 1.0), (0, 0, 5.5), "sign_blue")
    b.text(words, 0.7, (0, -0.08, 6.0), "white")
    return b.mesh("portal")


def build() -> None:
    """Puts the two lanes into the place that `town` built, and takes away the sign that would hide one."""
    for ob in [o for o in bpy.data.objects if o.name.startswith("spoil_sign")]:
        bpy.data.objects.remove(ob)
    rng = np.random.default_rng(31)
    for lane in LANES:
        place(gw.churned(rng, 15.0, 25.5), "apron", (lane.x, -17.0, 0.06))
        place(
            _portal("净车出场 安全行驶" if lane is EXIT else "进场车辆 减速过磅"),
            "portal",
            (lane.x, lane.portal_y),
        )
    for start, end in ((71.9, 82.8), (91.6, 96.6)):
        place(gw.hoarding(rng, end - start, "hoard_green"), "fence", (start, -8.4))
    place(gw.cabin(), "booth", (75.6, -11.0))


def truck(kind: str, pose: Pose, rng: np.random.Generator) -> list:
    """A truck of a kind at a pose; its plates are blank."""
    at, loaded = (pose[0], pose[1], GROUND_Z), KINDS[kind]
    body, dressing = vehicles.muck_truck(rng, PAINT, loaded), _dressing(PAINT, loaded)
    return [
        place(body, "truck", at, pose[2], bevel=0.03),
        place(dressing, "dressing", at, pose[2], bevel=0.01),
    ]


def _dressing(paint: str, lid: bool) -> object:
    """What a truck at a few metres needs more than one seen from a pole: grille, lamps, steps, mirrors, a lid."""
    b = Builder()
    b.boxes("black", *[((1.7, 0.05, 0.05), (0, 4.83, z)) for z in np.arange(1.2, 1.75, 0.1)])
    b.box((2.46, 0.2, 0.28), (0, 4.86, 0.98), paint)
    b.box((1.5, 0.02, 0.12), (0, 4.86, 1.82), "steel")
    b.boxes("white", ((2.5, 0.04, 0.03), (0, 4.97, 0.92)))
    for s in (-1, 1):
        b.box((0.34, 0.06, 0.2), (s * 0.98, 4.95, 1.02), "lamp")
        b.box((0.16, 0.06, 0.14), (s * 0.72, 4.95, 1.05), "letter_yellow")
        b.box((0.1, 0.12, 0.16), (s * 1.0, -4.9, 0.98), "lamp_red")
        b.box((0.5, 0.04, 0.7), (s * 0.96, -4.35, 0.3), "black")
    b.boxes("black", *[((0.03, 0.02, 0.75), (x, 4.75, 1.95), 1.0) for x in (-0.55, 0.45)])
    if lid:
        b.prism([(-1.26, 2.86), (-0.9, 3.04), (0.9, 3.04), (1.26, 2.86)], -4.7, 2.6, paint)
        b.boxes("black", *[((2.3, 0.05, 0.03), (0, y, 3.03)) for y in np.linspace(-4.2, 2.1, 6)])
    return b.mesh("dressing")


def background(lane: Lane, scratch: Path) -> np.ndarray:
    """The lane without trucks: uint8, height x width x 3."""
    return np.asarray(_render(lane, scratch, transparent=False).convert("RGB")).copy()


def _render(lane: Lane, scratch: Path, transparent: bool) -> Image.Image:
    scene = bpy.context.scene
    scene.render.film_transparent = transparent
    scene.render.image_settings.color_mode = "RGBA" if transparent else "RGB"
    scene.render.filepath = str(scratch / f"_{lane.name}.png")
    bpy.ops.render.render(write_still=True)
    with Image.open(scene.render.filepath) as im:
        im.load()
        return im.copy()


def alone(lane: Lane) -> None:
    """Makes the lane's own things cut out what stands behind them, and puts a ground under them that catches shadows.

    Expects a scene that holds nothing but what `build` puts into one.
    """
    for ob in [o for o in bpy.data.objects if o.name.startswith("apron")]:
        bpy.data.objects.remove(ob)
    for ob in bpy.data.objects:
        if ob.type == "MESH":
            ob.is_holdout = True
            ob.visible_diffuse = ob.visible_glossy = ob.visible_shadow = False
    catcher = place(gw.slab(120, 120, "concrete", GROUND_Z - 0.005), "catcher", (lane.x, -10))
    catcher.is_shadow_catcher = True


def sprite(lane: Lane, kind: str, pose: Pose, scratch: Path) -> Image.Image:
    """A truck and its shadow alone, RGBA of the whole picture at the size that is rendered.

    Raises:
        ValueError: it is out of sight.
    """
    made = truck(kind, pose, np.random.default_rng(17))
    bpy.context.view_layer.update()
    corners = np.array([tuple(ob.matrix_world @ v.co) for ob in made for v in ob.data.vertices])
    seen = lane.shot.project(corners)
    (wide, high), scene = lane.shot.size, bpy.context.scene
    low, far = seen.min(0), seen.max(0)
    wider = (far - low) * 0.06
    # Shadows fall to the right, away from an afternoon sun.
    x1, y1 = np.clip(low - wider, 0, (wide, high))
    x2, y2 = np.clip(far + wider + (0.35 * (far - low)[0], 0), 0, (wide, high))
    if x2 - x1 < 4 or y2 - y1 < 4:
        raise ValueError(f"a truck at {pose} is not seen by {lane.name}")
    scene.render.use_border, scene.render.use_crop_to_border = True, True
    scene.render.border_min_x, scene.render.border_max_x = x1 / wide, x2 / wide
    scene.render.border_min_y, scene.render.border_max_y = 1 - y2 / high, 1 - y1 / high
    cut = _render(lane, scratch, transparent=True)
    scale = scene.render.resolution_percentage / 100
    picture = Image.new("RGBA", (round(wide * scale), round(high * scale)))
    picture.paste(cut, (round(x1 * scale), round(y2 * scale) - cut.height))
    for ob in made:
        data = ob.data
        bpy.data.objects.remove(ob)
        bpy.data.meshes.remove(data)
    return picture
