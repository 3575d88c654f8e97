"""Where alerts are delivered to: its part of the configuration. Secrets come from the environment only."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from huoyan.config_gate import Name, Variable, without_secret
from huoyan.config_types import Duration, Strict, seconds

Target = Literal["sqlite", "nats", "mqtt", "http"]
Token = Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
"""Name of a stream, consumer or bucket of NATS."""
Subject = Annotated[str, Field(pattern=r"^[\w-]+(\.[\w-]+)*$")]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Targets = Annotated[list[Target], BeforeValidator(_listed), Field(min_length=1)]


class Consumer(Strict):
    """A durable consumer: it takes alerts at its own pace, and the server remembers how far it came."""

    name: Token
    scene: Token | None = None
    """Only this scene."""
    priority: Annotated[int, Field(ge=1, le=4)] | None = None
    """Only this priority, 1 urgent to 4 record."""
    ack_wait: Duration = "30s"
    """What is not acknowledged within this time comes again."""
    at_once: Annotated[int, Field(ge=1)] = 1
    """Alerts under way at one time; with more than one they may be dealt with out of order."""


class Leases(Strict):
    """Several boxes share the cameras: each looks at those that it holds a lease of."""

    bucket: Token = "huoyan-leases"
    ttl: Duration = "15s"
    """A box that has not been heard of for so long has lost its cameras."""
    away: Literal["stop", "keep"] = "stop"
    """While NATS is away: stop looking before the leases end, or keep the cameras held last."""

    @field_validator("ttl")
    @classmethod
    def _not_too_short(cls, value: str) -> str:
        if not 2 <= seconds(value) <= 600:
            raise ValueError("expected 2s to 10m")
        return value


class Nats(Strict):
    """NATS JetStream."""

    servers: Annotated[list[str], Field(min_length=1)] = ["nats://127.0.0.1:4222"]
    user_env: Variable | None = None
    password_env: Variable | None = None
    token_env: Variable | None = None
    ca: str | None = None
    """File of the authority that signed the servers' certificates (`tls://…`); default the system's."""
    stream: Token = "huoyan-alerts"
    subject: Subject = "huoyan.alerts"
    """Alerts go to `<subject>.<scene>.<priority>`."""
    keep: Duration = "30d"
    max_gb: Annotated[float, Field(gt=0)] = 1.0
    """A full stream takes no more: alerts wait in the outbox, none is lost."""
    duplicates: Duration = "10m"
    """How long the server drops repeats by itself."""
    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    consumers: list[Consumer] = []
    timeout: Duration = "5s"
    leases: Leases | None = None

    @field_validator("servers")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for address in value:
            parts = urlsplit(without_secret(address))
            if parts.scheme not in ("nats", "tls") or not parts.hostname or "@" in parts.netloc:
                raise ValueError("expected addresses such as nats://10.0.0.5:4222, without a user")
        return value


class Mqtt(Strict):
    """MQTT 5, QoS 1."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    topic: Annotated[str, Field(pattern=r"^[^#+$/][^#+]*[^#+/]$")] = "huoyan/alerts"
    """Alerts go to `<topic>/<scene>/<priority>`."""
    client_id: Name | None = None
    """Default: the broker gives one."""
    user_env: Variable | None = None
    password_env: Variable | None = None
    tls: bool = False
    ca: str | None = None
    timeout: Duration = "10s"


class Http(Strict):
    """Another platform's endpoint: each alert is POSTed as a CloudEvent, signed."""

    url: str = ""
    """https://…; what of it is secret as `${NAME}`."""
    secret_env: Variable = "HUOYAN_HTTP_SECRET"
    """Environment variable with the key of the signature (HMAC-SHA256)."""
    token_env: Variable | None = None
    """Environment variable with a bearer token, where the receiver wants one as well."""
    ca: str | None = None
    timeout: Duration = "10s"

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(without_secret(value))
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc):
            raise ValueError("expected https://host/path, without a user")
        return value


class Dispatch(Strict):
    to: Targets = ["sqlite"]
    """One place or several: each gets every alert."""
    lease: Duration = "10m"
    max_attempts: Annotated[int, Field(ge=1)] = 5
    rate: Annotated[float, Field(gt=0)] = 50.0
    """Alerts a second to one place: a backlog is no flood."""
    longest_pause: Duration = "60s"
    """Longest pause between attempts while a place is away."""
    keep: Duration = "30d"
    """Alerts that every place has taken leave the outbox when they are so old."""
    nats: Nats = Nats()
    mqtt: Mqtt = Mqtt()
    http: Http = Http()

    @model_validator(mode="after")
    def _complete(self) -> Dispatch:
        if len(set(self.to)) < len(self.to):
            raise ValueError("to: a place is named twice")
        if "http" in self.to and not self.http.url:
            raise ValueError("to names http, but http.url is missing")
        return self
