"""What the memory of slow change tells, and when: real series, real cameras in all weathers, and days that are made.

    python scripts/bench_memory.py ../shared/data [--days 20] [--views 6] [--work FOLDER]

Three parts. *Cameras*: every picture of three fixed cameras over weeks (fog, sun, dusk), nothing grows: whatever is
told is false. *Series*: pictures of building sites in order, each taken for a day, in light that is made for its
hours; what is told is listed and drawn. *Made days* (`view_days.py`): three weeks before six real views with weather,
shaking, lorries that park for hours, a digger at work; in half of the runs something grows from the seventh day on.
Contact sheets of what was told are written to --work, to be looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

import view_days
from huoyan.perception import quality
from huoyan.perception.signature import signature
from huoyan.sample import ViewChange
from huoyan.scenes import lasting
from huoyan.scenes.memory import Memory
from view_days import Days, Image, Put, Sky, Spot

START = datetime(2026, 3, 2)
GROWS_FROM = 6
EVERY_MIN = 30
CAMERAS = ("zhxu_road", "knmi_meadow")
SERIES = (
    "pit_foundation",
    "excavated_pit_terraces",
    "roof_slab_day",
    "roof_slab_noon",
    "fog_to_sun_one_day",
    "far_smoke_36_min",
    "far_smoke_35_min",
)
# Which lasts for more than a day: wet ground and a low sky for three days are no change.
WEATHER: tuple[Sky, ...] = (
    "sun",
    "cloud",
    "sun",
    "sun",
    "fog",
    "cloud",
    "sun",
    "rain",
    "rain",
    "rain",
    "sun",
    "cloud",
    "cloud",
    "sun",
)


@dataclass
class Told:
    """A change that was told: when, the picture of that moment, and whether it is meant."""

    run: str
    time: datetime
    change: ViewChange
    picture: Image
    meant: bool | None = None


@dataclass
class Seen:
    """A memory fed with pictures, and what it told."""

    run: str
    days: int = 3
    memory: Memory = field(default_factory=Memory)
    told: list[Told] = field(default_factory=list)
    signatures: int = 0
    seconds: float = 0.0

    def take(self, when: datetime, picture: Image) -> None:
        luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        night = quality.is_night(picture)
        begun = time.process_time()
        packed = signature(luma)
        changes = lasting.remember(self.memory, "camera", when, packed, night=night, days=self.days)
        self.seconds += time.process_time() - begun
        self.signatures += 1
        self.told += [Told(self.run, when, change, picture) for change in changes]

    @property
    def size(self) -> int:
        """Bytes of the memory as it is stored."""
        return sum(len(json.dumps(value)) + len(key) for key, value in self.memory.take_changes().items())


def camera(data: Path, name: str) -> Seen:
    """All the pictures of a real fixed camera, at the times when they were taken."""
    with (data / "air/visibility/series.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["camera"] == name]
    # Their days have gaps: two that agree must do.
    seen = Seen(name, days=2)
    for row in sorted(rows, key=lambda row: row["time"]):
        seen.take(datetime.fromisoformat(row["time"]), _read(data / "air/visibility" / row["file"]))
    return seen


def series(data: Path, name: str, every_min: int = EVERY_MIN) -> Seen:
    """The pictures of a time lapse, a day for each: from 8 to 17 o'clock in the hour's light."""
    seen = Seen(name)
    for day, path in enumerate(sorted((data / "video/series" / name).glob("*.jpg"))):
        rng = np.random.default_rng([7, day])
        picture = cv2.resize(_read(path), view_days.SIZE, interpolation=cv2.INTER_AREA)
        for minute in range(8 * 60, 18 * 60, every_min):
            when = START + timedelta(days=day, minutes=minute)
            seen.take(when, view_days.relit(picture, when, rng))
    return seen


def made(data: Path, view: int, days: int, grows: bool) -> Seen:
    place = view_days.VIEWS[view]
    maker = Days(data, place, seed=view, shake=3.0)
    thing = view_days.STRUCTURES[view % len(view_days.STRUCTURES)]
    seen = Seen(f"{place.name}{' grows' if grows else ''}")
    rng = np.random.default_rng([view, grows])
    for day in range(days):
        for minute in range(6 * 60, 20 * 60, EVERY_MIN):
            when = START + timedelta(days=day, minutes=minute)
            sky = WEATHER[(day + view) % len(WEATHER)]
            if sky == "fog" and when.hour >= 11:
                sky = "sun"
            puts = [*_passing(place, view, day, when, rng)]
            if grows and (part := _grown(day)) > 0:
                puts.append(Put(thing, place.structure, part=part))
            picture = maker.picture(when, sky, tuple(puts), headlights=bool(rng.random() < 0.3))
            seen.take(when, picture)
    wanted = _box(data, Put(thing, place.structure))
    for told in seen.told:
        told.meant = grows and overlap(told.change.box, wanted) > 0.2
    return seen


def _grown(day: int) -> float:
    return 0.0 if day < GROWS_FROM else 0.4 if day < GROWS_FROM + 4 else 0.7 if day < GROWS_FROM + 8 else 1.0


def _passing(
    place: view_days.View, view: int, day: int, when: datetime, rng: np.random.Generator
) -> Iterator[Put]:
    """A lorry parked for a working day, on six days running; a digger that works elsewhere every time; traffic."""
    lorry = view_days.LORRIES[(view + day) % len(view_days.LORRIES)]
    if 3 <= day <= 8 and 8 <= when.hour < 16:
        yield Put(view_days.LORRIES[view % len(view_days.LORRIES)], place.lorry)
    if 4 <= day <= 12 and 8 <= when.hour < 17:
        at = place.machine
        spot = Spot(at.x + rng.uniform(-0.08, 0.08), at.y + rng.uniform(-0.05, 0.03), at.width)
        yield Put(view_days.EXCAVATORS[int(rng.integers(6))], spot, bool(rng.random() < 0.5))
    if rng.random() < 0.4:
        yield Put(
            lorry,
            Spot(rng.uniform(0.3, 0.7), rng.uniform(place.horizon + 0.25, 0.95), 0.15),
            bool(rng.random() < 0.5),
        )


def _box(data: Path, put: Put) -> tuple[float, float, float, float]:
    _, cover = view_days.cutout(data, put.thing)
    height = put.spot.width * cover.shape[0] / cover.shape[1] * view_days.SIZE[0] / view_days.SIZE[1]
    return put.spot.x - put.spot.width / 2, put.spot.y - height, put.spot.x + put.spot.width / 2, put.spot.y


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Shared area over the smaller of two boxes."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))


def _read(path: Path) -> Image:
    picture = cv2.imread(str(path))
    if picture is None:
        raise FileNotFoundError(f"{path} is no picture")
    return np.ascontiguousarray(picture[..., ::-1])


def sheet(told: list[Told], path: Path) -> None:
    """The pictures of the moments at which something was told, with its outline."""
    tiles = []
    for one in told:
        tile = cv2.resize(one.picture, (400, 225), interpolation=cv2.INTER_AREA)[..., ::-1].copy()
        points = np.array([(x * 400, y * 225) for x, y in one.change.polygon], np.int32)
        cv2.polylines(tile, [points], True, (0, 0, 255) if one.meant is False else (0, 220, 255), 2)
        words = f"{one.run} day {(one.time - START).days} {one.time:%H:%M}"
        cv2.putText(tile, words, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
        tiles.append(tile)
    if tiles:
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 4)
        rows = [np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles), 4)]
        cv2.imwrite(str(path), np.vstack(rows))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--days", type=int, default=18)
    parser.add_argument("--views", type=int, default=len(view_days.VIEWS))
    parser.add_argument("--only", choices=("cameras", "series", "made"), default=None)
    parser.add_argument("--work", type=Path, default=Path("bench-memory"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    if options.only in (None, "cameras"):
        _report("cameras", (camera(options.data, name) for name in CAMERAS), options.work)
    if options.only in (None, "series"):
        _report("series", (series(options.data, name) for name in SERIES), options.work)
    if options.only in (None, "made"):
        runs = (
            made(options.data, view, options.days, grows)
            for view in range(options.views)
            for grows in (False, True)
        )
        _report("made", runs, options.work)


def _report(part: str, runs: Iterator[Seen], work: Path) -> None:
    told: list[Told] = []
    for seen in runs:
        cost = 1000 * seen.seconds / seen.signatures
        print(
            f"{part}: {seen.run}: {seen.signatures} signatures, {cost:.1f} ms each, {seen.size // 1024} KiB"
        )
        for one in seen.told:
            change = one.change
            box = " ".join(f"{value:.2f}" for value in change.box)
            words = "grown " * change.grown + {True: "meant", False: "FALSE", None: ""}[one.meant]
            print(
                f"    day {(one.time - START).days} {one.time:%H:%M}, box {box}, {change.days} days, {words}",
                flush=True,
            )
        told += seen.told
    sheet(told, work / f"{part}.png")


if __name__ == "__main__":
    main()
