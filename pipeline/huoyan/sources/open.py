"""Frames of a file or folder for somebody with a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from huoyan import config
from huoyan.config import LoadedConfig
from huoyan.records import Frame, Skip
from huoyan.sources.archive import discover


def open_source(target: str | Path | LoadedConfig) -> Iterator[Frame | Skip]:
    """The frames of an archive, a folder, or a single still, video or GeoTIFF, in the order of a scan.

    Args:
        target: a folder or file, or a county's configuration.

    Yields:
        Frames, whose pixels are read by `frame.image()`, and a `Skip` for what cannot be used.

    Raises:
        ConfigError: there is nothing at `target`.
    """
    loaded = target
    if not isinstance(loaded, LoadedConfig):
        loaded = config.default(Path(loaded), Path("huoyan-state"))
    found = discover(loaded)
    yield from found.skips
    for unit in found.units:
        yield from unit.frames()
