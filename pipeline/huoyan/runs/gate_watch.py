"""The cameras of gates, each in a thread of its own: passages out, and word of who is silent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan.alerts import files
from huoyan.config import LoadedConfig
from huoyan.config_gate import GateCamera
from huoyan.config_types import seconds
from huoyan.errors import ConfigError, HuoyanError
from huoyan.ingest.addresses import resolved, secrets_of
from huoyan.passage import Passage
from huoyan.perception.passages import View
from huoyan.records import Frame, FrameRef, Image, Kind, Skip, Unit
from huoyan.runs.passages import PassageEyes, passages
from huoyan.sources import making
from huoyan.sources.live import LiveFrames, is_live, without_password

log = logging.getLogger("huoyan.gate.cameras")
FRAMES = "gate/frames"
SILENT_S = 15.0
_QUALITY = 90


@dataclass
class Replayed:
    """A video file whose progress can be asked for: it is the clock of a replay."""

    unit: Unit
    stopping: threading.Event
    at: datetime | None = None
    """Time of the frame that is looked at; before the first that of the file's start."""

    def __post_init__(self) -> None:
        # Else a run that goes on with a book would take its latest message for the time, and give up what is to come.
        self.at = self.at or self.unit.start

    @property
    def unit_id(self) -> str:
        return self.unit.unit_id

    @property
    def source_id(self) -> str:
        return self.unit.source_id

    @property
    def kind(self) -> Kind:
        return self.unit.kind

    @property
    def start(self) -> datetime:
        return self.unit.start

    @property
    def path(self) -> str:
        return self.unit.path

    @property
    def expected(self) -> int:
        return self.unit.expected

    def frames(self, skip: frozenset[str] = frozenset()) -> Iterator[Frame | Skip]:
        for item in self.unit.frames(skip):
            if self.stopping.is_set():
                return
            if isinstance(item, Frame):
                self.at = item.ref.time
            yield item


class Watcher(threading.Thread):
    """One camera. A file is played to its end, every frame of it looked at; a stream goes on until `stop`.

    Attributes:
        camera: whose.
        fault: what ended it too early; empty otherwise.
    """

    def __init__(
        self,
        camera: GateCamera,
        source: Replayed | LiveFrames,
        eyes: PassageEyes,
        give: Callable[[Passage], None],
        keep: Callable[[FrameRef, Image], FrameRef] | None,
    ) -> None:
        super().__init__(name=f"gate camera {camera.id}", daemon=True)
        self.camera, self.fault = camera, ""
        self._source, self._eyes, self._give, self._keep = source, eyes, give, keep
        self._stopping = source.stopping if isinstance(source, Replayed) else threading.Event()

    def run(self) -> None:
        camera = self.camera
        view = View(camera.id, camera.line, camera.enter, camera.size, labels=self._eyes.settings.labels)
        try:
            found = passages(
                self._source,
                view,
                self._eyes,
                sampling_s=seconds(camera.sampling),
                early=True,
                keep=self._keep,
                skipped=self._skipped,
            )
            for passage in found:
                # What a stop cuts off in a file is no passage: the next run sees it whole.
                if isinstance(self._source, Replayed) and self._stopping.is_set():
                    return
                self._give(passage)
        except Exception as error:
            self.fault = str(error)
            log.exception("%s: stopped looking", camera.id)

    def stop(self) -> None:
        self._stopping.set()
        if isinstance(self._source, LiveFrames):
            self._source.stop()

    @property
    def at(self) -> datetime | None:
        """Of a file, the time of the frame that is looked at; None before the first, and for streams."""
        return self._source.at if isinstance(self._source, Replayed) else None

    @property
    def silence(self) -> str:
        """Why it says nothing; empty while it sees."""
        if self.fault:
            return self.fault
        if isinstance(self._source, LiveFrames) and self._source.age_s > SILENT_S:
            return "no frame comes"
        return ""

    def _skipped(self, skip: Skip) -> None:
        log.warning("%s: %s", skip.source_id, skip.reason)


def watchers(loaded: LoadedConfig, eyes: PassageEyes, give: Callable[[Passage], None]) -> list[Watcher]:
    """The cameras of all gates, not started.

    Raises:
        ConfigError: a file is not there, or a variable of an address is set nowhere.
        SourceError: a file is no video.
    """
    found = []
    secrets = secrets_of(loaded)
    for gate in loaded.config.gates:
        for camera in gate.cameras:
            address = resolved(camera.source, f"gates.cameras.{camera.id}.source", secrets)
            if is_live(address):
                source: Replayed | LiveFrames = LiveFrames(address, camera.id, seconds(camera.sampling))
                keep = _keeper(loaded.state)
            else:
                source, keep = _file(camera, loaded), None
            found.append(Watcher(camera, source, eyes, give, keep))
    return found


def is_replay(loaded: LoadedConfig) -> bool:
    """Whether everything comes from files: then time is theirs, not the wall clock's."""
    cameras = [camera for gate in loaded.config.gates for camera in gate.cameras]
    intake = loaded.config.intake
    listens = intake.http is not None or intake.mqtt is not None
    return not any(is_live(camera.source) for camera in cameras) and (bool(cameras) or not listens)


def shown(camera: GateCamera) -> str:
    """A camera's source as it may be told."""
    return without_password(camera.source)


def _file(camera: GateCamera, loaded: LoadedConfig) -> Replayed:
    path = loaded.resolve(Path(camera.source))
    if not path.is_file():
        raise ConfigError(
            "there is no such file",
            subject=f"gates.cameras.{camera.id}.source {path}",
            hint="give a video, or an address such as rtsp://",
        )
    zone = ZoneInfo(loaded.config.county.timezone)
    stated = datetime.fromisoformat(camera.start) if camera.start else None
    if stated is not None:
        stated = (stated if stated.tzinfo else stated.replace(tzinfo=zone)).astimezone(UTC)
    unit = making.video(path, camera.id, "camera", seconds(camera.sampling), zone, stated=stated)
    return Replayed(unit, threading.Event())


def _keeper(state: Path) -> Callable[[FrameRef, Image], FrameRef]:
    """Stores frames of streams, which cannot be read again, for evidence."""

    def keep(ref: FrameRef, image: Image) -> FrameRef:
        path = state / FRAMES / f"{ref.time:%Y%m%d}" / f"{ref.frame_id}.jpg"
        try:
            if not path.is_file():
                files.write(path, files.jpeg(image, _QUALITY))
        except (HuoyanError, OSError) as error:
            log.error("a frame could not be kept: %s", error)
            return ref
        return replace(ref, path=str(path), locator={})

    return keep
