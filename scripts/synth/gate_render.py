"""Everything of the gate that needs Blender, as pictures in a folder: two empty lanes, and trucks alone by pose.

VENV/bin/python scripts/synth/gate_render.py --work DIR        what is there already is left as it is
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import bpy
import gate_lanes
import gate_stage
import scene
from PIL import Image

BACKGROUND_PERCENT = 67


def background_file(work: Path, lane: gate_lanes.Lane) -> Path:
    return work / f"{lane.name}.png"


def sprite_file(work: Path, lane: gate_lanes.Lane, pose: int) -> Path:
    return work / f"{lane.name}.{pose:02d}.png"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--work", type=Path, required=True)
    ask.add_argument("--samples", type=int, default=4, help="rays per pixel before denoising")
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument(
        "--percent", type=int, default=40, help="size of the trucks' pictures before they are enlarged"
    )
    args = ask.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        if not all(background_file(args.work, lane).exists() for lane in gate_lanes.LANES):
            scene.start(args.samples, args.threads)
            gate_stage.build()
            for lane in gate_lanes.LANES:
                scene.aim(lane.shot)
                bpy.context.scene.render.resolution_percentage = BACKGROUND_PERCENT
                Image.fromarray(gate_stage.background(lane, Path(scratch))).save(
                    background_file(args.work, lane)
                )
        for lane in gate_lanes.LANES:
            _sprites(lane, args, Path(scratch))


def _sprites(lane: gate_lanes.Lane, args: argparse.Namespace, scratch: Path) -> None:
    moving, rendered = gate_lanes.poses(lane)
    scene.start_empty(args.samples, args.threads)
    gate_stage.build()
    gate_stage.alone(lane)
    scene.aim(lane.shot)
    bpy.context.scene.render.resolution_percentage = args.percent
    for number in rendered:
        file, begin = sprite_file(args.work, lane, number), time.time()
        if not file.exists():
            gate_stage.sprite(lane, lane.truck, moving[number], scratch).save(file)
            print(f"{file.name}: {time.time() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
