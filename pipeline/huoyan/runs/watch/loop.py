"""The daemon's loop: readers report, models look, the judge decides, the sender delivers.

    readers ──samples──▶ slots (newest a camera) ──▶ models ──▶ judge ──▶ outbox ──▶ sender
       ▲                                                           │
       └──────────── stretch (load), burst (confirmation) ◀────────┘

One thread runs the loop and owns everything in it; readers and models are processes, and what they say comes through
one inbox. The loop never waits for a camera, a model, a broker or a disk that is away.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from huoyan import dispatch, incidents
from huoyan.config import LoadedConfig
from huoyan.config_types import seconds
from huoyan.dispatch.rulings import Ruling
from huoyan.dispatch.sender import Sender
from huoyan.dispatch.stories import Handed
from huoyan.errors import HuoyanError, ModelError, StorageError
from huoyan.incidents import open_store
from huoyan.ops import http, systemd
from huoyan.records import Incident, Skip
from huoyan.runs.prepare import prepare
from huoyan.runs.road import crowded
from huoyan.runs.watch.books import Books
from huoyan.runs.watch.county import County, county, looked_closer
from huoyan.runs.watch.eyes import Looked
from huoyan.runs.watch.following import Passing, Progress
from huoyan.runs.watch.health import HealthDesk
from huoyan.runs.watch.judge import Judged, LiveJudge, Seen
from huoyan.runs.watch.models import Flight, Models
from huoyan.runs.watch.pace import Pace
from huoyan.runs.watch.poses import camera_of
from huoyan.runs.watch.readers import Readers
from huoyan.runs.watch.reporter import Reporter
from huoyan.runs.watch.roads import Roads
from huoyan.runs.watch.room import Room
from huoyan.runs.watch.slots import Slots
from huoyan.sample import Burst, CameraEvent, Sample, Stretch, Tally, ViewState
from huoyan.status import Status
from huoyan.vehicles import purge

log = logging.getLogger("huoyan.watch")
TICK_S = 1.0
EXPIRE_S = 60.0
DRAIN_S = 10.0
"""From the order to stop to the end."""
UNFOLLOWED_S = 30.0
"""A followed road without frames for so long is said to be away."""
SETTLE_S = 60.0
"""After the models are loaded every camera logs in and has its first look: only then load is measured."""
_AT_START = ("readers", "inference", "listen", "logins", "restart_after")
"""Keys that the parts of a running daemon were made with."""
_AGAIN_S = 2.0
"""Between attempts to write what could not be written."""
_REST_S = 600.0
"""A camera that was looked at without a pause is not looked at so again before."""


@dataclass
class WatchResult:
    """What a run came to."""

    looks: int = 0
    alerts: int = 0
    lost: int = 0
    """Looks that could not be written."""


def watch(
    loaded: LoadedConfig,
    *,
    stop: threading.Event | None = None,
    reload: threading.Event | None = None,
    ready: Callable[[Status], None] = lambda status: None,
) -> WatchResult:
    """Watch the live cameras of a county until `stop` is set.

    Args:
        loaded: the configuration.
        stop: set it to end the run: what was seen is judged and told first, within `DRAIN_S`.
        reload: set it to have the configuration read again; with mistakes the old one stays in force.
        ready: is given the status once models and readers run.

    Raises:
        ConfigError: the configuration or a register holds mistakes, no camera has a stream, an address is taken.
        ModelError: a model is missing or damaged.
        StorageError: the state cannot be written, or another run works on it.
    """
    with ExitStack() as stack:
        return Watcher(loaded, stack, stop or threading.Event(), reload or threading.Event(), ready).run()


class Watcher:
    """A running daemon. Its parts are read by `reporter`."""

    def __init__(
        self,
        loaded: LoadedConfig,
        stack: ExitStack,
        stop: threading.Event,
        reload: threading.Event,
        ready: Callable[[Status], None],
    ) -> None:
        self.stop, self.reloading, self._ready = stop, reload, ready
        self.started = datetime.now(UTC)
        self.county = county(prepare(loaded))
        self.inbox: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self.result = WatchResult()
        self.books, self.slots = Books(), Slots()
        self.reloads, self.last_reload = 0, ""
        settings = loaded.config.watch
        self.store = stack.enter_context(open_store(loaded.state))
        dispatch.ensure_tables(self.store.connection)
        self.room = Room(loaded.state, settings.disk)
        self.judge = LiveJudge(self.county.prepared, self.store, self.room)
        self.desk = HealthDesk(self.county.prepared, self.judge.memory)
        self.pace = Pace(settings.slowest, settings.inference)
        silent_s = seconds(settings.restart_after)
        self.models = Models(
            self.county.prepared.settings, settings.inference, lambda i, m: self.inbox.put((i, m)), silent_s
        )
        self.readers = Readers(self.county, self.judge.memory, lambda report: self.inbox.put((-1, report)))
        self.desk.shared = self.readers.shared
        self.store.ours = self._is_ours
        self.roads = Roads(lambda message: self.inbox.put((-1, message)), silent_s)
        self.sender = Sender(loaded.state, loaded.config.dispatch)
        self._reporter = Reporter()
        self.status = self._reporter.snapshot(self)
        self._bursts: dict[str, float] = {}
        self._crowded = ""
        self._reading: Future[County] | None = None
        self._settled_at = 0.0
        self._next_tick = self._next_expiry = self._again = 0.0
        self._ordered: float | None = None
        """When the end was ordered."""
        server = http.serve(settings.listen, lambda: self.status)
        stack.callback(server.stop)
        stack.callback(self._end)

    def run(self) -> WatchResult:
        self.sender.start()
        self.models.start()
        self.readers.start()
        told = False
        while not self.stop.is_set():
            self._turn(0.2)
            if self.models.fault and not self.models.ready:
                raise ModelError(self.models.fault)
            if not told and self.status.ready:
                told = True
                systemd.notify("READY=1")
                self._ready(self.status)
            if self.reloading.is_set():
                self._reload()
            if self._reading is not None and self._reading.done():
                self._reloaded(self._reading)
        self._drain()
        return self.result

    # ------------------------------------------------------------------------------------------- the loop
    def _turn(self, wait_s: float) -> None:
        """Take what has come, give pictures to models, write what is due, look after everything once a second."""
        self._take(wait_s)
        now = time.monotonic()
        before = self.readers.owned
        if self.readers.share():
            owned = self.readers.owned
            log.info("%d cameras are ours now", len(owned))
            self.slots.keep(owned)
            for camera in before - owned:
                self.desk.leave(camera)
            self._follow_roads()
        self._assign(now)
        if self.judge.due and now >= self._again:
            self._commit(now)
        if now >= self._next_tick:
            self._next_tick = now + TICK_S
            self._tick(now)

    def _take(self, wait_s: float) -> None:
        """The messages that wait, at most for the time of a few of them, so that nothing else starves."""
        try:
            source, message = self.inbox.get(timeout=wait_s)
            for _ in range(200):
                self._message(source, message)
                source, message = self.inbox.get_nowait()
            self._message(source, message)
        except queue.Empty:
            pass

    def _message(self, source: int, message: Any) -> None:
        if source >= 0:
            done = self.models.heard(source, message)
            if done is not None:
                self._looked(*done)
        elif isinstance(message, Sample):
            self._sample(message)
        elif isinstance(message, CameraEvent):
            why = f", {message.why}" if message.why else ""
            about = {"camera": message.camera, "code": message.code}
            log.info("%s: %s%s", message.camera, message.state, why, extra=about)
            self.books.of(message.camera).event(message)
            self.desk.event(message)
        elif isinstance(message, Tally):
            self.books.tally(message)
        elif isinstance(message, ViewState):
            self.judge.feed(self.readers.learned(message))
        elif isinstance(message, Handed):
            self.desk.take(message.camera, message.faults)
            self.judge.feed(message)
        elif isinstance(message, Ruling):
            self.judge.feed(message)
        elif isinstance(message, Progress):
            self.books.of(message.camera).progress(message)
        elif isinstance(message, Passing):
            self._passing(message)

    def _sample(self, sample: Sample) -> None:
        if sample.camera not in self.county.cameras:
            return
        self.books.of(sample.camera).sample(sample)
        if self.readers.awaits(sample.camera):
            return
        self.desk.sample(sample)
        remember = self.county.remember(sample)
        if remember is not None:
            self.judge.feed(remember)
        now = time.monotonic()
        look = self.county.look(sample, self.judge.memory)
        if look is not None and not self.models.is_blocked(sample.camera, now):
            self.pace.asked()
            self.slots.put(sample.camera, look)

    def _passing(self, passing: Passing) -> None:
        # The rest of what leaves with a camera that is another box's now is that box's to tell.
        if not self.roads.follows(passing.camera):
            return
        wanted = self.county.passing(passing, self.books.of(passing.camera).conditions)
        if wanted is not None:
            self.judge.feed(wanted)

    def _assign(self, now: float) -> None:
        while self.models.room() > 0:
            chosen = self.slots.take(now, self.county.weights)
            if chosen is None:
                return
            if not self.models.look(*chosen):
                self.slots.put(*chosen)
                return

    def _looked(self, flight: Flight, looked: Looked) -> None:
        book = self.books.of(flight.camera)
        book.looked += 1
        book.infer_s += looked.seconds
        self.pace.worked(looked.seconds)
        if isinstance(looked.seen, Skip):
            about = {"camera": flight.camera}
            log.error("%s: no look: %s", flight.camera, looked.seen.reason, extra=about)
            self.models.failed += 1
            return
        look = flight.look
        if flight.camera not in self.readers.owned:
            # A reload has taken it out of the configuration meanwhile, or another box has it: that box tells.
            return
        self.judge.feed(Seen(flight.camera, looked.seen, look.picture, look.clock))
        if look.changes:
            self.judge.feed(looked_closer(flight.camera, look, night=looked.seen.night))

    def _commit(self, now: float) -> None:
        judged = self.judge.commit()
        if judged is None:
            self._again = now + _AGAIN_S
            return
        done = time.monotonic()
        for _, clock in judged.looks:
            self.books.waited(done - clock)
        self.result.looks += len(judged.looks)
        for camera in judged.passed:
            self.books.of(camera).passages += 1
        if self.readers.stories is not None:
            for camera in judged.handed:
                self.readers.stories.taken(camera)
            if judged.alerts:
                self.readers.stories.wake()
        self._tell(judged)
        self._confirm(judged.pending, now)

    def _tell(self, judged: Judged) -> None:
        if not judged.alerts:
            return
        self.result.alerts += len(judged.alerts)
        for alert in judged.alerts:
            self.books.alerts[alert.scene] += 1
            about = {"alert": alert.alert_id, "scene": alert.scene}
            log.info("alert %s: %s, priority %d", alert.alert_id, alert.scene, alert.priority, extra=about)
        self.sender.wake()

    def _confirm(self, cameras: set[str], now: float) -> None:
        """Have cameras looked at again soon where a finding lacks nothing but another look."""
        lasts = seconds(self.county.settings.confirm)
        for camera in cameras:
            if self._bursts.get(camera, 0.0) > now:
                continue
            self._bursts[camera] = now + lasts + _REST_S
            self.readers.tell(Burst(camera, now + lasts, self.county.period_s(camera)))

    # --------------------------------------------------------------------------------------- once a second
    def _tick(self, now: float) -> None:
        self.models.check(now)
        self.readers.check(now)
        self._follow_roads()
        self.roads.check()
        for task in self.desk.tick(now, datetime.now(UTC)):
            self.judge.feed(task)
        self._adapt(now)
        self.room.refresh(now)
        self._expire(now)
        note = self.county.refresh()
        if note:
            log.warning("registers: %s", note)
            self.judge.use(self.county.prepared)
        self.status = self._reporter.snapshot(self)
        systemd.alive(self.status)

    def _adapt(self, now: float) -> None:
        """Slow down under load. What had to wait for the models to be loaded is no load."""
        if not self.models.ready:
            self._settled_at = now + SETTLE_S
        elif now >= self._settled_at and self.pace.step(now, len(self.slots)):
            log.warning("load: intervals are %.1f times as long as configured", self.pace.stretch)
            self.readers.tell(Stretch(self.pace.stretch))

    def _expire(self, now: float) -> None:
        if now < self._next_expiry:
            return
        self._next_expiry = now + EXPIRE_S
        try:
            with self.store.transaction():
                incidents.expire(self.store, datetime.now(UTC))
            loaded = self.county.prepared.loaded
            keep = loaded.config.vehicles.retention
            purge.when_due(self.store.connection, loaded.state, keep, datetime.now(UTC))
        except StorageError as error:
            log.error("stories cannot be closed, or what is old removed, now: %s", error)

    def _is_ours(self, incident: Incident) -> bool:
        """Whether this box tells what is new of an incident: it holds the first of the cameras that saw it."""
        seen_by = (camera_of(source, self.county.cameras) for source in incident.sources)
        first = next((camera for camera in seen_by if camera is not None), None)
        return first is None or first in self.readers.owned

    def _follow_roads(self) -> None:
        """Follow the roads of the cameras that are ours, but for quiet hours and before their stories have come."""
        owned = self.readers.owned
        wanted = self.county.roads_at(datetime.now(UTC))
        self.roads.use(
            {
                camera: plan
                for camera, plan in wanted.items()
                if camera in owned and not self.readers.awaits(camera)
            }
        )
        words = crowded(len(self.county.roads.keys() & owned), len(owned))
        if words and words != self._crowded:
            log.warning("%s", words)
        self._crowded = words

    def unfollowed(self, now: float) -> list[str]:
        """Roads of which nothing has been seen for long, and why."""
        found = []
        for camera in sorted(self.county.roads):
            book = self.books.of(camera)
            quiet_s = now - (book.road_clock or 0.0)
            if book.road_why and quiet_s > UNFOLLOWED_S and self.roads.follows(camera):
                found.append(f"{camera}: its trucks are not followed: {book.road_why}")
        return found

    # ------------------------------------------------------------------------------- reload and the end
    def _reload(self) -> None:
        """Have the configuration read, in a thread: the cameras go on meanwhile."""
        if self._reading is not None:
            # What is being read may be older than what this asks for: once more, afterwards.
            return
        self.reloading.clear()
        systemd.reloading()
        reading: Future[County] = Future()
        self._reading = reading

        def read() -> None:
            try:
                reading.set_result(self.county.read_again())
            except HuoyanError as error:
                reading.set_exception(error)
            except Exception as error:
                log.exception("the new configuration could not be read")
                reading.set_exception(HuoyanError(f"{type(error).__name__}: {error}"))

        threading.Thread(target=read, name="reload", daemon=True).start()

    def _reloaded(self, reading: Future[County]) -> None:
        """Take a new configuration, whole, or none of it."""
        self._reading = None
        self.reloads += 1
        try:
            later = self._use(reading.result())
        except HuoyanError as error:
            self.last_reload = f"refused: {error}"
            log.error("the new configuration is refused, the old one stays: %s", error)
        else:
            waits = f"; at the next start: {', '.join(later)}" if later else ""
            self.last_reload = f"applied {self.county.prepared.loaded.sha256[:12]}{waits}"
            log.info("the new configuration is in force%s", waits)
        self.status = self._reporter.snapshot(self)
        systemd.notify("READY=1")

    def _use(self, fresh: County) -> list[str]:
        """Take another county; returns the keys of `watch` that come into force at the next start only.

        Raises:
            ConfigError, MissingExtra: nothing has changed then.
        """
        self.readers.use(fresh)
        before, self.county = self.county, fresh
        before.close()
        settings = fresh.settings
        if fresh.prepared.settings != before.prepared.settings:
            self.models.use(fresh.prepared.settings)
        self.judge.use(fresh.prepared)
        self.desk.use(fresh.prepared)
        self.desk.shared = self.readers.shared
        self.slots.keep(frozenset(fresh.cameras))
        self.room.settings = settings.disk
        self.pace.slowest = settings.slowest
        self._follow_roads()
        self.sender.use(fresh.prepared.loaded.config.dispatch)
        return [
            f"watch.{key}" for key in _AT_START if getattr(settings, key) != getattr(before.settings, key)
        ]

    def _drain(self) -> None:
        """Judge what was seen, and have it delivered, within `DRAIN_S` in all."""
        systemd.notify("STOPPING=1")
        self._end_reading()
        self._take(0.0)
        end = time.monotonic() + self._left(0.5 * DRAIN_S)
        while self.models.in_flight and time.monotonic() < end:
            self._take(0.1)
            self.models.check(time.monotonic())
        while self.judge.waits and time.monotonic() < end:
            judged = self.judge.commit()
            if judged is None:
                time.sleep(0.2)
            else:
                self._tell(judged)
        if self.judge.waits:
            log.error("what was seen last could not be written: %s", self.judge.fault)
        self.result.lost = self.judge.lost

    def _end_reading(self) -> None:
        self.readers.ask()
        self.roads.stop(self._left(0.2 * DRAIN_S))
        self.readers.stop(self._left(0.2 * DRAIN_S))

    def _end(self) -> None:
        """End all parts: readers first, the sender last."""
        self._end_reading()
        self.models.stop(self._left(0.55 * DRAIN_S))
        self.readers.leave(self._left(0.65 * DRAIN_S))
        self.sender.stop(self._left(0.8 * DRAIN_S))

    def _left(self, until_s: float) -> float:
        """Seconds until so many after the order to end: each part has its own, so that their waits never add up."""
        if self._ordered is None:
            self._ordered = time.monotonic()
        return max(0.1, self._ordered + until_s - time.monotonic())
