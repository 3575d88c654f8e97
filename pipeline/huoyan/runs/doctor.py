"""Examining everything that `huoyan watch` will need, before it does and while it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from huoyan import redaction
from huoyan.config import LoadedConfig
from huoyan.config_types import seconds
from huoyan.errors import HuoyanError
from huoyan.ops.doctor import brokers, cameras, machine, state
from huoyan.ops.doctor.finding import Finding, fail, ok, warn
from huoyan.records import Frame, FrameRef, Skip
from huoyan.runs.check import check, verified_models
from huoyan.runs.look import Eyes
from huoyan.runs.prepare import load_rules, locate_config, look_settings

_SIZE = (640, 360)
_LOOKS = 5
_PASS = 0.1
"""Share of the samples that pass the gate in an ordinary county."""


def examine(path: Path, state_folder: Path | None = None, *, with_cameras: bool = True) -> Iterator[Finding]:
    """Examine a county for the daemon; findings come as they are made.

    Args:
        path: the configuration, or its folder.
        state_folder: the state, where it is not `county.data`.
        with_cameras: try the cameras, too; each is logged in to once.
    """
    clocks = machine.Clocks()
    redaction.hide_environment()
    try:
        loaded = locate_config(path, state_folder)
    except HuoyanError as error:
        yield from _mistakes(str(error).splitlines())
        return
    yield from _config(loaded, path)
    live = [camera for camera in loaded.config.cameras if camera.stream is not None]
    yield from machine.secrets(loaded)
    yield from machine.disk(loaded.state, loaded.config.watch.disk)
    yield from state.state(loaded.state)
    yield machine.files(-(-len(live) // loaded.config.watch.readers))
    yield machine.memory(len(live))
    yield machine.port(loaded.config.watch.listen)
    yield from _models(loaded)
    yield from brokers.brokers(loaded.config.dispatch)
    if with_cameras:
        yield from cameras.cameras(loaded)
    yield from machine.clock(loaded.config.county.timezone, clocks)


def _config(loaded: LoadedConfig, path: Path) -> Iterator[Finding]:
    if loaded.path is None:
        yield fail("config", f"{path} holds no county.yaml", "begin one: huoyan init FOLDER")
        return
    mistakes, warnings, facts = check(loaded.path, live=True)
    yield from _mistakes(mistakes)
    for line in warnings:
        yield warn("config", line, "see docs/configuration.md")
    live = sum(camera.stream is not None for camera in loaded.config.cameras)
    if not live:
        yield fail(
            "config", f"{loaded.path}: no camera has a stream", "add `stream: {url: rtsp://...}` to cameras"
        )
    elif not mistakes:
        counted = ", ".join(f"{count} {name}" for name, count in facts.items())
        yield ok("config", f"{loaded.path}: {live} live cameras; {counted}", **facts)


def _mistakes(lines: list[str]) -> Iterator[Finding]:
    for line in lines:
        yield fail("config", line, "mend the file; all keys are in docs/configuration.md")


def _models(loaded: LoadedConfig) -> Iterator[Finding]:
    """Files and cards of the models, then a look as the daemon takes it, warmed up, with its time."""
    try:
        for found in verified_models(loaded):
            if found.problems:
                yield fail(
                    f"model {found.name}", "; ".join(found.problems), "fetch model and card again, together"
                )
            else:
                yield ok(f"model {found.name}", f"{found.path.name}: as its card says")
        began = time.perf_counter()
        eyes = Eyes(look_settings(loaded, load_rules(loaded)))
        loading = time.perf_counter() - began
        look_s = _look_s(eyes)
    except HuoyanError as error:
        yield fail("models", str(error), "huoyan models verify")
        return
    yield _load(loaded, loading, look_s)


def _look_s(eyes: Eyes) -> float:
    """Seconds of a look at a grey picture, the first one left out.

    Raises:
        ModelError: a model cannot look.
    """
    picture = np.full((_SIZE[1], _SIZE[0], 3), 114, np.uint8)
    ref = FrameRef("doctor", "doctor", "camera", datetime.now(UTC), "stream", _SIZE, "doctor")
    unplaced = replace(eyes.settings, grounds={})
    eyes.settings = unplaced
    took = []
    for _ in range(_LOOKS + 1):
        began = time.perf_counter()
        seen = eyes.look(Frame(ref, lambda: picture))
        took.append(time.perf_counter() - began)
        if isinstance(seen, Skip):
            raise HuoyanError(f"a look failed: {seen.reason}")
    return sorted(took[1:])[_LOOKS // 2]


def _load(loaded: LoadedConfig, loading: float, look_s: float) -> Finding:
    watch = loaded.config.watch
    streams = [camera.stream for camera in loaded.config.cameras if camera.stream is not None]
    samples = sum(1 / seconds(stream.every or watch.every) for stream in streams)
    cores = samples * _PASS * look_s
    told = (
        f"loaded in {loading:.1f} s, a look takes {look_s * 1000:.0f} ms;"
        f" {samples:.1f} samples a second, of which {_PASS:.0%} are looked at, take {cores:.2f} cores"
    )
    values = {"load_s": loading, "look_s": look_s, "cores": cores}
    if cores > 0.9 * watch.inference:
        return warn(
            "models", told, "raise watch.every or watch.inference, or intervals will be stretched", **values
        )
    return ok("models", told, **values)
