"""Fine-tune a registered detector on labelled pictures of one's own.

    python scripts/finetune.py site-n PICTURES --to mycounty-n.onnx

PICTURES holds `images/`, `labels/` (YOLO text), `classes.txt`, and `labelled.csv` where not every picture is labelled
completely: the layout of `huoyan evaluate detector`. Names <camera>_<day>_<number> let whole cameras and days be held
back; they judge the model before and after. Starts from the ONNX file: no checkpoint is needed. Classes that the model
does not have yet are added to it. Writes the model, its card and the table of before and after; then
`huoyan models add mycounty-n.onnx` registers it. Needs the `train` extra. See docs/models.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import torch

import train_detector
from huoyan.perception import models
from training import data, export, own_pictures, scoring

ENOUGH = 15
"""Boxes in the held-back pictures from which a class gets a new threshold; below it keeps the old one."""


def configuration(
    model: models.Model, classes: Sequence[str], name: str, args: argparse.Namespace
) -> dict[str, Any]:
    """What `train_detector` must know. The old classes keep their order; new ones follow."""
    card = model.card
    known = [*card.classes, *(label for label in classes if label not in card.classes)]
    return {
        "name": name,
        "weights": f"{card.name} {card.version}",
        "summary": f"{card.summary}; fine-tuned on pictures of its own place".lstrip("; "),
        "classes": known,
        "sets": [],
        "limits": f"As of {card.name} {card.version}: {card.limits}".strip(),
        "licence": card.licence,
        # A picture with a rare class is shown twice.
        "repeat_below": 20,
        "train": {
            "imgsz": card.input.long_side,
            "batch": args.batch,
            # The backbone stays as it is and the rest moves slowly: what the pictures do not show is not forgotten.
            "freeze": 10,
            "lr0": 0.0003,
            "mosaic": 0.3,
            "close_mosaic": max(1, args.epochs // 3),
            "scale": 0.3,
            "degrees": 2.0,
            "hsv_v": 0.4,
            "degrade": 0.25,
            "seed": args.seed,
        },
        "judge": {"long_side": card.input.long_side, "nms_iou": card.nms_iou, "every": 1},
    }


def table(before: dict[str, Any], after: dict[str, Any], old_classes: Sequence[str]) -> str:
    """The table of before and after, in Markdown; the mean counts a class as 0 that the old model does not have."""
    lines = ["| class | boxes | pictures | AP before | AP after |", "| --- | --- | --- | --- | --- |"]
    for label, row in after["classes"].items():
        shown = f"{before['classes'][label]['ap']:.3f}" if label in old_classes else "–"
        few = "" if row["boxes"] >= ENOUGH else " (few)"
        lines.append(f"| {label} | {row['boxes']}{few} | {row['pictures']} | {shown} | {row['ap']:.3f} |")
    lines.append(f"| mean | | | {before['map']:.3f} | {after['map']:.3f} |")
    return "\n".join(lines)


def finished_card(
    card: dict[str, Any], model: models.Model, before: dict[str, Any], args: argparse.Namespace, number: int
) -> dict[str, Any]:
    """The card of `train_detector`, with what it started from; thresholds that few boxes would set stay."""
    judged = card["figures"]["classes"]
    old = model.card
    for label in card["classes"]:
        if label in old.classes and judged.get(label, {}).get("boxes", 0) < ENOUGH:
            card["thresholds"][label] = old.threshold(label)
    if old.second_look:
        card["second_look"] = old.second_look.model_dump(mode="json", exclude_none=True)
    card["figures"]["before"] = {
        "map50": before["map"],
        "classes": {label: row["ap"] for label, row in before["classes"].items()},
    }
    card["figures"]["split"] += ", and so was the epoch"
    training = card["figures"]["training"]
    training.pop("config")
    training |= {"script": "scripts/finetune.py", "pictures": number, "start_sha256": old.sha256}
    card["made_by"] = "scripts/finetune.py"
    card["data"] = [*old.data, f"{number} pictures of its own place"]
    return card


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="registered name or ONNX file of a float32 detector")
    parser.add_argument("pictures", type=Path, help="folder with images/, labels/ and classes.txt")
    parser.add_argument(
        "--to", type=Path, required=True, help="ONNX file to write; its name becomes the model's"
    )
    parser.add_argument("--models", type=Path, help="folder of registered models")
    parser.add_argument(
        "--work", type=Path, help="folder for checkpoints and copies; default a temporary one"
    )
    parser.add_argument("--held-back", action="append", default=[], help="group to judge by; may be repeated")
    parser.add_argument(
        "--share", type=float, default=0.2, help="of the pictures to hold back where none is named"
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr0", type=float, help="learning rate; default 0.0003")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--version", default="0.1.0")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        args.work = (args.work or Path(folder)).resolve()
        finetune(args)


def finetune(args: argparse.Namespace) -> None:
    """Divide, train, export, compare."""
    model = models.load(args.model, args.models)
    classes, pictures = own_pictures.read(args.pictures)
    pictures = own_pictures.hold_back(pictures, args.share, args.seed, args.held_back)
    held_back = [p for p in pictures if p.split == "val"]
    config = configuration(model, classes, args.to.stem, args)
    print(
        f"{len(pictures) - len(held_back)} pictures to train on; judged by {len(held_back)} of "
        f"{', '.join(sorted({p.source for p in held_back}))}"
    )
    before = figures(model.path, held_back, config, args)
    args.start, args.resume, args.hours, args.checkpoint, args.config = model.path, False, None, None, args.to
    train_detector.fit(config, args, pictures)
    args.to.parent.mkdir(parents=True, exist_ok=True)
    card = train_detector.best_model(config, args, pictures)
    after = figures(args.to, held_back, config, args)
    export.write_card(finished_card(card, model, before, args, len(pictures) - len(held_back)), args.to)
    print(table(before, after, model.card.classes))
    if after["map"] <= before["map"]:
        print("It did not get better: keep the old model, and label more pictures of what it misses.")
    print(f"{args.to} and its card are written; huoyan models add {args.to} registers the model")


def figures(
    model: Path, pictures: Sequence[data.Picture], config: dict[str, Any], args: argparse.Namespace
) -> dict[str, Any]:
    """Average precisions of an ONNX file on the held-back pictures."""
    tallies, _ = train_detector.judge(train_detector.onnx_raw(model, args.threads), pictures, config)
    return scoring.figures(tallies)


if __name__ == "__main__":
    main()
