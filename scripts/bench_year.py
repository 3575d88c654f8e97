"""Precision and recall of the verdicts on a generated year of passages, of which two in a hundred are misread.

    python scripts/bench_year.py [--passages 200000] [--vehicles 3000]

The year is generated with its truth (scripts/year): approved vehicles in fleets whose plates are often in a row,
permits that begin and end, hours across midnight, trips from loading to disposal sites past road cameras, and
strangers. Mistakes of reading are as they were measured on spoilt views. The aim: precision >= 0.995 and recall
>= 0.98 for each of M01 to M04, and not one wrong verdict on the first and last seconds of windows and permits.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter, deque
from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan import config, registry
from huoyan.passage import Passage, PlateReading, Verdict, passage_id
from huoyan.records import Placement
from huoyan.vehicles import Context, Sighting, judge
from year import county, hauls, readings
from year.hauls import Step

ZONE = ZoneInfo("Asia/Shanghai")
COUNTED = ("M01", "M02", "M03", "M04", "M05", "M06")
ERROR_M = 8.0


def main() -> None:
    """Generate, judge and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--passages", type=int, default=200_000)
    parser.add_argument("--vehicles", type=int, default=3_000)
    parser.add_argument("--misread", type=float, default=0.02)
    parser.add_argument("--unreadable", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    made = county.make(args.vehicles, 60, 12, args.seed)
    with tempfile.TemporaryDirectory() as folder:
        known = registry.load(config.load(county.write(made, Path(folder))))
    year = hauls.steps(made, args.passages, args.seed + 1)
    tally = Tally()
    rng = random.Random(args.seed + 2)
    recent: deque[Sighting] = deque()
    for number, step in enumerate(year):
        reading, fate = readings.read(step.plate, step.colour, args.misread, args.unreadable, rng)
        passage = as_passage(step, reading, number)
        while recent and recent[0].time < passage.time - timedelta(hours=3):
            recent.popleft()
        started = time.thread_time()
        verdict = judge(passage, known, as_context(step, recent))
        tally.add(step, fate, verdict, time.thread_time() - started)
        recent.append(as_sighting(step, passage, verdict))
    tally.show(args.vehicles)


def as_passage(step: Step, reading: PlateReading, number: int) -> Passage:
    """The passage that a camera would tell of a step."""
    moment = step.when.replace(tzinfo=ZONE).astimezone(UTC)
    lon, lat = county.degrees(step.spot)
    source = step.site or "road"
    return Passage(
        passage_id=passage_id(source, moment, number),
        source_id=source,
        label="dump_truck",
        first_seen=moment,
        last_seen=moment,
        plate=reading,
        direction="unknown" if step.where == "road" else step.where,
        crossed=moment,
        place=Placement(lon, lat, ERROR_M, "generated"),
        looks=12,
    )


def as_context(step: Step, recent: deque[Sighting]) -> Context:
    """What a gate or a road camera knows besides."""
    return Context(
        ZONE,
        where="road" if step.where == "road" else "gate",
        site=step.site or None,
        net_kg=step.net_kg,
        scale_expected=step.where == "enter",
        earlier=recent,
    )


def as_sighting(step: Step, passage: Passage, verdict: Verdict) -> Sighting:
    """What later passages know of this one."""
    return Sighting(
        verdict.plate, passage.time, passage.source_id, passage.place, step.site or None, passage.direction
    )


class Tally:
    """Counts of what was told and what is true."""

    def __init__(self) -> None:
        self.true: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.fates: Counter[tuple[str, str]] = Counter()
        self.edges: Counter[bool] = Counter()
        self.strange: Counter[str] = Counter()
        self.seconds: list[float] = []

    def add(self, step: Step, fate: str, verdict: Verdict, seconds: float) -> None:
        """Count one passage."""
        told = {str(reason.code) for reason in verdict.reasons}
        self.seconds.append(seconds)
        self.strange.update(told - set(COUNTED))
        if fate == "unreadable":
            self.fates[fate, "accused" if told & set(COUNTED) else "unknown"] += 1
            return
        self.true.update(step.truth)
        self.told.update(told)
        self.right.update(told & step.truth)
        as_it_is = "right" if told & set(COUNTED) == step.truth else "incomplete"
        if told & set(COUNTED) - step.truth:
            as_it_is = "wrong"
        self.fates[fate, "review" if verdict.review else as_it_is] += 1
        if step.edge and fate == "right" and not verdict.review:
            checked = {"M02", "M03"}
            self.edges[told & checked == step.truth & checked] += 1

    def show(self, vehicles: int) -> None:
        """Print the tables."""
        print(f"{len(self.seconds)} passages, {vehicles} approved vehicles\n")
        print("| reason | true | told | right | precision | recall |\n| --- | --- | --- | --- | --- | --- |")
        for code in COUNTED:
            true, told, right = self.true[code], self.told[code], self.right[code]
            shares = f"{right / max(told, 1):.4f} | {right / max(true, 1):.4f}"
            print(f"| {code} | {true} | {told} | {right} | {shares} |")
        print("\n| reading | right | incomplete | wrong | review |\n| --- | --- | --- | --- | --- |")
        for fate in sorted({fate for fate, _ in self.fates} - {"unreadable"}):
            counts = [self.fates[fate, what] for what in ("right", "incomplete", "wrong", "review")]
            print(f"| {fate} | {' | '.join(map(str, counts))} |")
        unreadable = self.fates["unreadable", "accused"], self.fates["unreadable", "unknown"]
        print(f"\nunreadable: {unreadable[0]} accused by their plate, {unreadable[1]} unknown")
        print(
            f"edges of windows and permits: {self.edges[True]} right to the second, {self.edges[False]} wrong"
        )
        print(f"reasons that nobody had planned: {dict(self.strange) or 'none'}")
        ordered = sorted(self.seconds)
        middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
        print(
            f"a verdict, of processor time: median {middle * 1e3:.3f} ms, 99th percentile {late * 1e3:.3f} ms"
        )


if __name__ == "__main__":
    main()
