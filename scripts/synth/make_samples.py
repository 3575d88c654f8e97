"""Makes data_samples/: one invented place as an imagery archive with registry, configuration and truth.

python scripts/synth/make_samples.py --out data_samples            everything
python scripts/synth/make_samples.py --out DIR --registry-only     no pictures, no Blender
python scripts/synth/make_samples.py --out DIR --scale 0.5 --samples 4 --only camera/cam-001
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import tempfile
import time
from pathlib import Path

import county
import develop
import geo
import layout
import numpy as np
import shots
import story

TITLES = {c["id"]: f"样例县 {c['title']}" for c in (layout.CAM_1, layout.CAM_2)}
NOTE = "Invented place; everything is synthetic. Local frame: x east, y north (UTM grid), z up, metres."


def _arguments() -> argparse.Namespace:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--samples", type=int, default=8, help="rays per pixel before denoising")
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--scale", type=float, default=1.0, help="shrink the pictures for a quick look")
    ask.add_argument(
        "--only", default="", help="comma-separated beginnings of archive paths, e.g. drone,camera/cam-001"
    )
    ask.add_argument("--truth-only", action="store_true", help="leave the pictures as they are")
    ask.add_argument("--registry-only", action="store_true", help="write county.yaml and registry/ only")
    return ask.parse_args()


def _shrunk(shot: shots.Shot, scale: float) -> shots.Shot:
    width, height = shot.size
    return dataclasses.replace(shot, size=(round(width * scale), round(height * scale)), gsd=shot.gsd / scale)


def take(shot: shots.Shot, archive: Path, scratch: Path, truth_only: bool) -> dict:
    """Renders one picture into the archive, unless it is to be left as it is, and returns its truth."""
    import scene
    import truth

    begin = time.time()
    scene.set_up(shot)
    if not truth_only:
        rng = np.random.default_rng([layout.SEED, 30, int(shot.time.timestamp())])
        rgb = develop.as_sensor(scene.render(scratch), shot, rng)
        title = next((title for key, title in TITLES.items() if f"/{key}/" in shot.name), "")
        develop.save(develop.stamp(rgb, shot, title, scene.cjk_font()), shot, archive)
    objects = truth.objects_in(shot, truth.identity_mask(scratch))
    seconds = round(time.time() - begin, 1)
    lon, lat = geo.to_lonlat(*shot.centre[:2])
    print(f"{shot.name}: {seconds} s, {len(objects)} objects", flush=True)
    return {
        "file": shot.name + shot.suffix,
        "kind": shot.kind,
        "time": shot.time.isoformat(),
        "weather": shot.weather,
        "camera": {**shot.describe(), "lon": lon, "lat": lat},
        "objects": objects,
    }


def captions(pictures: list[dict]) -> list[tuple]:
    """One row per truck whose plate stands in its truth: file, label, plate, colour, box in pixels."""
    return [
        (Path(p["file"]).name, o["label"], o["part"].removeprefix("plate "), "yellow", *o["visible_box"])
        for p in pictures
        for o in p["objects"]
        if o["part"].startswith("plate ") and p["kind"] == "pole"
    ]


def _write_truth(path: Path, pictures: list[dict]) -> list[dict]:
    """Writes truth.json; pictures that were not taken this time keep what it says of them."""
    held = json.loads(path.read_text(encoding="utf-8"))["pictures"] if path.exists() else []
    by_file = {p["file"]: p for p in (*held, *pictures)}
    ordered = [by_file[s.name + s.suffix] for s in shots.SHOTS if s.name + s.suffix in by_file]
    place = {
        "seed": layout.SEED,
        "crs": geo.CRS,
        "origin_map": geo.ORIGIN,
        "grid_convergence_deg": round(geo.grid_convergence_deg(), 4),
        "note": NOTE,
    }
    body = {"place": place, "expected_alerts": story.expected_alerts(), "pictures": ordered}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    path.write_text(
        text.replace('{"file"', '\n{"file"').replace('{"scene"', '\n{"scene"') + "\n", encoding="utf-8"
    )
    return ordered


def _write_captions(path: Path, rows: list[tuple]) -> None:
    with path.open("w", encoding="utf-8", newline="") as held:
        out = csv.writer(held, lineterminator="\n")
        out.writerows([["file", "label", "plate", "plate_colour", "x1", "y1", "x2", "y2"], *rows])


def main() -> None:
    args = _arguments()
    out = args.out.resolve()
    county.write(out)
    if args.registry_only:
        return
    import scene

    wanted = [s for s in shots.SHOTS if not args.only or s.name.startswith(tuple(args.only.split(",")))]
    scene.start(args.samples, args.threads)
    with tempfile.TemporaryDirectory() as scratch:
        for shot in (
            _shrunk(s, args.scale) for s in wanted
        ):  # truth is written each time: a run may be cut short
            picture = take(shot, out / "archive", Path(scratch), args.truth_only)
            rows = captions(_write_truth(out / "truth.json", [picture]))
            if rows:
                _write_captions(out / "archive" / "camera" / layout.CAM_2["id"] / "captions.csv", rows)


if __name__ == "__main__":
    main()
