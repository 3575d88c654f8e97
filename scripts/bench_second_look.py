"""What remembering second looks saves on fixed cameras, and what it changes.

    python scripts/bench_second_look.py --films FOLDER      # those of bench_county.py, or made there

Pictures two seconds apart of films that show real machines in real views (`live/films.py`), those that the daemon's
gate lets pass, and of real films of fixed cameras, all of them; each is looked at with and without a memory of its
view.
CPU seconds are ratios of one run. What is found must be the same: what only one of both found is listed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from huoyan.config import load
from huoyan.perception.motion import Gate
from huoyan.perception.recollection import Recollection
from huoyan.records import Detection, Frame, FrameRef, Observations
from huoyan.runs.look import Eyes
from huoyan.runs.prepare import prepare
from live import films
from live.box import write_county

Image = npt.NDArray[np.uint8]
ROOT = Path(__file__).resolve().parents[1]
REAL = (
    "street_people.mp4",
    "parking_person_bicycle_car.mp4",
    "fire_smoke_house6.mp4",
    "construction_site.mp4",
    "clips/motorway_fog_far.mp4",
    "clips/motorway_haze_trucks.mp4",
    "clips/motorway_pedestrian.mp4",
    "clips/motorway_sun_glare.mp4",
    "clips/motorway_tunnel_trucks.mp4",
    "clips/crossing_snow_truck.mp4",
)
EVERY_S = 2.0
_BEGIN = datetime(2026, 5, 1, 9, tzinfo=UTC)
_SAME = 0.5
_ROUNDS = 2
"""So often a film runs in circles."""


def main() -> None:
    """Run both ways over everything, and compare."""
    options = _options()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        county = write_county(Path(folder), {"c": "rtsp://127.0.0.1:1/c"})
        # What the second look turns down is compared as well.
        settings = replace(prepare(load(county)).settings, keep_uncertain=True)
    plain, knowing = Eyes(settings), Eyes(settings, Recollection())
    made = films.write(options.films, options.data.resolve(), 0.1, options.count)
    _table("films, through the gate", plain, knowing, [(one.path, list(_passed(one.path))) for one in made])
    real = [options.data / "video" / name for name in REAL]
    _table(
        "real films, every picture", plain, knowing, [(path, list(_pictures(path, EVERY_S))) for path in real]
    )


def _table(
    title: str, plain: Eyes, knowing: Eyes, views: list[tuple[Path, list[tuple[float, Image]]]]
) -> None:
    memory = Recollection()
    knowing.recollection = memory
    looks, cpu, both, only = 0, [0.0, 0.0], 0, [0, 0]
    shift: list[float] = []
    turned: list[tuple[Detection, Detection]] = []
    words: list[str] = []
    for path, pictures in views:
        for seconds, image in pictures:
            looks += 1
            found = []
            for way, eyes in enumerate((plain, knowing)):
                began = time.process_time()
                found.append(_look(eyes, path, seconds, image))
                cpu[way] += time.process_time() - began
            pairs, left, right = _matched(*found)
            turned += [(one, other) for one, other in pairs if _kept(one) != _kept(other)]
            both += len(pairs)
            shift += [abs(one.score - other.score) for one, other in pairs if one.score != other.score]
            for way, rest in enumerate((left, right)):
                only[way] += len(rest)
                who = "without" if way == 0 else "with"
                words += [f"{path.name} {seconds:.0f} s, {who} memory: {d.label} {d.score:.3f}" for d in rest]
    print(f"\n| {title} | |\n| --- | --- |")
    print(f"| looks | {looks} |")
    print(
        f"| second looks wanted, of them remembered | {memory.asked}, {memory.known / max(1, memory.asked):.1%} |"
    )
    print(
        f"| CPU ms a look, without and with memory | {cpu[0] / looks * 1e3:.1f}, {cpu[1] / looks * 1e3:.1f} |"
    )
    print(f"| doubtful and certain, by both; only without, only with | {both}; {only[0]}, {only[1]} |")
    print(f"| of them kept without and turned down with, or the other way round | {len(turned)} |")
    print(f"| scores that differ | {len(shift)} |")
    if shift:
        print(
            f"| apart: mean, 99 %, most | {np.mean(shift):.4f}, {np.quantile(shift, 0.99):.3f}, {max(shift):.3f} |"
        )
    print(*words, sep="\n", flush=True)


def _kept(detection: Detection) -> bool:
    return not detection.attributes.get("uncertain")


def _look(eyes: Eyes, path: Path, seconds: float, image: Image) -> list[Detection]:
    size = (image.shape[1], image.shape[0])
    ref = FrameRef("f", path.stem, "camera", _BEGIN + timedelta(seconds=seconds), "stream", size, "")
    seen = eyes.look(Frame(ref, lambda: image))
    assert isinstance(seen, Observations), seen
    return [item.detection for item in seen.items]


def _matched(
    one: list[Detection], other: list[Detection]
) -> tuple[list[tuple[Detection, Detection]], list[Detection], list[Detection]]:
    pairs, rest = [], list(other)
    left = []
    for detection in one:
        same = next((d for d in rest if d.label == detection.label and _iou(d, detection) >= _SAME), None)
        if same is None:
            left.append(detection)
        else:
            rest.remove(same)
            pairs.append((detection, same))
    return pairs, left, rest


def _iou(a: Detection, b: Detection) -> float:
    width = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    height = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(d.box[2] - d.box[0]) * (d.box[3] - d.box[1]) for d in (a, b)]
    return shared / (sum(areas) - shared)


def _passed(path: Path) -> Iterator[tuple[float, Image]]:
    """The pictures of a film in circles that the gate lets pass, as a reader decodes them."""
    gate = Gate()
    pictures = list(_pictures(path, EVERY_S))
    for turn in range(_ROUNDS):
        for number, (_, image) in enumerate(pictures):
            seconds = (turn * len(pictures) + number) * EVERY_S
            gate.feed(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), seconds)
            if gate.open and turn:
                yield seconds, image


def _pictures(path: Path, every_s: float) -> Iterator[tuple[float, Image]]:
    with av.open(str(path)) as container:
        due = 0.0
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= due:
                due = frame.time + every_s - 0.01
                yield frame.time, frame.to_ndarray(format="rgb24")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--films", type=Path, default=Path("bench-county/films"))
    parser.add_argument("--count", type=int, default=24, help="films")
    return parser.parse_args()


if __name__ == "__main__":
    main()
