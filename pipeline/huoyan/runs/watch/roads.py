"""The processes that follow live roads, one a road: those that are wanted run, and no others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from huoyan.child import Child, stop_all
from huoyan.runs.watch import following
from huoyan.runs.watch.books import Member
from huoyan.runs.watch.following import Passing, Progress, RoadPlan


class Roads:
    """All followed roads. Belongs to one thread; `give` is called in others."""

    def __init__(self, give: Callable[[Passing | Progress], None], silent_s: float) -> None:
        self._give, self._silent_s = give, silent_s
        self._plans: dict[str, RoadPlan] = {}
        self._children: dict[str, Child] = {}
        self._due: list[str] = []
        """Not started yet."""
        self._ending: list[threading.Thread] = []

    def use(self, plans: Mapping[str, RoadPlan]) -> None:
        """Follow exactly these roads, by camera; one whose plan did not change goes on. Never blocks."""
        for camera in [name for name, plan in self._plans.items() if plans.get(name) != plan]:
            del self._plans[camera]
            self._end(self._children.pop(camera), 5.0)
        self._due = [camera for camera in self._due if camera in self._plans]
        for camera, plan in plans.items():
            if camera in self._plans:
                continue
            self._plans[camera] = plan
            self._children[camera] = Child(
                f"road-{camera}", following.main, (plan,), self._give, silent_s=self._silent_s
            )
            self._due.append(camera)

    def check(self) -> None:
        """Start again what died or hangs; call it about once a second.

        New ones are started one at a call: many that load models at once would hold up everything else, and a recorder
        is not knocked at by all at once.
        """
        self._ending = [thread for thread in self._ending if thread.is_alive()]
        for camera, child in self._children.items():
            if camera not in self._due:
                child.check()
        if self._due:
            self._children[self._due.pop(0)].start()

    def stop(self, timeout: float) -> None:
        """End all for good: by asking, and by force after `timeout` seconds. What is in view is handed over first, and
        counts as followed."""
        stop_all(self._children.values(), timeout)
        self._children, self._due = {}, []
        for thread in self._ending:
            thread.join()

    def follows(self, camera: str) -> bool:
        """Whether a road is followed here, now."""
        return camera in self._plans

    @property
    def members(self) -> list[Member]:
        return [Member(c.name, c.pid, c.restarts, c.silent_s) for c in self._children.values()]

    def _end(self, child: Child, timeout: float) -> None:
        thread = threading.Thread(
            target=child.stop, args=(timeout,), name=f"ending {child.name}", daemon=True
        )
        self._ending.append(thread)
        thread.start()
