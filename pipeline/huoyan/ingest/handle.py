"""The daemon's side of a reader process: it is told what to read, and kept alive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from huoyan.child import Child
from huoyan.config_watch import Logins
from huoyan.ingest import process
from huoyan.ingest.logins import LoginLimits
from huoyan.sample import Cameras, Order, Report, Stretch


class Ingest:
    """One reader process with its successors. All methods belong to the thread that made it.

    A new process is told the latest cameras and intervals before anything else.
    """

    def __init__(
        self, name: str, logins: Logins, give: Callable[[Report], None], *, restart_after_s: float = 30.0
    ) -> None:
        """Set up; `start` starts it.

        Args:
            name: in logs, metrics and the process list.
            logins: limits.
            give: takes every report, in a receiving thread.
            restart_after_s: without a report for so long it is ended and started again.
        """
        limits = LoginLimits(logins.at_once, logins.per_host, logins.rate)
        self._cameras = Cameras(())
        self._stretch = Stretch(1.0)
        self._child = Child(
            name, process.main, (limits,), give, greeting=self._greeting, silent_s=restart_after_s
        )

    @property
    def name(self) -> str:
        return self._child.name

    @property
    def alive(self) -> bool:
        return self._child.alive

    @property
    def pid(self) -> int:
        """0: there is none now."""
        return self._child.pid

    @property
    def restarts(self) -> int:
        return self._child.restarts

    @property
    def silent_s(self) -> float:
        """Seconds since it last said anything."""
        return self._child.silent_s

    def start(self) -> None:
        self._child.start()

    def tell(self, order: Order) -> None:
        """Give an order; cameras and intervals are told again to a successor. Never blocks."""
        if isinstance(order, Cameras):
            self._cameras = order
        elif isinstance(order, Stretch):
            self._stretch = order
        self._child.send(order)

    def check(self) -> bool:
        """Start it again if it died or hangs; call this about once a second.

        Returns:
            True when a process was lost since the last call.
        """
        return self._child.check()

    def ask(self) -> None:
        """Ask it to end, and do not wait; `stop` does."""
        self._child.ask()

    def stop(self, timeout: float) -> None:
        """End it: by asking, and by force after `timeout` seconds."""
        self._child.stop(timeout)

    def _greeting(self) -> Iterable[Any]:
        return (self._stretch, self._cameras)
