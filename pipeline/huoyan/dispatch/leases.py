"""Several boxes share the cameras: who holds a camera's lease looks at it.

Leases are keys of a bucket on a NATS server (`camera.<id>`), in memory, each ending by itself after its time to live;
so are the boxes' signs of life (`box.<run>`). A lease is taken only where there is none, and renewed only where the
last word on it was ours (compare and set on its number), so it never has two holders on the server. On our side a lease
ends earlier than there: it counts from before a renewal was sent, and four fifths of its time. A box that cannot renew
has thus stopped looking before another may begin, whatever the delays and the clocks of either.

Every box takes its fair share, ceil(cameras / boxes). One with more lets go of the rest: it stops looking at once and
gives the lease back a round later. When a box dies its leases end, and the others find them free within a round.

A server that comes back without its memory knows of no lease, though boxes still hold them: in a bucket that is
younger than a lease nobody takes cameras but those that it holds still.

While NATS is away a box's leases end and it stops looking (`away: stop`), or it keeps what it held last
(`away: keep`): better for a single box, or where the network between the boxes rather fails as a whole than in parts;
after a partition two boxes may then look at one camera until NATS is back. A box without leases in its configuration
needs no NATS: all cameras are its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from huoyan.config_dispatch import Leases as Settings
from huoyan.config_dispatch import Nats
from huoyan.config_types import seconds
from huoyan.dispatch import jetstream
from huoyan.dispatch.nats_link import Address, words
from huoyan.dispatch.protocol import Away
from huoyan.errors import ConfigError
from huoyan.ingest.backoff import Backoff

if TYPE_CHECKING:
    import nats.aio.client
    from nats.js import JetStreamContext

log = logging.getLogger("huoyan.leases")
Changed = Callable[[frozenset[str]], None]
_SHARE = 0.8
"""Of its time to live a lease counts so much on our side."""
_ROUNDS = 4
"""Rounds within the time to live."""
_CLOCKS_S = 5.0
"""Clocks of box and server may differ by so much when the age of a bucket is judged."""
_LONGEST_PAUSE_S = 4.0


@dataclass(slots=True)
class _Lease:
    number: int
    """Of the server's last word on it."""
    until: float
    """Monotonic."""


class Leases:
    """The cameras of this box, among several boxes. All methods may be called from any thread."""

    def __init__(
        self,
        settings: Nats,
        box_id: str,
        cameras: Iterable[str],
        changed: Changed = lambda owned: None,
    ) -> None:
        """Set up; `start` begins to take cameras.

        Args:
            settings: the server; `settings.leases` must be given.
            box_id: name of this box. It decides which cameras it prefers, so that it gets the same ones again.
            cameras: ids of all cameras that are shared; the same for all boxes.
            changed: told of the cameras that are ours, whenever that changes, in a thread of the leases.

        Raises:
            MissingExtra: nats-py is not installed.
            ConfigError: no leases are configured, or an environment variable is not set.
        """
        if settings.leases is None:
            raise ConfigError("no leases are configured", subject="dispatch.nats.leases")
        self._address = Address(settings)
        self._held = _Holder(settings.leases, settings.replicas, box_id, cameras)
        self._changed, self._told = changed, frozenset[str]()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def owned(self) -> frozenset[str]:
        """The cameras that are ours now."""
        return frozenset() if self._stopping.is_set() else self._held.owned()

    @property
    def why(self) -> str:
        """Why there is no connection, in words; empty while there is one."""
        return self._held.why

    def use(self, cameras: Iterable[str]) -> None:
        """These are the shared cameras from now on."""
        self._held.cameras = tuple(sorted(set(cameras)))

    def stop(self, timeout: float = 5.0) -> None:
        """Give all cameras back at once. The caller has stopped looking at them."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    # ------------------------------------------------------------------------------------------ in the thread
    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        backoff = Backoff(0.5, _LONGEST_PAUSE_S)
        while not self._stopping.is_set():
            try:
                client = await self._address.open()
                try:
                    await self._rounds(client, backoff)
                finally:
                    with contextlib.suppress(Exception):
                        await asyncio.wait_for(client.close(), 1.0)
            except Away as error:
                self._lost(str(error))
            except Exception as error:
                # Of the client, in many kinds: the connection is made anew.
                self._lost(words(error))
            await self._wait(backoff.pause())

    async def _rounds(self, client: nats.aio.client.Client, backoff: Backoff) -> None:
        context = client.jetstream(timeout=min(self._address.timeout, self._held.round_s))
        held = self._held
        await held.arrive(context)
        while not self._stopping.is_set():
            if not client.is_connected:
                raise Away("the connection broke")
            await held.round(context)
            if held.why:
                log.info("cameras are shared through %s", self._address.where)
            held.why = ""
            backoff.reset()
            await self._wait(held.round_s)
        await held.leave(context)

    def _lost(self, why: str) -> None:
        if why != self._held.why:
            log.warning("%s: leases cannot be renewed: %s", self._address.where, why)
        self._held.why = why

    async def _wait(self, pause: float) -> None:
        """Wait, and tell meanwhile what has changed: leases end at their time, connected or not."""
        until = time.monotonic() + pause
        while True:
            self._tell()
            left = until - time.monotonic()
            if left <= 0 or self._stopping.is_set():
                return
            await asyncio.sleep(min(left, 0.2))

    def _tell(self) -> None:
        owned = self.owned()
        if owned != self._told:
            self._told = owned
            try:
                self._changed(owned)
            except Exception:
                log.exception("the change of cameras could not be told")


class _Holder:
    """What one box holds, and its rounds with the server."""

    def __init__(self, settings: Settings, replicas: int, box_id: str, cameras: Iterable[str]) -> None:
        self.cameras = tuple(sorted(set(cameras)))
        self.why = "not connected yet"
        self.ttl = seconds(settings.ttl)
        self.round_s = self.ttl / _ROUNDS
        self._settings, self._replicas, self._box = settings, replicas, box_id
        self._keeps = settings.away == "keep"
        # Of this run: a box that was killed and is back must not take its former leases for its own.
        self._run = uuid.uuid4().hex
        self._leases: dict[str, _Lease] = {}
        self._leaving: dict[str, int] = {}
        self._born: datetime | None = None
        self._free_from = 0.0

    def owned(self) -> frozenset[str]:
        now, leases = time.monotonic(), dict(self._leases)
        if self._keeps and self.why:
            return frozenset(leases)
        return frozenset(camera for camera, lease in leases.items() if lease.until > now)

    async def arrive(self, js: JetStreamContext) -> None:
        """On a new connection: have a bucket, and know whether it may have forgotten leases."""
        from nats.js.api import StreamConfig
        from nats.js.errors import NotFoundError

        try:
            info = await js.stream_info(self._stream)
        except NotFoundError:
            wanted = jetstream.bucket(self._settings, self._replicas)
            info = await js.add_stream(StreamConfig(**wanted))
        if info.created == self._born:
            return
        first, self._born = self._born is None, info.created
        age = (datetime.now(UTC) - info.created).total_seconds() if info.created is not None else 0.0
        if not first or age < self.ttl + _CLOCKS_S:
            self._free_from = time.monotonic() + self.ttl

    async def round(self, js: JetStreamContext) -> None:
        """Give a sign of life, renew, let go of what is too much, take what is free.

        Raises:
            Exception: of the client; what is held stays so until it ends.
        """
        await self._return(js)
        await js.publish(self._subject("box", self._run), self._box.encode())
        subjects = await self._subjects(js)
        boxes = max(1, sum(subject.startswith(self._subject("box", "")) for subject in subjects))
        self._forget()
        known = [camera for camera in self._by_preference() if camera in self._leases]
        share = -(-len(self.cameras) // boxes)
        surplus = known[share:] + [camera for camera in self._leases if camera not in self.cameras]
        for camera in surplus:
            # Not looked at from now on; the lease itself is given back in the next round.
            self._leaving[camera] = self._leases.pop(camera).number
        await self._each(self._renew(js, camera) for camera in list(self._leases))
        if time.monotonic() < self._free_from:
            return
        room = share - len(self._leases)
        free = [
            camera
            for camera in self._by_preference()
            if camera not in self._leases and self._subject("camera", camera) not in subjects
        ]
        await self._each(self._take(js, camera) for camera in free[: max(0, room)])

    async def leave(self, js: JetStreamContext) -> None:
        """Give everything back at once."""
        self._leaving |= {camera: lease.number for camera, lease in self._leases.items()}
        self._leases.clear()
        with contextlib.suppress(Exception):
            await self._return(js)
        with contextlib.suppress(Exception):
            await js.purge_stream(self._stream, subject=self._subject("box", self._run))

    def _forget(self) -> None:
        """What has ended is no longer ours to renew, unless it is kept while NATS is away."""
        now = time.monotonic()
        for camera in [c for c, lease in self._leases.items() if lease.until <= now and not self._keeps]:
            del self._leases[camera]

    async def _renew(self, js: JetStreamContext, camera: str) -> None:
        lease = self._leases[camera]
        number = await self._set(js, camera, lease.number)
        if number is None:
            number = await self._found(js, camera)
        if number is None:
            del self._leases[camera]
            log.warning("camera %s: the lease was lost", camera)

    async def _found(self, js: JetStreamContext, camera: str) -> int | None:
        """A renewal whose answer was lost is ours still; one that the server forgot is taken anew."""
        from nats.js.errors import NotFoundError

        try:
            last = await js.get_last_msg(self._stream, self._subject("camera", camera))
        except NotFoundError:
            return await self._set(js, camera, 0)
        if last.data != self._value or last.seq is None:
            return None
        return await self._set(js, camera, last.seq)

    async def _take(self, js: JetStreamContext, camera: str) -> None:
        await self._set(js, camera, 0)

    async def _set(self, js: JetStreamContext, camera: str, last: int) -> int | None:
        """Write the lease where the server's last word on it has this number (0: none); None: it has not."""
        from nats.js.errors import APIError

        sent = time.monotonic()
        headers = {"Nats-Expected-Last-Subject-Sequence": str(last)}
        try:
            answer = await js.publish(self._subject("camera", camera), self._value, headers=headers)
        except APIError as error:
            if error.err_code in jetstream.WRONG_LAST:
                return None
            raise
        self._leases[camera] = _Lease(answer.seq, sent + _SHARE * self.ttl)
        return answer.seq

    async def _return(self, js: JetStreamContext) -> None:
        """Remove the leases that we let go of: exactly those, by their numbers, never somebody's later one."""
        from nats.js.errors import APIError

        async def remove(camera: str, number: int) -> None:
            with contextlib.suppress(APIError):
                await js.delete_msg(self._stream, number)
            self._leaving.pop(camera, None)

        await self._each(remove(camera, number) for camera, number in list(self._leaving.items()))

    async def _subjects(self, js: JetStreamContext) -> set[str]:
        info = await js.stream_info(self._stream, subjects_filter=f"$KV.{self._settings.bucket}.>")
        return set(info.state.subjects or {})

    async def _each(self, works: Iterable[Coroutine[Any, Any, None]]) -> None:
        """All at once: a county's leases in the time of one. The first failure counts when all have ended."""
        for result in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _by_preference(self) -> list[str]:
        """Cameras in an order of this box's own: boxes seldom reach for the same, and come back to their former."""

        def weight(camera: str) -> bytes:
            return hashlib.sha256(f"{self._box}|{camera}".encode()).digest()

        return sorted(self.cameras, key=weight)

    @property
    def _value(self) -> bytes:
        return f"{self._box}/{self._run}".encode()

    @property
    def _stream(self) -> str:
        return f"KV_{self._settings.bucket}"

    def _subject(self, kind: str, name: str) -> str:
        return f"$KV.{self._settings.bucket}.{kind}.{jetstream.key(name)}"
