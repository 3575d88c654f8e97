"""Train the reader of number plates, judge it on held-back plates, export it with its card.

    python scripts/train_plates.py train  scripts/configs/plates.yaml --data DATA --work WORK
    python scripts/train_plates.py export scripts/configs/plates.yaml --data DATA --work WORK --to MODEL.onnx
    python scripts/train_plates.py sheets scripts/configs/plates.yaml --data DATA --work WORK

Needs the `train` extra. See docs/models.md.
"""

from __future__ import annotations

import argparse
import copy
import datetime as dt
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml

from huoyan.perception import plate_grammar as grammar
from huoyan.perception.plate_shape import to_input
from training import plate_data, plate_net, plate_render


def say(text: str) -> None:
    print(f"{dt.datetime.now(tz=dt.UTC):%H:%M:%S} {text}", flush=True)


def train(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Train until the steps or the hours are over; the learning rate falls along a cosine to the end."""
    own = config["train"]
    torch.manual_seed(own["seed"])
    crops = plate_data.collect(config, args.data)
    taught = [c for c in crops if not c.held_back]
    held = [c for c in crops if c.held_back]
    say(f"{len(taught)} crops to train, {len(held)} held back")
    net = plate_net.PlateNet().to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=own["lr"], weight_decay=own["weight_decay"])
    done, best, seconds = 0, -1.0, 0.0
    last = args.work / "last.pt"
    if args.start:
        state = torch.load(args.start, weights_only=True)
        net.load_state_dict(state["net"])
        mean.load_state_dict(state["net"])
    if args.resume:
        state = torch.load(last, weights_only=True)
        net.load_state_dict(state["raw"])
        mean.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        done, best, seconds = state["steps"], state["best"], state["seconds"]
    # A resumed run must not see the same batches again.
    press = plate_render.Press(args.data / config["templates"], args.font)
    batches = plate_data.Batches(taught, press, own, own["seed"] + done)
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
        losses.append(_step(net, optimiser, batches))
        _follow(mean, net, min(0.998, (step + 1) / (step + 20)))
        final = step + 1 == args.steps
        if (step + 1) % args.every == 0 or final:
            exact = _report(mean, held, step + 1, losses, spent)
            losses.clear()
            state = {"net": mean.state_dict(), "steps": step + 1, "seconds": spent, "best": max(best, exact)}
            if exact >= best:
                best = exact
                torch.save(state, args.work / "best.pt")
            torch.save({**state, "raw": net.state_dict(), "optimiser": optimiser.state_dict()}, last)


def _step(net: plate_net.PlateNet, optimiser: torch.optim.Optimizer, batches: plate_data.Batches) -> float:
    net.train()
    images, texts, kinds, centres = batches.draw()
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = net(pictures.contiguous(memory_format=torch.channels_last))
    value = plate_net.loss(
        output, torch.from_numpy(texts), torch.from_numpy(kinds), torch.from_numpy(centres)
    )
    optimiser.zero_grad()
    value.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
    optimiser.step()
    return float(value.detach())


@torch.no_grad()
def _follow(mean: plate_net.PlateNet, net: plate_net.PlateNet, keep: float) -> None:
    """Move the running mean of the weights on; it reads better than any single step."""
    for slow, fast in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


def read(
    net: plate_net.PlateNet, crops: Sequence[plate_data.Labelled]
) -> list[tuple[grammar.Decoded, float]]:
    """What the network reads on each crop, with the confidence of its least sure character."""
    graph = plate_net.PlateGraph(net)
    answers = []
    with torch.inference_mode():
        for start in range(0, len(crops), 64):
            images = np.stack([to_input(c.image) for c in crops[start : start + 64]])
            characters, kinds = (t.numpy() for t in graph(torch.from_numpy(images)))
            for own, kind in zip(characters, kinds, strict=True):
                decoded = grammar.decode(own, kind)
                sure = min(float(own[slot, c]) for slot, c in enumerate(decoded.classes))
                answers.append((decoded, sure))
    return answers


def _report(
    net: plate_net.PlateNet, held: Sequence[plate_data.Labelled], step: int, losses: list[float], spent: float
) -> float:
    answers = read(net, held)
    right = [d.text == c.text for (d, _), c in zip(answers, held, strict=True)]
    kinds = [d.kind == c.kind for (d, _), c in zip(answers, held, strict=True)]
    other = [r for r, c in zip(right, held, strict=True) if c.kind not in ("blue", "yellow_single")]
    exact = sum(right) / max(1, len(right))
    wrong = [f"{c.text}>{d.text}" for (d, _), c, r in zip(answers, held, right, strict=True) if not r]
    say(
        f"step {step}: {spent:.0f} s, loss {np.mean(losses):.4f}, exact {exact:.4f}, kind {np.mean(kinds or [0]):.4f}, "
        f"rare {sum(other)}/{len(other)} {json.dumps(wrong[:8], ensure_ascii=False)}"
    )
    return exact


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("train",))
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--font", type=Path, help="TrueType font for the characters that the templates lack")
    parser.add_argument("--steps", type=int, default=100000)
    parser.add_argument(
        "--every", type=int, default=250, help="steps between two looks at the held-back plates"
    )
    parser.add_argument("--hours", type=float, help="stop after this time")
    parser.add_argument(
        "--rate", type=float, default=1.0, help="factor on the learning rate, for fine-tuning"
    )
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start", type=Path, help="checkpoint to begin from")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    config = yaml.safe_load(args.config.read_text(encoding="utf-8"))
    {"train": train}[args.command](config, args)


if __name__ == "__main__":
    main()
