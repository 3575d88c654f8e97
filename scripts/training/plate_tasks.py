"""The two things that `train_plates.py` trains: what each draws, what it is told, and how it is judged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch

from huoyan.perception import plate_grammar as grammar
from huoyan.perception import plate_views, plate_vote
from huoyan.perception.plate_shape import INPUT_HEIGHT, INPUT_WIDTH, to_input
from training import (
    bootstrap,
    export,
    plate_corner_net,
    plate_data,
    plate_net,
    plate_passages,
    plate_render,
    plate_scenes,
)
from training.plate_splice import Placed, Splicer

Floats = npt.NDArray[np.float32]
Figures = dict[str, Any]
Vote = tuple[str, plate_vote.PlateVote]
"""The text of a plate, and what a vote over its passage says."""

# Of the plates that are told, so many must be right.
_RIGHT_OF_TOLD = 0.995
_RIGHT_OF_TOLD_RENDERED = 0.99
_RENDERED_EACH = 100
# Of the passages that are told, so many must be right: of rendered plates, and of taught crops with characters of
# others, which are harder than real ones (seams, rare characters). Plate-reader 0.2.0 had this share there at the
# threshold at which 0.994 were right of what it told of held-back crops.
_RIGHT_OF_RENDERED_PASSAGES, _RIGHT_OF_SPLICED_PASSAGES = 0.995, 0.968
# Passages that choose the threshold: rendered ones of each kind in each condition, and spliced crops of each kind,
# which pass in each condition; their seed is no other's.
_PASSAGES_EACH = 6
_PASSAGES_SPLICED = {"blue": 100, "yellow_single": 25, "green_small": 25}
_PASSAGES_SEED = 20_000
# Kinds of one row, of which real crops lend each other characters.
_SPLICED = ("blue", "yellow_single", "green_small")
# Of fewer crops no interval is worth telling.
_FEW = 15


class Task(Protocol):
    """What the training loop needs to know of a network."""

    net: torch.nn.Module
    settings: dict[str, Any]

    def begin(self, seed: int, knows: bool) -> str:
        """Get ready to draw batches; says what there is. `knows`: the network has been trained before."""

    def step(self, net: torch.nn.Module) -> torch.Tensor:
        """The loss of one batch."""

    def judge(self, net: torch.nn.Module) -> tuple[float, str]:
        """The figure that chooses a checkpoint, on what is held back, and a line for the log."""

    def export(self, net: torch.nn.Module, target: Path) -> tuple[float, Figures]:
        """Write the ONNX file; the largest difference to it, and the card's own entries."""

    def tiles(self, net: torch.nn.Module) -> list[tuple[str, npt.NDArray[np.uint8], bool]]:
        """Held-back pictures with a caption and whether the network is right, for contact sheets."""


def _tensor(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255)
    return pictures.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Answer:
    """What the network reads on a crop, with the probability of its least sure character."""

    text: str
    kind: str
    sure: float


class Reader:
    """Reads crops."""

    def __init__(
        self, config: dict[str, Any], data: Path, font: Path | None, more: Sequence[Path] = ()
    ) -> None:
        self.config, self.settings, self.net = config, config["train"], plate_net.PlateNet()
        crops = plate_data.collect(config, data, more)
        self.taught = [c for c in crops if not c.held_back]
        self.held = [c for c in crops if c.held_back]
        self.press = plate_render.Press(data / config["templates"], font)
        self._batches: plate_data.Batches | None = None

    def begin(self, seed: int, knows: bool) -> str:
        placed = self._placed() if knows else None
        self._batches = plate_data.Batches(self.taught, self.press, self.settings, seed, placed)
        spliced = f", {sum(p is not None for p in placed)} of them to splice" if placed else ""
        return f"{len(self.taught)} crops to train{spliced}, {len(self.held)} held back"

    def _placed(self) -> list[Placed | None]:
        """Where the characters of the crops are that stand in one row, as the network sees it."""
        self.net.eval()
        placed: list[Placed | None] = []
        with torch.inference_mode():
            for crop in self.taught:
                if crop.kind not in _SPLICED:
                    placed.append(None)
                    continue
                # Green crops are so few that those of all sources lend each other characters.
                group = crop.kind if crop.kind == "green_small" else f"{crop.source} {crop.kind}"
                image = to_input(crop.image)
                looked = self.net(_tensor(image[None]))[2][0, : len(crop.text)].numpy()
                centres = (looked * (INPUT_WIDTH, INPUT_HEIGHT)).astype(np.float32)
                placed.append(Placed(group, crop.kind, image, crop.text, centres))
        return placed

    def step(self, net: torch.nn.Module) -> torch.Tensor:
        assert self._batches is not None
        images, texts, kinds, centres = self._batches.draw()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = net(_tensor(images))
        return plate_net.loss(output, *(torch.from_numpy(a) for a in (texts, kinds, centres)))

    def judge(self, net: torch.nn.Module) -> tuple[float, str]:
        answers = read(net, [c.image for c in self.held])
        pairs = list(zip(self.held, answers, strict=True))
        right = [a.text == c.text for c, a in pairs]
        rare = [a.text == c.text for c, a in pairs if c.kind not in ("blue", "yellow_single")]
        wrong = [f"{c.text}>{a.text}" for c, a in pairs if c.text != a.text]
        kinds = [a.kind == c.kind for c, a in pairs]
        exact = float(np.mean(right)) if right else 0.0
        return exact, (
            f"exact {exact:.4f}, kind {np.mean(kinds or [0]):.4f}, rare {sum(rare)}/{len(rare)} "
            f"{json.dumps(wrong[:8], ensure_ascii=False)}"
        )

    def export(self, net: torch.nn.Module, target: Path) -> tuple[float, Figures]:
        graph = plate_net.PlateGraph(net)
        size = (INPUT_HEIGHT, INPUT_WIDTH)
        further = {"kinds": {0: "n"}}
        worst = export.write(
            graph, ("images",), "characters", {0: "n"}, target, (size, size), further, fixed_size=size
        )
        answers = read(net, [c.image for c in self.held])
        real = [(c.text, c.kind, a) for c, a in zip(self.held, answers, strict=True)]
        drawn = self._rendered(net)
        threshold = choose_threshold(real, drawn)
        figures = {
            "measure": "plates read exactly, province included; 95 % interval by drawing the crops again; no interval: "
            "fewer than 15 crops, the figure says little",
            "held_back": {
                "all": _exact(real),
                "by_type": _by(real, lambda row: row[1]),
                "by_colour": _by(real, lambda row: grammar.kind(row[1]).colour),
                "rare types": _exact([r for r in real if r[1] not in ("blue", "yellow_single")]),
                "at the threshold": _readable(real, threshold),
                "colour": round(float(np.mean([_colour(a.kind) == _colour(k) for _, k, a in real])), 4),
            },
            "rendered": {
                "by_type": _by(drawn, lambda row: row[1]),
                "at the threshold": _readable(drawn, threshold),
            },
            "crops taught": len(self.taught),
        }
        passage, figures["passages"] = self._passages(net)
        card = {
            "task": "plates",
            "thresholds": {"default": threshold},
            "passage": passage,
            "figures": figures,
        }
        return worst, card

    def _passages(self, net: torch.nn.Module) -> tuple[float, Figures]:
        """The threshold of votes, chosen on spliced crops and rendered plates; what it tells of them, and of what is
        held back."""
        # Every second crop is enough: each passes in every condition.
        held = [(c.text, c.kind, c.image) for c in self.held[::2]]
        spliced = self.spliced(_PASSAGES_SPLICED, _PASSAGES_SEED)
        kinds = tuple(self.settings["kinds"])
        groups: dict[str, list[Vote]] = {}
        for seed, distance in enumerate(plate_passages.DISTANCES, start=_PASSAGES_SEED):
            made = {
                "held back": plate_passages.of_crops(held, distance, seed),
                "spliced": plate_passages.of_crops(spliced, distance, seed),
                "rendered": plate_passages.rendered(self.press, kinds, _PASSAGES_EACH, distance, seed),
            }
            for name, passages in made.items():
                groups[f"{name}, 20-60 px {distance}"] = [
                    (p.text, plate_vote.vote(evidence(net, p.views), 0.0)) for p in passages
                ]
        # Both distances count together: what is far away is told seldom, but may not be told wrong.
        wanted = {"spliced": _RIGHT_OF_SPLICED_PASSAGES, "rendered": _RIGHT_OF_RENDERED_PASSAGES}
        chosen = [
            ([v for name, votes in groups.items() if name.startswith(source) for v in votes], right)
            for source, right in wanted.items()
        ]
        threshold = choose_passage_threshold(chosen)
        return threshold, {name: _told(votes, threshold) for name, votes in groups.items()}

    def spliced(self, each: Mapping[str, int], seed: int) -> list[tuple[str, str, npt.NDArray[np.uint8]]]:
        """Taught crops with characters of others: texts, kinds and pictures that nobody was taught, for choosing.

        Args:
            each: how many of each kind.
            seed: of every random choice.
        """
        placed = self._placed()
        splicer = Splicer([p for p in placed if p])
        judging, rng = {crop.text for crop in self.held}, np.random.default_rng(seed)
        made = []
        for kind, count in each.items():
            donors = [
                (crop, place)
                for crop, place in zip(self.taught, placed, strict=True)
                if crop.kind == kind and place and splicer.takes(place)
            ]
            for index in rng.integers(len(donors), size=count) if donors else ():
                crop, place = donors[index]
                image, text = splicer.splice(place, rng)
                if text not in judging:
                    height, width = crop.image.shape[:2]
                    made.append(
                        (text, kind, cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
                    )
        return made

    def _rendered(self, net: torch.nn.Module) -> list[tuple[str, str, Answer]]:
        """Rendered plates, a hundred of each kind, as spoilt as in training; their seed is not training's."""
        rng = np.random.default_rng(10_000)
        plates, images = [], []
        for kind in self.settings["kinds"]:
            for _ in range(_RENDERED_EACH):
                plate = self.press.plate(kind, rng)
                cut = plate_render.crop(plate, rng)
                plates.append(plate)
                images.append(
                    plate_render.weather(cut.image, rng, float(rng.uniform(*self.settings["strength"])))
                )
        answers = read(net, images)
        return [(p.text, p.kind, a) for p, a in zip(plates, answers, strict=True)]

    def tiles(self, net: torch.nn.Module) -> list[tuple[str, npt.NDArray[np.uint8], bool]]:
        answers = read(net, [c.image for c in self.held])
        return [
            (f"{c.name} {c.text} > {a.text} {a.sure:.2f}", c.image, a.text == c.text)
            for c, a in zip(self.held, answers, strict=True)
        ]


def read(net: torch.nn.Module, images: Sequence[npt.NDArray[np.uint8]]) -> list[Answer]:
    """What the network reads on each crop, uint8 [h, w, 3] RGB of any size, as the runtime does."""
    return [Answer(told.guess, told.kind, told.confidence) for told in evidence(net, images)]


def evidence(net: torch.nn.Module, images: Sequence[npt.NDArray[np.uint8]]) -> list[plate_vote.PlateEvidence]:
    """What the network says of each crop, uint8 [h, w, 3] RGB of any size, as the runtime does."""
    graph = plate_net.PlateGraph(net)

    def see(inputs: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
        with torch.inference_mode():
            characters, kinds = graph(torch.from_numpy(inputs))
        return characters.numpy().copy(), kinds.numpy().copy()

    told = []
    for start in range(0, len(images), 64):
        batch = images[start : start + 64]
        seen = plate_views.probabilities(see, batch)
        told += [plate_vote.evidence(c, k, i.shape[1]) for c, k, i in zip(*seen, batch, strict=True)]
    return told


def choose_threshold(
    real: Sequence[tuple[str, str, Answer]], drawn: Sequence[tuple[str, str, Answer]]
) -> float:
    """The lowest threshold at which what is told is right: 99.5 % of real crops, 99 % of rendered ones.

    Rendered plates are many and some cannot be read by anybody: they show what confidence is worth.
    """
    for threshold in np.arange(0.3, 0.99, 0.01):
        shares = []
        for rows, wanted in ((real, _RIGHT_OF_TOLD), (drawn, _RIGHT_OF_TOLD_RENDERED)):
            told = [a.text == text for text, _, a in rows if a.sure >= threshold]
            shares.append(not told or float(np.mean(told)) >= wanted)
        if all(shares):
            return round(float(threshold), 2)
    return 0.99


def choose_passage_threshold(groups: Sequence[tuple[Sequence[Vote], float]]) -> float:
    """The lowest threshold at which of each group's told plates as many are right as is wanted of it. What too few
    agree on, or too many contradict, is not told at any."""
    for threshold in np.arange(0.3, 0.99, 0.01):
        told = [
            ([v.text == text for text, v in votes if v.text and v.confidence >= threshold], wanted)
            for votes, wanted in groups
        ]
        if all(not right or float(np.mean(right)) >= wanted for right, wanted in told):
            return round(float(threshold), 2)
    return 0.99


def _told(votes: Sequence[Vote], threshold: float) -> Figures:
    told = [v.text == text for text, v in votes if v.text and v.confidence >= threshold]
    figures = {"n": len(votes), "told": round(len(told) / max(1, len(votes)), 4)}
    return {**figures, "right of those": round(float(np.mean(told)), 4) if told else None}


def _colour(kind: str) -> str:
    return grammar.kind(kind).colour


def _exact(rows: Sequence[tuple[str, str, Answer]]) -> Figures:
    right = [float(a.text == text) for text, _, a in rows]
    if not right:
        return {"n": 0}
    figures = {"exact": round(float(np.mean(right)), 4), "n": len(right)}
    if len(right) < _FEW:
        return figures
    low, high = bootstrap.interval(right, lambda values: float(np.mean(values)))
    return {**figures, "interval": [round(low, 4), round(high, 4)]}


def _by(
    rows: Sequence[tuple[str, str, Answer]], key: Callable[[tuple[str, str, Answer]], str]
) -> dict[str, Figures]:
    names = Counter(key(row) for row in rows)
    return {name: _exact([row for row in rows if key(row) == name]) for name in sorted(names)}


def _readable(rows: Sequence[tuple[str, str, Answer]], threshold: float) -> Figures:
    told = [row for row in rows if row[2].sure >= threshold]
    return {"readable": round(len(told) / max(1, len(rows)), 4), "of those": _exact(told)}


class Corners:
    """Finds plates and their corners."""

    def __init__(self, config: dict[str, Any], data: Path, font: Path | None) -> None:
        self.config = config["corners"]
        self.settings, self.net = self.config["train"], plate_corner_net.CornerNet()
        scenes = plate_scenes.collect(self.config, data)
        self.taught = [s for s in scenes if not s.held_back]
        self.held = [s for s in scenes if s.held_back]
        self._data, self._templates, self._font = data, data / config["templates"], font
        self._batches: plate_scenes.Batches | None = None

    def begin(self, seed: int, knows: bool) -> str:
        vehicles = plate_scenes.vehicles(self.config, self._data)
        press = plate_render.Press(self._templates, self._font)
        self._batches = plate_scenes.Batches(self.taught, vehicles, press, self.settings, seed)
        return (
            f"{len(self.taught)} pictures and {len(vehicles)} vehicles to train, {len(self.held)} held back"
        )

    def step(self, net: torch.nn.Module) -> torch.Tensor:
        assert self._batches is not None
        images, quads = self._batches.draw()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = net(_tensor(images))
        return plate_corner_net.loss(output.float(), [torch.from_numpy(q) for q in quads])

    def judge(self, net: torch.nn.Module) -> tuple[float, str]:
        rows = self._match(net, self._views())
        threshold, figures = _best_f1(rows)
        return figures["f1"], json.dumps({"threshold": threshold, **figures})

    def export(self, net: torch.nn.Module, target: Path) -> tuple[float, Figures]:
        side = self.settings["side"]
        axes = {0: "n", 1: "cells"}
        sizes = ((side, side), (64, side), (96, 160))
        worst = export.write(plate_corner_net.CornerGraph(net), ("images",), "plates", axes, target, sizes)
        rows = self._match(net, self._views())
        threshold, _ = _best_f1(rows)
        picked = [_count(row, threshold) for row in rows]

        def f1(values: Sequence[tuple[int, int, int]]) -> float:
            return _f1(*np.sum(values, axis=0))

        low, high = bootstrap.interval(picked, f1)
        found = [e for row in rows for s, e in row.hits if s >= threshold and e is not None]
        figures = {
            "measure": "held-back pictures, each plate in a cut 3 and 6 times as wide; found: box IoU >= 0.5",
            "held_back": {
                **_summary(rows, threshold),
                "interval": [round(low, 3), round(high, 3)],
                "pictures": len(self.held),
                "corner error, of the plate's width": round(float(np.mean(found)), 4) if found else None,
            },
        }
        card = {
            "task": "plate_corners",
            "input": {"long_side": side},
            "thresholds": {"default": threshold},
            "figures": figures,
        }
        return worst, card

    def _views(self) -> list[plate_scenes.View]:
        return [view for scene in self.held for view in plate_scenes.views(scene, self.settings["side"])]

    def _match(self, net: torch.nn.Module, views: Sequence[plate_scenes.View]) -> list[Matches]:
        graph = plate_corner_net.CornerGraph(net)
        rows = []
        with torch.inference_mode():
            for view in views:
                cells = graph(torch.from_numpy(view.image[None]))[0].numpy()
                rows.append(match(cells[cells[:, 0] > 0.05], view.quads))
        return rows

    def tiles(self, net: torch.nn.Module) -> list[tuple[str, npt.NDArray[np.uint8], bool]]:
        views = self._views()
        rows = self._match(net, views)
        threshold, _ = _best_f1(rows)
        shown = []
        for view, row in zip(views, rows, strict=True):
            right, told, plates = _count(row, threshold)
            picture = plate_scenes.drawn(view.image, [c for s, c in row.cells if s >= threshold])
            shown.append((f"{view.name} {right}/{told}/{plates}", picture, right == told == plates))
        return shown


@dataclass(frozen=True)
class Matches:
    """What was found in a view: score and corner error (None: no plate there), and how many plates there are."""

    hits: list[tuple[float, float | None]]
    cells: list[tuple[float, Floats]]
    plates: int


def match(cells: Floats, quads: Floats) -> Matches:
    """Each plate goes to the surest cell whose box overlaps it by half.

    Args:
        cells: [n, 9] as the exported network gives them.
        quads: the plates, [k, 4, 2] px.
    """
    free = list(range(len(quads)))
    hits: list[tuple[float, float | None]] = []
    kept: list[tuple[float, Floats]] = []
    for cell in sorted(cells, key=lambda c: -float(c[0])):
        corners = cell[1:].reshape(4, 2)
        if any(_iou(corners, other) > 0.3 for _, other in kept):
            continue
        kept.append((float(cell[0]), corners))
        best = max(free, key=lambda i: _iou(corners, quads[i]), default=None)
        if best is None or _iou(corners, quads[best]) < 0.5:
            hits.append((float(cell[0]), None))
            continue
        free.remove(best)
        width = float(np.linalg.norm(quads[best][1] - quads[best][0]))
        hits.append((float(cell[0]), float(np.linalg.norm(corners - quads[best], axis=1).mean()) / width))
    return Matches(hits, kept, len(quads))


def _iou(a: Floats, b: Floats) -> float:
    low, high = np.maximum(a.min(axis=0), b.min(axis=0)), np.minimum(a.max(axis=0), b.max(axis=0))
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = sum(float(np.prod(q.max(axis=0) - q.min(axis=0))) for q in (a, b))
    return shared / max(1e-6, areas - shared)


def _count(row: Matches, threshold: float) -> tuple[int, int, int]:
    """Right, told, plates."""
    told = [error for score, error in row.hits if score >= threshold]
    return sum(e is not None for e in told), len(told), row.plates


def _f1(right: int, told: int, plates: int) -> float:
    return 2 * float(right) / max(1.0, float(told + plates))


def _summary(rows: Sequence[Matches], threshold: float) -> Figures:
    right, told, plates = np.sum([_count(row, threshold) for row in rows], axis=0)
    return {
        "f1": round(_f1(right, told, plates), 3),
        "precision": round(float(right / max(1, told)), 3),
        "recall": round(float(right / max(1, plates)), 3),
        "plates": int(plates),
    }


def _best_f1(rows: Sequence[Matches]) -> tuple[float, Figures]:
    thresholds = [round(float(t), 2) for t in np.arange(0.1, 0.8, 0.05)]
    best = max(thresholds, key=lambda t: _summary(rows, t)["f1"])
    return best, _summary(rows, best)
