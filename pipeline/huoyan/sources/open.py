"""Frames of a file or folder for somebody with a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from huoyan import config
from huoyan.records import Frame, Skip
from huoyan.sources.archive import discover


def open_source(path: str | Path) -> Iterator[Frame | Skip]:
    """The frames of an archive, a folder, or a single still, video or GeoTIFF, in the order of a scan.

    Args:
        path: a folder or file.

    Yields:
        Frames, whose pixels are read by `frame.image()`, and a `Skip` for what cannot be used.

    Raises:
        ConfigError: there is nothing at `path`.
    """
    found = discover(config.default(Path(path), Path("huoyan-state")))
    yield from found.skips
    for unit in found.units:
        yield from unit.frames()
