"""The models of the daemon in a process of their own: pictures in, observations out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection

import cv2
import numpy as np

from huoyan.child import receive
from huoyan.errors import HuoyanError
from huoyan.perception.recollection import Recollection
from huoyan.records import Frame, Image, Observations, Skip, Unplaced
from huoyan.runs import closer
from huoyan.runs.look import Eyes, LookSettings
from huoyan.sample import Look, Picture

MOVED = Unplaced("the camera has moved")


@dataclass(frozen=True, slots=True)
class Ready:
    """The models are loaded; or they cannot be, and why."""

    fault: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look gave. `seconds`: of the wall clock, from the picture's arrival in the process to its observations."""

    frame_id: str
    seen: Observations | Skip
    seconds: float


@dataclass(frozen=True, slots=True)
class Idle:
    """A sign of life."""


def main(connection: Connection, settings: LookSettings) -> None:
    """Load the models, then look at whatever comes, until the parent is gone."""
    cv2.setNumThreads(1)
    try:
        eyes = Eyes(settings, Recollection())
    except HuoyanError as error:
        connection.send(Ready(str(error)))
        receive(connection)
        return
    connection.send(Ready())
    while True:
        while not connection.poll(5.0):
            connection.send(Idle())
        look: Look = receive(connection)
        began = time.monotonic()
        connection.send(Looked(look.frame.frame_id, _look(eyes, look), time.monotonic() - began))


def rgb(picture: Picture) -> Image:
    """The pixels of a picture: uint8 (height, width, 3), RGB (BT.601, as cameras of these sizes send it)."""
    width, height = picture.size
    planes = np.frombuffer(picture.i420, np.uint8).reshape(height * 3 // 2, width)
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420), dtype=np.uint8)


def _look(eyes: Eyes, look: Look) -> Observations | Skip:
    ref = look.frame
    try:
        seen = eyes.look(Frame(ref, partial(rgb, look.picture)))
        if look.changes and isinstance(seen, Observations):
            seen = closer.look(eyes, seen, rgb(look.picture), look.changes)
    except Exception as error:
        # One picture must never end the watch; what it was is told with its camera.
        words = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        return Skip(ref.source_id, ref.path, "look_failed", words)
    if isinstance(seen, Skip) or look.placed:
        return seen
    return replace(seen, items=tuple(replace(item, place=MOVED) for item in seen.items))
