"""Live cameras and the daemon that watches them: their part of the configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from huoyan.config_gate import Name, without_secret
from huoyan.config_types import Duration, Strict

Unit = Annotated[float, Field(ge=0, le=1)]
Outline = Annotated[list[tuple[Unit, Unit]], Field(min_length=3)]
"""Polygon in shares of the picture's width and height: it holds for every resolution of the camera."""
_HOURS = re.compile(r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")


def _hours(value: str) -> str:
    if not _HOURS.match(value):
        raise ValueError("expected local hours such as 22:00-06:00")
    return value


Hours = Annotated[str, AfterValidator(_hours)]
Listen = Annotated[str, Field(pattern=r"^[\w.:\[\]-]+:\d{1,5}$")]


class Preset(Strict):
    """A pose that a PTZ camera takes again and again."""

    id: Name
    picture: Path
    """Reference picture: the pose is recognised by it."""
    calibration: Path | None = None
    zones: list[str] = []


class Stream(Strict):
    """How a camera is watched live."""

    url: str
    """rtsp://, http:// (FLV, HLS, a snapshot) or a file, with `${NAME}` for what the environment or the secrets file
    holds. The sub-stream is enough: what is uncertain is looked at again."""
    snapshot: bool = False
    """The address gives a single picture (JPEG): it is fetched once an interval."""
    transport: Literal["tcp", "udp"] = "tcp"
    connect: Literal["auto", "continuous", "once"] = "auto"
    every: Duration | None = None
    """Between samples; default `watch.every`."""
    night_every: Duration | None = None
    look_every: Duration = "5m"
    """Without motion the models still look so often."""
    first: Duration | None = None
    """Patience until the first picture, for cameras that take long; default `watch.patience.first`."""
    scenes: list[str] = []
    """Only these scenes; empty: all."""
    quiet: list[Hours] = []
    """Local hours in which the models do not look; its health is still watched."""
    priority: Literal["high", "normal", "low"] = "normal"
    masks: list[Outline] = []
    """Privacy masks: blackened before anything is stored."""
    ignore: list[Outline] = []
    """Where motion does not count (the camera's clock, a flag)."""
    sensitivity: Annotated[float, Field(gt=0, le=10)] = 1.0
    passages: bool = False
    """Of a camera with `road: true`: trucks are followed live, at the stream's full rate, and judged once a passage.
    Takes about 0.6 of a core at 1080p25."""
    passages_url: str | None = None
    """The stream that they are followed on, where `url` is too small to read plates; default `url`."""
    aim: Annotated[int, Field(ge=0)] = 0
    """Raise it after the camera was turned on purpose: its view is learned anew, and `camera_moved` ends."""
    presets: list[Preset] = []

    @field_validator("url", "passages_url")
    @classmethod
    def _no_secret(cls, value: str | None) -> str | None:
        return value if value is None else without_secret(value)


class PatienceTimes(Strict):
    """What is waited for, how long, and the pauses between attempts."""

    open: Duration = "10s"
    first: Duration = "20s"
    read: Duration = "10s"
    pause: Duration = "1s"
    longest_pause: Duration = "45s"


class Logins(Strict):
    """Cameras lock out who knocks too often, and recorders have few seats."""

    at_once: Annotated[int, Field(ge=1)] = 16
    """Connections being opened at one time."""
    per_host: Annotated[int, Field(ge=1)] = 4
    """The same to one host."""
    rate: Annotated[float, Field(gt=0)] = 5.0
    """Logins a second to one host."""


class Disk(Strict):
    """Room on the state's disk. Alerts come before pictures."""

    high_water: Annotated[float, Field(gt=0.1, le=1)] = 0.90
    """Share of the disk from which on old pictures go and no new ones are kept."""
    evidence_gb: Annotated[float, Field(gt=0)] = 20.0
    """Most that evidence and frames may take."""
    evidence_days: Annotated[float, Field(gt=0)] = 90.0


class Memory(Strict):
    """Memory of what each view looks like, for what changes slowly."""

    every: Duration = "10m"
    days: Annotated[int, Field(ge=1)] = 3
    """Days through which a change must last."""


class Watch(Strict):
    """The daemon. Every key has a default that suits a county's box."""

    every: Duration = "2s"
    """Between samples of a camera."""
    readers: Annotated[int, Field(ge=1, le=8)] = 1
    """Processes that read cameras."""
    inference: Annotated[int, Field(ge=1, le=8)] = 1
    """Processes that run models."""
    listen: Listen = "127.0.0.1:8479"
    """Address of /healthz, /readyz, /metrics and /status."""
    secrets: Path | None = None
    """File of `NAME=value` lines for `${NAME}`, readable by its owner only; the environment comes first."""
    patience: PatienceTimes = PatienceTimes()
    logins: Logins = Logins()
    memory: Memory = Memory()
    disk: Disk = Disk()
    confirm: Duration = "2m"
    """How long a camera is looked at every `sampling` when a finding lacks nothing but another look."""
    slowest: Annotated[float, Field(ge=1)] = 8.0
    """Under load intervals grow at most so many times."""
    health_after: Duration = "60s"
    """A camera's fault is told when it has lasted so long."""
    restart_after: Duration = "30s"
    """A process without a sign of life for so long is ended and started again."""
    box: Name | None = None
    """Name of this box among several; default the machine's."""
