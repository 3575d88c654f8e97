"""Streams, durable consumers and the bucket of leases on a NATS server: created, checked, and brought into line."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from huoyan.config_dispatch import Consumer, Leases, Nats
from huoyan.config_types import seconds
from huoyan.dispatch.nats_link import words

if TYPE_CHECKING:
    from nats.js import JetStreamContext

WRONG_LAST = frozenset({10071, 10164})
"""Errors of JetStream: the last message on the subject has another number."""
_PLAIN = re.compile(r"^[A-Za-z0-9_-]+$")
_STORIES_BYTES = 512 * 1024**2
_STORIES_S = 90 * 86400.0
State = Literal["ok", "created", "updated", "differs", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """What came of one thing that must be there."""

    subject: str
    state: State
    text: str = ""


async def check(js: JetStreamContext, settings: Nats, *, apply: bool) -> list[Check]:
    """Create what is missing, and tell what is not as configured.

    Args:
        js: of the server.
        settings: what is to be there.
        apply: also change what is not as configured.
    """
    found = [await _stream(js, f"stream {settings.stream}", stream(settings), apply)]
    if found[0].state != "failed":
        found += [await _consumer(js, settings, one, apply) for one in settings.consumers]
    return found


async def check_bucket(js: JetStreamContext, settings: Nats, leases: Leases, *, apply: bool) -> Check:
    """The same for the bucket of leases."""
    wanted = bucket(leases, settings.replicas)
    return await _stream(js, f"bucket {leases.bucket}", wanted, apply)


async def check_stories(js: JetStreamContext, settings: Nats, leases: Leases, *, apply: bool) -> Check:
    """The same for the bucket of stories."""
    wanted = stories(leases, settings.replicas)
    return await _stream(js, f"bucket {stories_bucket(leases)}", wanted, apply)


def stream(settings: Nats) -> dict[str, Any]:
    """The stream of alerts, as fields of `nats.js.api.StreamConfig` (seconds, bytes)."""
    from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType

    return {
        "name": settings.stream,
        "subjects": [f"{settings.subject}.>"],
        "retention": RetentionPolicy.LIMITS,
        "storage": StorageType.FILE,
        # A full stream refuses, and alerts wait with us. The other policy would drop what nobody has read yet.
        "discard": DiscardPolicy.NEW,
        "max_age": seconds(settings.keep),
        "max_bytes": int(settings.max_gb * 1024**3),
        "duplicate_window": min(seconds(settings.duplicates), seconds(settings.keep)),
        "num_replicas": settings.replicas,
    }


def bucket(settings: Leases, replicas: int) -> dict[str, Any]:
    """The bucket of leases: a key-value store in memory whose entries end by themselves."""
    from nats.js.api import DiscardPolicy, StorageType

    ttl = seconds(settings.ttl)
    return {
        "name": f"KV_{settings.bucket}",
        "subjects": [f"$KV.{settings.bucket}.>"],
        "storage": StorageType.MEMORY,
        "discard": DiscardPolicy.NEW,
        "max_age": ttl,
        "max_msgs_per_subject": 1,
        "duplicate_window": min(ttl, 120.0),
        "allow_rollup_hdrs": True,
        # A lease that is given back is removed by its number, which can hit no later one.
        "deny_delete": False,
        "num_replicas": replicas,
    }


def stories(settings: Leases, replicas: int) -> dict[str, Any]:
    """The bucket of what is known of cameras' stories: one entry a camera, on the disk."""
    from nats.js.api import DiscardPolicy, StorageType

    name = stories_bucket(settings)
    return {
        "name": f"KV_{name}",
        "subjects": [f"$KV.{name}.>"],
        "storage": StorageType.FILE,
        # A camera that is written again is worth more than one that nobody has written for long.
        "discard": DiscardPolicy.OLD,
        "max_age": _STORIES_S,
        "max_bytes": _STORIES_BYTES,
        "max_msgs_per_subject": 1,
        "duplicate_window": 120.0,
        "allow_rollup_hdrs": True,
        "num_replicas": replicas,
    }


def stories_bucket(settings: Leases) -> str:
    """Name of the bucket of stories."""
    return f"{settings.bucket}-stories"


def key(name: str) -> str:
    """`name` as a key of a bucket."""
    if not name or _PLAIN.match(name):
        return name
    return "=" + base64.urlsafe_b64encode(name.encode()).decode()


def consumer(settings: Nats, one: Consumer) -> dict[str, Any]:
    """A durable consumer, as fields of `nats.js.api.ConsumerConfig`."""
    from nats.js.api import AckPolicy, DeliverPolicy

    from huoyan.dispatch.nats import token

    scene = token(one.scene) if one.scene is not None else "*"
    priority = str(one.priority) if one.priority is not None else "*"
    return {
        "durable_name": one.name,
        "deliver_policy": DeliverPolicy.ALL,
        "ack_policy": AckPolicy.EXPLICIT,
        "ack_wait": seconds(one.ack_wait),
        "max_ack_pending": one.at_once,
        "filter_subject": f"{settings.subject}.{scene}.{priority}",
    }


async def _stream(js: JetStreamContext, subject: str, wanted: dict[str, Any], apply: bool) -> Check:
    from nats.errors import Error
    from nats.js.api import StreamConfig
    from nats.js.errors import NotFoundError

    try:
        try:
            actual = (await js.stream_info(wanted["name"])).config
        except NotFoundError:
            await js.add_stream(StreamConfig(**wanted))
            return Check(subject, "created")
        text = _difference(actual, wanted)
        if not text:
            return Check(subject, "ok")
        if not apply:
            return Check(subject, "differs", text)
        await js.update_stream(actual.evolve(**wanted))
        return Check(subject, "updated", text)
    except Error as error:
        return Check(subject, "failed", words(error))


async def _consumer(js: JetStreamContext, settings: Nats, one: Consumer, apply: bool) -> Check:
    from nats.errors import Error
    from nats.js.api import ConsumerConfig
    from nats.js.errors import NotFoundError

    subject, wanted = f"consumer {one.name}", consumer(settings, one)
    try:
        try:
            actual = (await js.consumer_info(settings.stream, one.name)).config
        except NotFoundError:
            await js.add_consumer(settings.stream, ConsumerConfig(**wanted))
            return Check(subject, "created")
        text = _difference(actual, wanted)
        if not text:
            return Check(subject, "ok")
        if not apply:
            return Check(subject, "differs", text)
        # What it has acknowledged stays acknowledged.
        await js.add_consumer(settings.stream, actual.evolve(**wanted))
        return Check(subject, "updated", text)
    except Error as error:
        return Check(subject, "failed", words(error))


def _difference(actual: object, wanted: Mapping[str, Any]) -> str:
    """`max_age is 86400, configured 2592000; …`; empty where all is as configured."""
    found = []
    for key, value in wanted.items():
        there = getattr(actual, key)
        if there != value and not (there is None and value is False):
            found.append(f"{key} is {_shown(there)}, configured {_shown(value)}")
    return "; ".join(found)


def _shown(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(getattr(value, "value", value))
