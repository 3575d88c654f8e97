"""Train the dust classifier, cross-validate it by place, export it with its card.

    python scripts/train_dust.py validate scripts/configs/dust.yaml --data DATA --weights FOLDER --work WORK
    python scripts/train_dust.py train    scripts/configs/dust.yaml --data DATA --weights FOLDER --work WORK
    python scripts/train_dust.py export   scripts/configs/dust.yaml --data DATA --work WORK --to MODEL.onnx
    python scripts/train_dust.py sheets   scripts/configs/dust.yaml --data DATA --work WORK

`validate` trains once for each fold and keeps the scores of the pictures held back; `train` and `export` take the scale
of the scores and the threshold from them. Needs the `train` extra. See docs/models.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
import yaml

from training import dust_data, dust_scoring, export, sheets
from training.dust_data import CLASSES, Picture
from training.dust_net import STRIDE, WIDTH, DustGraph, Encoder, Floats, platt, pool, ridge

# The score of a class that no picture is labelled for.
_NEVER = -10.0


def say(text: str) -> None:
    print(f"{dt.datetime.now(tz=dt.UTC):%H:%M:%S} {text}", flush=True)


@dataclass(frozen=True, slots=True)
class Rows:
    """Pooled features of pictures and of crops of them.

    Attributes:
        owners: index of the picture of each row, [n].
        crop: is it a crop, or the whole picture as the runtime sees it?
        features: [n, 2560].
        labels: 1, 0 or NaN where nobody knows, [n, classes].
    """

    owners: npt.NDArray[np.intp]
    crop: npt.NDArray[np.bool_]
    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]


def prepare(config: dict[str, Any], args: argparse.Namespace, pictures: Sequence[Picture]) -> Rows:
    """All pictures and their crops through the encoder; kept in the work folder.

    The crops of a picture depend on the seed and its name only.
    """
    kept = args.work / "rows.npz"
    seed, long_side = config["train"]["seed"], config["long_side"]
    key = json.dumps([seed, long_side, [[p.path.name, p.labels, p.crops, p.plumes] for p in pictures]])
    if kept.is_file():
        saved = np.load(kept)
        if str(saved["key"]) == key:
            return Rows(*(saved[name] for name in ("owners", "crop", "features", "labels")))
    encoder = Encoding(args.weights / config["weights"])
    owners, crop, features, labels = [], [], [], []
    started = time.monotonic()
    for number, picture in enumerate(pictures):
        image = dust_data.read(picture.path)
        size = canvas(image.shape[0], image.shape[1], long_side)
        rng = random.Random(f"{seed} {picture.path.name}")
        count = picture.crops + picture.plumes
        cut = [dust_data.augment(picture, image, size, rng, i >= picture.crops) for i in range(count)]
        shown = [(fitted(image, long_side), picture.labels)] + [(one, told) for one, told, _ in cut]
        for place, (one, told) in enumerate(shown):
            owners.append(number)
            crop.append(place > 0)
            features.append(encoder(one))
            labels.append([np.nan if value is None else value for value in told])
        if number % 100 == 0:
            say(f"{number} of {len(pictures)} pictures seen, {time.monotonic() - started:.0f} s")
    rows = Rows(
        np.array(owners, dtype=np.intp),
        np.array(crop),
        np.stack(features),
        np.array(labels, dtype=np.float32),
    )
    np.savez(kept, key=key, **{field.name: getattr(rows, field.name) for field in fields(rows)})
    return rows


class Encoding:
    """The encoder in ONNX Runtime, a third faster on a CPU than PyTorch: one picture to its pooled features."""

    def __init__(self, weights: Path) -> None:
        content = io.BytesIO()
        torch.onnx.export(
            Encoder(weights),
            (torch.zeros(1, 64, 96, 3, dtype=torch.uint8),),
            content,
            input_names=["images"],
            output_names=["features"],
            dynamic_axes={"images": {1: "h", 2: "w"}},
            opset_version=export.OPSET,
            dynamo=False,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(content.getvalue(), options)

    def __call__(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """uint8 [height, width, 3] -> [2560]."""
        features = self._session.run(None, {"images": image[None]})[0]
        return pool(torch.from_numpy(features))[0].numpy()


def canvas(height: int, width: int, long_side: int) -> tuple[int, int]:
    """Height and width of the crops of a picture."""
    short = round(long_side * 0.72 / STRIDE) * STRIDE
    middle = round(long_side * 0.86 / STRIDE) * STRIDE
    if width > 1.15 * height:
        return short, long_side
    return (long_side, short) if height > 1.15 * width else (middle, middle)


def fitted(image: npt.NDArray[np.uint8], long_side: int) -> npt.NDArray[np.uint8]:
    """A whole picture as the runtime shows it to the model; see `huoyan.perception.dust`."""
    scale = long_side / max(image.shape[:2])
    size = [max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in image.shape[1::-1]]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def fit(
    config: dict[str, Any], rows: Rows, pictures: Sequence[Picture], chosen: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Weights [classes, 2560] and offsets [classes] from the rows of the chosen pictures."""
    own = config["train"]
    crops = np.array([p.crops for p in pictures])
    weight = np.array([p.weight for p in pictures])[rows.owners]
    weight = np.where(rows.crop, weight / crops[rows.owners], weight)
    clean = np.array([p.labels[0] == 0 for p in pictures])[rows.owners]
    painted = rows.crop & clean & (rows.labels[:, 0] == 1)
    layers = []
    for number in range(len(CLASSES)):
        told = rows.labels[:, number]
        usable = chosen[rows.owners] & ~np.isnan(told)
        # A class is rare, but a miss costs as much as a false alarm.
        if not usable.any():
            layers.append((np.zeros(WIDTH), _NEVER))
            continue
        target = np.where(told[usable] == 1, 1.0, -1.0)
        emphasis = np.where(target == 1, own["present_weight"], 1.0)
        emphasis[painted[usable]] = own["painted_weight"]
        layers.append(ridge(rows.features[usable], target, weight[usable] * emphasis, own["ridge"]))
    return np.stack([direction for direction, _ in layers]), np.array([offset for _, offset in layers])


def validate(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Train once for each fold; write the probabilities of the pictures held back."""
    pictures = dust_data.collect(config, args.data)
    rows = prepare(config, args, pictures)
    whole = rows.features[~rows.crop]
    raw = np.zeros((len(pictures), len(CLASSES)))
    for number, held in enumerate(dust_data.folds(pictures, config["judge"]["folds"]), start=1):
        chosen = np.ones(len(pictures), dtype=bool)
        chosen[held] = False
        directions, offsets = fit(config, rows, pictures, chosen)
        raw[held] = whole[held] @ directions.T + offsets
        say(f"fold {number}: {len(held)} pictures judged")
    told = rows.labels[~rows.crop]
    weight = np.array([p.weight for p in pictures])
    scale = []
    for number in range(len(CLASSES)):
        known = ~np.isnan(told[:, number])
        if not known.any():
            scale.append((1.0, 0.0))
            continue
        scale.append(platt(raw[known, number], told[known, number] == 1, weight[known]))
    slopes, shifts = np.array(scale).T
    result = 1 / (1 + np.exp(-(raw * slopes + shifts)))
    names = [str(p.path) for p in pictures]
    np.savez(args.work / "held_back.npz", names=names, scores=result, slopes=slopes, shifts=shifts)
    threshold, numbers = measure(config, pictures, result)
    say(f"threshold {threshold:.3f}")
    for name, row in numbers.items():
        say(f"{name}: {row}")


def measure(
    config: dict[str, Any], pictures: Sequence[Picture], found: npt.NDArray[np.float64]
) -> tuple[float, dict[str, Any]]:
    """Threshold for dust, and figures by kind of picture, from scores of pictures held back."""
    dusty = np.array([p.labels[0] == 1 for p in pictures])
    known = np.array([p.labels[0] is not None for p in pictures])
    part = {name: known & np.array([p.part == name for p in pictures]) for name in {p.part for p in pictures}}
    main = part[config["judge"]["threshold_on"]]
    threshold = dust_scoring.choose(found[main, 0], dusty[main], config["judge"]["most_false"])
    rows = {
        name: dust_scoring.with_intervals(found[mask, 0], dusty[mask], threshold)
        for name, mask in sorted(part.items())
    }
    return threshold, rows


def train(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Train on every picture; scores become probabilities as the held-back ones did."""
    pictures, held = _held_back(config, args)
    started = time.monotonic()
    rows = prepare(config, args, pictures)
    directions, offsets = fit(config, rows, pictures, np.ones(len(pictures), dtype=bool))
    weights, shifts = directions * held["slopes"][:, None], offsets * held["slopes"] + held["shifts"]
    np.savez(args.work / "last.npz", weights=weights, offsets=shifts)
    say(f"trained in {time.monotonic() - started:.0f} s")


def export_model(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Export what was trained last; its threshold and figures are those of the folds."""
    pictures, held = _held_back(config, args)
    threshold, numbers = measure(config, pictures, held["scores"])
    layer = np.load(args.checkpoint or args.work / "last.npz")
    weights, offsets = (torch.from_numpy(layer[name]).float() for name in ("weights", "offsets"))
    graph = DustGraph(Encoder(args.weights / config["weights"]), weights, offsets)
    sizes = ((288, 384), (384, 288), (64, 96))
    export.write(
        graph,
        ("images",),
        "scores",
        {0: "n"},
        args.to,
        sizes,
        {"cells": {0: "n", 2: "rows", 3: "columns"}},
    )
    export.halve(args.to)
    worst = export.parity(graph, args.to, ("images",), sizes)
    say(f"{args.to}: largest difference between PyTorch and ONNX Runtime {worst:.2g}")
    judge = config["judge"]
    card = {
        "name": config["name"],
        "version": args.version,
        "task": "classify",
        "summary": config["summary"],
        "classes": list(CLASSES),
        "input": {"long_side": config["long_side"]},
        "thresholds": {"default": 0.5, "dust": round(threshold, 3)},
        "doubt": judge["doubt"],
        "figures": {
            "measure": (
                f"dust or not, whole pictures, {judge['folds']} folds by place; value, then 95 % interval over pictures"
                f" drawn again. The threshold was chosen on the held-back pictures of '{judge['threshold_on']}'"
            ),
            "held_back": numbers,
            "tensor": {"layout": "NHWC", "colour": "RGB", "dtype": "uint8", "stride": STRIDE},
            "training": {
                "script": "scripts/train_dust.py",
                "config": f"scripts/configs/{args.config.name}",
                "weights": config["weights"],
                "seed": config["train"]["seed"],
                "parity": float(f"{worst:.1g}"),
            },
        },
        "data": [entry["folder"] for entry in config["sets"]],
        "limits": config.get("limits", ""),
        "made_by": "scripts/train_dust.py",
        "date": dt.date.today().isoformat(),
        "licence": config.get("licence", "AGPL-3.0-only"),
    }
    say(export.write_card(card, args.to).read_text(encoding="utf-8"))


def _held_back(config: dict[str, Any], args: argparse.Namespace) -> tuple[list[Picture], dict[str, Any]]:
    """The pictures, and what `validate` found while they were held back."""
    pictures = dust_data.collect(config, args.data)
    kept = args.work / "held_back.npz"
    if not kept.is_file() or list(np.load(kept)["names"]) != [str(p.path) for p in pictures]:
        raise SystemExit(f"{kept} is missing or of other pictures: run `validate` first")
    return pictures, dict(np.load(kept))


def draw_sheets(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Contact sheets of misses, false alarms and the least sure hits, each with its score while held back."""
    pictures, held = _held_back(config, args)
    threshold, _ = measure(config, pictures, held["scores"])
    dusty = np.array([p.labels[0] == 1 for p in pictures])
    known = np.array([p.labels[0] is not None for p in pictures])
    score = held["scores"][:, 0]
    kinds = {
        "misses": np.flatnonzero(known & dusty & (score < threshold)),
        "false": np.flatnonzero(known & ~dusty & (score >= threshold)),
        "hits": np.flatnonzero(known & dusty & (score >= threshold)),
    }
    for name, indices in kinds.items():
        order = sorted(indices.tolist(), key=lambda i: score[i] * (-1 if name == "false" else 1))
        cells = [
            (dust_data.read(pictures[i].path), f"{pictures[i].path.stem} {score[i]:.2f}") for i in order[:40]
        ]
        if cells:
            path = sheets.plain(cells, args.work / "sheets" / f"{name}.png")
            say(f"{len(indices)} {name}: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("validate", "train", "export", "sheets"))
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--weights", type=Path, default=Path(), help="folder of the base weights")
    parser.add_argument("--work", type=Path, required=True, help="folder for features and checkpoints")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, help="to export; default the last one trained")
    parser.add_argument("--to", type=Path, help="ONNX file to write")
    parser.add_argument("--version", default="0.1.0")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load(args.config.read_text(encoding="utf-8"))
    commands = {"validate": validate, "train": train, "export": export_model, "sheets": draw_sheets}
    commands[args.command](config, args)


if __name__ == "__main__":
    main()
