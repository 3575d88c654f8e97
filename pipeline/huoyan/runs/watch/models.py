"""The processes that run models: who is free, what is under way, what was lost with one that died."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from huoyan.child import Child, stop_all
from huoyan.runs.look import LookSettings
from huoyan.runs.watch import eyes
from huoyan.runs.watch.eyes import Looked, Ready
from huoyan.sample import Look

log = logging.getLogger("huoyan.watch.models")
_AHEAD = 2
"""Pictures given to a process at a time: one is looked at, the next lies ready."""
_FATAL, _BLOCKED_S = 2, 600.0
"""A camera whose pictures ended so many processes is left out for so long."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A picture under way."""

    camera: str
    look: Look
    child: int


class Models:
    """The processes, and their work. Belongs to one thread; `give` is called in others.

    Attributes:
        children: the processes.
        fault: why the models cannot be loaded; empty while they can.
        failed: pictures that were lost with a process, or that a model failed on.
    """

    def __init__(
        self, settings: LookSettings, count: int, give: Callable[[int, Any], None], silent_s: float
    ) -> None:
        self.fault, self.failed = "", 0
        self._ready: set[int] = set()
        self._flights: dict[str, Flight] = {}
        self._deaths: dict[str, int] = {}
        self._blocked: dict[str, float] = {}
        self.children = [
            Child(
                f"inference-{index}",
                eyes.main,
                (settings,),
                partial(give, index),
                silent_s=silent_s,
            )
            for index in range(count)
        ]

    def start(self) -> None:
        for child in self.children:
            child.start()

    def stop(self, timeout: float) -> None:
        stop_all(self.children, timeout)

    def use(self, settings: LookSettings) -> None:
        """Start every process anew with other settings; what is under way is lost and counted."""
        for index, child in enumerate(self.children):
            child.stop(1.0)
            self._lose(index, 0.0, blame=False)
            child.args = (settings,)
            child.renew()

    @property
    def ready(self) -> bool:
        """Whether at least one process has its models."""
        return bool(self._ready)

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    def room(self) -> int:
        """How many pictures can be given now."""
        return _AHEAD * len(self._ready) - len(self._flights)

    def is_blocked(self, camera: str, now: float) -> bool:
        """Whether a camera's pictures ended processes, so that they are left out for a while."""
        return self._blocked.get(camera, 0.0) > now

    def look(self, camera: str, look: Look) -> bool:
        """Give a picture to the process with least to do; False: none could take it."""
        load = {index: 0 for index in self._ready}
        for flight in self._flights.values():
            if flight.child in load:
                load[flight.child] += 1
        index = min(load, key=lambda one: load[one], default=None)
        if index is None or load[index] >= _AHEAD or not self.children[index].send(look):
            return False
        self._flights[look.frame.frame_id] = Flight(camera, look, index)
        return True

    def heard(self, index: int, message: Any) -> tuple[Flight, Looked] | None:
        """Take a message of a process: a finished look comes back with its picture."""
        if isinstance(message, Ready):
            self.fault = message.fault
            if not message.fault:
                self._ready.add(index)
            else:
                log.error("%s: the models cannot be loaded: %s", self.children[index].name, message.fault)
        if not isinstance(message, Looked):
            return None
        flight = self._flights.pop(message.frame_id, None)
        if flight is None:
            return None
        self._deaths.pop(flight.camera, None)
        return flight, message

    def check(self, now: float) -> None:
        """Restart what died or hangs."""
        for index, child in enumerate(self.children):
            if child.check():
                self._lose(index, now, blame=True)

    def _lose(self, index: int, now: float, *, blame: bool) -> None:
        self._ready.discard(index)
        lost = [key for key, flight in self._flights.items() if flight.child == index]
        for key in lost:
            camera = self._flights.pop(key).camera
            self.failed += 1
            if not blame:
                continue
            self._deaths[camera] = self._deaths.get(camera, 0) + 1
            if self._deaths[camera] >= _FATAL:
                self._blocked[camera] = now + _BLOCKED_S
                self._deaths.pop(camera)
                log.error(
                    "%s: its pictures ended %d processes; left out for %.0f s", camera, _FATAL, _BLOCKED_S
                )
