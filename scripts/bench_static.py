"""A digger that stands in view for a day: one incident, told once, whatever the light does.

    python scripts/bench_static.py ../shared/data [--every 10] [--views 6] [--machines 6]

Real fixed views with real diggers set into them (`view_days.py`), from midnight to midnight: headlights in the dark,
sun, cloud, rain, fog, a camera that shakes. Each picture is looked at by the shipped models and judged by the
daemon's judge, store and outbox, in a county with the views' own calibrations and the shipped rules. The same day
without the digger must tell nothing. For every run it prints looks, in how many the digger was seen, incidents and
alerts; false is whatever is told that is not the one incident about the digger.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import yaml

import view_days
from huoyan import config, dispatch
from huoyan.config_watch import Disk
from huoyan.incidents import open_store
from huoyan.records import Alert, Frame, FrameRef, Observations, frame_id
from huoyan.runs.look import Eyes
from huoyan.runs.prepare import prepare
from huoyan.runs.watch.judge import LiveJudge, Seen
from huoyan.runs.watch.room import Room
from huoyan.sample import Picture
from view_days import Days, Image, Put, Sky, Thing, View

ZONE = ZoneInfo("America/Los_Angeles")
MIDNIGHT = datetime(2026, 3, 9, tzinfo=ZONE)
SHAKE_PX = 4.0
_HALF_ZONE_DEG = 0.004
_UNPLACED = (120.90, 29.50)


@dataclass(frozen=True)
class Day:
    """What a day before one camera came to."""

    camera: str
    looks: int
    seen: int
    """Looks in which the digger was found."""
    alerts: tuple[Alert, ...]

    @property
    def incidents(self) -> Counter[tuple[str, str]]:
        """Alerts told, by scene and incident."""
        return Counter((alert.scene, alert.incident_id) for alert in self.alerts)

    @property
    def false(self) -> int:
        """Alerts that are not the first about the digger."""
        right = [alert for alert in self.alerts if alert.scene == "earthwork"][:1] if self.seen else []
        return len(self.alerts) - len(right)


def sky_at(hour: float) -> Sky:
    """A day that has everything."""
    if 9 <= hour < 11.5 or 16.5 <= hour < 18:
        return "cloud"
    if 11.5 <= hour < 14:
        return "rain"
    return "fog" if 7 <= hour < 8.5 else "sun"


def write_county(folder: Path, data: Path, views: Sequence[View]) -> Path:
    """county.yaml with a live camera for each view: calibrated where the data have control points, else by its zone."""
    cameras, zones = [], []
    for view in views:
        camera: dict[str, Any] = {"id": view.name, "sampling": "30s", "stream": {"url": "rtsp://127.0.0.1/x"}}
        points = (data / view.picture).with_name("points.csv")
        height, width = cv2.imread(str(data / view.picture)).shape[:2]
        lon, lat = _UNPLACED[0] + 0.05 * len(cameras), _UNPLACED[1]
        # The views are brought to 16:9; points on a picture of another shape do not fit them any more.
        if points.is_file() and abs(width / height - view_days.SIZE[0] / view_days.SIZE[1]) < 0.01:
            calibration = folder / f"{view.name}.points.csv"
            calibration.write_bytes(points.read_bytes())
            with points.open(encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            lon, lat = (sum(float(row[key]) for row in rows) / len(rows) for key in ("lon", "lat"))
            camera |= {"calibration": calibration.name, "size": [width, height]}
        else:
            camera |= {"zones": [f"zone-{view.name}"]}
        cameras.append(camera)
        zones.append(_zone(view.name, lon, lat))
    zones_text = json.dumps({"type": "FeatureCollection", "features": zones})
    (folder / "zones.geojson").write_text(zones_text, "utf-8")
    county = {
        "county": {"name": "simulated", "timezone": str(ZONE), "data": "./state"},
        "cameras": cameras,
        "registry": {"zones": "zones.geojson"},
    }
    path = folder / "county.yaml"
    path.write_text(yaml.safe_dump(county), "utf-8")
    return path


def _zone(name: str, lon: float, lat: float) -> dict[str, Any]:
    half = _HALF_ZONE_DEG
    ring = [
        (lon - half, lat - half),
        (lon + half, lat - half),
        (lon + half, lat + half),
        (lon - half, lat + half),
    ]
    return {
        "type": "Feature",
        "properties": {"id": f"zone-{name}", "name": name, "kind": "control"},
        "geometry": {"type": "Polygon", "coordinates": [[list(point) for point in (*ring, ring[0])]]},
    }


def pictures(
    data: Path, view: View, machine: Thing | None, every: timedelta, seed: int
) -> Iterator[tuple[datetime, Image]]:
    """A day's pictures of a view; with headlights in a third of those taken in the dark."""
    days = Days(data, view, seed, SHAKE_PX)
    puts = (Put(machine, view.machine),) if machine else ()
    rng = np.random.default_rng([seed, 5])
    for step in range(int(timedelta(days=1) / every)):
        when = MIDNIGHT + step * every
        sky = sky_at(when.hour + when.minute / 60)
        yield when, days.picture(when, sky, puts, headlights=bool(rng.random() < 0.33))


def run(
    folder: Path,
    data: Path,
    runs: Sequence[tuple[View, Thing | None]],
    every: timedelta,
    eyes: Eyes | None = None,
) -> list[Day]:
    """Days before several cameras, one after the other, judged into one state."""
    prepared = prepare(config.load(write_county(folder, data, [view for view, _ in runs])))
    eyes = eyes or Eyes(prepared.settings)
    eyes.settings = prepared.settings
    days = []
    with open_store(prepared.loaded.state) as store:
        dispatch.ensure_tables(store.connection)
        judge = LiveJudge(prepared, store, Room(prepared.loaded.state, Disk()))
        for number, (view, machine) in enumerate(runs):
            alerts: list[Alert] = []
            looks = seen = 0
            for when, image in pictures(data, view, machine, every, seed=number):
                ref = FrameRef(
                    frame_id(view.name, when, 0), view.name, "camera", when, "stream", view_days.SIZE, ""
                )
                found = eyes.look(Frame(ref, lambda image=image: image))
                assert isinstance(found, Observations)
                looks += 1
                seen += any(item.detection.label == "excavator" for item in found.items)
                judge.feed(Seen(view.name, found, _i420(image), time.monotonic()))
                while judge.waits:
                    judged = judge.commit()
                    assert judged is not None, judge.fault
                    alerts += judged.alerts
            days.append(Day(view.name, looks, seen, tuple(alerts)))
    return days


def _i420(image: Image) -> Picture:
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
    return Picture(planes.tobytes(), (image.shape[1], image.shape[0]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--every", type=float, default=10.0, help="minutes between looks")
    parser.add_argument("--views", type=int, default=len(view_days.VIEWS))
    parser.add_argument("--machines", type=int, default=len(view_days.EXCAVATORS))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    every = timedelta(minutes=options.every)
    views = view_days.VIEWS[: options.views]
    total = Counter[str]()
    eyes: Eyes | None = None
    for turn in range(options.machines + 1):
        # Every view meets every machine; the last turn is the empty day.
        machines = [view_days.EXCAVATORS[(turn + i) % len(view_days.EXCAVATORS)] for i in range(len(views))]
        runs = [
            (view, machine if turn < options.machines else None)
            for view, machine in zip(views, machines, strict=True)
        ]
        with tempfile.TemporaryDirectory() as folder:
            if eyes is None:
                eyes = Eyes(prepare(config.load(write_county(Path(folder), options.data, views))).settings)
            days = run(Path(folder), options.data, runs, every, eyes)
        for day, (_, machine) in zip(days, runs, strict=True):
            right = len(day.alerts) - day.false
            total.update(
                days=1,
                looks=day.looks,
                seen=day.seen,
                right=right,
                false=day.false,
                wanted=machine is not None,
            )
            name = Path(machine.picture).stem if machine else "nothing"
            told = ", ".join(f"{scene} x{count}" for (scene, _), count in day.incidents.items())
            print(
                f"{day.camera}, {name}: {day.looks} looks, seen in {day.seen}, told: {told or 'nothing'}",
                flush=True,
            )
    print(dict(total))


if __name__ == "__main__":
    main()
