"""A small county with road cameras: green trucks with a red plate drive through videos, and models that see them.

Every plate reads `PLATE`; where it is not painted, the truck is unreadable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import yaml

from ..unit.conftest import write_card, write_detector
from .plates import write_finder, write_reader

PLATE = "浙A12345"
SIZE = (640, 480)
FPS = 5
TRUCK, SIGN = (0, 200, 0), (255, 0, 0)
METRES_PER_LON = 96_900.0


@dataclass(frozen=True)
class Video:
    """One truck through one view."""

    camera: str
    start: datetime
    readable: bool = True
    seconds: float = 4.0


def road_scene(**changes: Any) -> dict[str, Any]:
    """Scenes with nothing but trucks, as the shipped file has them."""
    rule = {
        "zh": "未经审批渣土车",
        "en": "Unapproved muck truck",
        "code": "truck",
        "priority": "high",
        "window": "1d",
        "vehicle": True,
        "stages": {"seen": {"zh": "已发现", "en": "seen"}},
        "evidence": [{"sensors": ["camera", "drone"], "stage": "seen", "any": [{"label": "dump_truck"}]}],
    }
    return {"version": 1, "scenes": {"unapproved_vehicle": {**rule, **changes}}}


def write_road_county(
    folder: Path,
    videos: Sequence[Video],
    register: str = "plate\n粤X99999\n",
    cameras: dict[str, float] | None = None,
    label: str = "dump_truck",
    roads: bool = True,
    **changes: Any,
) -> Path:
    """A county whose cameras stand along a road; returns its configuration.

    Args:
        folder: of the county.
        videos: what the cameras saw.
        register: text of vehicles.csv.
        cameras: metres along the road by id; default those of the videos, 5 km apart.
        label: what the detector takes trucks for.
        roads: whether the cameras are road cameras.
        changes: replace keys of the configuration.
    """
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    write_detector(models / "trucks.onnx")
    write_card(models / "trucks.onnx", task="detect", classes=["sign", label], input={"long_side": 320})
    write_reader(models / "reader.onnx", PLATE, "yellow_single")
    write_finder(models / "finder.onnx")
    names = sorted({video.camera for video in videos})
    along = cameras or {name: 5000.0 * index for index, name in enumerate(names)}
    for index, video in enumerate(videos):
        write_drive(folder / "archive" / "camera" / video.camera / f"{index:03}.mp4", video)
    (folder / "vehicles.csv").write_text(register, encoding="utf-8")
    (folder / "scenes.yaml").write_text(yaml.safe_dump(road_scene(), allow_unicode=True), encoding="utf-8")
    (folder / "codes.yaml").write_text("codes: {truck: '9101'}\n", encoding="utf-8")
    config: dict[str, Any] = {
        "county": {"name": "小县", "data": "state"},
        "archive": "archive",
        "cameras": [
            {"id": name, "road": roads, "position": [120.9 + metres / METRES_PER_LON, 29.5], "sampling": "1s"}
            for name, metres in along.items()
        ],
        "registry": {"vehicles": "vehicles.csv"},
        "scenes": {"file": "scenes.yaml", "codes": "codes.yaml"},
        "models": {
            "folder": "models",
            "site": "trucks",
            "street": None,
            "change": None,
            "plates": "reader",
            "plate_corners": "finder",
        },
        "evidence": {"blur_faces": False, "blur_plates": False, "long_side": 320},
        **changes,
    }
    path = folder / "county.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def write_drive(path: Path, video: Video) -> None:
    """The truck drives from the left to the right, through the whole picture, and is gone at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = round(video.seconds * FPS)
    with av.open(str(path), "w") as container:
        container.metadata["creation_time"] = f"{video.start:%Y-%m-%dT%H:%M:%SZ}"
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        # Every frame by itself: this codec leaves a moving edge behind where it predicts.
        stream.codec_context.gop_size = 1
        for index in range(frames):
            image = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
            left = round(-200 + (SIZE[0] + 240) * index / (frames - 1))
            x1, x2 = max(0, left), min(SIZE[0], left + 220)
            if x2 > x1:
                image[120:360, x1:x2] = TRUCK
                if video.readable and left >= 0 and left + 220 <= SIZE[0]:
                    image[300:330, left + 60 : left + 160] = SIGN
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))


def after(start: datetime, **time: float) -> datetime:
    """A moment later than `start`."""
    return start + timedelta(**time)
