"""A small generated county: coloured rectangles on grey ground, rules that ask for them, models that find them.

A frame costs milliseconds, so a whole run, killed or disturbed many times, stays cheap.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import rasterio
import yaml
from affine import Affine

from ..unit.conftest import write_card, write_change, write_detector

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
STEP = timedelta(minutes=30)
SIZE = (320, 240)
RED, GREEN = (200, 20, 20), (20, 200, 20)
Thing = tuple[tuple[int, int, int], tuple[int, int, int, int]]
"""Colour and box (x1, y1, x2, y2) of a rectangle."""

CODES = {"codes": {"red": "9101", "green": "9102", "change": "9103"}}
_STAGE = {"seen": {"zh": "已发现", "en": "seen"}, "both": {"zh": "两者", "en": "both"}}
SCENES: dict[str, Any] = {
    "version": 1,
    "scenes": {
        # A new story for every picture: the window is shorter than the time between two of them.
        "red_thing": {
            "zh": "红", "en": "Red", "code": "red", "priority": "high", "window": "10m",
            "stages": _STAGE,
            "evidence": [{"sensors": ["camera"], "stage": "seen", "any": [{"label": "red"}]}],
        },
        # One long story that needs the memory: two looks of four; a second stage makes a revision.
        "green_stay": {
            "zh": "绿", "en": "Green", "code": "green", "window": "3h", "stages": _STAGE,
            "evidence": [
                {
                    "sensors": ["camera"], "stage": "seen", "any": [{"label": "green"}],
                    "persistence": {"looks": 2, "of": 4, "within": "1d"},
                },
                {"sensors": ["camera"], "stage": "both", "all": [{"label": "green"}, {"label": "red"}]},
            ],
        },
        "lasting": {
            "zh": "变化", "en": "Change", "code": "change", "window": "60d", "stages": _STAGE,
            "evidence": [{"sensors": ["satellite"], "stage": "seen", "any": [{"label": "change"}]}],
        },
    },
}  # fmt: skip


def picture(things: Sequence[Thing] = (), seed: int = 0, size: tuple[int, int] = SIZE) -> Any:
    """Grey ground with a little noise, uint8 (height, width, 3), RGB, and rectangles painted on it."""
    noise = np.random.default_rng(seed).integers(96, 136, (size[1], size[0], 1), dtype=np.uint8)
    image: npt.NDArray[np.uint8] = np.repeat(noise, 3, axis=2)
    for colour, (x1, y1, x2, y2) in things:
        image[y1:y2, x1:x2] = colour
    return image


def write_still(path: Path, things: Sequence[Thing] = (), seed: int = 0) -> Path:
    """A still as JPEG or PNG, by its ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = cv2.imencode(path.suffix, picture(things, seed)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    path.write_bytes(data.tobytes())
    return path


def name_of(time: datetime) -> str:
    return f"{time:%Y%m%dT%H%M%S}Z"


def write_camera(folder: Path, frames: int, every: timedelta = STEP, start: datetime = START) -> None:
    """A time-lapse: red in two of three pictures, green in three of five, so that stories begin and end."""
    for index in range(frames):
        things: list[Thing] = []
        if index % 3 != 2:
            things.append((RED, (40, 120, 100, 200)))
        if index % 5 < 3:
            things.append((GREEN, (180, 120, 240, 200)))
        write_still(folder / f"{name_of(start + every * index)}.jpg", things, index)


def write_video(path: Path, seconds: int, start: datetime = START) -> None:
    """A video, a frame a second, in which a red thing crosses the picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        container.metadata["creation_time"] = f"{start:%Y-%m-%dT%H:%M:%SZ}"
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for index in range(seconds):
            left = 20 + 8 * index % 200
            frame = av.VideoFrame.from_ndarray(picture([(RED, (left, 100, left + 60, 180))], index), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_pair(folder: Path, side: int = 512) -> None:
    """Two dates of one place, two things gained in between, in UTM zone 51 north at half a metre."""
    gained: list[Thing] = [(RED, (60, 60, 120, 120)), (GREEN, (330, 330, 400, 400))]
    for day, things in (("20260201", []), ("20260301", gained)):
        path = folder / day / "place.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = picture(things, 7, (side, side))
        with rasterio.open(
            path, "w", driver="GTiff", width=side, height=side, count=3, dtype="uint8",
            crs="EPSG:32651", transform=Affine(0.5, 0.0, 296_000.0, 0.0, -0.5, 3_265_000.0),
        ) as target:  # fmt: skip
            target.write(np.moveaxis(image, 2, 0))


def write_models(folder: Path) -> None:
    """The detector of coloured rectangles and the model of differences."""
    folder.mkdir(parents=True, exist_ok=True)
    write_detector(folder / "colours.onnx")
    write_card(folder / "colours.onnx", task="detect", classes=["red", "green"], input={"long_side": 320})
    write_change(folder / "difference.onnx")
    write_card(folder / "difference.onnx", task="change", thresholds={"default": 0.25})


def write_county(
    folder: Path, names: Sequence[str] = ("cam-1",), frames: int = 12, video_s: int = 0, **changes: Any
) -> Path:
    """A county with time-lapses of some cameras, `frames` pictures each; returns its configuration.

    With `video_s` a last camera, `way`, has a video of that many frames. The archive is `folder/archive`, the
    state `folder/state`; `changes` replace keys of the configuration.
    """
    write_models(folder / "models")
    for index, camera in enumerate(names):
        write_camera(folder / "archive" / "camera" / camera, frames, start=START + timedelta(minutes=index))
    (folder / "scenes.yaml").write_text(yaml.safe_dump(SCENES, allow_unicode=True), encoding="utf-8")
    (folder / "codes.yaml").write_text(yaml.safe_dump(CODES), encoding="utf-8")
    # The first camera is placed on the map, the others are not.
    pose = {"height_m": 12.0, "yaw_deg": 30.0, "pitch_deg": -25.0, "hfov_deg": 60.0}
    placed = [{"id": name, "position": [120.9, 29.5], "pose": pose} for name in names[:1]]
    way = [{"id": "way", "sampling": "1s"}] if video_s else []
    if video_s:
        write_video(folder / "archive" / "camera" / "way" / "way.mp4", video_s)
    config: dict[str, Any] = {
        "county": {"name": "小县", "data": "state"},
        "archive": "archive",
        "cameras": placed + way,
        "scenes": {"file": "scenes.yaml", "codes": "codes.yaml"},
        "models": {"folder": "models", "site": "colours", "street": None, "change": "difference"},
        # Its alerts are of the past: what is delivered would leave the outbox at once, and tests look into it.
        "dispatch": {"keep": "36500d"},
        # Looking for faces is the dearest step of a frame this small.
        "evidence": {"blur_faces": False, "blur_plates": False, "long_side": 320},
        **changes,
    }
    path = folder / "county.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path
