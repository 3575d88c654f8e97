"""Whether one small box watches a county: 214 cameras over RTSP, a sample of each every two seconds.

    python scripts/bench_county.py                        # films are made once in --work, then served
    python scripts/bench_county.py --cameras 20 --share 0.1
    python scripts/bench_county.py --storm --kills --soak 15

Real RTSP over loopback (`serve_rtsp.py`, Debian's GStreamer), 640x360 H.264 with a key frame every two seconds; the
films show real views and real machines, and the daemon's gate lets the wanted share of their pictures pass
(`county/films.py`). The daemon runs as `huoyan watch`, with its own processes; its CPU and memory are those of all of
them, the servers' CPU is told apart. CPU seconds are measured, not time of the wall: they hold on a busy machine, while
latencies suffer from whatever else runs on it; the load is told beside.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2

from county import films, steady
from county.box import Daemon, write_county
from county.farm import Farm

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run what was asked for."""
    options = _options()
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {}
    for share in options.share:
        name = f"{share:.0%} pass"
        results[name] = _steady(options, share)
        _show(name, results[name])
    if options.json:
        print(json.dumps(results, ensure_ascii=False, indent=1))


def _steady(options: argparse.Namespace, share: float) -> dict[str, Any]:
    made = films.write(options.work / "films", options.data.resolve(), share, options.films)
    folder = options.work / f"county-{round(100 * share):02}"
    shutil.rmtree(folder, ignore_errors=True)
    with Farm(options.work, [film.path for film in made], options.cameras, options.servers) as farm:
        with Daemon(write_county(folder, farm.addresses)) as daemon:
            live_s = steady.wait_for_cameras(daemon, options.cameras)
            time.sleep(options.warm_up)
            window = steady.measure(daemon, farm.pids, options.seconds)
        return {
            "films pass their gate": round(sum(film.passed for film in made) / len(made), 4),
            "kbit/s of a stream": round(sum(film.kilobits for film in made) / len(made)),
            "all cameras live after, s": round(live_s, 1),
            **steady.row(window),
        }


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
    parser.add_argument("--share", type=float, nargs="*", default=[0.1, 0.3], help="that the gate lets pass")
    parser.add_argument("--seconds", type=float, default=180.0, help="of each measurement")
    parser.add_argument("--warm-up", type=float, default=90.0, help="seconds before it")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
