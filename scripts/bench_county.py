"""Whether one small box watches a county: 214 cameras over RTSP, a sample of each every two seconds.

    python scripts/bench_county.py                        # films are made once in --work, then served
    python scripts/bench_county.py --cameras 20 --share 0.1
    python scripts/bench_county.py --storm --reconnections --kills --week --soak 120

Real RTSP over loopback (`serve_rtsp.py`, Debian's GStreamer), 640x360 H.264 with a key frame every two seconds; the
films show real views and real machines, and the daemon's gate lets the wanted share of their pictures pass
(`live/films.py`). The daemon runs as `huoyan watch`, with its own processes; its CPU and memory are those of all of
them, the servers' CPU is told apart. CPU seconds are measured, not time of the wall: they hold on a busy machine, while
latencies suffer from whatever else runs on it; the load is told beside.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from live import films, kills, soak, steady, storm, week
from live.box import Daemon, write_county
from live.brokers import Nats
from live.farm import Farm

ROOT = Path(__file__).resolve().parents[1]
LOGINS_PER_S = 5.0
"""To one host, as the daemon does by default."""
_QUICK = {
    "logins": {"at_once": 64, "per_host": 64, "rate": 100.0},
    "patience": {"pause": "200ms", "longest_pause": "1s"},
}
"""For many reconnections in little time."""


def main() -> None:
    """Run what was asked for."""
    options = _options()
    cv2.setNumThreads(1)
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {}
    for title, run in _asked(options):
        results[title] = run()
        _show(title, results[title])
    if options.json:
        print(json.dumps(results, ensure_ascii=False, indent=1))


def _asked(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    special = options.storm or options.reconnections or options.kills or options.soak or options.week
    for share in options.share if options.share is not None else () if special else (0.1, 0.3):
        yield f"{share:.0%} pass", partial(_steady, options, share)
    if options.storm:
        yield f"storm of {options.storm:g} minutes", partial(_storm, options)
    if options.reconnections:
        yield f"{options.reconnections} reconnections", partial(_reconnections, options)
    if options.kills:
        yield f"{options.kills} kills", partial(_kills, options)
    if options.week:
        yield f"{options.week} days in minutes", partial(_week, options)
    if options.soak:
        yield f"soak of {options.soak:g} minutes", partial(_soak, options)


@contextmanager
def _watched(
    options: argparse.Namespace, name: str, share: float, cameras: int, **watch: Any
) -> Iterator[tuple[Daemon, Farm, dict[str, Any]]]:
    """A daemon that watches a farm, all cameras live; and what is known of the films."""
    made = films.write(options.work / "films", options.data.resolve(), share, options.films)
    folder = options.work / name
    shutil.rmtree(folder, ignore_errors=True)
    with (
        Farm(options.work, [film.path for film in made], cameras, options.servers) as farm,
        Daemon(write_county(folder, farm.addresses, watch)) as daemon,
    ):
        about = {
            "films pass their gate": round(sum(film.passed for film in made) / len(made), 4),
            "kbit/s of a stream": round(sum(film.kilobits for film in made) / len(made)),
            "all cameras live after, s": round(steady.wait_for_cameras(daemon, cameras), 1),
        }
        yield daemon, farm, about


def _steady(options: argparse.Namespace, share: float) -> dict[str, Any]:
    with _watched(options, f"county-{round(100 * share):02}", share, options.cameras) as (
        daemon,
        farm,
        about,
    ):
        time.sleep(options.warm_up)
        return {**about, **steady.row(steady.measure(daemon, farm.pids, options.seconds))}


def _storm(options: argparse.Namespace) -> dict[str, Any]:
    logins = {"rate": LOGINS_PER_S}
    with _watched(options, "storm", 0.1, options.cameras, logins=logins) as (daemon, farm, _):
        return storm.storm(daemon, farm, 60 * options.storm, LOGINS_PER_S)


def _reconnections(options: argparse.Namespace) -> dict[str, Any]:
    with _watched(options, "reconnections", 0.1, options.few, **_QUICK) as (daemon, farm, _):
        time.sleep(options.warm_up / 2)
        return storm.reconnects(daemon, farm, options.reconnections)


def _kills(options: argparse.Namespace) -> dict[str, Any]:
    folder = options.work / "kills"
    shutil.rmtree(folder, ignore_errors=True)
    reel = kills.reel(folder, options.data.resolve(), options.reel[0], options.reel[1])
    with kills.running(Nats(folder / "nats-calm")) as broker:
        calm = kills.run(kills.county(folder / "calm", reel, broker), reel, broker)
    with kills.running(Nats(folder / "nats-killed")) as broker:
        killed = kills.run(kills.county(folder / "killed", reel, broker), reel, broker, options.kills)
        return kills.compare(calm, killed)


def _soak(options: argparse.Namespace) -> dict[str, Any]:
    with _watched(options, "soak", 0.1, options.cameras) as (daemon, farm, about):
        time.sleep(options.warm_up)
        window = steady.measure(daemon, farm.pids, 60 * options.soak)
        return {**about, **steady.row(window), **soak.growth(window, options.work / "soak.json")}


def _week(options: argparse.Namespace) -> dict[str, Any]:
    films.write(options.work / "films", options.data.resolve(), 0.1, options.films)
    folder = options.work / "week"
    shutil.rmtree(folder, ignore_errors=True)
    # Nobody connects to these.
    addresses = {f"c{number:03}": f"rtsp://127.0.0.1:9/{number}" for number in range(options.cameras)}
    return week.grow(write_county(folder, addresses), options.work / "films", options.week)


def _show(title: str, row: Mapping[str, Any]) -> None:
    """As a table of docs/benchmarks.md."""
    print(f"\n| {title} | |\n| --- | --- |")
    for name, value in row.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {one}" for key, one in value.items())
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        print(f"| {name} | {value} |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=Path("bench-county"), help="folder for films and states")
    parser.add_argument("--cameras", type=int, default=214)
    parser.add_argument("--films", type=int, default=24, help="different ones; cameras share them")
    parser.add_argument("--servers", type=int, default=2, help="processes that serve RTSP")
    parser.add_argument("--share", type=float, nargs="*", help="that the gate lets pass; default 0.1 and 0.3")
    parser.add_argument("--seconds", type=float, default=180.0, help="of each measurement")
    parser.add_argument("--warm-up", type=float, default=90.0, help="seconds before it")
    parser.add_argument("--storm", type=float, nargs="?", const=15.0, help="minutes of faults of cameras")
    parser.add_argument("--reconnections", type=int, nargs="?", const=200, help="of each of --few cameras")
    parser.add_argument("--few", type=int, default=8, help="cameras for --reconnections")
    parser.add_argument("--kills", type=int, nargs="?", const=50, help="of the daemon and its processes")
    parser.add_argument(
        "--reel", type=int, nargs=2, default=[40, 32], help="cameras, pictures of each for --kills"
    )
    parser.add_argument(
        "--soak", type=float, nargs="?", const=15.0, help="minutes in which memory must not grow"
    )
    parser.add_argument(
        "--week", type=int, nargs="?", const=7, help="days through which main learns its views"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
