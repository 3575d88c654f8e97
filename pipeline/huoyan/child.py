"""A process of a daemon: started, spoken with, and started again when it dies or falls silent.

The child is spawned (libraries hold threads and locks that do not survive a fork) with one end of a pipe. It ends when
its parent does, however that happens, because the pipe then closes. What is sent to it goes through a short queue and a
thread, so a child that hangs can never hang who sends.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

log = logging.getLogger("huoyan.child")
Main = Callable[..., None]
"""Runs in the child: `main(connection, *args)`. Sends what it has to say, receives messages until `EOFError`."""
prelude: Callable[[str], None] | None = None
"""Every child calls it first, with its name: it sets up its logs, for example. Picklable; set before `Child.start`."""
_QUEUED = 16
_PR_SET_PDEATHSIG = 1
_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_STEADY_S = 60.0
"""A child that lived for so long is restarted without the pauses that its earlier deaths earned."""


class Child:
    """One child with its successors.

    All methods belong to the thread that made it, but `send`; `give` is called in a receiving thread.

    Attributes:
        name: in logs, metrics and the process list.
        restarts: how often it had to be started again.
    """

    def __init__(
        self,
        name: str,
        main: Main,
        args: tuple[Any, ...],
        give: Callable[[Any], None],
        *,
        greeting: Callable[[], Iterable[Any]] = tuple,
        silent_s: float = 30.0,
        first_s: float = 120.0,
    ) -> None:
        """Set up; `start` starts it.

        Args:
            name: see above.
            main: what runs in it; importable by name.
            args: for `main`, after the connection; picklable.
            give: takes every message of the child.
            greeting: messages for every new child, sent before anything else.
            silent_s: without a message for so long it is ended and started again.
            first_s: the same until its first message (it loads models).
        """
        self.name, self.restarts = name, 0
        self.args = args
        self._main, self._give, self._greeting = main, give, greeting
        self._patience = silent_s, first_s
        self._life: _Life | None = None
        self._pause, self._again_at = _PAUSE_S, 0.0

    def start(self) -> None:
        """Start it; a second call does nothing while it lives."""
        if self._life is None:
            self._life = _Life(self.name, self._main, self.args, self._give, list(self._greeting()))

    @property
    def alive(self) -> bool:
        return self._life is not None and self._life.process.is_alive()

    @property
    def pid(self) -> int:
        """0: there is none now."""
        return self._life.process.pid or 0 if self._life is not None else 0

    @property
    def silent_s(self) -> float:
        """Seconds since it last said anything, or since its start."""
        return time.monotonic() - self._life.heard if self._life is not None else 0.0

    @property
    def spoke(self) -> bool:
        """Whether the present process has said anything yet."""
        return self._life is not None and self._life.spoke

    def send(self, message: Any) -> bool:
        """Send a message; False: there is nobody to take it now. Never blocks."""
        return self._life is not None and self._life.send(message)

    def check(self) -> bool:
        """Start it again if it died or fell silent, after a pause that grows; call this about once a second.

        Returns:
            True when a process was lost since the last call: what was under way in it is gone.
        """
        if self._life is None:
            if time.monotonic() >= self._again_at:
                self.restarts += 1
                self.start()
            return False
        dead = not self._life.process.is_alive()
        silent = self.silent_s > self._patience[0 if self._life.spoke else 1]
        if not dead and not silent:
            return False
        lived = time.monotonic() - self._life.began
        why = f"ended with {self._life.process.exitcode}" if dead else f"is silent for {self.silent_s:.0f} s"
        if lived > _STEADY_S:
            self._pause = _PAUSE_S
        log.error("%s (process %d) %s; starting it again in %.1f s", self.name, self.pid, why, self._pause)
        self._life.end(0.0)
        self._life = None
        self._again_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)
        return True

    def ask(self) -> None:
        """Ask it to end, and do not wait; `stop` does."""
        if self._life is not None:
            self._life.ask()

    def stop(self, timeout: float = 5.0) -> None:
        """End it: by asking, and by force after `timeout` seconds. It stays ended until `renew`."""
        if self._life is not None:
            self._life.end(timeout)
            self._life = None
        self._again_at = float("inf")

    def renew(self) -> None:
        """Start it after a `stop`, with the `args` as they are now."""
        self._again_at = 0.0
        self.start()


def stop_all(children: Collection[Child], timeout: float) -> None:
    """End all of them within `timeout` seconds: by asking all at once, then by force."""
    until = time.monotonic() + timeout
    for child in children:
        child.ask()
    for child in children:
        child.stop(max(0.0, until - time.monotonic()))


class _Life:
    """One process and the two threads that speak with it."""

    def __init__(
        self, name: str, main: Main, args: tuple[Any, ...], give: Callable[[Any], None], first: list[Any]
    ) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._connection = ours
        self.began = self.heard = time.monotonic()
        self.spoke = False
        self._queue: queue.Queue[Any] = queue.Queue(_QUEUED + len(first))
        for message in first:
            self._queue.put_nowait(message)
        self.process: BaseProcess = context.Process(
            target=_run, args=(theirs, name, main, args, prelude), name=name, daemon=True
        )
        with _interrupts_held():
            self.process.start()
        theirs.close()
        self._threads = [
            threading.Thread(target=self._receive, args=(give,), name=f"from {name}", daemon=True),
            threading.Thread(target=self._sending, name=f"to {name}", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def send(self, message: Any) -> bool:
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            return False
        return True

    def ask(self) -> None:
        with self._queue.mutex:
            self._queue.queue.clear()
        self._queue.put(_END)

    def end(self, timeout: float) -> None:
        until = time.monotonic() + timeout
        self.ask()
        self._threads[1].join(timeout)
        self.process.join(max(0.0, until - time.monotonic()))
        if self.process.is_alive():
            self.process.kill()
            self.process.join(5.0)
        # Only now: the other end is gone, so the receiving thread comes to its end by itself.
        for thread in self._threads:
            thread.join(5.0)
        self._connection.close()
        if not self.process.is_alive():
            self.process.close()

    def _receive(self, give: Callable[[Any], None]) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                return
            except Exception:
                log.exception("a message could not be read")
                continue
            self.heard, self.spoke = time.monotonic(), True
            give(message)

    def _sending(self) -> None:
        while True:
            message = self._queue.get()
            with contextlib.suppress(OSError):
                self._connection.send(message)
            if isinstance(message, _End):
                return


class _End:
    """Tells a child to end."""


_END = _End()


def receive(connection: Connection) -> Any:
    """The next message in a child.

    Raises:
        EOFError: the parent is gone, or wants this process to end.
    """
    try:
        message = connection.recv()
    except OSError as error:
        raise EOFError from error
    if isinstance(message, _End):
        raise EOFError
    return message


def _run(
    connection: Connection,
    name: str,
    main: Main,
    args: tuple[Any, ...],
    prelude: Callable[[str], None] | None,
) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A terminal sends Ctrl-C to all; the parent stops this process when it has done what it must.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _tie_to_parent()
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as comm:
        comm.write(f"huoyan-{name}"[:15])
    if prelude is not None:
        prelude(name)
    try:
        with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
            main(connection, *args)
    except Exception:
        # Through the log, not as a bare traceback: it may hold an address with its password.
        log.exception("ended by an error")
        sys.exit(1)


def _tie_to_parent() -> None:
    """On Linux the kernel ends this process with its parent, though it be stuck where no pipe is read."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def _interrupts_held() -> Any:
    """A process started inside never sees a Ctrl-C before it can ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
