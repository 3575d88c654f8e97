"""From the configuration to what readers must know: addresses with their secrets, deadlines, presets' signatures."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

from huoyan import redaction
from huoyan.config import Camera, LoadedConfig
from huoyan.config_types import seconds
from huoyan.config_watch import Stream, Watch
from huoyan.errors import ConfigError, SourceError
from huoyan.ingest.auth import place
from huoyan.ingest.faults import Fault
from huoyan.perception.masks import blacken
from huoyan.perception.signature import signature
from huoyan.records import Ring
from huoyan.sample import CameraPlan, Patience, PresetView
from huoyan.sources import stills
from huoyan.sources.live import is_live

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")


def read_secrets(path: Path) -> dict[str, str]:
    """Read a file of `NAME=value` lines; empty lines and lines that begin with # say nothing.

    Everything after the first `=` is the value, so it needs no quotes; a pair of them around it is taken off.

    Raises:
        ConfigError: it is not there, others than its owner may read it, or a line is none of these. No message holds
            a value.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise ConfigError(f"the secrets cannot be read: {words}", subject=str(path)) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"others may read the secrets (mode {stat.S_IMODE(mode):o}, expected 600)",
            subject=str(path),
            hint=f"chmod 600 {path}",
        )
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name, value = name.removeprefix("export ").strip(), value.strip()
        if not equals or not _NAME.match(name):
            raise ConfigError("expected NAME=value", subject=f"{path}:{number}")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name] = value
    # Wherever they turn up from now on they are hidden, but for names of users, which are words like "admin".
    redaction.hide(value for name, value in found.items() if not name.lower().endswith("user"))
    return found


def resolved(address: str, subject: str, secrets: Mapping[str, str] | None = None) -> str:
    """An address with what the environment and the secrets hold; the environment comes first.

    In the account of an address a value may hold any sign: it is escaped here.

    Args:
        address: with `${NAME}` for each of them.
        subject: whose address it is, for messages.
        secrets: see `read_secrets`.

    Raises:
        ConfigError: a name is set nowhere.
    """
    account_ends = address.rfind("@") if is_live(address) else -1

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], (secrets or {}).get(match[1]))
        if found is None:
            raise ConfigError(
                f"the environment variable {match[1]} is not set",
                subject=subject,
                hint="set it, or write it into the secrets file (watch.secrets)",
            )
        # `:` stays: one variable may hold user and password.
        return quote(found, safe=":") if match.start() < account_ends else found

    return _VARIABLE.sub(value, address)


def secrets_of(loaded: LoadedConfig) -> dict[str, str]:
    """The secrets that a configuration names.

    Raises:
        ConfigError: see `read_secrets`.
    """
    path = loaded.config.watch.secrets
    return read_secrets(loaded.resolve(path)) if path is not None else {}


def plans(loaded: LoadedConfig) -> tuple[CameraPlan, ...]:
    """What the readers must know of every camera with a stream.

    Raises:
        ConfigError: a variable, a file or a preset's picture is not there.
    """
    secrets = secrets_of(loaded)
    return tuple(
        _plan(loaded, camera, camera.stream, secrets)
        for camera in loaded.config.cameras
        if camera.stream is not None
    )


def _plan(loaded: LoadedConfig, camera: Camera, stream: Stream, secrets: Mapping[str, str]) -> CameraPlan:
    watch = loaded.config.watch
    subject = f"cameras.{camera.id}.stream"
    address = _address(loaded, stream.url, f"{subject}.url", secrets)
    passages = ""
    if stream.passages:
        another = stream.passages_url
        passages = _address(loaded, another, f"{subject}.passages_url", secrets) if another else address
    masks = tuple(tuple(outline) for outline in stream.masks)
    return CameraPlan(
        camera.id,
        address,
        seconds(stream.every or watch.every),
        seconds(stream.night_every) if stream.night_every else None,
        stream.snapshot,
        stream.transport,
        stream.connect,
        _patience(watch, stream),
        masks,
        tuple(tuple(outline) for outline in stream.ignore),
        seconds(stream.look_every),
        seconds(watch.memory.every),
        tuple(
            PresetView(
                preset.id, _seen(loaded.resolve(preset.picture), masks, f"{subject}.presets.{preset.id}")
            )
            for preset in stream.presets
        ),
        stream.sensitivity,
        stream.aim,
        passages,
    )


def _address(loaded: LoadedConfig, url: str, subject: str, secrets: Mapping[str, str]) -> str:
    """An address with its secrets, which are hidden from now on, or the path of a file that is there."""
    address = resolved(url, subject, secrets)
    redaction.hide(_password(address))
    if is_live(address):
        return address
    path = loaded.resolve(Path(address))
    if not path.is_file():
        raise ConfigError(
            "there is no such file",
            subject=f"{subject} {path}",
            hint="give a video, or an address such as rtsp://",
        )
    return str(path)


def _password(address: str) -> list[str]:
    """The password of an address, if there is one and it can be read."""
    if not is_live(address):
        return []
    try:
        account = place(address).account
    except Fault:
        return []
    return [account.password] if account is not None else []


def _patience(watch: Watch, stream: Stream) -> Patience:
    times = watch.patience
    return Patience(
        seconds(times.open),
        seconds(stream.first or times.first),
        seconds(times.read),
        seconds(times.pause),
        seconds(times.longest_pause),
    )


def _seen(path: Path, masks: tuple[Ring, ...], subject: str) -> bytes:
    """The signature of a preset's reference picture, masked as the camera's pictures are."""
    try:
        luma = cv2.cvtColor(stills.decode(path), cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
        blacken([luma], masks)
        return signature(luma)
    except (SourceError, ValueError) as error:
        raise ConfigError(f"the preset's picture cannot be used: {error}", subject=subject) from error
