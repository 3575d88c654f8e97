"""Every place that alerts are delivered to, tried once, all at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from huoyan.config_dispatch import Dispatch, Nats
from huoyan.config_types import seconds
from huoyan.dispatch import jetstream, places
from huoyan.dispatch.http import HttpEndpoint
from huoyan.dispatch.protocol import Backend
from huoyan.errors import HuoyanError
from huoyan.ops.doctor.finding import Finding, fail, ok

if TYPE_CHECKING:
    from nats.js import JetStreamContext

_GRACE_S = 5.0


def brokers(settings: Dispatch) -> Iterator[Finding]:
    """Connect and log in to every back end; nothing is sent, created or changed."""
    # A second client of the daemon's name would end the daemon's own connection.
    apart = settings.model_copy(update={"mqtt": settings.mqtt.model_copy(update={"client_id": None})})
    try:
        found = places.remote(apart)
    except HuoyanError as error:
        yield fail("deliver", str(error), error.hint or "mend the configuration, or set the variable")
        return
    done: queue.SimpleQueue[tuple[str, Finding]] = queue.SimpleQueue()

    def run(backend: Backend) -> None:
        done.put((backend.name, _tried(backend, settings)))

    for backend in found:
        threading.Thread(target=run, args=(backend,), name=backend.name, daemon=True).start()
    waiting = {backend.name for backend in found}
    timeouts = (settings.nats.timeout, settings.mqtt.timeout, settings.http.timeout)
    end = time.monotonic() + 2 * max(map(seconds, timeouts)) + _GRACE_S
    while waiting:
        try:
            name, finding = done.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        waiting.discard(name)
        yield finding
    for name in sorted(waiting):
        yield fail(
            f"deliver to {name}", "it hangs, beyond all deadlines", "restart the broker, look at the network"
        )


def _tried(backend: Backend, settings: Dispatch) -> Finding:
    about = f"deliver to {backend.name}"
    began = time.monotonic()
    try:
        backend.connect()
        told = backend.probe() if isinstance(backend, HttpEndpoint) else "reached, and it takes us"
        missing = _missing(settings.nats) if backend.name == "nats" else []
        if missing:
            return fail(about, f"it has no {', no '.join(missing)}", "huoyan queue init CONFIG creates them")
        return ok(about, f"{told} ({time.monotonic() - began:.2f} s)")
    except HuoyanError as error:
        where = f"{error.subject}: " if error.subject else ""
        return fail(
            about, f"{where}{error.message}", error.hint or "alerts wait in the outbox until it is back"
        )
    except Exception as error:
        return fail(about, f"{type(error).__name__}: {error}", "look at the broker's log")
    finally:
        backend.close()


def _missing(settings: Nats) -> list[str]:
    """Streams and consumers that are configured and not on the server.

    Raises:
        Away: it does not answer.
    """
    from huoyan.dispatch.nats_link import Address, Link

    with closing(Link(Address(settings))) as link:
        return link.call(lambda js: _absent(js, settings), _GRACE_S + 2 * seconds(settings.timeout))


async def _absent(js: JetStreamContext, settings: Nats) -> list[str]:
    from nats.js.errors import NotFoundError

    async def is_there(asked: Awaitable[object]) -> bool:
        try:
            await asked
        except NotFoundError:
            return False
        return True

    absent = []
    if not await is_there(js.stream_info(settings.stream)):
        absent.append(f"stream {settings.stream}")
    else:
        for one in settings.consumers:
            if not await is_there(js.consumer_info(settings.stream, one.name)):
                absent.append(f"consumer {one.name}")
    if settings.leases is not None:
        for bucket in (settings.leases.bucket, jetstream.stories_bucket(settings.leases)):
            if not await is_there(js.stream_info(f"KV_{bucket}")):
                absent.append(f"bucket {bucket}")
    return absent
