"""The loop of a gate: cameras look, devices speak, the desk joins and decides, the log remembers.

Everything that comes in is on the disk before it is worked on, and events carry ids of what made them. So the loop may
be killed at any moment: the next one goes on with what lies in the book, and says nothing twice.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from huoyan.config import LoadedConfig
from huoyan.config_types import seconds
from huoyan.dispatch.sender import Sender
from huoyan.errors import ConfigError, StorageError
from huoyan.gate import log as gate_log
from huoyan.gate.book import Book, open_book
from huoyan.gate.desk import Decided, Desk
from huoyan.gate.intake import Intake, feed
from huoyan.gate.messages import BadMessage
from huoyan.incidents import database, open_store
from huoyan.passage import Passage
from huoyan.registry.live import LiveRegistry
from huoyan.runs import gate_watch
from huoyan.runs.gate_check import check_gates
from huoyan.runs.gate_keep import Keeper
from huoyan.runs.gate_tell import Teller
from huoyan.runs.passages import eyes_for
from huoyan.runs.prepare import Prepared, prepare
from huoyan.sqlite import to_ms
from huoyan.vehicles import Sighting
from huoyan.vehicles.history import History

log = logging.getLogger("huoyan.gate")
AFTER_S = 5.0
_REFRESH_S = 1.0


class Camera(Protocol):
    """What looks: see `gate_watch.Watcher`."""

    @property
    def silence(self) -> str: ...

    @property
    def at(self) -> datetime | None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def is_alive(self) -> bool: ...

    def join(self, timeout: float | None = None) -> None: ...


Cameras = Callable[[LoadedConfig, Callable[[Passage], None]], dict[str, Camera]]
"""Makes the cameras of all gates, by camera id; each gives its passages to the function."""


@dataclass
class GateResult:
    """What a run came to."""

    state: Path
    decided: int = 0
    """New log entries."""
    events: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    alerts: int = 0
    notes: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    """Longest from telling of a vehicle to its first decision."""


def run(
    loaded: LoadedConfig,
    *,
    once: bool = False,
    stop: threading.Event | None = None,
    told: Callable[[Decided], None] = lambda decided: None,
    ready: Callable[[dict[str, Any]], None] = lambda addresses: None,
    cameras: Cameras | None = None,
) -> GateResult:
    """Run the gates of a county until `stop` is set, or, with files only, until they are over.

    Args:
        loaded: the configuration.
        once: end with the camera files though messages could come.
        stop: set it to end the run: what has come is decided first.
        told: is given each new log entry.
        ready: is given the addresses that listen, once they do.
        cameras: look instead of the configured ones.

    Raises:
        ConfigError: the configuration or a register holds mistakes, or an address cannot be bound.
        ModelError: a model is missing or damaged.
        MissingExtra: MQTT is configured and paho-mqtt is not installed.
        StorageError: the state cannot be written, or another gate works on it.
    """
    _check(loaded)
    stopping = stop or threading.Event()
    with ExitStack() as stack:
        loaded.state.mkdir(parents=True, exist_ok=True)
        held = database.lock(loaded.state / "gate")
        if held is not None:
            stack.callback(held.close)
        book = stack.enter_context(open_book(loaded.state))
        return _Run(loaded, book, stopping, cameras or _watchers, told).go(stack, once, ready)


class _Run:
    def __init__(
        self,
        loaded: LoadedConfig,
        book: Book,
        stopping: threading.Event,
        cameras: Cameras,
        told: Callable[[Decided], None],
    ) -> None:
        self.loaded, self.book, self.stopping, self.told = loaded, book, stopping, told
        self.result = GateResult(loaded.state)
        self.zone = ZoneInfo(loaded.config.county.timezone)
        self.replay = gate_watch.is_replay(loaded)
        self.woken = threading.Event()
        self.live = LiveRegistry(loaded)
        check_gates(loaded, self.live.current.zones)
        self._prepared = prepare(loaded)
        self._make_cameras = cameras
        self.cameras: dict[str, Camera] = {}
        self.at: datetime | None = None
        self.keeper = Keeper(book, loaded.config.vehicles.retention)

    def go(self, stack: ExitStack, once: bool, ready: Callable[[dict[str, Any]], None]) -> GateResult:
        loaded, gates = self.loaded, self.loaded.config.gates
        stack.callback(self.live.close)
        for note in gate_log.mend(self.book.connection, self.book.folder, to_ms(datetime.now(UTC))):
            self._note(note)
        store = stack.enter_context(open_store(loaded.state, exclusive=False))
        history = History(store.connection, loaded.config.vehicles)
        desk = Desk(
            self.book,
            gates,
            lambda: self.live.current,
            self.zone,
            loaded.config.vehicles.limits,
            now=self.now,
            earlier=_on_roads(history, {gate.id for gate in gates}),
        )
        intake = Intake(self.book, gates, self.zone, woken=self.woken.set, now=self.now, replay=self.replay)
        waiting = _messages(loaded)
        self.cameras = self._make_cameras(loaded, lambda passage: self._take(desk, passage))
        sender = Sender(loaded.state, loaded.config.dispatch)
        teller = Teller(self.prepared, self.book, loaded.state, sender.wake)
        teller.start()
        sender.start()
        stack.callback(sender.stop)
        with _listening(loaded, intake) as (addresses, silent):
            for camera in self.cameras.values():
                camera.start()
            ready(addresses)
            alone = once or not (loaded.config.intake.http or loaded.config.intake.mqtt)
            self._loop(desk, intake, waiting, silent, alone)
        self._drain(desk, intake, waiting)
        teller.stop()
        teller.join()
        self.result.alerts = teller.alerts
        return self.result

    def now(self) -> datetime:
        """The wall clock; of a replay, how far it is."""
        if not self.replay:
            return datetime.now(UTC)
        return self._played() or self.book.latest_time() or datetime.now(UTC)

    def prepared(self) -> Prepared:
        """The county with the registers as they are now."""
        current = self.live.current
        if self._prepared.registry is not current:
            self._prepared = replace(self._prepared, registry=current)
        return self._prepared

    def _loop(
        self,
        desk: Desk,
        intake: Intake,
        waiting: list[dict[str, Any]],
        silent: Callable[[], dict[str, str]],
        alone: bool,
    ) -> None:
        while not self.stopping.is_set():
            self.woken.wait(min(desk.wait_s(), _REFRESH_S))
            self.woken.clear()
            note = self.live.refresh()
            if note:
                self._note(note)
            desk.silent.clear()
            desk.silent.update(silent() | {k: c.silence for k, c in self.cameras.items() if c.silence})
            self._feed(intake, waiting, self.now() if self.replay else None)
            self._work(desk)
            if not self.replay:
                self.keeper.when_due(datetime.now(UTC))
            if alone and not any(camera.is_alive() for camera in self.cameras.values()):
                return

    def _drain(self, desk: Desk, intake: Intake, waiting: list[dict[str, Any]]) -> None:
        """Take what the cameras have still to tell, decide everything, and let no event wait for more."""
        cut = self.stopping.is_set()
        for camera in self.cameras.values():
            camera.stop()
        for camera in self.cameras.values():
            camera.join(AFTER_S)
        if self.replay and not cut:
            self._feed(intake, waiting, None)
            longest = [seconds(g.scale.within) for g in self.loaded.config.gates if g.scale]
            longest += [seconds(g.wash.within) for g in self.loaded.config.gates if g.wash]
            # The story is over: what has not come does not come any more.
            self.at = self.now() + timedelta(seconds=2 * max(longest, default=0.0) + AFTER_S)
        desk.patience = 0.0
        self._work(desk)

    def _work(self, desk: Desk) -> None:
        try:
            decided = desk.work()
        except StorageError as error:
            # A full disk: nothing is lost, whatever came is in the book or with its sender.
            log.error("decisions wait: %s", error)
            self.stopping.wait(1.0)
            return
        for one in decided:
            self.result.decided += 1
            if one.revision == 1:
                self.result.events += 1
                self.result.slowest_s = max(self.result.slowest_s, one.seconds)
                outcome = one.event.outcome
                self.result.outcomes[outcome] = self.result.outcomes.get(outcome, 0) + 1
            self.told(one)

    def _take(self, desk: Desk, passage: Passage) -> None:
        while not self.stopping.is_set() or self.replay:
            try:
                if desk.take_passage(passage):
                    self.woken.set()
                return
            except StorageError as error:
                log.error("a passage could not be written, trying again: %s", error)
                self.stopping.wait(1.0)
                if self.stopping.is_set():
                    return

    def _feed(self, intake: Intake, waiting: list[dict[str, Any]], until: datetime | None) -> None:
        """Take in the messages on file that have come by a time; None: all."""
        while waiting and (until is None or datetime.fromisoformat(waiting[0]["received"]) <= until):
            message = waiting.pop(0)
            try:
                feed(intake, [message])
            except BadMessage as error:
                intake.refuse(f"file {message['path']}"[:200], error)
                self._note(f"a message on file was refused: {error}")

    def _played(self) -> datetime | None:
        """How far the slowest of the files is; None behind the last frame."""
        if self.at is not None:
            return self.at
        times = [camera.at for camera in self.cameras.values() if camera.is_alive()]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None

    def _note(self, note: str) -> None:
        log.warning("%s", note)
        self.result.notes.append(note)


@contextmanager
def _listening(
    loaded: LoadedConfig, intake: Intake
) -> Iterator[tuple[dict[str, Any], Callable[[], dict[str, str]]]]:
    """Listen on what is configured; gives the addresses, and a function that says whose way to us is broken."""
    settings = loaded.config.intake
    addresses: dict[str, Any] = {}
    with ExitStack() as stack:
        if settings.http is not None:
            from huoyan.gate.http import Server

            server = Server(settings.http, intake)
            server.start()
            stack.callback(server.stop)
            addresses["http"] = list(server.address)
        subscriber = None
        if settings.mqtt is not None:
            from huoyan.gate.mqtt import Subscriber

            subscriber = Subscriber(settings.mqtt, intake)
            subscriber.start()
            stack.callback(subscriber.stop)
            addresses["mqtt"] = [settings.mqtt.host, settings.mqtt.port]
        only_mqtt = settings.http is None
        devices = [p.device for g in loaded.config.gates for p in (g.scale, g.wash) if p is not None]

        def silent() -> dict[str, str]:
            if subscriber is None or subscriber.connected or not only_mqtt:
                return {}
            return dict.fromkeys(devices, f"the broker is away ({subscriber.why})")

        yield addresses, silent


def _watchers(loaded: LoadedConfig, give: Callable[[Passage], None]) -> dict[str, Camera]:
    folder = loaded.resolve(loaded.config.models.folder) if loaded.config.models.folder else None
    if not any(gate.cameras for gate in loaded.config.gates):
        return {}
    eyes = eyes_for(loaded.config.models, folder)
    return {watcher.camera.id: watcher for watcher in gate_watch.watchers(loaded, eyes, give)}


def _on_roads(history: History, gates: set[str]) -> Callable[[str, datetime, float], Sequence[Sighting]]:
    """Sightings of a plate by road cameras; the gates' own are in the book."""

    def earlier(plate: str, before: datetime, within_s: float) -> Sequence[Sighting]:
        return [s for s in history.sightings(plate, before, within_s) if s.source_id not in gates]

    return earlier


def _messages(loaded: LoadedConfig) -> list[dict[str, Any]]:
    """The messages on file, in the order in which they came.

    Raises:
        ConfigError: a file cannot be read, or a line of it is no message.
    """
    found: list[dict[str, Any]] = []
    for name in loaded.config.intake.files:
        path = loaded.resolve(Path(name))
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", subject=f"intake.files {path}") from error
        for number, line in enumerate(lines, 1):
            try:
                message = json.loads(line)
                datetime.fromisoformat(message["received"]), message["path"], message["body"]
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(
                    "expected a JSON object with received, path and body", subject=f"{path}:{number}"
                ) from error
            found.append(message)
    return sorted(found, key=lambda message: datetime.fromisoformat(message["received"]))


def _check(loaded: LoadedConfig) -> None:
    if not loaded.config.gates:
        raise ConfigError(
            "no gate is configured",
            subject=str(loaded.path or "configuration"),
            hint="describe one under gates:, see docs/gate.md",
        )
