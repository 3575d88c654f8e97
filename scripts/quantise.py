"""Make the eight-bit copy of a detector, and ship it only where it is worth it.

    python scripts/quantise.py models/site-n.onnx scripts/configs/site.yaml --data DATA --weights FOLDER --work WORK

Tries the schemes of `training/int8.py` from the fastest to the safest, judges each on the held-back pictures as
`train_detector.py export` judges the model itself, and keeps the fastest that loses no more than `--loss` points.
Writes <name>.int8.onnx beside the model and what was lost and gained on the model's card; where no scheme will do,
or none is faster, an old copy and its entry are removed. Needs the `train` extra. See docs/models.md.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import yaml

import train_detector
from training import data, export, int8, scoring

Tallies = dict[str, list[scoring.Tally]]
ENOUGH = 15
"""Boxes from which the precision of a class says something; the rest is left out of the comparison."""


def compared(tallies: Tallies) -> Tallies:
    """The classes that are compared: those with enough boxes, or all where none has."""
    enough = {k: rows for k, rows in tallies.items() if sum(row.total for row in rows) >= ENOUGH}
    return enough or tallies


def difference(before: Tallies, after: Tallies) -> tuple[float, list[float]]:
    """Points of mAP50 that `after` has more than `before`, with the 95 % interval over the same pictures."""
    labels = list(compared(before))
    pictures = list(zip(*(before[k] for k in labels), *(after[k] for k in labels), strict=True))

    def gain(some: Sequence[Any]) -> float:
        columns = list(zip(*some, strict=True))
        one, other = columns[: len(labels)], columns[len(labels) :]
        mean = scoring.mean_precision
        return 100 * (mean(dict(zip(labels, other, strict=True))) - mean(dict(zip(labels, one, strict=True))))

    low, high = scoring.interval(pictures, gain, n=train_detector.INTERVALS)
    return round(gain(pictures), 2), [round(low, 2), round(high, 2)]


def calibration(
    pictures: Sequence[data.Picture], number: int, long_side: int, seed: int
) -> list[int8.Pixels]:
    """Frames of training pictures, drawn source by source so that every source has its say."""
    by_source: dict[str, list[data.Picture]] = {}
    for picture in pictures:
        if picture.split == "train":
            by_source.setdefault(f"{picture.set_name}/{picture.source}", []).append(picture)
    rng = random.Random(seed)
    for group in by_source.values():
        rng.shuffle(group)
    depth = max(map(len, by_source.values()))
    turns = [g[i] for i in range(depth) for g in by_source.values() if i < len(g)]
    return [scoring.letterbox(train_detector.read_rgb(p.path), long_side)[0][None] for p in turns[:number]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="float32 ONNX file with its card beside it")
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--more", type=Path, action="append", default=[], help="as for train_detector.py")
    parser.add_argument("--weights", type=Path, default=Path(), help="folder of the base weights")
    parser.add_argument("--work", type=Path, required=True, help="folder with the teacher's answers")
    parser.add_argument("--frames", type=int, default=256, help="frames to calibrate on")
    parser.add_argument("--loss", type=float, default=0.5, help="points of mAP50 that may be lost")
    parser.add_argument("--all", action="store_true", help="judge every scheme, not only until one will do")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    config = data.read_config(args.config)
    pictures = train_detector.gather(config, args)
    entry = best(config, args, pictures)
    target = args.model.with_name(f"{args.model.stem}.int8.onnx")
    card = yaml.safe_load(args.model.with_name(f"{args.model.stem}.card.yaml").read_text(encoding="utf-8"))
    card.pop("int8", None)
    if entry is None:
        target.unlink(missing_ok=True)
    else:
        card["int8"] = {"sha256": hashlib.sha256(target.read_bytes()).hexdigest(), "figures": entry}
    export.write_card(card, args.model)
    print(f"{target}: written" if entry else f"no scheme loses at most {args.loss} points and is faster")


def best(
    config: dict[str, Any], args: argparse.Namespace, pictures: Sequence[data.Picture]
) -> dict[str, Any] | None:
    """Write the fastest copy that loses little enough, and say what was seen; None where there is none."""
    held_back = [p for p in pictures if p.split == "val"]
    long_side = config["judge"]["long_side"]
    frames = calibration(pictures, args.frames, long_side, config["train"]["seed"])
    before, _ = train_detector.judge(int8.session(args.model, 1), held_back, config)
    slow = int8.milliseconds(args.model, 384, 640)
    print(f"float32: mAP50 {scoring.mean_precision(compared(before)):.3f}, {slow:.1f} ms of CPU")
    chosen: dict[str, Any] | None = None
    with tempfile.TemporaryDirectory(dir=args.model.parent, prefix=".quantise-") as folder:
        for number, scheme in enumerate(int8.SCHEMES):
            path = Path(folder) / f"{number}.onnx"
            kept = int8.quantise(args.model, frames, scheme, path)
            after, _ = train_detector.judge(int8.session(path, 1), held_back, config)
            gain, interval = difference(before, after)
            fast = int8.milliseconds(path, 384, 640)
            print(
                f"{scheme.name}: {gain:+.2f} points {interval}, {fast:.1f} ms, {slow / fast:.2f} times as fast"
            )
            if chosen is None and gain >= -args.loss and fast < slow:
                os.replace(path, args.model.with_name(f"{args.model.stem}.int8.onnx"))
                chosen = {
                    "scheme": scheme.name,
                    "map50_gain_points": gain,
                    "interval": interval,
                    "classes_compared": sorted(compared(before)),
                    "pictures": len(held_back),
                    "times_as_fast": round(slow / fast, 2),
                    "frames": len(frames),
                    "convolutions_in_float": len(kept),
                }
                if not args.all:
                    break
    return chosen


if __name__ == "__main__":
    main()
