"""Painted traffic before one camera: vehicles as coloured boxes that drive along, and what a detector would say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from huoyan.perception import plate_grammar as grammar
from huoyan.perception import plate_vote
from huoyan.perception.plate_vote import PlateEvidence
from huoyan.perception.plates import FoundPlate
from huoyan.records import Box, Detection, FrameRef, Image, frame_id

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
WIDTH, HEIGHT = 960, 540


@dataclass(frozen=True)
class Vehicle:
    """`at` gives the middle of its lower edge by seconds, None while it is not there."""

    at: Callable[[float], tuple[float, float] | None]
    plate: str = ""
    label: str = "dump_truck"
    size: tuple[float, float] = (170, 160)
    colour: tuple[int, int, int] = (200, 60, 40)
    hidden: tuple[tuple[float, float], ...] = ()
    """Seconds from and to which nothing is seen of it."""
    flicker: Mapping[int, str] = field(default_factory=dict)
    """Labels in single frames."""
    score: float = 0.8

    def box(self, seconds: float) -> Box | None:
        """What of it is in the picture."""
        foot = self.at(seconds)
        if foot is None or any(a <= seconds < b for a, b in self.hidden):
            return None
        (x, y), (w, h) = foot, self.size
        box = max(0.0, x - w / 2), max(0.0, y - h), min(float(WIDTH), x + w / 2), min(float(HEIGHT), y)
        return box if box[2] - box[0] > 12 and box[3] - box[1] > 12 else None


def drive(
    start: tuple[float, float], speed: tuple[float, float], begin: float = 0.0, end: float = 1e9
) -> Callable[[float], tuple[float, float] | None]:
    """Straight on from `start` at `begin`, px a second, until `end`."""

    def at(seconds: float) -> tuple[float, float] | None:
        if not begin <= seconds < end:
            return None
        gone = seconds - begin
        return start[0] + speed[0] * gone, start[1] + speed[1] * gone

    return at


def through(*points: tuple[float, float, float]) -> Callable[[float], tuple[float, float] | None]:
    """Through (seconds, x, y) in straight lines; not there before the first and after the last."""
    times = [p[0] for p in points]

    def at(seconds: float) -> tuple[float, float] | None:
        if not times[0] <= seconds <= times[-1]:
            return None
        return (
            float(np.interp(seconds, times, [p[1] for p in points])),
            float(np.interp(seconds, times, [p[2] for p in points])),
        )

    return at


def frames(
    vehicles: Sequence[Vehicle], seconds: float, step: float = 0.2, source: str = "gate", begin: float = 0.0
) -> Iterator[tuple[FrameRef, Image, list[Detection]]]:
    """Frame by frame what is seen; boxes dance by a pixel or two. The vehicle's plate is its detection's `text`."""
    rng = np.random.default_rng(7)
    for index in range(round(begin / step), round(seconds / step)):
        now = index * step
        moment = START + timedelta(seconds=now)
        image = np.full((HEIGHT, WIDTH, 3), 118, np.uint8)
        seen = []
        for vehicle in vehicles:
            box = vehicle.box(now)
            if box is None:
                continue
            x1, y1, x2, y2 = (round(v) for v in box)
            image[y1:y2, x1:x2] = vehicle.colour
            image[(y1 + y2) // 2 : y2, x1:x2] = (90, 92, 95)
            a, b, c, d = (float(v) for v in np.array(box) + rng.normal(0, 1.2, 4))
            label = vehicle.flicker.get(index, vehicle.label)
            seen.append(Detection(label, vehicle.score, (a, b, c, d), text=vehicle.plate))
        size = (WIDTH, HEIGHT)
        ref = FrameRef(
            frame_id(source, moment, 0), source, "camera", moment, "name", size, "x.mp4", {"s": now}
        )
        yield ref, image, seen


@dataclass
class PaintedPlates:
    """Reads the text that a detection carries, about as surely as told."""

    labels: frozenset[str] = frozenset({"dump_truck", "mixer_truck"})
    passage_threshold: float = 0.7
    sure: float = 0.9
    read: int = 0

    def evidence_on(
        self, image: Image, detections: Sequence[Detection]
    ) -> dict[int, tuple[FoundPlate, PlateEvidence]]:
        """See `vehicle_plates.VehiclePlates.evidence_on`."""
        found = {}
        for index, one in enumerate(detections):
            if one.text and one.label in self.labels:
                self.read += 1
                x1, _, x2, y2 = one.box
                middle, half = (x1 + x2) / 2, 20
                corners = [[middle - half, y2 - 30], [middle + half, y2 - 30], [middle + half, y2 - 18]]
                corners.append([middle - half, y2 - 18])
                found[index] = FoundPlate(0.9, np.array(corners, np.float32)), evidence(one.text, self.sure)
        return found


def evidence(text: str, sure: float = 0.9) -> PlateEvidence:
    """A read of `text`, each character as sure as told."""
    letters = len(grammar.ALPHABET)
    characters = np.full((grammar.SLOTS, letters), (1 - sure) / (letters - 1), np.float32)
    characters[np.arange(grammar.SLOTS), grammar.encode(text)] = sure
    kinds = np.full(len(grammar.NAMES), 0.02, np.float32)
    kinds[grammar.NAMES.index("yellow_single")] = 1 - 0.02 * (len(kinds) - 1)
    return plate_vote.evidence(characters, kinds)
