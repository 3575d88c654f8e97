"""Train what reads number plates and what finds them, judge both on what is held back, export them with cards.

    python scripts/train_plates.py train  scripts/configs/plates.yaml --data DATA --work WORK
    python scripts/train_plates.py export scripts/configs/plates.yaml --data DATA --work WORK --to MODEL.onnx
    python scripts/train_plates.py sheets scripts/configs/plates.yaml --data DATA --work WORK

`--part corners` does the same for the finder. Needs the `train` extra. See docs/models.md.
"""

from __future__ import annotations

import argparse
import copy
import datetime as dt
import math
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml

from training import export, plate_sheets, plate_tasks
from training.plate_tasks import Task

_FROM_NOTHING = "none: from random ones"


def say(text: str) -> None:
    print(f"{dt.datetime.now(tz=dt.UTC):%H:%M:%S} {text}", flush=True)


def train(config: dict[str, Any], task: Task, args: argparse.Namespace) -> None:
    """Train until the steps or the hours are over; the learning rate falls along a cosine to the end.

    What is judged and exported is the running mean of the weights.
    """
    own = task.settings
    torch.manual_seed(own["seed"])
    net = task.net.to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=own["lr"], weight_decay=own["weight_decay"])
    done, best, seconds, begun = 0, -1.0, 0.0, _FROM_NOTHING
    last = args.work / "last.pt"
    if args.start:
        state = torch.load(args.start, weights_only=True)
        net.load_state_dict(state["net"])
        mean.load_state_dict(state["net"])
        begun = f"those of {args.start.name}, {state['steps']} steps"
    if args.resume:
        state = torch.load(last, weights_only=True)
        net.load_state_dict(state["raw"])
        mean.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        done, best, seconds = state["steps"], state["best"], state["seconds"]
        begun = state.get("begun", begun)
    # A resumed run must not see the same batches again.
    say(task.begin(own["seed"] + done, knows=bool(args.start or args.resume)))
    args.work.mkdir(parents=True, exist_ok=True)
    started, losses = time.monotonic(), []
    for step in range(done, args.steps):
        spent = seconds + time.monotonic() - started
        # Progress counts in time where a time is set, so that the rate is low when the time is over.
        progress = max(step / args.steps, spent / 3600 / args.hours if args.hours else 0.0)
        if progress >= 1:
            break
        warm = min(1.0, (step + 1) / 200)
        for group in optimiser.param_groups:
            group["lr"] = (
                own["lr"] * args.rate * warm * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)
            )
        net.train()
        value = task.step(net)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        losses.append(float(value.detach()))
        _follow(mean, net, min(0.998, (step + 1) / (step + 20)))
        if (step + 1) % args.every == 0 or step + 1 == args.steps:
            figure, line = task.judge(mean)
            say(f"step {step + 1}: {spent:.0f} s, loss {np.mean(losses):.4f}, {line}")
            losses.clear()
            state = {"net": mean.state_dict(), "steps": step + 1, "seconds": spent, "best": max(best, figure)}
            state["begun"] = begun
            if figure >= best:
                best = figure
                torch.save(state, args.work / "best.pt")
            torch.save({**state, "raw": net.state_dict(), "optimiser": optimiser.state_dict()}, last)


@torch.no_grad()
def _follow(mean: torch.nn.Module, net: torch.nn.Module, keep: float) -> None:
    """Move the running mean of the weights on; it reads better than any single step."""
    for slow, fast in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


def _checkpoint(task: Task, args: argparse.Namespace) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(args.checkpoint or args.work / "best.pt", weights_only=True)
    task.net.load_state_dict(state["net"])
    return state


def export_model(config: dict[str, Any], task: Task, args: argparse.Namespace) -> None:
    """Export the best checkpoint, choose its threshold and measure it on what is held back."""
    part = config.get(args.part, config)
    state = _checkpoint(task, args)
    worst, own = task.export(task.net, args.to)
    say(f"{args.to}: largest difference between PyTorch and ONNX Runtime {worst:.2g}")
    own["figures"]["training"] = {
        "script": "scripts/train_plates.py",
        "config": f"scripts/configs/{args.config.name}",
        "weights": state.get("begun", _FROM_NOTHING),
        "steps": state["steps"],
        "batch": task.settings["batch"],
        "seconds": round(state["seconds"]),
        "seed": task.settings["seed"],
        "parity": float(f"{worst:.1g}"),
    }
    card = {
        "name": part["name"],
        "version": args.version,
        "summary": part["summary"],
        **own,
        "data": [*part.get("crops", ()), *part.get("scenes", ()), config["templates"]],
        "limits": part.get("limits", ""),
        "made_by": "scripts/train_plates.py",
        "date": dt.date.today().isoformat(),
        "licence": config.get("licence", "AGPL-3.0-only"),
    }
    say(export.write_card(card, args.to).read_text(encoding="utf-8"))


def draw_sheets(config: dict[str, Any], task: Task, args: argparse.Namespace) -> None:
    """Contact sheets of held-back pictures: what is wrong, and what is right."""
    _checkpoint(task, args)
    folder = args.work / "sheets"
    folder.mkdir(parents=True, exist_ok=True)
    tiles = task.tiles(task.net)
    for name, wanted in (("wrong", False), ("right", True)):
        chosen = [(caption, image) for caption, image, right in tiles if right is wanted]
        for path in plate_sheets.write(chosen, folder, f"{args.part}_{name}", args.font):
            say(str(path))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("train", "export", "sheets"))
    parser.add_argument("config", type=Path)
    parser.add_argument("--part", choices=("reader", "corners"), default="reader")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument(
        "--more",
        type=Path,
        action="append",
        default=[],
        help="further folder with crops/ and labels.csv that teaches the reader; may be repeated",
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--font", type=Path, help="TrueType font for the characters that the templates lack")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--every", type=int, default=250, help="steps between two looks at what is held back")
    parser.add_argument("--hours", type=float, help="stop after this time")
    parser.add_argument(
        "--rate", type=float, default=1.0, help="factor on the learning rate, for fine-tuning"
    )
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start", type=Path, help="checkpoint to begin from")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, help="to export; default the best one")
    parser.add_argument("--to", type=Path, help="ONNX file to write")
    parser.add_argument("--version", default="0.1.0")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    config = yaml.safe_load(args.config.read_text(encoding="utf-8"))
    task: Task
    if args.part == "reader":
        task = plate_tasks.Reader(config, args.data, args.font, args.more)
    else:
        task = plate_tasks.Corners(config, args.data, args.font)
    {"train": train, "export": export_model, "sheets": draw_sheets}[args.command](config, task, args)


if __name__ == "__main__":
    main()
