"""What is known of a camera's stories goes with its lease from box to box, so that nothing is told twice.

Each box writes what it knows of the cameras it holds into a bucket of the NATS server, one entry a camera: soon after
something was told, and now and then while a story goes on. A box that gets a camera reads its entry before it looks.
An entry is written only where the last word on it is the one that was read or written here (compare and set on its
number): a box that was held up, or came back with an old state, learns first and never overwrites what is newer.

All of it happens in a thread of its own. Where NATS does not answer, a camera waits for `PATIENCE_S` and is then looked
at with what is known here; what comes later is still taken.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huoyan.config_dispatch import Nats
from huoyan.dispatch import database, jetstream
from huoyan.dispatch.nats_link import Address, Link, words
from huoyan.dispatch.protocol import Away
from huoyan.dispatch.rulings import Ruling, Rulings
from huoyan.errors import StorageError
from huoyan.incidents import handover
from huoyan.ingest.backoff import Backoff
from huoyan.vehicles import handover as trucks

if TYPE_CHECKING:
    from nats.js import JetStreamContext

log = logging.getLogger("huoyan.stories")
PATIENCE_S = 10.0
"""A camera that is new here waits so long for its stories before it is looked at without them."""
_LINGERS_S = 2.0
"""What was seen by a camera that has left is judged within so long, and still written down: its lease is given back a
round later."""
_PERIOD_S = 5.0
_WORK_S = 60.0
_KEPT = timedelta(days=30)
"""What was last seen longer ago is not handed on."""
_LARGEST = 32 * 1024 * 1024
"""Bytes of an entry once unpacked: more is not believed."""


@dataclass(frozen=True, slots=True)
class Handed:
    """What the box that had a camera before knew of it.

    Attributes:
        camera: which.
        stories: see `incidents.handover`.
        past: what trucks did before it lately; see `vehicles.handover`.
        faults: what was told of its faults, as the memory has it under `memory_key`; None: nothing.
    """

    camera: str
    stories: tuple[handover.Story, ...] = ()
    past: trucks.Past = field(default_factory=dict)
    faults: Any = None


@dataclass(slots=True)
class _Ours:
    """A camera that this box holds."""

    since: float
    number: int | None = None
    """Of the last word on it; None: it was not read yet."""
    taken: bool = False
    """What was read is in the state here."""
    written: tuple[object, ...] | None = None
    """The marks of what was written last."""


class Stories:
    """The stories of the cameras that this box holds. All methods may be called from any thread.

    Attributes:
        why: why entries can neither be read nor written now; empty while they can.
    """

    def __init__(
        self,
        settings: Nats,
        state: Path,
        give: Callable[[Handed | Ruling], None],
        *,
        memory_key: str,
    ) -> None:
        """Set up; `start` begins.

        Args:
            settings: the server; `settings.leases` must be given.
            state: folder of the state.
            give: is given what is known of a camera that is new here, in a thread of this; say `taken` then. And what
                crews have found at other boxes.
            memory_key: the memory holds a camera's faults under this and its id.

        Raises:
            MissingExtra: nats-py is not installed.
            ConfigError: an environment variable is not set.
        """
        assert settings.leases is not None, "only boxes that share cameras hand on stories"
        self._link = Link(Address(settings))
        self._bucket = jetstream.stories(settings.leases, settings.replicas)
        self._born: datetime | None = None
        self._rulings = Rulings(jetstream.stories_bucket(settings.leases))
        self._database = state / database.DATABASE
        self._give, self._memory_key = give, memory_key
        self._ours: dict[str, _Ours] = {}
        self._left: dict[str, tuple[float, _Ours]] = {}
        """Cameras that have left, with the moment of it."""
        self._lock = threading.Lock()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self.why = ""
        self._thread = threading.Thread(target=self._run, name="stories", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Write what is to be written once more, and end."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def own(self, cameras: Iterable[str]) -> None:
        """These are ours now; of those that are new their stories are asked for."""
        now, cameras = time.monotonic(), set(cameras)
        with self._lock:
            before, self._ours = self._ours, {c: self._ours.get(c) or _Ours(now) for c in cameras}
            left = {camera: (now, ours) for camera, ours in before.items() if ours.taken}
            self._left = {c: since for c, since in {**self._left, **left}.items() if c not in cameras}
        self._wake.set()

    def awaits(self, camera: str) -> bool:
        """Whether a camera is not to be looked at yet, because its stories may still come."""
        ours = self._ours.get(camera)
        return ours is not None and not ours.taken and time.monotonic() - ours.since < PATIENCE_S

    def taken(self, camera: str) -> None:
        """What was given of a camera is in the state; from now on this box writes its entry."""
        with self._lock:
            if camera in self._ours:
                self._ours[camera].taken = True

    def wake(self) -> None:
        """Something was told: write it down soon."""
        self._wake.set()

    # ------------------------------------------------------------------------------------------ in the thread
    def _run(self) -> None:
        backoff = Backoff(0.5, _PERIOD_S)
        with closing(self._link):
            while True:
                ending = self._stopping.is_set()
                pause = _PERIOD_S
                try:
                    self._link.call(self._arrive, _WORK_S)
                    self._read()
                    self._write()
                    if self.why:
                        log.info("stories are handed on through %s again", self._link.address.where)
                    self.why = ""
                    backoff.reset()
                except Exception as error:
                    # Of the client, in many kinds, and of a state that cannot be read: tried again.
                    why = str(error) if isinstance(error, Away | StorageError) else words(error)
                    if why != self.why:
                        log.warning("stories cannot be handed on: %s", why)
                    self.why, pause = why, backoff.pause()
                if ending:
                    return
                self._wake.wait(pause)
                self._wake.clear()

    async def _arrive(self, js: JetStreamContext) -> None:
        from nats.js.api import StreamConfig
        from nats.js.errors import NotFoundError

        try:
            info = await js.stream_info(self._bucket["name"])
        except NotFoundError:
            info = await js.add_stream(StreamConfig(**self._bucket))
        if info.created != self._born:
            self._born = info.created
            self._rulings.forget()

    def _read(self) -> None:
        """Give what is known of the cameras that are new here."""
        for camera, ours in self._now().items():
            if ours.number is not None:
                continue
            number, data = self._link.call(lambda js, camera=camera: self._last(js, camera), _WORK_S)  # type: ignore[misc]
            ours.number = number
            self._give(unpacked(camera, data))

    async def _last(self, js: JetStreamContext, camera: str) -> tuple[int, bytes]:
        from nats.js.errors import NotFoundError

        try:
            last = await js.get_last_msg(self._bucket["name"], self._subject(camera))
        except NotFoundError:
            return 0, b""
        return last.seq or 0, last.data or b""

    def _write(self) -> None:
        """Write the entries of cameras whose stories have changed, and exchange what crews have found."""
        due = self._lingering() | {camera: ours for camera, ours in self._now().items() if ours.taken}
        if not self._database.exists():
            return
        with closing(self._open()) as connection:
            since = datetime.now(UTC) - _KEPT
            self._rulings.exchange(self._link, connection, since, self._give)
            if not due:
                return
            sources = handover.marks(connection, since)
            faults = self._faults(connection)
            for camera, ours in due.items():
                own = {source: mark for source, mark in sources.items() if _is_of(source, camera)}
                marks = (tuple(sorted(own.items())), faults.get(camera))
                if marks == ours.written or (ours.written is None and not any(marks)):
                    continue
                known = Handed(
                    camera,
                    tuple(handover.stories(connection, own.keys())),
                    trucks.past(connection, camera, datetime.now(UTC)),
                    _parsed(faults.get(camera)),
                )
                if self._put(ours, known):
                    ours.written = marks

    def _put(self, ours: _Ours, known: Handed) -> bool:
        """Write an entry; False: another box has written since, and its word is learned first."""
        from nats.js.errors import APIError

        data = _packed(known)
        while len(data) > self._link.largest and known.stories:
            # The latest seen come first.
            stories = known.stories[: len(known.stories) // 2]
            known = replace(known, stories=stories, past=trucks.halved(known.past))
            data = _packed(known)
        headers = {"Nats-Expected-Last-Subject-Sequence": str(ours.number)}
        try:
            answer = self._link.call(
                lambda js: js.publish(self._subject(known.camera), data, headers=headers), _WORK_S
            )
        except APIError as error:
            if error.err_code not in jetstream.WRONG_LAST:
                raise
            ours.number, ours.taken = None, False
            self._wake.set()
            return False
        ours.number = answer.seq
        return True

    def _faults(self, connection: sqlite3.Connection) -> dict[str, str]:
        key = self._memory_key
        found = connection.execute(
            "SELECT key, value FROM memory WHERE substr(key, 1, ?) = ?", (len(key), key)
        )
        return {str(name)[len(key) :]: str(value) for name, value in found}

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._database, timeout=database.BUSY_MS / 1000)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _lingering(self) -> dict[str, _Ours]:
        """The cameras that left a moment ago, but for those of which another box has spoken since."""
        now = time.monotonic()
        with self._lock:
            self._left = {
                camera: (since, ours)
                for camera, (since, ours) in self._left.items()
                if ours.taken and now - since < _LINGERS_S
            }
            return {camera: ours for camera, (_, ours) in self._left.items()}

    def _now(self) -> dict[str, _Ours]:
        with self._lock:
            return dict(self._ours)

    def _subject(self, camera: str) -> str:
        return f"$KV.{self._bucket['name'].removeprefix('KV_')}.{jetstream.key(camera)}"


def _is_of(source: str, camera: str) -> bool:
    """A pose of a camera is a source of its own, `camera/pose`."""
    return source == camera or source.startswith(camera + "/")


def _parsed(faults: str | None) -> Any:
    return json.loads(faults) if faults else None


def _packed(known: Handed) -> bytes:
    entry = {
        "version": handover.VERSION,
        "stories": known.stories,
        "trucks": known.past,
        "faults": None if known.faults is None else json.dumps(known.faults, ensure_ascii=False),
    }
    return zlib.compress(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode())


def unpacked(camera: str, data: bytes) -> Handed:
    """What an entry says; nothing where it is damaged or of another version, which is said."""
    if not data:
        return Handed(camera)
    try:
        unpacking = zlib.decompressobj()
        entry = json.loads(unpacking.decompress(data, _LARGEST))
        if entry["version"] != handover.VERSION:
            raise ValueError(f"it is of version {entry['version']}, this is {handover.VERSION}")
        return Handed(
            camera, tuple(entry["stories"]), dict(entry.get("trucks", {})), _parsed(entry["faults"])
        )
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        log.warning("camera %s: what another box knew of it cannot be used: %s", camera, error)
        return Handed(camera)
