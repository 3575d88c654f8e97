"""Running *look* over many units, in this process or in a pool, with the results in the order of the units."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Thread

from huoyan.errors import HuoyanError
from huoyan.records import Unit
from huoyan.runs.look import Eyes, LookSettings, look_unit
from huoyan.runs.road import Seen

Work = tuple[Unit, frozenset[str]]
"""A unit, and the ids of its frames (and perhaps others) that are already judged."""
_eyes: Eyes | HuoyanError | None = None


def run(settings: LookSettings, work: Iterable[Work], workers: int) -> Iterator[tuple[Unit, Seen | None]]:
    """Look at every unit and yield what each frame and passage gave, in the order of `work`.

    A unit is closed by a result of None, so that the caller can count it as finished. With one worker
    nothing leaves this process; otherwise at most four units per worker are under way at a time, which
    bounds memory whatever the length of the archive.

    Raises:
        ModelError: a model cannot be loaded.
        HuoyanError: a worker process died.
    """
    if workers <= 1:
        eyes = Eyes(settings)
        for unit, skip in work:
            for result in look_unit(eyes, unit, skip):
                yield unit, result
            yield unit, None
        return
    yield from _run_pool(settings, work, workers)


def _run_pool(
    settings: LookSettings, work: Iterable[Work], workers: int
) -> Iterator[tuple[Unit, Seen | None]]:
    # spawn: ONNX Runtime and GDAL hold threads and locks that do not survive a fork.
    context = get_context("spawn")
    leash, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, initializer=_start, initargs=(settings, leash))
    pending: deque[tuple[Unit, Future[list[Seen]]]] = deque()
    path, complete = "", False
    try:
        for unit, skip in work:
            path = unit.path
            with _interrupts_held():
                pending.append((unit, pool.submit(_look, unit, skip)))
            if len(pending) >= 4 * workers:
                path = pending[0][0].path
                yield from _results(*pending.popleft())
        while pending:
            path = pending[0][0].path
            yield from _results(*pending.popleft())
        complete = True
    except BrokenProcessPool as error:
        raise HuoyanError(
            "a worker process died",
            subject=path,
            hint="run the same command again: it goes on where it stopped; use fewer --workers if memory ran out",
        ) from error
    finally:
        if not complete:
            # Nobody waits for what the workers are at, and a long video would keep them for minutes.
            held.close()
        pool.shutdown(wait=True, cancel_futures=True)
        held.close()
        leash.close()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started inside never see Ctrl-C, which a terminal sends to all: this process stops them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _results(unit: Unit, future: Future[list[Seen]]) -> Iterator[tuple[Unit, Seen | None]]:
    for result in future.result():
        yield unit, result
    yield unit, None


def _start(settings: LookSettings, leash: Connection) -> None:
    global _eyes
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    Thread(target=_follow, args=(leash,), daemon=True).start()
    try:
        _eyes = Eyes(settings)
    except HuoyanError as error:
        # An initializer that fails is only logged; the first unit tells it to the caller.
        _eyes = error


def _follow(leash: Connection) -> None:
    """End this process when the one that holds the other end lets go of it, even by `kill -9`."""
    try:
        leash.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def _look(unit: Unit, skip: frozenset[str]) -> list[Seen]:
    if isinstance(_eyes, HuoyanError):
        raise _eyes
    assert _eyes is not None, "the pool's initializer has run"
    return list(look_unit(_eyes, unit, skip))
