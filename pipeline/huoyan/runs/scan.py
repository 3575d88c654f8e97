"""One scan of an archive: discover, look, judge, deliver; it goes on where an earlier one stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from huoyan import dispatch
from huoyan.config import LoadedConfig
from huoyan.dispatch import places, sender
from huoyan.incidents import Store, open_store
from huoyan.records import Unit
from huoyan.runs import engine, road
from huoyan.runs.judge import Judge
from huoyan.runs.look import LookSettings
from huoyan.runs.prepare import locate_config, prepare
from huoyan.runs.result import ScanResult
from huoyan.sources import discover
from huoyan.sources.video import VideoUnit
from huoyan.vehicles import purge

Progress = Callable[[int, int, str], None]


def scan(
    target: Path | str | LoadedConfig,
    *,
    state: Path | str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    scenes: Sequence[str] = (),
    workers: int = 1,
    progress: Progress | None = None,
) -> ScanResult:
    """Scan an imagery archive and put what it gives on the queue.

    Args:
        target: a configuration file, a county's folder, an archive, a single file, or a loaded configuration.
        state: folder for database and evidence; default `county.data` of the configuration, and
            `huoyan-state` here for an archive without one.
        since: only frames at or after this time; a naive time is the county's.
        until: only frames before this time.
        scenes: only these scene ids; default those of the configuration.
        workers: processes that look; 1 stays in this process, 0 takes all cores.
        progress: called with frames done, frames expected and what is being looked at.

    Returns:
        Figures and the alerts that this scan raised. Pictures that cannot be used are counted in it.

    Raises:
        ConfigError: configuration, registry or scenes hold mistakes.
        ModelError: a model is missing or damaged.
        MissingExtra: the client library of a place that alerts are to go to is not installed.
        StorageError: the state cannot be written (full disk): what was committed before is safe.
    """
    started = time.monotonic()
    loaded = target if isinstance(target, LoadedConfig) else locate_config(Path(target), _path(state))
    prepared = prepare(loaded, scenes)
    settings = loaded.config.dispatch
    receivers = places.remote(settings)
    zone = ZoneInfo(loaded.config.county.timezone)
    found = discover(loaded, _aware(since, zone), _aware(until, zone))
    units = road.units(found.units, loaded) if prepared.settings.passing else found.units
    result = ScanResult(loaded.state, units=len(units))
    for note in found.notes:
        result.note(note)
    with open_store(loaded.state) as store:
        dispatch.ensure_tables(store.connection)
        purge.when_due(store.connection, loaded.state, loaded.config.vehicles.retention, datetime.now(UTC))
        judge = Judge(prepared, store, result)
        for skip in found.skips:
            judge.feed(skip)
        expected = sum(unit.expected for unit in units)
        tick = progress or (lambda done, total, what: None)
        try:
            work = _work(units, store, result)
            _run(prepared.settings, work, min(workers or _cores(), len(units)), judge, expected, tick)
        except KeyboardInterrupt:
            result.interrupted = True
        finally:
            judge.close()
        if "sqlite" in settings.to:
            dispatch.drain(store.connection, datetime.now(UTC))
        for note in sender.send_once(store.connection, loaded.state, settings, receivers):
            result.note(note)
    result.seconds = time.monotonic() - started
    return result


def _run(
    settings: LookSettings,
    work: Iterable[engine.Work],
    workers: int,
    judge: Judge,
    expected: int,
    tick: Progress,
) -> None:
    finished = 0
    for unit, outcome in engine.run(settings, work, workers):
        if outcome is None:
            finished += unit.expected
        else:
            judge.feed(outcome)
        tick(finished + judge.result.already_done, expected, unit.path)


def _work(units: Sequence[Unit], store: Store, result: ScanResult) -> Iterator[engine.Work]:
    """The units that an earlier scan has not judged yet.

    A unit of one frame goes by that frame's id. A video gets the ids that were done of its source: with a frame
    left to judge it is looked at from its start, because its tracks need their past; with none not at all.
    """
    earlier: dict[str, frozenset[str]] = {}
    for unit in units:
        if store.is_done(unit.unit_id):
            result.already_done += 1
        elif isinstance(unit, VideoUnit):
            if unit.source_id not in earlier:
                earlier[unit.source_id] = store.frames_done(unit.source_id)
            yield unit, earlier[unit.source_id]
        else:
            yield unit, frozenset()


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))


def _aware(time: datetime | None, zone: ZoneInfo) -> datetime | None:
    if time is None:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)


def _path(state: Path | str | None) -> Path | None:
    return None if state is None else Path(state)
