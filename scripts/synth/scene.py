"""Blender's side: render settings, haze, changing the stage between pictures, taking one picture."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import bpy
import numpy as np
import stages
import town
from PIL import Image
from shots import Shot

_BASE: set[str] = set()


def start(samples: int, threads: int) -> None:
    """Builds what is there on every day and sets the renderer up."""
    town.build()
    _BASE.update(o.name for o in bpy.data.objects)
    _set_renderer(samples, threads)


def start_empty(samples: int, threads: int) -> None:
    """The same with nothing there."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _set_renderer(samples, threads)


def _set_renderer(samples: int, threads: int) -> None:
    scene, c = bpy.context.scene, bpy.context.scene.cycles
    scene.render.engine, scene.render.use_persistent_data = "CYCLES", True
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.image_settings.file_format = "PNG"
    c.device, c.samples, c.use_adaptive_sampling, c.adaptive_threshold = "CPU", samples, True, 0.03
    c.use_denoising, c.denoiser, c.denoising_input_passes = True, "OPENIMAGEDENOISE", "RGB_ALBEDO_NORMAL"
    c.max_bounces, c.diffuse_bounces, c.glossy_bounces, c.transparent_max_bounces = 4, 3, 2, 6
    c.caustics_reflective = c.caustics_refractive = False
    c.sample_clamp_indirect = 6
    scene.view_settings.view_transform, scene.view_settings.look = "AgX", "AgX - Medium High Contrast"
    bpy.context.view_layer.use_pass_mist = True


def _haze(shot: Shot) -> None:
    """Mixes a haze colour in with distance; nothing from straight above space, where `develop` adds it."""
    scene = bpy.context.scene
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    *_, colour, strength = town.LIGHT[shot.weather]
    scene.world.mist_settings.start, scene.world.mist_settings.depth = 25, 500
    scene.world.mist_settings.falloff = "LINEAR"
    layers, out = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeComposite")
    share, mix = tree.nodes.new("CompositorNodeMath"), tree.nodes.new("CompositorNodeMixRGB")
    share.operation, share.inputs[1].default_value = "MULTIPLY", 0.0 if shot.kind == "ortho" else strength
    mix.inputs[2].default_value = (*(0.8 * v for v in colour), 1)
    tree.links.new(layers.outputs["Mist"], share.inputs[0])
    tree.links.new(share.outputs[0], mix.inputs[0])
    tree.links.new(layers.outputs["Image"], mix.inputs[1])
    tree.links.new(mix.outputs[0], out.inputs[0])


def _camera(shot: Shot):
    data = bpy.data.cameras.new(shot.kind)
    data.clip_end, data.sensor_fit, data.angle = 3000, "HORIZONTAL", math.radians(shot.hfov)
    if shot.kind == "ortho":
        data.type, data.ortho_scale = "ORTHO", shot.size[0] * shot.gsd
    ob = bpy.data.objects.new(shot.kind, data)
    ob.location, ob.rotation_euler = shot.centre, (math.radians(90 + shot.pitch), 0, math.radians(-shot.yaw))
    bpy.context.scene.collection.objects.link(ob)
    return ob


def set_up(shot: Shot) -> None:
    """Sets stage, light and camera for the shot."""
    for ob in [o for o in bpy.data.objects if o.name not in _BASE]:
        bpy.data.objects.remove(ob)
    bpy.ops.outliner.orphans_purge(do_recursive=True)
    stages.set_stage(shot)
    aim(shot)


def aim(shot: Shot) -> None:
    """Sets light and camera for the shot; the stage stays as it is."""
    town.light(shot)
    _haze(shot)
    scene = bpy.context.scene
    scene.camera = _camera(shot)
    scene.view_settings.exposure = {"clear": 0.25, "hazy": 0.35, "overcast": 0.75}[shot.weather]
    scene.render.resolution_x, scene.render.resolution_y = shot.size


def render(scratch: Path) -> np.ndarray:
    """The picture of what was set up: uint8, height x width x 3, RGB."""
    scene = bpy.context.scene
    scene.render.dither_intensity, scene.render.filepath = 1, str(scratch / "_picture.png")
    bpy.ops.render.render(write_still=True)
    with Image.open(scene.render.filepath) as im:
        rgb = np.asarray(im.convert("RGB")).copy()
    Path(scene.render.filepath).unlink()
    return rgb


@functools.cache
def cjk_font() -> Path | None:
    """The CJK face that Blender ships, if it is there."""
    return next(Path(bpy.utils.resource_path("LOCAL"), "datafiles", "fonts").glob("*CJK*"), None)
