"""A live road in a process of its own: its stream in, passages out, each with the pictures that show it.

The stream is decoded at its full rate, five frames a second are looked at. Whoever cannot keep up loses the oldest
waiting frames, two of which wait at most, and they are counted: a passage is never late, it has fewer looks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import av
import cv2

from huoyan.alerts import files
from huoyan.child import receive
from huoyan.errors import HuoyanError
from huoyan.perception import masks
from huoyan.records import FrameRef, Ground, Image, Ring, Skip
from huoyan.runs.passages import SAMPLING_S, EyeSettings, PassageEyes
from huoyan.runs.road import Passed, follow
from huoyan.sample import Patience, Transport
from huoyan.sources.live import LiveFrames, is_live

log = logging.getLogger("huoyan.watch.road")
_PERIOD_S = 2.0
_STUCK_S = 20.0
"""No look takes so long: who has not asked for a frame since hangs, and gives no sign of life any more."""
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class RoadPlan:
    """All that must be known to follow a road. Its address may hold a password: never print it."""

    camera: str
    address: str = field(repr=False)
    """Of a stream, or a file, which is played at its own pace, again from its start."""
    eyes: EyeSettings
    folder: Path
    """Where a picture that is told about will lie, by its day."""
    ground: Ground | None = None
    transport: Transport = "tcp"
    patience: Patience = field(default_factory=Patience)
    masks: tuple[Ring, ...] = ()
    ignore: tuple[Ring, ...] = ()


@dataclass(frozen=True, slots=True)
class Passing:
    """A passage that has ended.

    Attributes:
        camera: whose.
        passed: the passage.
        pictures: JPEGs of the frames that show it, by frame id; masks are painted.
        clock: monotonic seconds at which it had ended.
    """

    camera: str
    passed: Passed
    pictures: Mapping[str, bytes] = field(repr=False)
    clock: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of a road since the last report, and a sign of life."""

    camera: str
    looked: int = 0
    dropped: int = 0
    """Frames that a newer one replaced before they were looked at."""
    seen: float | None = None
    """Monotonic seconds of the last frame; None: there was none yet."""
    behind_s: float = 0.0
    """From a frame's arrival to its look, the longest."""
    why: str = ""
    """Why no frames come, or the models cannot be loaded; empty while all is well."""


def main(connection: Connection, plan: RoadPlan) -> None:
    """Load the models, then follow the road until the parent has had enough."""
    # FFmpeg's own lines may hold addresses with passwords.
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    try:
        eyes = PassageEyes(plan.eyes)
    except HuoyanError as error:
        connection.send(Progress(plan.camera, why=str(error)))
        receive(connection)
        return
    Following(connection, plan).run(eyes)


class Following:
    """One road. `run` looks; one thread beside it listens to the parent, and one tells how it goes."""

    def __init__(self, connection: Connection, plan: RoadPlan) -> None:
        self._connection, self._plan = connection, plan
        self._sending = threading.Lock()
        self._stop = threading.Event()
        self._source = self._opened()
        self._pictures: dict[str, bytes] = {}
        self._looked = self._late = 0
        self._told = 0, 0
        """Of both, what was told already."""
        self._behind_s = 0.0
        self._seen: float | None = None
        self._why = ""

    def run(self, eyes: PassageEyes) -> None:
        """Follow until told to stop; what is in view then is told as far as it was seen."""
        self._tell(self._progress())
        threading.Thread(target=self._listen, name="listening", daemon=True).start()
        threading.Thread(target=self._report, name="reporting", daemon=True).start()
        plan = self._plan
        while not self._stop.is_set():
            for passed in follow(
                eyes,
                self._source,
                plan.ground,
                ignore=plan.ignore,
                keep=self._keep,
                skipped=self._lost,
                looked=self._have_looked,
            ):
                shown = {sight.frame.frame_id for sight in passed.passage.sights}
                pictures = {name: self._pictures[name] for name in shown & self._pictures.keys()}
                self._tell(Passing(plan.camera, passed, pictures, time.monotonic()))
            # A film that has come to its end; a stream has none.
            self._stop.wait(plan.patience.pause_s)
            self._late, self._source = self._late + self._source.late, self._opened()

    def _opened(self) -> LiveFrames:
        plan = self._plan
        return LiveFrames(
            plan.address,
            plan.camera,
            SAMPLING_S,
            plan.patience,
            pace=not is_live(plan.address),
            options={"rtsp_transport": plan.transport},
            paint=partial(masks.paint, masks=plan.masks) if plan.masks else None,
        )

    def _listen(self) -> None:
        try:
            while True:
                receive(self._connection)
        except EOFError:
            self._stop.set()
            self._source.stop()

    def _report(self) -> None:
        while not self._stop.wait(_PERIOD_S):
            if self._works(time.monotonic()):
                self._tell(self._progress())

    def _works(self, now: float) -> bool:
        """Whether somebody looks, and frames come or are tried for."""
        patience = self._plan.patience
        longest = patience.open_s + max(patience.first_s, patience.read_s) + 2 * patience.longest_pause_s
        return now - self._source.asked < _STUCK_S and now - self._source.stirred < longest

    def _progress(self) -> Progress:
        looked, late = self._looked, self._late + self._source.late
        before, self._told = self._told, (looked, late)
        behind_s, self._behind_s = self._behind_s, 0.0
        return Progress(
            self._plan.camera, looked - before[0], late - before[1], self._seen, behind_s, self._why
        )

    def _tell(self, message: Passing | Progress) -> None:
        with self._sending:
            self._connection.send(message)

    def _have_looked(self, frame: FrameRef) -> None:
        self._looked += 1
        self._behind_s = max(self._behind_s, (datetime.now(UTC) - frame.time).total_seconds())
        self._seen, self._why = time.monotonic(), ""
        # What the frames before have ended was handed over.
        self._pictures.clear()

    def _lost(self, skip: Skip) -> None:
        self._why = skip.reason
        log.warning("%s: %s", skip.source_id, skip.reason, extra={"camera": skip.source_id})

    def _keep(self, ref: FrameRef, image: Image) -> FrameRef:
        path = self._plan.folder / f"{ref.time:%Y%m%d}" / f"{ref.frame_id}.jpg"
        self._pictures[ref.frame_id] = files.jpeg(image, _QUALITY)
        return replace(ref, path=str(path), locator={})
