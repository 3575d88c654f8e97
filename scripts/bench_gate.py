"""Whether a gate keeps up: two cameras, 1080p at 25 pictures a second, really decoded, 60 passages a minute, two cores.

    python scripts/bench_gate.py                     # videos are made once in --work, then played
    python scripts/bench_gate.py --minutes 3 --rate 40

Both videos (`gate_video.py`) are played at their own speed through `sources.live`, as cameras would send them, and
watched by two threads that share the models: decoding, looking five times a second, following, reading plates, voting,
telling. Nothing waits for us: a frame that nobody took in time is thrown away and counted.

Printed are, for each pace, passages told of those that were there, wrong and missing ones, plates told and of them
right, the time from the crossing of the line to the telling (wall clock; limit 1.5 s), frames thrown away, CPU s a
passage and cores in use by this process. `--pace free` reads the files as fast as it can and drops nothing: its CPU
figures do not depend on what else the machine does, and tell how many cores a real-time run needs.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np

import gate_video
from gate_video import Pass
from huoyan.passage import Passage
from huoyan.perception.passages import View
from huoyan.runs.passages import EyeSettings, PassageEyes, Source, latest, passages
from huoyan.sources import making
from huoyan.sources.live import LiveFrames

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 1.5
CAMERAS = ("gate-in", "gate-out")
# A passage told within this time of a true crossing, in its lane, is that truck's.
_SAME_S = 0.8
START = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass
class Watched:
    """What one camera's thread saw: each telling with the moment (wall clock) at which it came."""

    told: list[tuple[datetime, Passage]] = field(default_factory=list)
    began: datetime = START
    late: int = 0


def main() -> None:
    """Run it."""
    options = _options()
    cv2.setNumThreads(1)
    data = options.data.resolve()
    videos = [
        gate_video.write(options.work, data, camera, options.minutes, options.rate, options.seed)
        for camera in range(len(CAMERAS))
    ]
    eyes = PassageEyes(EyeSettings(street="road-n"))
    for detector in eyes.detectors:
        detector.warm_up()
    rows = [_measure(pace, eyes, videos, options) for pace in options.pace]
    for row in rows:
        print(json.dumps(row, ensure_ascii=False, indent=1))


def _measure(
    pace: str, eyes: PassageEyes, videos: list[tuple[Path, list[Pass]]], options: argparse.Namespace
) -> dict[str, Any]:
    watched = [Watched() for _ in videos]
    threads = [
        threading.Thread(target=_watch, args=(pace, eyes, path, camera, watched[camera], options.sampling))
        for camera, (path, _) in enumerate(videos)
    ]
    load, cpu, wall = os.getloadavg()[0], time.process_time(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    judged = [_judged(one, truth) for one, (_, truth) in zip(watched, videos, strict=True)]
    there = sum(len(truth) for _, truth in videos)
    return {
        "pace": pace,
        "passages there": there,
        "told once": sum(one["found"] for one in judged),
        "missing": [text for one in judged for text in one["missing"]],
        "told though not there": sum(one["strange"] for one in judged),
        "plates readable": sum(one["readable"] for one in judged),
        "of them right": sum(one["right"] for one in judged),
        "wrong": [pair for one in judged for pair in one["wrong"]],
        **_delays(judged, pace),
        "frames thrown away": sum(one.late for one in watched),
        "CPU s a passage": round(cpu / max(1, there), 3),
        "cores used": round(cpu / wall, 2),
        "cores that real time needs": round(cpu / (options.minutes * 60), 2),
        "seconds": round(wall, 1),
        "load before": round(load, 1),
    }


def _watch(
    pace: str, eyes: PassageEyes, path: Path, camera: int, watched: Watched, sampling_s: float
) -> None:
    name = CAMERAS[camera]
    enter = "right" if camera == 0 else "left"
    view = View(name, gate_video.LINE, enter, (gate_video.WIDTH, gate_video.HEIGHT))
    source: Source
    if pace == "live":
        watched.began = datetime.now(UTC)
        source = LiveFrames(str(path), name, sampling_s, pace=True, now=lambda: watched.began)
    else:
        source = making.video(path, name, "camera", sampling_s, ZoneInfo("UTC"), stated=START)
    for passage in passages(source, view, eyes, early=True):
        watched.told.append((datetime.now(UTC), passage))
    watched.late = source.late if isinstance(source, LiveFrames) else 0


def _judged(watched: Watched, truth: list[Pass]) -> dict[str, Any]:
    """Each true passage against the last revisions, by time of crossing and lane."""
    last = list(latest(passage for _, passage in watched.told).values())
    left = {one.passage_id: one for one in last if one.crossed is not None}
    first = {
        passage.passage_id: (when, passage) for when, passage in reversed(watched.told) if passage.crossed
    }
    result: dict[str, Any] = {"found": 0, "readable": 0, "right": 0, "missing": [], "wrong": [], "delays": []}
    for one in truth:
        same = [p for p in left.values() if _is(p, one, watched.began)]
        if not same:
            result["missing"].append(one.plate)
            continue
        passage = min(same, key=lambda p: abs(_seconds(p, watched.began) - one.crosses))
        del left[passage.passage_id]
        when, told = first[passage.passage_id]
        result["found"] += 1
        result["delays"].append((when - told.crossed).total_seconds() if told.crossed else np.inf)
        if passage.plate.readable:
            result["readable"] += 1
            result["right"] += passage.plate.text == one.plate
            if passage.plate.text != one.plate:
                result["wrong"].append([one.plate, passage.plate.text])
    result["strange"] = len(left) + sum(p.crossed is None for p in last)
    return result


def _is(passage: Passage, one: Pass, began: datetime) -> bool:
    wide = next(sight for sight in passage.sights if sight.role == "wide")
    left = (wide.box[0] + wide.box[2]) / 2 < gate_video.WIDTH / 2
    return left == (one.lane == 0) and abs(_seconds(passage, began) - one.crosses) <= _SAME_S


def _seconds(passage: Passage, began: datetime) -> float:
    return (passage.crossed - began).total_seconds() if passage.crossed else np.inf


def _delays(judged: Iterable[dict[str, Any]], pace: str) -> dict[str, Any]:
    delays = [delay for one in judged for delay in one["delays"]]
    if pace != "live" or not delays:
        return {}
    middle, high = np.percentile(delays, [50, 99])
    return {
        "crossing to telling, s: median": round(float(middle), 2),
        "99 %": round(float(high), 2),
        "beyond the limit": sum(delay > LIMIT_S for delay in delays),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--work", type=Path, default=Path("bench-gate"), help="folder for the videos")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--rate", type=int, default=30, help="trucks a minute and camera")
    parser.add_argument("--sampling", type=float, default=0.2, help="seconds between looks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pace", nargs="+", choices=("free", "live"), default=["free", "live"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
