"""Whether the places that alerts go to are there and as configured: what `huoyan queue init` does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from huoyan.config_dispatch import Dispatch, Leases, Nats
from huoyan.dispatch import jetstream, ledger, places
from huoyan.dispatch.http import HttpEndpoint
from huoyan.dispatch.jetstream import Check
from huoyan.dispatch.nats_link import Address, Link
from huoyan.dispatch.protocol import Away, Backend

if TYPE_CHECKING:
    from nats.js import JetStreamContext

_WORK_S = 60.0


def init(settings: Dispatch, *, apply: bool = False) -> list[Check]:
    """Create what the configured places must hold, and check that they can be reached. May be run again and again.

    Args:
        settings: the places.
        apply: also change what is there and not as configured.

    Raises:
        MissingExtra: a client library is not installed.
        ConfigError: an environment variable is not set, or a file cannot be used.
    """
    found: list[Check] = []
    for backend in places.remote(settings):
        try:
            found += _streams(settings.nats, apply) if backend.name == "nats" else [_reached(backend)]
        except Away as error:
            found.append(Check(backend.name, "failed", str(error)))
        finally:
            backend.close()
    if settings.nats.leases is not None:
        # Cameras may be shared through NATS where alerts go elsewhere.
        found += _buckets(settings.nats, settings.nats.leases, apply)
    if ledger.LOCAL in settings.to:
        found.append(Check(ledger.LOCAL, "ok", "the queue beside the outbox"))
    return found


def is_well(checks: Sequence[Check]) -> bool:
    """Nothing failed, and nothing differs."""
    return all(one.state in ("ok", "created", "updated") for one in checks)


def _streams(settings: Nats, apply: bool) -> list[Check]:
    with closing(Link(Address(settings))) as link:
        timeout = _WORK_S + 2 * link.address.timeout
        return link.call(lambda js: jetstream.check(js, settings, apply=apply), timeout)


def _buckets(settings: Nats, leases: Leases, apply: bool) -> list[Check]:
    async def check(js: JetStreamContext) -> list[Check]:
        return [
            await jetstream.check_bucket(js, settings, leases, apply=apply),
            await jetstream.check_stories(js, settings, leases, apply=apply),
        ]

    with closing(Link(Address(settings))) as link:
        try:
            return link.call(check, _WORK_S)
        except Away as error:
            return [Check(f"bucket {leases.bucket}", "failed", str(error))]


def _reached(backend: Backend) -> Check:
    backend.connect()
    text = backend.probe() if isinstance(backend, HttpEndpoint) else "takes us"
    return Check(backend.name, "ok", text)
