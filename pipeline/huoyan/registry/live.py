"""Registers that are read again while a gate runs: swapped whole, and only for sound ones."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from huoyan.config import LoadedConfig
from huoyan.registry.index import Registry
from huoyan.registry.loading import load

SETTLE_S = 2.0
"""Files must stay as they are for this long before they are read: half a register looks like a sound one."""
Stamp = tuple[tuple[str, int, int], ...]
"""(path, mtime in ns, size) of every file; -1 where there is none."""


class LiveRegistry:
    """The registers of a configuration, as they are now.

    Ask `current` once a passage and keep the answer for it; call `refresh` now and then (it costs a few `stat`s).
    Reading goes on in a thread of its own, so that a decision never waits for it.
    """

    def __init__(
        self, loaded: LoadedConfig, scenes: Collection[str] | None = None, *, settle_s: float = SETTLE_S
    ) -> None:
        """Read the registers; see `registry.load` for arguments.

        Raises:
            RegistryError: there are mistakes: nothing sound is there to fall back on yet.
            MissingExtra: a Shapefile or GeoPackage is named and GeoPandas is not installed.
        """
        self._loaded, self._scenes, self._settle_s = loaded, scenes, settle_s
        self._files = _files(loaded)
        self._stamp = _stamp(self._files)
        self._digest = _digest(self._files)
        self._current = load(loaded, scenes)
        self._faulty = False
        self._changed: tuple[Stamp, float] | None = None
        """What the files look like since they are not `_stamp` any more, and since when (monotonic)."""
        self._reader = ThreadPoolExecutor(1, "registry")
        self._reading: Future[str] | None = None

    @property
    def current(self) -> Registry:
        """The newest sound registers. Replaced, never changed: what was taken stays whole."""
        return self._current

    def refresh(self, *, wait: bool = False) -> str | None:
        """Have the files read again if they are new; say what came of it, once.

        New files that hold mistakes change nothing: the note names the mistakes, the old registers stay in force.

        Args:
            wait: come back only when what is being read is read.
        """
        if self._reading is None:
            stamp = self._due()
            if stamp is None:
                return None
            self._reading = self._reader.submit(self._read, stamp)
        if not wait and not self._reading.done():
            return None
        note, self._reading = self._reading.result(), None
        return note or None

    def close(self) -> None:
        """Wait for the reading thread to end."""
        self._reader.shutdown()

    def _due(self) -> Stamp | None:
        """What the files look like, if that is new and they are not being written any more."""
        now, stamp = time.monotonic(), _stamp(self._files)
        if stamp == self._stamp:
            self._changed = None
            return None
        if self._changed is None or self._changed[0] != stamp:
            self._changed = (stamp, now)
        return stamp if now - self._changed[1] >= self._settle_s else None

    def _read(self, stamp: Stamp) -> str:
        """Read and swap; the note, empty where nothing but times has changed."""
        try:
            digest = _digest(self._files)
            fresh = load(self._loaded, self._scenes) if digest != self._digest else self._current
        except Exception as error:
            # Whatever is wrong with a file, a gate must not stop for it.
            self._stamp, self._faulty = stamp, True
            return f"the new registers are not used, those read before stay in force:\n{error}"
        if _stamp(self._files) != stamp:
            return ""
        before, faulty = self._current, self._faulty
        self._current, self._digest, self._stamp, self._faulty = fresh, digest, stamp, False
        if fresh is before:
            return "the registers are again those in force" if faulty else ""
        return f"registers read again: {_count(before)} -> {_count(fresh)}"


def _files(loaded: LoadedConfig) -> list[Path]:
    """The register files that a configuration names; of a Shapefile all its parts."""
    named = loaded.config.registry
    paths = [getattr(named, key) for key in type(named).model_fields]
    files: list[Path] = []
    for path in (loaded.resolve(path) for path in paths if path is not None):
        parts = path.parent.glob(f"{path.stem}.*") if path.suffix.lower() == ".shp" else ()
        files += sorted({path, *parts})
    return files


def _stamp(files: list[Path]) -> Stamp:
    found = []
    for path in files:
        try:
            status = path.stat()
            found.append((str(path), status.st_mtime_ns, status.st_size))
        except OSError:
            found.append((str(path), -1, -1))
    return tuple(found)


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes() if path.exists() else b""
        digest.update(f"{path}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def _count(registry: Registry) -> str:
    return f"{len(registry.vehicles or ())} vehicles, {len(registry.permits)} permits, {len(registry.zones)} zones"
