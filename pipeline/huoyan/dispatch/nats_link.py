"""A connection to NATS, for code that is asynchronous and for code that is not.

The client's own reconnecting is not used: it would hide for how long nothing was delivered, and send later what nobody
waits for any more. Whoever holds a connection makes a new one when it is lost, after pauses of their own.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from huoyan.config_dispatch import Nats
from huoyan.config_types import seconds
from huoyan.dispatch import secret
from huoyan.dispatch.protocol import Away
from huoyan.errors import MissingExtra

if TYPE_CHECKING:
    import nats.aio.client
    from nats.js import JetStreamContext

T = TypeVar("T")
_PING_S = 10
"""Between signs of life; after two that are missing the connection is lost."""
_SLACK_S = 1.0


class Address:
    """Where the servers are, and who we are to them."""

    def __init__(self, settings: Nats) -> None:
        """
        Raises:
            MissingExtra: nats-py is not installed.
            ConfigError: an environment variable is not set, or the authority's file cannot be used.
        """
        try:
            import nats  # noqa: F401
        except ImportError as error:
            raise MissingExtra.named("nats-py", "nats") from error
        self.timeout = seconds(settings.timeout)
        self._servers = list(settings.servers)
        who = {
            "user": secret.optional(settings.user_env, "nats.user_env"),
            "password": secret.optional(settings.password_env, "nats.password_env"),
            "token": secret.optional(settings.token_env, "nats.token_env"),
        }
        self._options: dict[str, Any] = {key: value for key, value in who.items() if value is not None}
        if settings.ca is not None or any(server.startswith("tls:") for server in self._servers):
            self._options["tls"] = secret.trust(settings.ca, "nats.ca")

    @property
    def where(self) -> str:
        return urlsplit(self._servers[0]).netloc

    async def open(self) -> nats.aio.client.Client:
        """Connect to the first server that takes us; the next attempt begins with another.

        Raises:
            Away: none does.
        """
        why = ""
        for _ in self._servers:
            server = self._servers[0]
            try:
                return await asyncio.wait_for(self._one(server), self.timeout)
            except Exception as error:
                # Whatever the client raises here (its own errors, sockets, TLS): there is no connection.
                why = words(error)
                self._servers.append(self._servers.pop(0))
        raise Away(why, subject=self.where)

    async def _one(self, server: str) -> nats.aio.client.Client:
        from nats.aio.client import Client

        client, heard = Client(), list[Exception]()

        async def note(error: Exception) -> None:
            heard.append(error)

        try:
            await client.connect(
                [server],
                name="huoyan",
                allow_reconnect=False,
                connect_timeout=max(1, int(self.timeout)),
                ping_interval=_PING_S,
                error_cb=note,
                **self._options,
            )
        except BaseException as error:
            with contextlib.suppress(Exception):
                await client.close()
            if isinstance(error, Exception) and heard:
                raise heard[0] from error
            raise
        return client


class Link:
    """A connection for code that is not asynchronous: its loop runs in a thread of its own."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: nats.aio.client.Client | None = None

    @property
    def connected(self) -> bool:
        return self._client is not None and bool(self._client.is_connected)

    def connect(self) -> None:
        """Connect where there is no connection.

        Raises:
            Away: no server takes us.
        """
        if self.connected:
            return
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, args=(self._loop,), name="nats", daemon=True)
            self._thread.start()
        self._client = self._wait(self._renewed, len(self.address._servers) * self.address.timeout + _SLACK_S)

    def call(self, work: Callable[[JetStreamContext], Coroutine[Any, Any, T]], timeout: float) -> T:
        """Run something on JetStream and wait for it.

        Raises:
            Away: there is no connection, or it takes longer than `timeout` seconds.
            Exception: whatever `work` raises.
        """
        self.connect()
        assert self._client is not None
        context = self._client.jetstream(timeout=self.address.timeout)
        return self._wait(lambda: work(context), timeout)

    @property
    def largest(self) -> int:
        """Most bytes of a message that the server takes."""
        return int(self._client.max_payload) if self._client is not None else 0

    def close(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        with contextlib.suppress(Away):
            if self._client is not None:
                self._wait_in(loop, self._client.close, _SLACK_S)
        self._client = None
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(_SLACK_S)

    async def _renewed(self) -> nats.aio.client.Client:
        if self._client is not None:
            with contextlib.suppress(Exception):
                await self._client.close()
        return await self.address.open()

    def _wait(self, work: Callable[[], Coroutine[Any, Any, T]], timeout: float) -> T:
        if self._loop is None:
            raise Away("the connection was closed", subject=self.address.where)
        return self._wait_in(self._loop, work, timeout)

    def _wait_in(
        self, loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]], timeout: float
    ) -> T:
        future = asyncio.run_coroutine_threadsafe(work(), loop)
        try:
            return future.result(timeout)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError) as error:
            future.cancel()
            raise Away("no answer in time", subject=self.address.where) from error

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


def words(error: Exception) -> str:
    """A failure of NATS in words, without the client's own prefixes."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    described = getattr(error, "description", None) or getattr(error, "strerror", None) or str(error)
    return described.removeprefix("nats: ").strip() or type(error).__name__
