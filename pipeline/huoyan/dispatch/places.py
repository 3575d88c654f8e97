"""The back ends that a configuration names."""

from __future__ import annotations

from huoyan.config_dispatch import Dispatch
from huoyan.dispatch.ledger import LOCAL
from huoyan.dispatch.protocol import Backend


def remote(settings: Dispatch) -> list[Backend]:
    """The back ends beside the SQLite queue, none of them connected yet.

    Raises:
        MissingExtra: a client library is not installed.
        ConfigError: an environment variable is not set, or a file cannot be used.
    """
    return [_made(name, settings) for name in settings.to if name != LOCAL]


def _made(name: str, settings: Dispatch) -> Backend:
    # Each brings a library of its own; only those that are named are loaded.
    if name == "nats":
        from huoyan.dispatch.nats import NatsStream

        return NatsStream(settings.nats)
    if name == "mqtt":
        from huoyan.dispatch.mqtt import MqttBroker

        return MqttBroker(settings.mqtt)
    from huoyan.dispatch.http import HttpEndpoint

    return HttpEndpoint(settings.http)
