"""Running *look* over many units, in this process or in a pool, with the results in the order of the units."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from huoyan.errors import HuoyanError
from huoyan.records import Observations, Skip, Unit
from huoyan.runs.look import Eyes, LookSettings, look_unit

_eyes: Eyes | None = None


def run(
    settings: LookSettings, work: Iterable[Unit], workers: int
) -> Iterator[tuple[Unit, Observations | Skip | None]]:
    """Look at every unit and yield what each frame gave, in the order of `work`.

    A unit is closed by a result of None, so that the caller can count it as finished. With one worker
    nothing leaves this process; otherwise at most four units per worker are under way at a time, which
    bounds memory whatever the length of the archive.

    Raises:
        ModelError: a model cannot be loaded.
        HuoyanError: a worker process died.
    """
    if workers <= 1:
        eyes = Eyes(settings)
        for unit in work:
            for result in look_unit(eyes, unit):
                yield unit, result
            yield unit, None
        return
    yield from _run_pool(settings, work, workers)


def _run_pool(
    settings: LookSettings, work: Iterable[Unit], workers: int
) -> Iterator[tuple[Unit, Observations | Skip | None]]:
    # spawn: ONNX Runtime and GDAL hold threads and locks that do not survive a fork.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start, initargs=(settings,))
    pending: deque[tuple[Unit, Future[list[Observations | Skip]]]] = deque()
    try:
        for unit in work:
            pending.append((unit, pool.submit(_look, unit)))
            if len(pending) >= 4 * workers:
                yield from _results(*pending.popleft())
        while pending:
            yield from _results(*pending.popleft())
    except BrokenProcessPool as error:
        raise HuoyanError(
            "a worker process died",
            subject=pending[0][0].path if pending else "",
            hint="run the same command again: it goes on where it stopped; use fewer --workers if memory ran out",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _results(
    unit: Unit, future: Future[list[Observations | Skip]]
) -> Iterator[tuple[Unit, Observations | Skip | None]]:
    for result in future.result():
        yield unit, result
    yield unit, None


def _start(settings: LookSettings) -> None:
    global _eyes
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _eyes = Eyes(settings)


def _look(unit: Unit) -> list[Observations | Skip]:
    assert _eyes is not None, "the pool's initializer has run"
    return list(look_unit(_eyes, unit))
