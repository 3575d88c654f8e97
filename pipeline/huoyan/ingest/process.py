"""A reader process: its cameras' connections, one decoder for all of them, and what is told about both."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import av
import cv2

from huoyan.child import receive
from huoyan.ingest.camera import Camera
from huoyan.ingest.decoding import Decoders
from huoyan.ingest.faults import Fault
from huoyan.ingest.lines import host_of
from huoyan.ingest.logins import LoginLimits, Logins
from huoyan.ingest.outgoing import Outgoing
from huoyan.ingest.rtp import Key
from huoyan.ingest.viewer import Viewer
from huoyan.sample import (
    Burst,
    CameraEvent,
    CameraPlan,
    Cameras,
    CameraState,
    Order,
    Stretch,
    Tally,
    ViewState,
)

log = logging.getLogger("huoyan.ingest")
_TURN_S = 0.0005
_STEP_S = 0.1
"""Sockets are emptied so often."""
_TALLY_S = 2.0
_STATE_S = 600.0
"""What a viewer has learned is told so often."""
_STUCK_S = 20.0
"""Longer than that no picture takes to decode: the decoder hangs, and this process is of no use any more."""
_LAST_WORDS_S = 3.0


def main(connection: Connection, limits: LoginLimits) -> None:
    """Read cameras until the parent has had enough.

    Args:
        connection: orders come in, reports go out.
        limits: of logins.
    """
    # FFmpeg's own lines may hold addresses with passwords.
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    # Every call of OpenCV lets the other threads run, and must then wait for its turn as long as this.
    sys.setswitchinterval(_TURN_S)
    outgoing = Outgoing()
    reading = Reading(limits, outgoing)
    sending = threading.Thread(target=_send, args=(connection, outgoing), name="sending", daemon=True)
    sending.start()
    reading.start()
    try:
        while True:
            reading.tell(receive(connection))
    finally:
        reading.stop()
        outgoing.close()
        sending.join(_LAST_WORDS_S)


def _send(connection: Connection, outgoing: Outgoing) -> None:
    while (report := outgoing.take()) is not None:
        try:
            connection.send(report)
        except OSError:
            return


class Reading:
    """All cameras of this process, with two threads: one for the connections, one for the pictures."""

    def __init__(self, limits: LoginLimits, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        self._logins = Logins(limits)
        self._cameras: dict[str, Camera] = {}
        self._orders: list[Order] = []
        self._lock = threading.Lock()
        self._stretch = 1.0
        self._stopping = threading.Event()
        self._desk = Desk(outgoing)
        self._threads = [
            threading.Thread(target=self._run, name="connections", daemon=True),
            threading.Thread(target=self._desk.run, name="pictures", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def tell(self, order: Order) -> None:
        """Give an order; it is followed within a tenth of a second. From any thread."""
        with self._lock:
            self._orders.append(order)

    def stop(self) -> None:
        """End all, and send what the viewers have learned."""
        self._stopping.set()
        self._threads[0].join(_LAST_WORDS_S)
        self._desk.stop()
        self._threads[1].join(_LAST_WORDS_S)

    def _run(self) -> None:
        tally_at = time.monotonic()
        while not self._stopping.is_set():
            clock = time.monotonic()
            self._follow_orders(clock)
            # Who waits longest for a seat comes first.
            for camera in sorted(self._cameras.values(), key=_turn):
                key = camera.step(clock)
                if key is not None:
                    self._desk.put(camera, key, camera.burst_s(clock))
            if clock >= tally_at and self._desk.works(clock):
                tally_at = clock + _TALLY_S
                self._outgoing.put(self._tally(clock))
            self._stopping.wait(max(0.01, clock + _STEP_S - time.monotonic()))
        for camera in self._cameras.values():
            camera.stop()

    def _follow_orders(self, clock: float) -> None:
        with self._lock:
            orders, self._orders = self._orders, []
        for order in orders:
            if isinstance(order, Cameras):
                self._use(order.plans, clock)
            elif isinstance(order, Stretch):
                self._stretch = order.factor
                for camera in self._cameras.values():
                    camera.stretch = order.factor
            elif isinstance(order, Burst) and order.camera in self._cameras:
                self._cameras[order.camera].burst(order, clock)

    def _use(self, plans: tuple[CameraPlan, ...], clock: float) -> None:
        wanted = {plan.id: plan for plan in plans}
        for name in [name for name in self._cameras if name not in wanted]:
            self._cameras.pop(name).stop()
            self._desk.forget(name)
            self._say(name, "stopped", "", "", 0)
        for plan in plans:
            before = self._cameras.get(plan.id)
            if before is not None:
                if replace(before.plan, view_state="") == replace(plan, view_state=""):
                    continue
                before.stop()
            camera = Camera(plan, host_of(plan), self._logins, self._say, clock)
            camera.stretch = self._stretch
            self._cameras[plan.id] = camera

    def _say(self, camera: str, state: CameraState, why: str, code: str, connections: int) -> None:
        event = CameraEvent(camera, datetime.now(UTC), time.monotonic(), state, why, code, connections)
        self._outgoing.put(event)

    def _tally(self, clock: float) -> Tally:
        return Tally(
            clock,
            {name: camera.due for name, camera in self._cameras.items()},
            {name: camera.taken for name, camera in self._cameras.items()},
            time.process_time(),
            threading.active_count(),
            self._logins.open,
            self._outgoing.dropped + self._desk.dropped,
        )


def _turn(camera: Camera) -> float:
    return camera.turn


class Desk:
    """Decodes what is due and looks at it. Of each camera only the newest picture waits.

    Attributes:
        dropped: pictures that were due, and that a newer one replaced before they were decoded.
    """

    def __init__(self, outgoing: Outgoing) -> None:
        self.dropped = 0
        self._outgoing = outgoing
        self._waiting: OrderedDict[str, tuple[Camera, Key, float | None]] = OrderedDict()
        self._ready = threading.Condition()
        self._viewers: dict[str, Viewer] = {}
        self._told: dict[str, float] = {}
        self._looking = threading.Lock()
        self._decoders = Decoders()
        self._busy_since = float("inf")
        self._stopping = False

    def put(self, camera: Camera, key: Key, burst_s: float | None) -> None:
        """Hand a picture over; never waits."""
        with self._ready:
            # It keeps its camera's place in the line: who is replaced again and again would else never have a turn.
            self.dropped += camera.plan.id in self._waiting
            self._waiting[camera.plan.id] = camera, key, burst_s
            self._ready.notify()

    def works(self, clock: float) -> bool:
        """Whether its thread goes on."""
        return clock - self._busy_since < _STUCK_S

    def forget(self, name: str) -> None:
        """A camera is gone: say what was learned of it."""
        with self._ready:
            self._waiting.pop(name, None)
        with self._looking:
            viewer = self._viewers.pop(name, None)
            self._told.pop(name, None)
        if viewer is not None:
            self._outgoing.put(ViewState(name, viewer.state()))

    def stop(self) -> None:
        """Come to an end; what the viewers have learned is sent."""
        with self._ready:
            self._stopping = True
            self._waiting.clear()
            self._ready.notify()

    def run(self) -> None:
        """Work, until `stop`."""
        while (item := self._next()) is not None:
            self._busy_since = time.monotonic()
            try:
                with self._looking:
                    self._look(*item)
            except Exception:
                # A fault of ours with one camera's picture must not cost the others theirs.
                log.exception("%s: a picture could not be looked at", item[0].plan.id)
            self._busy_since = float("inf")
        for name, viewer in self._viewers.items():
            self._outgoing.put(ViewState(name, viewer.state()))

    def _next(self) -> tuple[Camera, Key, float | None] | None:
        with self._ready:
            while not self._waiting and not self._stopping:
                self._ready.wait()
            return None if self._stopping else self._waiting.popitem(last=False)[1]

    def _look(self, camera: Camera, key: Key, burst_s: float | None) -> None:
        if camera.state == "stopped":
            return
        began = time.thread_time()
        try:
            planes = self._decoders.decode(key)
        except Fault:
            camera.spoilt()
            return
        viewer = self._viewer(camera.plan)
        sample = viewer.look(planes, key.clock, burst_s, camera.measures)
        camera.night = viewer.night
        camera.taken += 1
        camera.good(key)
        self._outgoing.put(replace(sample, decode_s=time.thread_time() - began))
        if key.clock - self._told.setdefault(camera.plan.id, key.clock) >= _STATE_S:
            self._told[camera.plan.id] = key.clock
            self._outgoing.put(ViewState(camera.plan.id, viewer.state()))

    def _viewer(self, plan: CameraPlan) -> Viewer:
        viewer = self._viewers.get(plan.id)
        if viewer is None or viewer.plan is not plan:
            state = plan.view_state
            if viewer is not None and (viewer.plan.masks, viewer.plan.presets) == (plan.masks, plan.presets):
                state = viewer.state()
            viewer = self._viewers[plan.id] = Viewer(plan, state)
        return viewer
