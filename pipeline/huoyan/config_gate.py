"""Gates and the messages that they take in: their part of the configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from huoyan.config_types import Duration, IsoTime, Lat, Lon, Strict
from huoyan.passage import Code

Name = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
"""Of gates and devices: part of topics, file names and log entries."""
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable: secrets are never in the configuration."""
Lag = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?(ms|s|m)$")]
_SECRET = re.compile(r"//[^/@\s$]*:[^/@\s$]+@")


def without_secret(address: str) -> str:
    """The address itself.

    Raises:
        ValueError: a password is written in it.
    """
    if _SECRET.search(address):
        raise ValueError("expected no password here: write ${NAME} and set it in the environment")
    return address


class GateCamera(Strict):
    id: Name
    source: str
    """A file, replayed by its own times, or rtsp://, http://, … with `${NAME}` for what the environment holds."""
    line: tuple[tuple[float, float], tuple[float, float]] | None = None
    """Virtual line in pixels of `size`; who crosses it passes the gate."""
    size: tuple[int, int] | None = None
    enter: Literal["right", "left"] = "right"
    """Side of the directed line that is inside."""
    sampling: Duration = "200ms"
    start: IsoTime | None = None
    """Time of the first frame of a file that does not tell it."""

    @field_validator("source")
    @classmethod
    def _no_secret(cls, value: str) -> str:
        return without_secret(value)


class Scale(Strict):
    device: Name
    lag: Lag = "0s"
    """From crossing the line to the weighing; below zero where the scale comes first."""
    within: Duration = "60s"
    """A weighing this far from where the lag puts it may still be of that vehicle."""


class Wash(Strict):
    device: Name
    within: Duration = "10m"
    """How long before it crosses the line a vehicle may have been washed."""
    seconds: Annotated[float, Field(ge=0)] = 20.0
    """A shorter wash is none."""
    needed: Literal["leave", "enter", "both", "never"] = "leave"


class Smart(Strict):
    """A camera of the gate that recognises plates by itself."""

    device: Name
    within: Duration = "10s"
    enter: list[str] = []
    """What its `Direction` says of vehicles that enter."""
    leave: list[str] = []


class Hold(Strict):
    """Reasons that keep a vehicle at the gate; with others it is let through and flagged."""

    enter: list[Code] = ["M01", "M02", "M03", "M04", "M06", "M09"]
    leave: list[Code] = ["M07", "M08"]


class Gate(Strict):
    id: Name
    name: str = ""
    site: str | None = None
    """Zone that it leads into."""
    position: tuple[Lon, Lat] | None = None
    cameras: list[GateCamera] = []
    scale: Scale | None = None
    wash: Wash | None = None
    smart: list[Smart] = []
    hold: Hold = Hold()
    together: Duration = "20s"
    """Two cameras may tell one vehicle this far apart."""
    skew: Duration = "5s"
    """Clocks of devices may be off by this much; more is corrected, and told."""
    decide_within: Duration = "1.5s"

    @property
    def devices(self) -> list[str]:
        """Who may send messages about it."""
        named = [part.device for part in (self.scale, self.wash) if part is not None]
        return named + [one.device for one in self.smart]


def _all_different(gates: Sequence[Gate]) -> Sequence[Gate]:
    """Messages and frames are told apart by these names."""
    for what, names in (
        ("gate id", [gate.id for gate in gates]),
        ("camera id", [camera.id for gate in gates for camera in gate.cameras]),
        ("device", list(chain.from_iterable(gate.devices for gate in gates))),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{what} {twice[0]!r} is used twice")
    return gates


Gates = Annotated[list[Gate], AfterValidator(_all_different)]


class HttpIntake(Strict):
    listen: Annotated[str, Field(pattern=r"^[\w.:\[\]-]+:\d{1,5}$")] = "127.0.0.1:8477"
    token_env: Variable | None = "HUOYAN_GATE_TOKEN"
    """Environment variable with the bearer token. Null: none is taken; without an account either, none is asked for,
    which loopback alone may do."""
    user_env: Variable | None = None
    password_env: Variable | None = None
    """Environment variables with the account for digest authentication, taken beside the token."""
    timeout: Duration = "10s"
    body_mb: Annotated[float, Field(gt=0, le=256)] = 32.0
    """Largest body with pictures; others are held to 64 KiB."""
    connections: Annotated[int, Field(ge=1, le=1024)] = 64

    @model_validator(mode="after")
    def _whole_account(self) -> HttpIntake:
        if (self.user_env is None) != (self.password_env is None):
            raise ValueError("user_env and password_env go together")
        return self

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class MqttIntake(Strict):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    topic: str = "huoyan/gate/#"
    """Its levels after the fixed part are the gate and `weighing` or `washing`."""
    client_id: Name = "huoyan-gate"
    user_env: Variable | None = None
    password_env: Variable | None = None
    tls: bool = False
    ca: str | None = None
    """File of the authority that signed the broker's certificate; default the system's."""
    keep: Duration = "7d"
    """How long the broker keeps messages for us while we are away."""

    @field_validator("topic")
    @classmethod
    def _with_the_gate(cls, value: str) -> str:
        if not value.endswith("/#") or value.count("#") > 1 or "+" in value:
            raise ValueError("expected a topic such as huoyan/gate/#")
        return value


class Intake(Strict):
    http: HttpIntake | None = None
    mqtt: MqttIntake | None = None
    files: list[str] = []
    """Messages on file (JSON lines, each with its `type`), taken in at the start: for replays and samples."""
