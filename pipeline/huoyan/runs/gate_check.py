"""What of a gate's configuration can only be checked against registers and files."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from huoyan.config import LoadedConfig
from huoyan.errors import ConfigError
from huoyan.sources.live import is_live


def check_gates(loaded: LoadedConfig, zones: Collection[str]) -> None:
    """Whether the gates' sites are zones, and the messages on file are there.

    Raises:
        ConfigError: they are not; all mistakes are in the message, a line each.
    """
    name = loaded.path.name if loaded.path else "configuration"
    mistakes = []
    for gate in loaded.config.gates:
        if gate.site is not None and gate.site not in zones:
            known = ", ".join(sorted(zones)) or "none"
            mistakes.append(
                f"{name}: gates.{gate.id}.site: expected a zone of the register ({known}), got {gate.site!r}"
            )
    mistakes += [
        f"{name}: intake.files: there is no file {file}"
        for file in loaded.config.intake.files
        if not loaded.resolve(Path(file)).is_file()
    ]
    if mistakes:
        raise ConfigError("\n".join(mistakes))


def missing_videos(loaded: LoadedConfig) -> list[str]:
    """What to say of gate cameras whose file is not there (yet)."""
    return [
        f"gate camera {camera.id}: there is no file {camera.source}: a run needs a video, or an address such as rtsp://"
        for gate in loaded.config.gates
        for camera in gate.cameras
        if not is_live(camera.source) and not loaded.resolve(Path(camera.source)).is_file()
    ]
