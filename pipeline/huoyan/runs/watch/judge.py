"""The half that judges, live: what was seen goes through scenes, incidents and alerts into the outbox.

It differs from a scan's judge in three ways. Nobody can replay a live frame, so none is noted as done. What cannot be
written now (a full disk, a locked database) waits and is tried again. Pictures are in memory, and a frame is kept on
the disk only when something is told about it.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from huoyan import alerts, incidents, scenes
from huoyan.alerts import files
from huoyan.config_types import seconds
from huoyan.dispatch.rulings import Ruling
from huoyan.dispatch.stories import Handed
from huoyan.errors import SourceError, StorageError
from huoyan.incidents import Store, handover, matching
from huoyan.records import Alert, Finding, FrameRef, Image, Observations
from huoyan.runs import judge as scan_judge
from huoyan.runs.prepare import Prepared
from huoyan.runs.road_judge import RoadJudge
from huoyan.runs.telling import tell
from huoyan.runs.watch.eyes import rgb
from huoyan.runs.watch.following import Passing
from huoyan.runs.watch.poses import zones_of
from huoyan.runs.watch.room import Room
from huoyan.sample import Picture
from huoyan.scenes import JudgeContext
from huoyan.scenes.memory import Memory
from huoyan.vehicles import handover as trucks

log = logging.getLogger("huoyan.watch.judge")
BATCH_SECONDS = 0.5
"""A transaction gathers what comes within so long: an edge box's slow disk is synced twice a second at most."""
MOST_WAITING = 2000
WITH_PICTURES = 200
"""What waits because nothing can be written keeps its pictures up to here, and its words up to `MOST_WAITING`."""
HEALTH = "camera_health"
_QUALITY = 90
Reader = Callable[[FrameRef, Literal["now", "before"]], Image]


@dataclass(frozen=True, slots=True)
class Seen:
    """Observations with the picture that they were made on, if there is one; `clock`: when it had arrived."""

    camera: str
    observations: Observations
    picture: Picture | None
    clock: float


@dataclass(frozen=True, slots=True)
class Over:
    """A fault of a camera has ended: its story is resolved."""

    episode: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Remember:
    """Something that changes the judge's memory, and may give observations: done within the transaction."""

    change: Callable[[Memory], Sequence[Observations]]
    camera: str
    clock: float
    picture: Picture | None = None
    """That the observations were made on, if there is one."""


Task = Seen | Over | Remember | Passing | Handed | Ruling


@dataclass
class Judged:
    """What a transaction came to."""

    alerts: list[Alert] = field(default_factory=list)
    pending: set[str] = field(default_factory=set)
    """Cameras where something lacks nothing but another look."""
    looks: list[tuple[str, float]] = field(default_factory=list)
    """Camera and arrival of every look that was judged."""
    passed: list[str] = field(default_factory=list)
    """Camera of every passage that was judged."""
    handed: list[str] = field(default_factory=list)
    """Cameras whose stories came from another box."""
    kept: list[Path] = field(default_factory=list)


class LiveJudge:
    """The one writer of the state.

    Attributes:
        memory: what the judge remembers; change it only through `Remember`.
        fault: why nothing can be written now; empty while all is well.
        lost: looks that were given up because nothing could be written for too long.
    """

    def __init__(self, prepared: Prepared, store: Store, room: Room) -> None:
        self.memory = store.load_memory()
        self.fault, self.lost = "", 0
        self._store, self._room = store, room
        self._waiting: deque[Task] = deque()
        self._since = 0.0
        self.use(prepared)

    def use(self, prepared: Prepared) -> None:
        """From now on judge by this county."""
        self._prepared = prepared
        self._context = live_context(prepared)

    def feed(self, task: Task) -> None:
        """Take something that is to be judged."""
        if isinstance(task, Ruling) and task in self._waiting:
            # It is said again until it is written.
            return
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(task)
        self._shed()

    @property
    def due(self) -> bool:
        """Whether something has waited long enough to be written."""
        return bool(self._waiting) and time.monotonic() - self._since >= BATCH_SECONDS

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def commit(self) -> Judged | None:
        """Judge what waits and write it: memory, incidents, alerts and outbox, all or nothing.

        Returns:
            What came of it; None if it cannot be written now (see `fault`): it waits for the next call.
        """
        tasks = list(self._waiting)
        judged = Judged()
        begun, done = time.monotonic(), 0
        self._since = begun
        try:
            with self._store.transaction():
                for task in tasks:
                    self._take(task, judged)
                    done += 1
                    if time.monotonic() - begun >= BATCH_SECONDS:
                        break
                self._store.save_memory(self.memory)
        except StorageError as error:
            self._failed(error, judged)
            return None
        except BaseException:
            # The memory is ahead of the disk: whoever goes on must not judge by it.
            self.memory.reset(self._store.load_memory())
            raise
        for _ in range(done):
            self._waiting.popleft()
        if self.fault:
            log.warning("the state can be written again")
            self.fault = ""
        return judged

    def _failed(self, error: StorageError, judged: Judged) -> None:
        if str(error) != self.fault:
            log.error("what was judged waits in memory: %s", error)
        self.fault = str(error)
        for path in judged.kept:
            path.unlink(missing_ok=True)
        if error.code in ("disk_full", "disk"):
            self._room.make()
        try:
            self.memory.reset(self._store.load_memory())
        except StorageError as again:
            log.error("the memory cannot be read: %s", again)

    def _take(self, task: Task, judged: Judged) -> None:
        if isinstance(task, Seen):
            self._seen(task, judged)
            judged.looks.append((task.camera, task.clock))
        elif isinstance(task, Over):
            self._over(task, judged)
        elif isinstance(task, Passing):
            self._passing(task, judged)
        elif isinstance(task, Handed):
            self._take_over(task, judged)
        elif isinstance(task, Ruling):
            self._hear(task)
        else:
            for observations in task.change(self.memory):
                self._seen(Seen(task.camera, observations, task.picture, task.clock), judged)

    def _take_over(self, handed: Handed, judged: Judged) -> None:
        news = 0
        for story in handed.stories:
            try:
                news += handover.take(self._store, story)
            except (KeyError, ValueError, TypeError) as error:
                log.warning("%s: a story of another box cannot be used: %s", handed.camera, error)
        try:
            trucks.take(self._store.connection, handed.past)
        except (KeyError, ValueError, TypeError) as error:
            log.warning("%s: what another box knew of trucks cannot be used: %s", handed.camera, error)
        if news:
            log.info("%s: %d stories of another box go on here", handed.camera, news)
        judged.handed.append(handed.camera)

    def _hear(self, ruling: Ruling) -> None:
        """What a crew found at another box holds here too, unless one has said something later."""
        if incidents.hear_verdict(
            self._store, ruling.incident_id, ruling.verdict, ruling.time, note=ruling.note
        ):
            log.info("incident %s: %s by a crew at another box", ruling.incident_id, ruling.verdict)

    def _seen(self, seen: Seen, judged: Judged) -> None:
        observations = seen.observations
        judgement = scenes.judge(observations, self._context, self.memory)
        if judgement.pending:
            judged.pending.add(seen.camera)
        if not judgement.findings:
            return
        reopen = self._reader(seen.picture)
        others = [item.detection for item in observations.items]
        findings = [_with_episode(finding) for finding in judgement.findings]
        opened: dict[str, alerts.Opened] = {}
        for revision in incidents.associate(self._store, findings):
            self._keep(seen, judged)
            alert, notes = tell(revision, self._prepared, self._store, others, opened, reopen)
            for note in notes:
                log.warning("%s: %s", seen.camera, note)
            judged.alerts.append(alert)

    def _passing(self, passing: Passing, judged: Judged) -> None:
        """A truck on a followed road, by the rules of a scan."""
        # Made for each, as they are few: its tables belong to this transaction, which may be undone.
        road = RoadJudge(self._prepared, self._store, self._context)
        told = road.take(passing.passed)
        if told is None:
            return
        judged.passed.append(passing.camera)
        for revision in told.revisions:
            frame = revision.finding.evidence[0].frame
            others = passing.passed.others.get(frame.frame_id, ())
            if frame.frame_id in passing.pictures:
                self._write(Path(frame.path), partial(passing.pictures.__getitem__, frame.frame_id), judged)
            reopen = self._reader_of(passing.pictures)
            alert, notes = tell(revision, self._prepared, self._store, others, {}, reopen)
            for note in notes:
                log.warning("%s: %s", passing.camera, note)
            road.keep_pictures(alert)
            judged.alerts.append(alert)

    def _over(self, over: Over, judged: Judged) -> None:
        incident_id = matching.story_id(HEALTH, over.episode)
        known = self._store.incident(incident_id)
        if known is None or known.status in ("resolved", "rejected") or not self._store.ours(known):
            return
        revision = incidents.pass_verdict(self._store, incident_id, "resolved", over.time)
        alert, _ = tell(revision, self._prepared, self._store, (), {}, self._reader(None))
        judged.alerts.append(alert)

    def _reader(self, picture: Picture | None) -> Reader:
        return self._reader_by(lambda ref: None if picture is None else rgb(picture))

    def _reader_of(self, pictures: Mapping[str, bytes]) -> Reader:
        """Reads JPEGs by frame id."""

        def decoded(ref: FrameRef) -> Image | None:
            data = pictures.get(ref.frame_id)
            if data is None:
                return None
            return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)

        return self._reader_by(decoded)

    def _reader_by(self, find: Callable[[FrameRef], Image | None]) -> Reader:
        def read(ref: FrameRef, when: Literal["now", "before"]) -> Image:
            if not self._room.pictures:
                raise SourceError("the disk is too full for pictures", subject=ref.source_id)
            image = find(ref)
            if image is None:
                raise SourceError("there is no picture of it", subject=ref.source_id)
            return image

        return read

    def _keep(self, seen: Seen, judged: Judged) -> None:
        """Write the frame that is told about: crews' verdicts make training pictures of it."""
        picture = seen.picture
        if picture is not None:
            path = Path(seen.observations.frame.path)
            self._write(path, lambda: files.jpeg(rgb(picture), _QUALITY), judged)

    def _write(self, path: Path, jpeg: Callable[[], bytes], judged: Judged) -> None:
        if not path.name or not self._room.pictures or path in judged.kept:
            return
        try:
            files.write(path, jpeg())
            judged.kept.append(path)
        except (OSError, StorageError) as error:
            log.error("a frame could not be kept: %s", error)

    def _shed(self) -> None:
        """Bound what waits while nothing can be written."""
        if len(self._waiting) > WITH_PICTURES:
            old = self._waiting[-WITH_PICTURES - 1]
            if isinstance(old, Seen) and old.picture is not None:
                self._waiting[-WITH_PICTURES - 1] = replace(old, picture=None)
            elif isinstance(old, Passing):
                self._waiting[-WITH_PICTURES - 1] = replace(old, pictures={})
        if len(self._waiting) > MOST_WAITING:
            # Looks go first: cameras are looked at again, but the end of a fault is said once.
            oldest = next((task for task in self._waiting if isinstance(task, Seen)), self._waiting[0])
            self._waiting.remove(oldest)
            self.lost += 1


def live_context(prepared: Prepared) -> JudgeContext:
    """What the rules need to know of live cameras. A pose of a camera is a source of its own (`camera/preset`)."""
    base = scan_judge.context(prepared)
    watched = dict(base.watched)
    periods: dict[str, float] = {}
    only: dict[str, Collection[str]] = {}
    for camera in prepared.loaded.config.cameras:
        stream = camera.stream
        if stream is None:
            continue
        for source, zones in zones_of(camera).items():
            periods[source] = seconds(camera.sampling)
            if zones:
                watched[source] = frozenset(zones)
            if stream.scenes:
                only[source] = frozenset({*stream.scenes, HEALTH})
    return replace(base, watched=watched, periods=periods, scenes=only)


def _with_episode(finding: Finding) -> Finding:
    """A fault of a camera is one story from its beginning to its end, apart from those of cameras beside it."""
    if finding.scene != HEALTH:
        return finding
    return replace(finding, trip=str(finding.evidence[0].detection.attributes.get("episode", "")))
