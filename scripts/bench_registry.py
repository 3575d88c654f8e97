"""Time to load and to ask a register of 50,000 vehicles and 5,000 corridors, also while it is read again.

    python scripts/bench_registry.py [--vehicles 50000] [--sites 1000] [--asks 2000]

Five corridors lead from each loading site. The aim is 1 ms for an answer.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan import config
from huoyan.passage import Passage, PlateReading
from huoyan.records import Placement
from huoyan.registry import Registry
from huoyan.registry.live import LiveRegistry
from huoyan.vehicles import Context, judge
from year import county
from year.county import County

ZONE = ZoneInfo("Asia/Shanghai")
MOMENT = datetime(2026, 6, 10, 15, 0, tzinfo=UTC)
Ask = Callable[[], object]


def main() -> None:
    """Generate, load, ask and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--vehicles", type=int, default=50_000)
    parser.add_argument("--sites", type=int, default=1_000)
    parser.add_argument("--asks", type=int, default=2_000)
    args = parser.parse_args()
    made = county.make(args.vehicles, args.sites, 30, 7)
    with tempfile.TemporaryDirectory() as folder:
        path = county.write(made, Path(folder))
        started, cpu = time.perf_counter(), time.process_time()
        live = LiveRegistry(config.load(path), settle_s=0.0)
        print(
            f"{len(live.current.vehicles or ())} vehicles, {len(live.current.corridors)} corridors: ", end=""
        )
        print(f"loaded in {time.process_time() - cpu:.2f} s CPU ({time.perf_counter() - started:.2f} s)\n")
        print("| question | median ms | 99th percentile ms |\n| --- | --- | --- |")
        for name, asks in questions(made, live, args.asks).items():
            print(f"| {name} | {' | '.join(f'{value:.3f}' for value in timed(asks))} |")
        unchanged = timed([live.refresh] * args.asks)
        print(f"| are the files as they were? | {' | '.join(f'{value:.3f}' for value in unchanged)} |")
        reread(live, Path(folder) / "vehicles.csv", made)
        live.close()


def questions(made: County, live: LiveRegistry, count: int) -> dict[str, list[Ask]]:
    """What is asked of the register, by name, each question of another vehicle or place."""
    rng = random.Random(8)
    known = live.current
    trucks = [rng.choice(made.trucks) for _ in range(count)]
    strangers = [county.plate(rng) for _ in range(count)]
    spots = [known.spot(_place(made, rng)) for _ in range(count)]
    return {
        "the vehicle of a plate": [lambda t=t: known.vehicle(t.plate) for t in trucks],
        "corridors within 100 m of a place": [lambda s=s: known.corridors_near(s, 100.0) for s in spots],
        "verdict at a gate, approved": [
            _verdict(known, t.plate, f"tip-{t.trips[0][1]}", None) for t in trucks
        ],
        "verdict on the road, approved": [_verdict(known, t.plate, None, _place(made, rng)) for t in trucks],
        "verdict at a gate, a stranger": [_verdict(known, text, "tip-3", None) for text in strangers],
    }


def timed(asks: list[Ask]) -> tuple[float, float]:
    """Median and 99th percentile of processor time, ms."""
    taken = []
    for ask in asks:
        started = time.thread_time()
        ask()
        taken.append((time.thread_time() - started) * 1e3)
    return statistics.median(taken), sorted(taken)[int(len(taken) * 0.99)]


def reread(live: LiveRegistry, path: Path, made: County) -> None:
    """Change the register under a loop that goes on asking; say how long the loop waited at most.

    It waits while the reading thread holds the interpreter: the processor time of both says how long on a core that
    nobody else uses.
    """
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    fresh = path.with_suffix(".new")
    fresh.write_text("".join(lines[:-1]), encoding="utf-8")
    os.replace(fresh, path)
    plates = iter_plates(made)
    waits: list[float] = []
    started = time.process_time()
    note = None
    while note is None:
        before = time.process_time()
        note = live.refresh()
        judge(_passage(next(plates), None), live.current, Context(ZONE, "gate", "tip-3"))
        waits.append((time.process_time() - before) * 1e3)
    print(
        f"\n{note}: in {time.process_time() - started:.1f} s CPU, {len(waits)} verdicts included, of which the"
    )
    print(f"median took {statistics.median(waits):.3f} ms, the slowest waited {max(waits):.0f} ms")


def iter_plates(made: County) -> Iterator[str]:
    """Plates of approved vehicles, for ever."""
    rng = random.Random(9)
    while True:
        yield rng.choice(made.trucks).plate


def _verdict(known: Registry, plate: str, site: str | None, place: Placement | None) -> Ask:
    passage = _passage(plate, place)
    context = Context(ZONE, "gate" if site else "road", site)
    return lambda: judge(passage, known, context)


def _passage(plate: str, place: Placement | None) -> Passage:
    reading = PlateReading(plate, plate, confidence=0.99, characters=(0.99,) * len(plate))
    return Passage("x", "cam", "dump_truck", MOMENT, MOMENT, reading, place=place)


def _place(made: County, rng: random.Random) -> Placement:
    road = rng.choice(list(made.corridors.values()))
    lon, lat = county.degrees(rng.choice(road))
    return Placement(lon, lat, 8.0, "generated")


if __name__ == "__main__":
    main()
