"""The gate of the spoil yard: its two lanes, its two cameras, and where a truck is at each step. No Blender.

Trucks come along the road from the west, turn in at the western lane, stop for a moment and go on to the weighbridge;
washed and weighed, they leave by the eastern lane, stop for a moment and turn into the road. Metres in the local frame.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
from shots import TZ, Shot

ROAD_Y = -1.9  # middle of the eastbound lane
TURN_M = 6.5  # radius of the turn between lane and road, of a truck's middle
FPS = 5
STAND_S = 2.0
GROUND_Z = 0.25  # of the trodden earth that the trucks stand on
DAY = dt.datetime(2026, 3, 24, 14, 0, tzinfo=TZ)
SIZE = (1920, 1080)


@dataclass(frozen=True)
class Lane:
    """One lane with its camera.

    `shot` is the camera; `plate` says which end of a truck it sees, `truck` which kind is rendered; `line_y` is where
    the virtual line crosses the lane; trucks stand at pose `stands`, where the detector knows them best: half turned.
    """

    name: str
    x: float
    portal_y: float
    line_y: float
    stands: int
    plate: str
    truck: str
    shot: Shot


def _camera(name: str, at: tuple[float, float, float], pitch: float, yaw: float) -> Shot:
    return Shot(name, "pole", DAY, SIZE, at, pitch, yaw, 42.0)


ENTRY = Lane(
    "gate-in", 67.5, -8.2, -9.4, 16, "front", "loaded", _camera("gate-in", (70.3, -25.5, 4.2), -12.5, -11.3)
)
EXIT = Lane(
    "gate-out", 87.2, -8.2, -11.0, 13, "rear", "empty", _camera("gate-out", (90.0, -27.5, 4.2), -12.5, -11.3)
)
LANES = (ENTRY, EXIT)

Pose = tuple[float, float, float]
"""x and y of a truck's middle, degrees anticlockwise from north."""


def _entering(lane: Lane, s: float) -> Pose:
    """`s` metres from the start of the turn: negative on the road."""
    arc = TURN_M * math.pi / 2
    if s < 0:
        return lane.x - TURN_M + s, ROAD_Y, -90.0
    if s < arc:
        a = s / TURN_M
        return lane.x - TURN_M * (1 - math.sin(a)), ROAD_Y - TURN_M * (1 - math.cos(a)), -90 - math.degrees(a)
    return lane.x, ROAD_Y - TURN_M - (s - arc), -180.0


def _leaving(lane: Lane, s: float) -> Pose:
    """`s` metres from the start of the turn: negative in the lane."""
    arc = TURN_M * math.pi / 2
    if s < 0:
        return lane.x, ROAD_Y - TURN_M + s, 0.0
    if s < arc:
        a = s / TURN_M
        return lane.x + TURN_M * (1 - math.cos(a)), ROAD_Y - TURN_M * (1 - math.sin(a)), -math.degrees(a)
    return lane.x + TURN_M + (s - arc), ROAD_Y, -90.0


def poses(lane: Lane) -> tuple[list[Pose], list[int]]:
    """Where a truck is while it moves, one pose a frame, and the numbers of those that are rendered.

    The others are drawn from the rendered one that is nearest (`gate_frames`), where only size and place change and
    nothing stands before the truck.
    """
    arc, way = TURN_M * math.pi / 2, _entering if lane is ENTRY else _leaving
    # Metres along the way from, to; a step of a frame; every how many frames one is rendered.
    if lane is ENTRY:
        legs = (
            (-6.6, 0.0, 1.1, 1),
            (0.0, arc, 0.85, 1),
            (arc, arc + 2.4, 0.5, 2),
            (arc + 2.4, arc + 12.3, 1.1, 3),
        )
    else:
        legs = (
            (-15.556, -4.0, 1.4445, 4),
            (-4.0, 0.0, 0.8, 2),
            (0.0, arc, 0.85, 1),
            (arc, arc + 6.5, 1.3, 1),
        )
    along: list[float] = []
    rendered: list[int] = []
    for start, end, step, every in legs:
        part = np.linspace(start, end, round((end - start) / step), endpoint=False)
        rendered += range(len(along), len(along) + len(part), every)
        along += part.tolist()
    return [way(lane, s) for s in along], rendered


def frames(lane: Lane) -> list[int]:
    """The number of the pose at each frame of a passage, the standing time included."""
    last, stands = len(poses(lane)[0]), lane.stands
    return [*range(stands), *[stands] * round(STAND_S * FPS), *range(stands + 1, last)]


def foot(lane: Lane, pose: Pose) -> tuple[float, float]:
    """Middle of the lower edge of a truck's box in the picture, px; it is what crosses lines."""
    turn = math.radians(pose[2])
    corners = [
        (
            pose[0] + i * math.cos(turn) - j * math.sin(turn),
            pose[1] + i * math.sin(turn) + j * math.cos(turn),
            z,
        )
        for i in (-1.25, 1.25)
        for j in (-4.9, 4.95)
        for z in (GROUND_Z, 3.3)
    ]
    seen = np.clip(lane.shot.project(np.array(corners)), 0, lane.shot.size)
    return float(seen[:, 0].min() + seen[:, 0].max()) / 2, float(seen[:, 1].max())


def crossing(lane: Lane) -> int:
    """The frame of a passage at which a truck crosses the virtual line.

    Raises:
        ValueError: none does.
    """
    moving, _ = poses(lane)
    (x1, y1), (x2, y2) = line(lane)
    before: bool | None = None
    for i, number in enumerate(frames(lane)):
        x, y = foot(lane, moving[number])
        inside = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) > 0
        if before is not None and inside != before:
            return i
        before = inside
    raise ValueError(f"no truck crosses the line of {lane.name}")


def line(lane: Lane) -> list[list[int]]:
    """The virtual line in pixels, from the left of the picture to its right."""
    ends = lane.shot.project(np.array([(lane.x + dx, lane.line_y, 0.0) for dx in (-3.4, 3.4)]))
    return [[round(v) for v in end] for end in ends]
