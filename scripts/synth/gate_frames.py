"""The gate's videos: trucks drawn into the empty lanes, plates hung on them, written as H.264. No Blender."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import develop
import gate_plates as plates
import numpy as np
from gate_lanes import DAY, FPS, GROUND_Z, Lane, Pose, frames, poses
from gate_story import LENGTH_S, Truck
from PIL import Image

TITLES = {"gate-in": "样例县消纳场 进口", "gate-out": "样例县消纳场 出口"}
QUIET_S = 5.0  # between frames while nothing happens
PAINTS = {
    "green": None,
    "orange": (12, 1.35, 1.25),
    "red": (2, 1.25, 0.9),
}  # hue, saturation and value of other paints
CLOCK = Fraction(1, 1000)
HALF_TRUCK = 4.9
HAZE = np.array([190, 192, 190], np.float32)


class Studio:
    """One lane with its pictures, which `gate_render` made.

    Args:
        lane: whose.
        work: folder of the pictures.
        font: with Chinese characters.
    """

    def __init__(self, lane: Lane, work: Path, font: Path) -> None:
        self.lane, self.font = lane, font
        self.poses, self.rendered = poses(lane)
        self.empty = _distant(_enlarged(work / f"{lane.name}.png", "RGB", lane.shot.size))
        self._sprites = {n: _sprite(work / f"{lane.name}.{n:02d}.png", lane.shot.size) for n in self.rendered}
        # Trucks stand, and lanes are empty, for many frames.
        self._last: tuple[tuple[str, int], np.ndarray] = (("?", 0), self.empty)
        yy, xx = np.mgrid[-1 : 1 : self.empty.shape[0] * 1j, -1 : 1 : self.empty.shape[1] * 1j]
        self._vignette = (1 - 0.12 * (xx**2 + yy**2))[..., None].astype(np.float32)
        # Grain that stays: grain that changes would be most of the file.
        self._grain = np.random.default_rng(5).normal(0, 1.6, (*self.empty.shape[:2], 1)).astype(np.float32)

    def frame(self, truck: Truck | None, pose: int, moment: dt.datetime) -> np.ndarray:
        """One frame, uint8 RGB; `truck` None for the empty lane."""
        key = (truck.plate if truck else "", pose)
        if self._last[0] != key:
            picture = self.empty if truck is None else self._with(truck, pose)
            x = cv2.GaussianBlur(picture, (0, 0), 0.7) * self._vignette + self._grain
            self._last = key, np.clip(x, 0, 255).astype(np.uint8)
        return develop.caption(self._last[1], moment, TITLES[self.lane.name], self.font)

    def _with(self, truck: Truck, number: int) -> np.ndarray:
        pose = self.poses[number]
        near = min(self.rendered, key=lambda n: (_turned(self.poses[n], pose), abs(n - number)))
        sprite = _painted(self._sprites[near], truck.paint)
        if truck.dirty:
            sprite = _splashed(sprite)
        if near != number:
            turn = cv2.getAffineTransform(*self._marks(self.poses[near], pose))
            sprite = cv2.warpAffine(sprite, turn, self.lane.shot.size, flags=cv2.INTER_LINEAR)
        cover = sprite[..., 3:] / 255
        picture = self.empty * (1 - cover) + sprite[..., :3] * cover
        return self._lettered(picture, truck, pose)

    def _marks(self, *both: Pose) -> list[np.ndarray]:
        """Pixels of three points of a truck at each pose: on the end that is seen, or where the camera is beside it, on
        its middle."""
        for out in (HALF_TRUCK, 0.0):
            sheets = [plates.corners(pose, self.lane.plate, (2.4, 2.0), GROUND_Z, out) for pose in both]
            seen = [self.lane.shot.project(sheet) for sheet in sheets]
            if all(len(points) == 4 for points in seen):
                break
        return [points[:3].astype(np.float32) for points in seen]

    def _lettered(self, picture: np.ndarray, truck: Truck, pose: Pose) -> np.ndarray:
        front = self.lane.plate == "front"
        if not front:
            spots = self._spots(pose, (2.1, 0.39), 2.0, 4.885)
            if spots is not None:
                white = _letters(truck.plate, self.font)
                picture = plates.hang(picture, np.full((*white.shape, 3), 205, np.float32), white, spots, 1.0)
        rows = 1 if front else 2
        size, z, out = ((0.44, 0.14), 0.63, 4.97) if front else ((0.44, 0.22), 0.75, 4.895)
        spots = self._spots(pose, size, z, out)
        if spots is None:
            return picture
        sheet = _plate(truck.plate, rows, truck.mud, self.font)
        return plates.hang(picture, sheet, None, spots, _light(picture, spots))

    def _spots(self, pose: Pose, size: tuple[float, float], z: float, out: float) -> np.ndarray | None:
        points = plates.corners(pose, self.lane.plate, size, GROUND_Z + z, out)
        return self.lane.shot.project(points) if plates.facing(points, self.lane.shot) else None


@functools.cache
def _letters(text: str, font: Path) -> np.ndarray:
    return plates.big_letters(text, font)


@functools.cache
def _plate(text: str, rows: int, mud: float, font: Path) -> np.ndarray:
    clean = plates.plate(text, rows, font)
    return plates.muddied(clean, mud, np.random.default_rng(4)) if mud else clean


def _enlarged(path: Path, mode: str, size: tuple[int, int]) -> np.ndarray:
    picture = Image.open(path).convert(mode).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(picture, np.float32).copy()


def _distant(picture: np.ndarray) -> np.ndarray:
    """What lies behind the gate is out of focus and in the dust of the yard."""
    high = picture.shape[0]
    far = cv2.GaussianBlur(picture, (0, 0), 0.0085 * high)
    far += (HAZE - far) * 0.25
    share = np.clip((0.46 - np.arange(high, dtype=np.float32) / high) / 0.085, 0, 1)[:, None, None]
    return picture + (far - picture) * share


def _sprite(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A truck with its shadow, float32 RGBA; the shadow fades out towards the edge of what was rendered."""
    sprite = _enlarged(path, "RGBA", size)
    cover = sprite[..., 3]
    rows, columns = np.nonzero(cover > 0)
    inside = np.zeros(cover.shape, np.uint8)
    inside[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = 1
    # Beyond the edges of the picture it goes on.
    far = cv2.distanceTransform(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 3)
    fade = np.clip(far[1:-1, 1:-1] / 18, 0, 1)
    solid = np.clip((cover - 9) / 246, 0, 1) * 255  # a catcher of shadows is never quite empty
    cover[:] = np.where(cover > 250, solid, solid * fade)
    return sprite


def _turned(a: Pose, b: Pose) -> float:
    return round(abs(a[2] - b[2]), 3)


def _painted(sprite: np.ndarray, paint: str) -> np.ndarray:
    """The green truck in another paint."""
    other = PAINTS[paint]
    if other is None:
        return sprite
    hue, saturation, value = other
    rows, columns = np.nonzero(sprite[..., 3])
    out = sprite.copy()
    part = out[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, :3]
    hsv = cv2.cvtColor(part.clip(0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV).astype(np.float32)
    green = np.clip(1 - abs(hsv[..., 0] - 68) / 26, 0, 1) * np.clip(hsv[..., 1] / 60 - 0.5, 0, 1)
    green = np.minimum(1, 1.8 * green)[..., None]
    hsv[..., 0] = hue
    hsv[..., 1] = np.clip(hsv[..., 1] * saturation, 0, 255)
    hsv[..., 2] = np.clip(hsv[..., 2] * value, 0, 255)
    changed = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)
    part += (changed - part) * green
    return out


def _splashed(sprite: np.ndarray) -> np.ndarray:
    """Mud on the lower part of a truck."""
    rows, columns = np.nonzero(sprite[..., 3] > 200)
    if not len(rows):
        return sprite
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    size = (int(right - left), int(bottom - top))
    rng = np.random.default_rng(9)
    cloud = sum(
        cv2.resize(rng.random((n, n), dtype=np.float32), size, interpolation=cv2.INTER_CUBIC) * w
        for n, w in ((5, 0.5), (14, 0.3), (40, 0.25))
    )
    depth = np.linspace(0, 1, size[1], dtype=np.float32)[:, None]
    cover = np.clip((depth - 0.4) * 1.3 + (cloud - 0.55) * 2.2, 0, 0.7)[..., None]
    out = sprite.copy()
    part = out[top:bottom, left:right]
    # Shadows are black and not all there; mud sticks to the truck alone.
    solid = (part[..., 3:] > 245) & (part[..., :3].max(axis=2, keepdims=True) > 12)
    part[..., :3] += (np.array([120, 96, 68], np.float32) - part[..., :3]) * cover * solid
    return out


def _light(picture: np.ndarray, spots: np.ndarray) -> float:
    """How bright the blank plate was drawn, against one in full light."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    middle = spots.mean(0)
    cv2.fillConvexPoly(mask, np.round(middle + (spots - middle) * 0.6).astype(np.int32), 1)
    return float(np.clip(picture[..., 0][mask > 0].mean() / 225, 0.4, 1.05)) if mask.any() else 1.0


def timeline(lane: Lane, trucks: tuple[Truck, ...]) -> Iterator[tuple[float, Truck | None, int]]:
    """Seconds from the beginning, the truck that is seen and its pose, for every frame."""
    mine = [truck for truck in trucks if truck.lane is lane]
    now = 0.0
    for truck in mine:
        while now < truck.start_s:
            yield now, None, 0
            now += QUIET_S
        for i, pose in enumerate(frames(lane)):
            yield truck.start_s + i / FPS, truck, pose
        now = truck.start_s + len(frames(lane)) / FPS
    while now <= LENGTH_S:
        yield now, None, 0
        now += QUIET_S


def film(studio: Studio, trucks: tuple[Truck, ...], target: Path, quality: int) -> None:
    """Writes a lane's video. Frames come five a second while a truck is in sight, else one in five seconds.

    Args:
        quality: x264's constant rate factor.
    """
    lane = studio.lane
    tags = {"creation_time": DAY.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")}
    with av.open(str(target), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        container.metadata.update(tags)
        options = {"crf": str(quality), "preset": "medium", "threads": "1", "x264-params": "bframes=2"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height = lane.shot.size
        stream.pix_fmt, stream.time_base = "yuv420p", CLOCK
        stream.codec_context.time_base, stream.codec_context.gop_size = CLOCK, 250
        before: Truck | None = None
        for seconds, truck, pose in timeline(lane, trucks):
            moment = DAY + dt.timedelta(seconds=seconds)
            frame = av.VideoFrame.from_ndarray(studio.frame(truck, pose, moment), format="rgb24")
            frame.pts, frame.time_base = round(seconds / CLOCK), CLOCK
            if truck is not before:  # so that each passage can be decoded by itself
                frame.pict_type = av.video.frame.PictureType.I
            before = truck
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
