"""Train a detector, judge it on held-back scenes, export it with its card.

    python scripts/train_detector.py train  scripts/configs/site.yaml --data DATA --weights FOLDER --hours 0.7
    python scripts/train_detector.py train  scripts/configs/site.yaml ... --resume
    python scripts/train_detector.py export scripts/configs/site.yaml --data DATA --to models/site-n.onnx
    python scripts/train_detector.py sheets scripts/configs/site.yaml --data DATA --model models/site-n.onnx

Needs the `train` extra. See docs/models.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml

import training.ultralytics_env  # noqa: F401

# isort: split
# Only now: see there.
from ultralytics import YOLO
from ultralytics.data.augment import Compose, Mosaic
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import LOGGER

from training import data, degrade, export, from_onnx, masked_loss, scoring, sheets, teacher

INTERVALS = 1000
"""Resamples of the pictures behind the 95 % intervals of a card."""


def gather(config: dict[str, Any], args: argparse.Namespace) -> list[data.Picture]:
    """Gather the pictures, check the split, let the teacher complete common classes."""
    pictures = data.collect(config, args.data, args.more)
    leaks = data.shared_scenes(pictures, config.get("scenes", ()))
    if leaks:
        raise ValueError(f"scenes in both splits: {leaks}")
    if rule := config.get("teacher"):
        pictures = _taught(pictures, rule, args.weights, args.work / "teacher.json")
    return pictures


def _taught(
    pictures: Sequence[data.Picture], rule: dict[str, Any], weights: Path, cache: Path
) -> list[data.Picture]:
    seen: dict[str, list[Any]] = json.loads(cache.read_text(encoding="utf-8")) if cache.exists() else {}
    missing = [p for p in pictures if p.key not in seen and not teacher.blind(p, rule)]
    if missing:
        model = YOLO(weights / rule["weights"])
        wanted = [n for n, label in model.names.items() if label in rule["classes"]]
        for picture in missing:
            result = model.predict(
                picture.path, imgsz=rule["long_side"], conf=rule["unsure"], classes=wanted, verbose=False
            )[0]
            rows = zip(result.boxes.cls, result.boxes.conf, result.boxes.xywhn.tolist(), strict=True)
            seen[picture.key] = [[model.names[int(c)], float(s), *box] for c, s, box in rows]
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(json.dumps(seen), encoding="utf-8")
    return [
        teacher.complete(
            p, [(row[0], row[1], data.Box(row[0], *row[2:])) for row in seen.get(p.key, ())], rule
        )
        for p in pictures
    ]


def read_rgb(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture as uint8 RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path}: cannot be read as a picture")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def judge(
    raw: scoring.Raw, pictures: Sequence[data.Picture], config: dict[str, Any]
) -> tuple[dict[str, list[scoring.Tally]], list[scoring.Found]]:
    """Tallies by class of the held-back pictures, and what was found in each."""
    how = config["judge"]
    found = [scoring.detect(raw, read_rgb(p.path), how["long_side"], how["nms_iou"]) for p in pictures]
    return scoring.tallies(pictures, found, config["classes"], config.get("soft_iou", {})), found


class Trainer(DetectionTrainer):
    """Ultralytics' trainer with the masked loss, the mosaic that keeps to it, and our own judgement."""

    config: dict[str, Any]
    held_back: list[data.Picture]
    known: dict[str, torch.Tensor]

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        model = masked_loss.MaskedModel(cfg, nc=self.data["nc"], ch=self.data["channels"], verbose=False)
        self.set_model_names_for_load(model)
        if weights:
            model.load(weights)
        model.known = self.known
        model.in_bfloat16 = bool(self.config["train"].get("bfloat16"))
        model.excludes = masked_loss.exclusion(self.config["classes"], self.config.get("compatible", ()))
        return model.to(memory_format=torch.channels_last)

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        # Halves the forward pass on a CPU; the numbers stay the same.
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        dataset = super().build_dataset(img_path, mode, batch)
        if mode == "train":
            build = dataset.build_transforms
            dataset.build_transforms = lambda hyp=None: self._adapted(build(hyp), dataset, hyp)
            dataset.transforms = self._adapted(dataset.transforms, dataset, self.args)
        return dataset

    def _adapted(self, chain: Any, dataset: Any, hyp: Any) -> Any:
        first = chain.transforms[0]
        if isinstance(first, Compose) and isinstance(first.transforms[0], Mosaic):
            first.transforms[0] = masked_loss.KnownMosaic(dataset, dataset.imgsz, hyp.mosaic, self.known)
        own = self.config["train"]
        chain.insert(len(chain.transforms) - 1, degrade.Degrade(own["degrade"], own["seed"]))
        return chain

    def validate(self) -> tuple[dict[str, float], float]:
        """Score the averaged weights on the held-back pictures every few epochs, and at the end."""
        last = self.stop or self.epoch + 1 >= self.epochs
        if (self.epoch + 1) % self.config["judge"]["every"] and not last:
            return self.metrics, -1.0
        model = self.ema.ema.eval()
        per_class, _ = judge(torch_raw(model), self.held_back, self.config)
        numbers = scoring.figures(per_class)
        LOGGER.info(f"epoch {self.epoch + 1}: {json.dumps(numbers)}")
        self.metrics = {"metrics/map": numbers["map"]}
        if self.best_fitness is None or numbers["map"] > self.best_fitness:
            self.best_fitness = numbers["map"]
        return self.metrics, numbers["map"]

    def final_eval(self) -> None:
        """Nothing more: `validate` judged the last epoch, and `export` judges what is shipped."""


def torch_raw(model: Any) -> scoring.Raw:
    """A PyTorch model as the detector that `scoring` knows."""

    def raw(images: np.ndarray[Any, np.dtype[np.uint8]]) -> scoring.Floats:
        with torch.inference_mode():
            pictures = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
            output = model(pictures)
            output = (output[0] if isinstance(output, tuple) else output).transpose(1, 2).numpy()
        half = output[..., 2:4] / 2
        corners = [output[..., :2] - half, output[..., :2] + half, output[..., 4:]]
        return np.concatenate(corners, axis=2).astype(np.float32)

    return raw


def onnx_raw(path: Path, threads: int) -> scoring.Raw:
    """An exported model as the detector that `scoring` knows."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def train(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Train until the epochs or the hours are over; `--resume` goes on from the last checkpoint."""
    fit(config, args, gather(config, args))


def fit(config: dict[str, Any], args: argparse.Namespace, pictures: Sequence[data.Picture]) -> None:
    """Train on the pictures of the split `train`, judged on those of `val`."""
    own = config["train"]
    data.write_yolo(pictures, config["classes"], args.work / "pictures", config.get("repeat_below", 0))
    LOGGER.info(f"{sum(p.split == 'train' for p in pictures)} pictures to train, {len(pictures)} in all")
    Trainer.config = config
    Trainer.held_back = [p for p in pictures if p.split == "val"]
    Trainer.known = masked_loss.read_known(args.work / "pictures" / "known.json", len(config["classes"]))
    last = args.work / "run" / "weights" / "last.pt"
    start = args.start or args.weights / config["weights"]
    if start.suffix == ".onnx" and not args.resume:
        start = unpack(start, pictures, config, args.work / "start.pt")
    trainer = Trainer(
        overrides={
            "model": str(last if args.resume else start),
            "resume": str(last) if args.resume else False,
            "data": str(args.work / "pictures" / "data.yaml"),
            "project": str(args.work),
            "name": "run",
            "exist_ok": True,
            "epochs": args.epochs,
            "time": args.hours,
            "imgsz": own["imgsz"],
            "batch": own["batch"],
            "optimizer": "AdamW",
            "lr0": args.lr0 or own["lr0"],
            "lrf": 0.02,
            "cos_lr": True,
            # Going on from a trained model needs no long warm-up.
            "warmup_epochs": 0.1 if args.start else 1.0,
            "weight_decay": 0.0005,
            "freeze": own["freeze"],
            "mosaic": own["mosaic"],
            "close_mosaic": own["close_mosaic"],
            "scale": own["scale"],
            "degrees": own["degrees"],
            "hsv_v": own["hsv_v"],
            "seed": own["seed"],
            "device": args.device,
            "workers": 0,
            "cache": "ram",
            "amp": False,
            "plots": False,
        }
    )
    trainer.train()


def unpack(model: Path, pictures: Sequence[data.Picture], config: dict[str, Any], target: Path) -> Path:
    """A checkpoint to start from, made of an exported model and settled on pictures to train on."""
    card = yaml.safe_load(model.with_name(f"{model.stem}.card.yaml").read_text(encoding="utf-8"))
    network = from_onnx.read(model, card["classes"])
    shown = [p for p in pictures if p.split == "train"]
    shown = random.Random(config["train"]["seed"]).sample(shown, min(len(shown), 64))
    canvases = (scoring.letterbox(read_rgb(p.path), config["train"]["imgsz"])[0] for p in shown)
    from_onnx.settle(network, (torch.from_numpy(c[None]).permute(0, 3, 1, 2).float() / 255 for c in canvases))
    return from_onnx.checkpoint(network, target)


def export_model(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Export the best checkpoint, judge the ONNX file on the held-back pictures, write its card."""
    path = export.write_card(best_model(config, args, gather(config, args)), args.to)
    LOGGER.info(path.read_text(encoding="utf-8"))


def best_model(
    config: dict[str, Any], args: argparse.Namespace, pictures: Sequence[data.Picture]
) -> dict[str, Any]:
    """Export the best checkpoint; returns what its card is to say."""
    checkpoint = args.checkpoint or args.work / "run" / "weights" / "best.pt"
    saved = torch.load(checkpoint, map_location="cpu", weights_only=False)
    graph = export.DetectorGraph(saved.get("ema") or saved["model"])
    axes = {0: "n", 1: "anchors"}
    worst = export.write(graph, ("images",), "predictions", axes, args.to)
    LOGGER.info(f"{args.to}: largest difference between PyTorch and ONNX Runtime {worst:.2g}")
    # What is judged and shipped is the small file.
    export.halve(args.to)
    pictures = [p for p in pictures if p.split == "val"]
    per_class, _ = judge(onnx_raw(args.to, args.threads), pictures, config)
    results = args.work / "run" / "results.csv"
    seconds = (
        float(results.read_text(encoding="utf-8").splitlines()[-1].split(",")[1]) if results.exists() else 0
    )
    training = {
        "script": "scripts/train_detector.py",
        "config": f"scripts/configs/{args.config.name}",
        "weights": config["weights"],
        "epochs": int(saved.get("epoch", -1)) + 1,
        "seed": config["train"]["seed"],
        "image_size": config["train"]["imgsz"],
        "seconds": round(seconds),
        "parity": float(f"{worst:.1g}"),
    }
    return detector_card(config, per_class, len(pictures), training, args.version)


def detector_card(
    config: dict[str, Any],
    per_class: dict[str, list[scoring.Tally]],
    pictures: int,
    training: dict[str, Any],
    version: str,
) -> dict[str, Any]:
    """Everything the card of a detector says, but the digest."""
    thresholds: dict[str, float] = {}
    second: dict[str, float] = {}
    numbers = scoring.figures(per_class, intervals=INTERVALS)
    for label in config["classes"]:
        if label not in per_class:
            thresholds[label], second[label] = 0.5, 0.25
            continue
        curve = scoring.pool(per_class[label])
        point = scoring.operating_point(curve, quiet=scoring.quiet_score(per_class[label]))
        thresholds[label] = config.get("thresholds", {}).get(label, point.pop("score"))
        second[label] = scoring.second_look_score(curve, thresholds[label])
        numbers["classes"][label] |= {k: v for k, v in point.items() if k != "score"}
    return {
        "name": config["name"],
        "version": version,
        "task": "detect",
        "summary": config["summary"],
        "classes": list(config["classes"]),
        "input": {"long_side": config["judge"]["long_side"]},
        "thresholds": thresholds,
        "nms_iou": config["judge"]["nms_iou"],
        "second_look": {"low": round(float(np.median(list(second.values()))), 2)},
        "figures": {
            "split": f"{pictures} pictures of held-back scenes; thresholds were chosen on the same",
            "measure": "average precision at IoU 0.5 (0.3 for soft_iou classes); unlabelled classes left out",
            "map50": numbers["map"],
            "map50_interval": numbers["map_interval"],
            "classes": numbers["classes"],
            "second_look": second,
            "tensor": {
                "layout": "NHWC",
                "colour": "RGB",
                "dtype": "uint8",
                "stride": 32,
                "output": "xyxy + scores",
            },
            "training": training,
        },
        "data": [entry["folder"] for entry in config["sets"] if entry.get("split") != "val"],
        "limits": config.get("limits", ""),
        "made_by": "scripts/train_detector.py",
        "date": dt.date.today().isoformat(),
        "licence": config.get("licence", "AGPL-3.0-only"),
    }


def draw_sheets(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Contact sheets of the held-back pictures: hits, misses, false alarms."""
    pictures = [p for p in gather(config, args) if p.split == "val"]
    per_class, found = judge(onnx_raw(args.model, args.threads), pictures, config)
    points = {
        label: scoring.operating_point(scoring.pool(rows), quiet=scoring.quiet_score(rows))["score"]
        for label, rows in per_class.items()
    }
    for path in sheets.write(pictures, found, config["classes"], points, read_rgb, args.work / "sheets"):
        LOGGER.info(str(path))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("train", "export", "sheets"))
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument(
        "--more", type=Path, action="append", default=[], help="folder of further pictures; may be repeated"
    )
    parser.add_argument("--weights", type=Path, default=Path(), help="folder of the base weights")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and copies")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--hours", type=float, help="stop after this time; epochs follow from it")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start", type=Path, help="a checkpoint or exported model to start from")
    parser.add_argument("--lr0", type=float, help="instead of the configuration's")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, help="to export; default the best one")
    parser.add_argument("--to", type=Path, help="ONNX file to write")
    parser.add_argument("--model", type=Path, help="ONNX file to draw sheets of")
    parser.add_argument("--version", default="0.1.0")
    args = parser.parse_args()
    args.work = args.work.resolve()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    started = time.monotonic()
    {"train": train, "export": export_model, "sheets": draw_sheets}[args.command](
        data.read_config(args.config), args
    )
    LOGGER.info(f"{args.command}: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
