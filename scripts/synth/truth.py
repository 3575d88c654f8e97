"""Truth of a picture: boxes of all vertices, visible boxes by an identity render, ground positions."""

from __future__ import annotations

from pathlib import Path

import bpy
import geo
import numpy as np
from mathutils import Vector
from PIL import Image
from shots import Shot


def labelled() -> list:
    return sorted((o for o in bpy.context.scene.objects if o.get("label")), key=lambda o: o.name)


def world_points(ob) -> np.ndarray:
    done = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh, turn = done.to_mesh(), np.array(ob.matrix_world)
    co = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", co)
    done.to_mesh_clear()
    return co.reshape(-1, 3) @ turn[:3, :3].T + turn[:3, 3]


def _identity_material():
    mat = bpy.data.materials.new("identity")
    mat.use_nodes = True
    nodes, links = mat.node_tree.nodes, mat.node_tree.links
    nodes.clear()
    info, glow, out = (nodes.new(f"ShaderNode{n}") for n in ("ObjectInfo", "Emission", "OutputMaterial"))
    links.new(info.outputs["Color"], glow.inputs[0])
    links.new(glow.outputs[0], out.inputs[0])
    return mat


def identity_mask(scratch: Path) -> np.ndarray:
    """Index + 1 of the labelled object seen at each pixel, 0 elsewhere; uses the current camera and size.

    Ids travel as 16 x 16 x 16 colours, so a scene may hold 4,095 labelled objects.
    """
    scene, layer = bpy.context.scene, bpy.context.view_layer
    for ob in scene.objects:
        ob.color = (0, 0, 0, 1)
    for i, ob in enumerate(labelled(), 1):
        ob.color = (i % 16 / 15, i // 16 % 16 / 15, i // 256 / 15, 1)
    cycles, view, world = scene.cycles, scene.view_settings, scene.world
    kept = (
        cycles.samples,
        cycles.use_denoising,
        cycles.filter_width,
        view.view_transform,
        view.look,
        view.exposure,
    )
    cycles.samples, cycles.use_denoising, cycles.filter_width = 1, False, 0.01
    view.view_transform, view.look, view.exposure = "Raw", "None", 0
    layer.material_override, scene.world = bpy.data.materials.get("identity") or _identity_material(), None
    scene.use_nodes, scene.render.dither_intensity = False, 0
    scene.render.filepath = str(scratch / "_identity.png")
    bpy.ops.render.render(write_still=True)
    layer.material_override, scene.world, scene.use_nodes = None, world, True
    (
        cycles.samples,
        cycles.use_denoising,
        cycles.filter_width,
        view.view_transform,
        view.look,
        view.exposure,
    ) = kept
    with Image.open(scene.render.filepath) as im:
        rgb = (np.asarray(im.convert("RGB")).astype(int) + 8) // 17
    Path(scene.render.filepath).unlink()
    return rgb @ np.array([1, 16, 256])


def _unoccluded(shot: Shot, ob, points: np.ndarray, rng: np.random.Generator) -> float:
    """Share of sampled points of the object whose line of sight meets no other object first."""
    scene, graph, free = bpy.context.scene, bpy.context.evaluated_depsgraph_get(), 0
    picks = points[rng.choice(len(points), min(60, len(points)), replace=False)]
    for p in picks:
        start = Vector((p[0], p[1], shot.at[2])) if shot.kind == "ortho" else Vector(shot.at)
        away = Vector(p) - start
        hit, _, _, _, first, _ = scene.ray_cast(graph, start, away.normalized(), distance=away.length - 0.02)
        free += not hit or first.name == ob.name
    return round(free / len(picks), 2)


def objects_in(shot: Shot, mask: np.ndarray, min_pixels: int = 12) -> list[dict]:
    """Every labelled object with at least `min_pixels` visible pixels; boxes are x1, y1, x2, y2 in pixels."""
    rng, out, (wide, high) = np.random.default_rng(0), [], shot.size
    for i, ob in enumerate(labelled(), 1):
        rows, cols = np.nonzero(mask == i)
        if len(rows) < min_pixels:
            continue
        points = world_points(ob)
        xy = shot.project(points)
        full = np.concatenate([xy.min(0), xy.max(0)])
        box = np.clip(full, 0, [wide, high, wide, high])
        x, y = (points[:, :2].min(0) + points[:, :2].max(0)) / 2
        out.append(
            {
                "id": ob.name,
                "label": ob["label"],
                "part": ob.get("part", ""),
                "box": box.round(1).tolist(),
                "visible_box": [int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1],
                "visible_pixels": len(rows),
                "in_frame": round(float(np.prod(box[2:] - box[:2]) / np.prod(full[2:] - full[:2])), 3),
                "unoccluded": _unoccluded(shot, ob, points, rng),
                "ground_local": [round(float(x), 2), round(float(y), 2)],
                "ground_lonlat": list(geo.to_lonlat(float(x), float(y))),
                "footprint_local": [
                    round(float(v), 2) for v in (*points[:, :2].min(0), *points[:, :2].max(0))
                ],
                "height_m": round(float(np.ptp(points[:, 2])), 2),
            }
        )
    return out
