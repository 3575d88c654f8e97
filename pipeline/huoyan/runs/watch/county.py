"""A county as the daemon sees it: which cameras are live, what becomes of a sample, registers that may change."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan import scenes
from huoyan.config import Camera, LoadedConfig
from huoyan.config_types import seconds
from huoyan.config_watch import Stream, Watch
from huoyan.dispatch import places
from huoyan.errors import ConfigError
from huoyan.ingest.addresses import plans
from huoyan.records import FrameRef, frame_id
from huoyan.registry.live import LiveRegistry
from huoyan.runs.prepare import Prepared, locate_config, prepare
from huoyan.runs.watch.eyes import MOVED
from huoyan.runs.watch.following import Passing, RoadPlan
from huoyan.runs.watch.judge import HEALTH, Remember
from huoyan.runs.watch.poses import source_of, zones_of
from huoyan.runs.watch.room import FRAMES
from huoyan.runs.watch.slots import WEIGHTS
from huoyan.sample import CameraPlan, Look, Sample
from huoyan.scenes import lasting
from huoyan.scenes.memory import Memory

_FIRST_INDEX = 4_000_000
_BLIND = frozenset({"camera_black", "camera_frozen"})
"""Faults with which a picture shows nothing that is there now."""


@dataclass
class County:
    """What holds until the next reload. Only the registers change under it, whole, by `refresh`.

    Attributes:
        prepared: the county with its registers as they are now.
        cameras: those with a stream, by id.
        plans: what their readers must know, by id.
        weights: of their priorities.
        roads: what must be known to follow the live roads, by camera.
    """

    prepared: Prepared
    cameras: Mapping[str, Camera]
    plans: Mapping[str, CameraPlan]
    weights: Mapping[str, float]
    roads: Mapping[str, RoadPlan]
    _live: LiveRegistry = field(repr=False)

    @property
    def settings(self) -> Watch:
        return self.prepared.loaded.config.watch

    @property
    def box(self) -> str:
        """Name of this box."""
        return self.settings.box or socket.gethostname()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.prepared.loaded.config.county.timezone)

    def period_s(self, camera: str) -> float:
        """Seconds within which all looks of a camera count as one frame."""
        return seconds(self.cameras[camera].sampling)

    def intervals(self, stretch: float, night: Mapping[str, bool]) -> dict[str, float]:
        """Seconds between samples as they are now, by camera."""
        return {
            plan.id: stretch * (plan.night_every_s or plan.every_s if night.get(plan.id) else plan.every_s)
            for plan in self.plans.values()
        }

    def look(self, sample: Sample, memory: Memory) -> Look | None:
        """What the models are to look at, or None: it did not pass the gate, shows nothing, or it is a quiet hour.

        What has changed in the view for good (by `memory`) is to be looked at more closely, by day.
        """
        picture = sample.picture
        if picture is None or sample.conditions & _BLIND:
            return None
        if _is_quiet(self._stream(sample.camera), sample.time.astimezone(self.zone).time()):
            return None
        source, placed = source_of(sample, self.cameras[sample.camera])
        key = frame_id(source, sample.time, _FIRST_INDEX)
        path = self.prepared.loaded.state / FRAMES / f"{sample.time:%Y%m%d}" / f"{key}.jpg"
        ref = FrameRef(key, source, "camera", sample.time, "stream", sample.size, str(path))
        by_day = placed and not sample.night
        changes = lasting.waiting(memory, source, sample.time) if by_day else ()
        return Look(ref, picture, sample.clock, sample.passed, placed, changes)

    def remember(self, sample: Sample) -> Remember | None:
        """What a sample adds to the memory of its view; None: it carries no signature, or shows no known view."""
        signature = sample.signature
        if signature is None or sample.conditions:
            return None
        source, known = source_of(sample, self.cameras[sample.camera])
        if not known:
            return None

        def change(memory: Memory) -> tuple[()]:
            lasting.remember(
                memory,
                source,
                sample.time.astimezone(self.zone),
                signature,
                night=sample.night,
                days=self.settings.memory.days,
            )
            return ()

        return Remember(change, sample.camera, sample.clock)

    def passing(self, passing: Passing, conditions: Collection[str]) -> Passing | None:
        """A passage as it is to be judged, or None: it is a quiet hour.

        Args:
            passing: the passage.
            conditions: what is wrong with its camera now; one that has moved places nothing.
        """
        passage = passing.passed.passage
        if _is_quiet(self._stream(passing.camera), passage.time.astimezone(self.zone).time()):
            return None
        if "camera_moved" not in conditions:
            return passing
        unplaced = replace(passage, place=MOVED, track=())
        return replace(passing, passed=replace(passing.passed, passage=unplaced))

    def roads_at(self, now: datetime) -> dict[str, RoadPlan]:
        """The live roads that are followed now, by camera: none in its quiet hours."""
        local = now.astimezone(self.zone).time()
        return {
            camera: plan for camera, plan in self.roads.items() if not _is_quiet(self._stream(camera), local)
        }

    def refresh(self) -> str | None:
        """Take registers that have changed; says what came of it, once."""
        note = self._live.refresh()
        if self._live.current is not self.prepared.registry:
            self.prepared = replace(self.prepared, registry=self._live.current)
        return note

    def read_again(self) -> County:
        """The county as its files say now.

        Raises:
            ConfigError: they hold mistakes.
            ModelError: a model cannot be used.
            MissingExtra: a client library of a place that alerts go to is not installed.
        """
        loaded = self.prepared.loaded
        if loaded.path is None:
            raise ConfigError("there is no configuration file to read again")
        fresh = locate_config(loaded.path, loaded.state)
        # What keeps the sender from taking it must be known before anything else has taken it.
        places.remote(fresh.config.dispatch)
        return county(prepare(fresh))

    def close(self) -> None:
        self._live.close()

    def _stream(self, camera: str) -> Stream:
        stream = self.cameras[camera].stream
        assert stream is not None, "only cameras with a stream are here"
        return stream


def county(prepared: Prepared) -> County:
    """The live side of a county.

    Raises:
        ConfigError: no camera has a stream, a variable of an address is not set, a picture cannot be read.
    """
    loaded = prepared.loaded
    live = {camera.id: camera for camera in loaded.config.cameras if camera.stream is not None}
    if not live:
        raise ConfigError(
            "no camera has a stream",
            subject=_name(loaded),
            hint="add `stream: {url: rtsp://...}` to the cameras that are to be watched",
        )
    # Whatever scenes a county has written for itself or restricts itself to, a camera that fails is told.
    prepared = replace(prepared, rules=scenes.with_shipped(prepared.rules, HEALTH))
    known = {plan.id: plan for plan in plans(loaded)}
    roads = _roads(prepared, known)
    by_passage = frozenset(source for camera in roads for source in zones_of(live[camera]))
    return County(
        replace(prepared, settings=replace(prepared.settings, by_passage=by_passage)),
        live,
        known,
        {camera.id: WEIGHTS[camera.stream.priority] for camera in live.values() if camera.stream},
        roads,
        LiveRegistry(loaded),
    )


def _roads(prepared: Prepared, known: Mapping[str, CameraPlan]) -> dict[str, RoadPlan]:
    """What must be known to follow the live roads; none without a register of vehicles or a detector of trucks."""
    settings, loaded = prepared.settings, prepared.loaded
    if settings.passing is None:
        return {}
    return {
        plan.id: RoadPlan(
            plan.id,
            plan.passages,
            settings.passing,
            loaded.state / FRAMES,
            settings.grounds.get(plan.id),
            plan.transport,
            plan.patience,
            plan.masks,
            plan.ignore,
        )
        for plan in known.values()
        if plan.passages
    }


def looked_closer(camera: str, look: Look, *, night: bool) -> Remember:
    """Note that the models have looked at what changed for good in a view. `night`: as the models see it."""

    def change(memory: Memory) -> tuple[()]:
        lasting.looked(memory, look.frame.source_id, look.frame.time, night=night)
        return ()

    return Remember(change, camera, look.clock)


def _is_quiet(stream: Stream, now: time) -> bool:
    return any(_within(hours, now) for hours in stream.quiet)


def _within(hours: str, now: time) -> bool:
    """Whether a local time is within `22:00-06:00` (from the first on, before the second)."""
    begin, end = (datetime.strptime(part, "%H:%M").time() for part in hours.split("-"))
    if begin <= end:
        return begin <= now < end
    return now >= begin or now < end


def _name(loaded: LoadedConfig) -> str:
    return str(loaded.path) if loaded.path else str(Path(loaded.base))
