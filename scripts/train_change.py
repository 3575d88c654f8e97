"""Train the change detector, judge it on held-back places, export it with its card.

    python scripts/train_change.py train  scripts/configs/change.yaml --data DATA --weights FOLDER --work WORK \
        [--more FOLDER]
    python scripts/train_change.py export scripts/configs/change.yaml --data DATA --work WORK --to MODEL.onnx
    python scripts/train_change.py sheets scripts/configs/change.yaml --data DATA --work WORK

Needs the `train` extra. See docs/models.md.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import datetime as dt
import json
import math
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import yaml

import training.ultralytics_env  # noqa: F401

# isort: split
# Only now: the network borrows blocks from Ultralytics.
from training import change_augment, change_data, change_net, change_scale, change_scoring, export

Floats = npt.NDArray[np.float32]


def say(text: str) -> None:
    print(f"{dt.datetime.now(tz=dt.UTC):%H:%M:%S} {text}", flush=True)


def train(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Train until the epochs or the hours are over; the learning rate falls along a cosine to the end."""
    own = config["train"]
    torch.manual_seed(own["seed"])
    rng = random.Random(own["seed"])
    pairs = change_data.collect(config, args.data, args.more)
    parts = {split: [p for p in pairs if p.split == split] for split in ("train", "val")}
    say(f"{len(parts['train'])} pairs to train, {len(parts['val'])} held back")
    net = change_net.ChangeNet(own["frozen_stages"])
    encoder = [p for p in net.stages.parameters() if p.requires_grad]
    others = [p for n, p in net.named_parameters() if not n.startswith("stages.")]
    optimiser = torch.optim.AdamW(
        [{"params": encoder, "lr": own["encoder_lr"]}, {"params": others, "lr": own["lr"]}],
        weight_decay=own["weight_decay"],
    )
    done, spent_before, best = 0, 0.0, -1.0
    last = args.work / "last.pt"
    saved = torch.load(last, weights_only=True) if args.resume else None
    if saved:
        net.load_state_dict(saved["training"])
        optimiser.load_state_dict(saved["optimiser"])
        done, spent_before, best = saved["epochs"], saved["seconds"], saved["best"]
    elif args.start:
        net.load_state_dict(torch.load(args.start, weights_only=True)["net"])
    else:
        say(f"{net.load_encoder(args.weights / config['weights'])} tensors of the encoder loaded")
    net = net.to(memory_format=torch.channels_last)
    mean = _Mean(net, own["mean_decay"])
    if saved:
        mean.net.load_state_dict(saved["net"])
        mean.steps = saved["steps"]
    started = time.monotonic()
    args.work.mkdir(parents=True, exist_ok=True)
    lender = change_augment.Lender(parts["train"])
    for number in range(done, args.epochs):
        # Progress counts in time where a time is set, so that the rate is low when the time is over.
        seconds = spent_before + time.monotonic() - started
        progress = max(number / args.epochs, seconds / 3600 / args.hours if args.hours else 0.0)
        if progress >= 1:
            break
        factor = (0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2) * (0.3 if number == 0 else 1.0)
        for group, name in zip(optimiser.param_groups, ("encoder_lr", "lr"), strict=True):
            group["lr"] = own[name] * factor
        lost = _one_epoch(net, mean, optimiser, change_data.epoch(parts["train"], rng), config, lender, rng)
        seconds = spent_before + time.monotonic() - started
        say(f"epoch {number + 1}: loss {lost:.3f}, {seconds:.0f} s")
        state = {"net": mean.net.state_dict(), "epochs": number + 1, "seconds": seconds}
        if parts["val"] and (number + 1) % config["judge"]["every"] == 0:
            chances = predict(mean.net, parts["val"])
            points = change_scoring.choose(
                chances, parts["val"], config["judge"]["most_quiet"], config["judge"]["as_good"]
            )
            numbers = change_scoring.measure(chances, parts["val"], points)
            say(f"held back: {points}, {json.dumps(numbers)}")
            worth = float(np.mean([numbers[name]["f1"] for name in ("coarse", "fine") if name in numbers]))
            if worth > best:
                best = worth
                torch.save(state, args.work / "best.pt")
        more = {
            "training": net.state_dict(),
            "steps": mean.steps,
            "optimiser": optimiser.state_dict(),
            "best": best,
        }
        torch.save({**state, **more}, last.with_suffix(".part"))
        last.with_suffix(".part").replace(last)


class _Mean:
    """Running mean of the weights: judged and shipped in place of the last step's."""

    def __init__(self, net: change_net.ChangeNet, decay: float) -> None:
        self.net = copy.deepcopy(net).eval()
        self.steps = 0
        self._decay = decay

    @torch.no_grad()
    def update(self, net: change_net.ChangeNet) -> None:
        self.steps += 1
        # The first steps weigh as much as later ones would not: forget them faster.
        decay = min(self._decay, self.steps / (self.steps + 10))
        for kept, new in zip(self.net.state_dict().values(), net.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


def _one_epoch(
    net: change_net.ChangeNet,
    mean: _Mean,
    optimiser: torch.optim.Optimizer,
    pairs: Sequence[change_data.Pair],
    config: dict[str, Any],
    lender: change_augment.Lender,
    rng: random.Random,
) -> float:
    own = config["train"]
    net.train()
    losses = []
    for start in range(0, len(pairs) - own["batch"] + 1, own["batch"]):
        chosen = pairs[start : start + own["batch"]]
        parts = [
            change_augment.augment(pair, config["augment"], config["gsd_m"], lender, rng) for pair in chosen
        ]
        before, after, changed = (np.stack(column) for column in zip(*parts, strict=True))
        # Half precision where the processor has it: the same figures in little more than half the time.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=own["half"]):
            answers = net.answers(_tensor(before), _tensor(after))
        coarse = torch.tensor([p.grain == "coarse" for p in chosen])
        value = change_net.loss(
            answers, torch.from_numpy(changed).float(), coarse, own["positive_weight"], own["side_weight"]
        )
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        mean.update(net)
        losses.append(float(value.detach()))
    return float(np.mean(losses))


def _tensor(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    # The order in memory stays that of the pictures, channels last: what convolutions like best.
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def predict(net: change_net.ChangeNet, pairs: Sequence[change_data.Pair]) -> list[Floats]:
    """Probability of change of each pair, [H, W]."""
    graph = change_net.ChangeGraph(net)
    return [_run(graph, pair).numpy() for pair in pairs]


def _run(graph: change_net.ChangeGraph, pair: change_data.Pair) -> Any:
    with torch.inference_mode():
        answer = graph(torch.from_numpy(pair.before[None]), torch.from_numpy(pair.after[None]))
    return answer[0] if graph.scale is None else tuple(part[0] for part in answer)


def _checkpoint(args: argparse.Namespace) -> tuple[change_net.ChangeNet, dict[str, Any]]:
    saved = torch.load(args.checkpoint or args.work / "best.pt", weights_only=True)
    net = change_net.ChangeNet()
    net.load_state_dict(saved["net"])
    return net, saved


def export_model(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Export the best checkpoint, choose its thresholds on held-back places, measure on the test tiles."""
    net, saved = _checkpoint(args)
    pairs = change_data.collect(config, args.data, args.more)
    learnt, held, test = ([p for p in pairs if p.split == split] for split in ("train", "val", "test"))
    scale = change_scale.fit(net, learnt, tuple(config["gsd_m"]), config["train"]["seed"])
    graph = change_net.ChangeGraph(net, scale)
    axes = {0: "n", 1: "height", 2: "width"}
    sizes = ((256, 256), (512, 352), (64, 96))
    further = {"gsd_m": {0: "n"}} if scale else None
    worst = export.write(graph, ("before", "after"), "change", axes, args.to, sizes, further)
    say(f"{args.to}: largest difference between PyTorch and ONNX Runtime {worst:.2g}")
    chances = predict(net, held)
    points = change_scoring.choose(chances, held, config["judge"]["most_quiet"], config["judge"]["as_good"])
    figures = {"held_back": change_scoring.measure(chances, held, points)}
    figures["test"] = change_scoring.measure(predict(net, test), test, points)
    if scale:
        figures["told_apart"] = {"held_back": _told_apart(graph, held), "test": _told_apart(graph, test)}
    # Fine pictures have the card's own point: where nothing is known, silence is the safer answer.
    own, coarse = points["fine"], points["coarse"]
    card = {
        "name": config["name"],
        "version": args.version,
        "task": "change",
        "summary": config["summary"],
        "input": {"gsd_m": config["gsd_m"]},
        "thresholds": {"default": own.threshold},
        "peak": own.peak,
        "points": [{"gsd_m": change_data.COARSE_M, **dataclasses.asdict(coarse)}],
        "figures": {
            "measure": "pixel precision, recall and F1, pooled over pairs, with a 95 % interval (pairs drawn again); "
            "quiet: pairs without change, quiet_marked: those in which something was marked; thresholds and peaks: "
            "the best on held-back places, for fine pairs and for coarse ones; told_apart: pairs whose pixel size the "
            "network takes for coarse or fine rightly, of all",
            **figures,
            "tensor": {"layout": "NHWC", "colour": "RGB", "dtype": "uint8", "stride": 32, "tile": 256},
            "training": {
                "script": "scripts/train_change.py",
                "config": f"scripts/configs/{args.config.name}",
                "weights": config["weights"],
                "epochs": saved["epochs"],
                "seconds": round(saved["seconds"]),
                "seed": config["train"]["seed"],
                "parity": float(f"{worst:.1g}"),
            },
        },
        "data": [entry["folder"] for entry in config["sets"]] + [folder.name for folder in args.more],
        "limits": config.get("limits", ""),
        "made_by": "scripts/train_change.py",
        "date": dt.date.today().isoformat(),
        "licence": config.get("licence", "AGPL-3.0-only"),
    }
    say(export.write_card(card, args.to).read_text(encoding="utf-8"))


def _told_apart(graph: change_net.ChangeGraph, pairs: Sequence[change_data.Pair]) -> dict[str, list[int]]:
    """Pairs of each source of which the network tells the grain, and all of them."""
    found: dict[str, list[int]] = {}
    for pair in pairs:
        counts = found.setdefault(f"{pair.source} {pair.gsd_m:g} m", [0, 0])
        guess = float(_run(graph, pair)[1])
        counts[0] += change_data.grain(guess) == pair.grain
        counts[1] += 1
    return found


def draw_sheets(config: dict[str, Any], args: argparse.Namespace) -> None:
    """Rows of before, after, and after in grey with hits green, misses orange, false alarms red.

    Held-back and test pairs from the most change to none, and every quiet pair in which something is marked.
    """
    net, _ = _checkpoint(args)
    pairs = [p for p in change_data.collect(config, args.data, args.more) if p.split in ("val", "test")]
    chances = predict(net, pairs)
    held = [n for n, p in enumerate(pairs) if p.split == "val"]
    points = change_scoring.choose(
        [chances[n] for n in held], [pairs[n] for n in held], config["judge"]["most_quiet"]
    )
    marked = [change_scoring.marked(c, points[p.grain]) for c, p in zip(chances, pairs, strict=True)]
    order = sorted(range(len(pairs)), key=lambda n: -int(pairs[n].changed.sum()))
    loud = [n for n in order if marked[n].any() and not pairs[n].changed.any()]
    busy = [n for n in order if pairs[n].changed.any()]
    folder = args.work / "sheets"
    folder.mkdir(parents=True, exist_ok=True)
    for kind, chosen in (("changed", busy[:: max(1, len(busy) // 36)]), ("quiet", loud)):
        for start in range(0, len(chosen), 12):
            rows = [_row(pairs[n], marked[n]) for n in chosen[start : start + 12]]
            rows += [np.zeros_like(rows[0])] * (-len(rows) % 2)
            left, right = rows[::2], rows[1::2]
            sheet = np.concatenate([np.concatenate(left), np.concatenate(right)], axis=1)
            path = folder / f"change_{kind}_{start // 12}.png"
            cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
            say(str(path))


def _row(pair: change_data.Pair, marked: change_data.Mask) -> change_data.Image:
    told = np.repeat(cv2.cvtColor(pair.after, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    colours = (
        (marked & pair.changed, (0, 200, 0)),
        (pair.changed & ~marked, (255, 150, 0)),
        (marked & ~pair.changed, (230, 0, 0)),
    )
    for mask, colour in colours:
        told[mask] = told[mask] // 2 + np.array(colour, dtype=np.uint8) // 2
    row = np.concatenate([pair.before, pair.after, told], axis=1)
    place, font = (4, 14), cv2.FONT_HERSHEY_SIMPLEX
    return np.asarray(cv2.putText(row, pair.name, place, font, 0.45, (255, 255, 0), 1), dtype=np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("train", "export", "sheets"))
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--weights", type=Path, default=Path(), help="folder of the base weights")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--hours", type=float, help="stop after this time")
    parser.add_argument("--more", type=Path, action="append", default=[], help="folder of further pairs")
    parser.add_argument("--start", type=Path, help="checkpoint to start from instead of the base weights")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, help="to export; default the best one")
    parser.add_argument("--to", type=Path, help="ONNX file to write")
    parser.add_argument("--version", default="0.1.0")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    config = yaml.safe_load(args.config.read_text(encoding="utf-8"))
    {"train": train, "export": export_model, "sheets": draw_sheets}[args.command](config, args)


if __name__ == "__main__":
    main()
