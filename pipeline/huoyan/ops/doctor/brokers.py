"""Every place that alerts are delivered to, tried once, all at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator

from huoyan.config_dispatch import Dispatch
from huoyan.config_types import seconds
from huoyan.dispatch import places
from huoyan.dispatch.http import HttpEndpoint
from huoyan.dispatch.protocol import Backend
from huoyan.errors import HuoyanError
from huoyan.ops.doctor.finding import Finding, fail, ok

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
    for backend in found:
        threading.Thread(
            target=lambda one: done.put((one.name, _tried(one))),
            args=(backend,),
            name=backend.name,
            daemon=True,
        ).start()
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


def _tried(backend: Backend) -> Finding:
    about = f"deliver to {backend.name}"
    began = time.monotonic()
    try:
        backend.connect()
        told = backend.probe() if isinstance(backend, HttpEndpoint) else "reached, and it takes us"
        return ok(about, f"{told} ({time.monotonic() - began:.2f} s)")
    except HuoyanError as error:
        where = f"{error.subject}: " if error.subject else ""
        return fail(
            about, f"{where}{error.message}", error.hint or "alerts wait in the outbox until it is back"
        )
    finally:
        backend.close()
