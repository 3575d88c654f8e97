"""Train the dust classifier, cross-validate it by place, export it with its card.

    python scripts/train_dust.py validate scripts/configs/dust.yaml --data DATA --weights FOLDER --work WORK
    python scripts/train_dust.py train    scripts/configs/dust.yaml --data DATA --weights FOLDER --work WORK
    python scripts/train_dust.py export   scripts/configs/dust.yaml --data DATA --work WORK --to MODEL.onnx
    python scripts/train_dust.py sheets   scripts/configs/dust.yaml --data DATA --work WORK

`validate` trains once for each fold and keeps the scores of the pictures held back; `export` chooses the threshold
on them. Needs the `train` extra. See docs/models.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
import yaml

from training import dust_data, dust_scoring, export, lite0, sheets
from training.dust_data import CLASSES, Picture
from training.dust_net import STRIDE, DustGraph, DustNet, loss


def say(text: str) -> None:
    print(f"{dt.datetime.now(tz=dt.UTC):%H:%M:%S} {text}", flush=True)


@dataclass(frozen=True, slots=True)
class Crops:
    """Features of the frozen part for augmented crops of one canvas size, with what is known of them."""

    owners: torch.Tensor
    """Index of the picture of each crop."""
    features: torch.Tensor
    """float16 [n, 192, h, w]"""
    labels: torch.Tensor
    maps: torch.Tensor


def prepare(config: dict[str, Any], args: argparse.Namespace, pictures: Sequence[Picture]) -> list[Crops]:
    """Crops of all pictures through the frozen part; kept in the work folder.

    The crops of a picture depend on the seed and its name only.
    """
    kept = args.work / "crops.pt"
    key = [
        config["long_side"],
        config["train"]["seed"],
        [[p.path.name, p.labels, p.crops, p.plumes] for p in pictures],
    ]
    if kept.is_file():
        saved = torch.load(kept, weights_only=True)
        if saved["key"] == key:
            return [Crops(*parts) for parts in saved["crops"]]
    early = Frozen(args.weights / config["weights"])
    groups: dict[tuple[int, int], list[tuple[int, Any, Any, Any]]] = {}
    started = time.monotonic()
    for number, picture in enumerate(pictures):
        image = dust_data.read(picture.path)
        size = canvas(image.shape[0], image.shape[1], config["long_side"])
        rng = random.Random(f"{config['train']['seed']} {picture.path.name}")
        count = picture.crops + picture.plumes
        crops = [dust_data.augment(picture, image, size, rng, i >= picture.crops) for i in range(count)]
        features = early(np.stack([crop for crop, _, _ in crops]))
        cells = (size[0] // STRIDE, size[1] // STRIDE)
        for feature, (_, labels, boxes) in zip(features, crops, strict=True):
            told = [np.nan if value is None else value for value in labels]
            target = dust_data.target_map(boxes, labels, cells)
            groups.setdefault(size, []).append((number, feature, told, target))
        if number % 100 == 0:
            say(f"{number} of {len(pictures)} pictures cut, {time.monotonic() - started:.0f} s")
    result = [
        Crops(
            torch.tensor([row[0] for row in rows]),
            torch.stack([row[1] for row in rows]),
            torch.tensor([row[2] for row in rows], dtype=torch.float32),
            torch.from_numpy(np.stack([row[3] for row in rows])),
        )
        for rows in groups.values()
    ]
    crops_of = [(c.owners, c.features, c.labels, c.maps) for c in result]
    torch.save({"key": key, "crops": crops_of}, kept)
    return result


def canvas(height: int, width: int, long_side: int) -> tuple[int, int]:
    """Height and width of the crops of a picture: few sizes, so that batches can be formed."""
    short = round(long_side * 0.72 / STRIDE) * STRIDE
    middle = round(long_side * 0.86 / STRIDE) * STRIDE
    if width > 1.15 * height:
        return short, long_side
    return (long_side, short) if height > 1.15 * width else (middle, middle)


class Frozen:
    """The part of the network that is not trained, in ONNX Runtime: on a CPU a third faster than PyTorch."""

    def __init__(self, weights: Path) -> None:
        net = DustNet()
        net.load_encoder(weights)
        content = io.BytesIO()
        torch.onnx.export(
            net.trunk.eval(),
            (torch.zeros(1, 3, 64, 96),),
            content,
            input_names=["pictures"],
            output_names=["features"],
            dynamic_axes={"pictures": {0: "n", 2: "h", 3: "w"}},
            opset_version=export.OPSET,
            dynamo=False,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(content.getvalue(), options)

    def __call__(self, images: npt.NDArray[np.uint8]) -> torch.Tensor:
        """uint8 [n, height, width, 3] -> float16 [n, 192, height / 32, width / 32]."""
        pictures = (images.transpose(0, 3, 1, 2).astype(np.float32) - lite0.MEAN) / lite0.STD
        return torch.from_numpy(self._session.run(None, {"pictures": pictures})[0]).half()


def whole(
    config: dict[str, Any], args: argparse.Namespace, pictures: Sequence[Picture]
) -> list[torch.Tensor]:
    """Features of the frozen part for whole pictures; kept in the work folder."""
    kept = args.work / "whole.pt"
    names = [str(p.path) for p in pictures]
    if kept.is_file():
        saved = torch.load(kept, weights_only=True)
        if saved["names"] == names:
            return list(saved["features"])
    early = Frozen(args.weights / config["weights"])
    features = []
    for picture in pictures:
        image = fitted(dust_data.read(picture.path), config["long_side"])
        features.append(early(image[None])[0])
    torch.save({"names": names, "features": features}, kept)
    return features


def fitted(image: npt.NDArray[np.uint8], long_side: int) -> npt.NDArray[np.uint8]:
    """A whole picture as the runtime shows it to the model; see `huoyan.perception.dust`."""
    scale = long_side / max(image.shape[:2])
    size = [max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in image.shape[1::-1]]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def fit(
    config: dict[str, Any],
    args: argparse.Namespace,
    crops: Sequence[Crops],
    pictures: Sequence[Picture],
    chosen: npt.NDArray[np.bool_],
) -> DustNet:
    """Train the top on the crops of the chosen pictures."""
    own = config["train"]
    torch.manual_seed(own["seed"])
    rng = random.Random(own["seed"])
    net = DustNet(own["dropout"])
    net.load_encoder(args.weights / config["weights"])
    weights = torch.tensor(_weights(pictures, chosen), dtype=torch.float32)
    head = [*net.cells.parameters(), *net.whole.parameters()]
    optimiser = torch.optim.AdamW(
        [{"params": net.top.parameters(), "lr": own["top_lr"]}, {"params": head, "lr": own["lr"]}],
        weight_decay=own["weight_decay"],
    )
    rates = [group["lr"] for group in optimiser.param_groups]
    usable = [np.flatnonzero(chosen[c.owners.numpy()]) for c in crops]
    steps = args.epochs or own["epochs"]
    for epoch in range(steps):
        net.train()
        batches = _batches(usable, own["batch"], own["per_epoch"], rng)
        losses = []
        for number, (which, rows) in enumerate(batches):
            progress = (epoch + number / len(batches)) / steps
            factor = min(1.0, 0.1 + 10 * progress) * (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2)
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            part = crops[which]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = net.late(part.features[rows].float())
            value = loss(
                (logits[0].float(), logits[1].float()),
                part.labels[rows],
                part.maps[rows],
                weights[part.owners[rows]],
                own["cell_share"],
            )
            optimiser.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            losses.append(float(value.detach()))
        say(f"epoch {epoch + 1} of {steps}: loss {np.mean(losses):.4f}")
    return net.eval()


def _batches(
    usable: Sequence[npt.NDArray[np.intp]], size: int, most: int, rng: random.Random
) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """Canvas number and rows of each batch of an epoch of at most `most` crops."""
    shares = [len(rows) / max(1, sum(map(len, usable))) for rows in usable]
    batches = []
    for which, rows in enumerate(usable):
        order = rng.sample(rows.tolist(), min(len(rows), max(1, round(most * shares[which]))))
        batches += [(which, np.array(order[i : i + size])) for i in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def _weights(pictures: Sequence[Picture], chosen: npt.NDArray[np.bool_]) -> list[float]:
    """Of a crop of each picture: a picture counts the same however often it was cut, dust as much as no dust."""
    crops = np.array([p.crops + p.plumes for p in pictures])
    single = np.array([p.weight for p in pictures]) / crops
    dusty = np.array([p.labels[0] == 1 for p in pictures])
    total = (single * crops)[chosen]
    share = total[dusty[chosen]].sum() / total.sum()
    # Half way to even: dust is rare, but a false alarm costs as much as a miss.
    factor = (0.5 * (0.5 + share) / share, 0.5 * (1.5 - share) / (1 - share))
    scaled = single * np.where(dusty, *factor)
    return (scaled / np.average(scaled[chosen], weights=crops[chosen])).tolist()


def scores(net: DustNet, features: Sequence[torch.Tensor]) -> npt.NDArray[np.float64]:
    """Probabilities of each class for whole pictures, [n, classes]."""
    with torch.inference_mode():
        return np.array([net.late(f[None].float())[0][0].sigmoid().numpy() for f in features], dtype=float)


def validate(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Train once for each fold; write the scores of the pictures held back."""
    pictures = dust_data.collect(config, args.data)
    crops, features = prepare(config, args, pictures), whole(config, args, pictures)
    result = np.zeros((len(pictures), len(CLASSES)))
    for number, held in enumerate(dust_data.folds(pictures, config["judge"]["folds"]), start=1):
        chosen = np.ones(len(pictures), dtype=bool)
        chosen[held] = False
        net = fit(config, args, crops, pictures, chosen)
        result[held] = scores(net, [features[i] for i in held])
        mine = np.array([pictures[i].labels[0] == 1 for i in held])
        say(f"fold {number}: {dust_scoring.figures(result[held][:, 0], mine, 0.5)} at 0.5")
    np.savez(args.work / "held_back.npz", names=[str(p.path) for p in pictures], scores=result)
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
    """Train on every picture."""
    pictures = dust_data.collect(config, args.data)
    started = time.monotonic()
    crops = prepare(config, args, pictures)
    net = fit(config, args, crops, pictures, np.ones(len(pictures), dtype=bool))
    seconds = time.monotonic() - started
    torch.save({"net": net.state_dict(), "seconds": seconds}, args.work / "last.pt")
    say(f"trained in {seconds:.0f} s")


def export_model(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Export what was trained last; its threshold and figures are those of the folds."""
    pictures, held = _held_back(config, args)
    threshold, numbers = measure(config, pictures, held)
    saved = torch.load(args.checkpoint or args.work / "last.pt", weights_only=True)
    net = DustNet()
    net.load_state_dict(saved["net"])
    worst = export.write(
        DustGraph(net),
        ("images",),
        "scores",
        {0: "n"},
        args.to,
        ((288, 384), (384, 288), (64, 96)),
        {"cells": {0: "n", 2: "rows", 3: "columns"}},
    )
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
                "epochs": config["train"]["epochs"],
                "seconds": round(saved["seconds"]),
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


def _held_back(
    config: dict[str, Any], args: argparse.Namespace
) -> tuple[list[Picture], npt.NDArray[np.float64]]:
    """The pictures with their scores while held back, from `validate`."""
    pictures = dust_data.collect(config, args.data)
    saved = np.load(args.work / "held_back.npz")
    if list(saved["names"]) != [str(p.path) for p in pictures]:
        raise SystemExit(f"{args.work}/held_back.npz is of other pictures: run `validate` again")
    return pictures, saved["scores"]


def draw_sheets(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Contact sheets of misses, false alarms and the least sure hits, each with its score while held back."""
    pictures, held = _held_back(config, args)
    threshold, _ = measure(config, pictures, held)
    dusty = np.array([p.labels[0] == 1 for p in pictures])
    known = np.array([p.labels[0] is not None for p in pictures])
    score = held[:, 0]
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
    parser.add_argument("--epochs", type=int, help="default: the configuration's")
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
