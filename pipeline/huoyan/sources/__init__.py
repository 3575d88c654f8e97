"""Where frames come from: archives of cameras, drones and satellites.

Each name loads what it needs on first use: decoders of three kinds are not loaded to read a picture again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huoyan.sources.archive import discover
    from huoyan.sources.found import Discovered
    from huoyan.sources.open import open_source
    from huoyan.sources.reopening import reopen

_ROOMS = {"Discovered": "found", "discover": "archive", "open_source": "open", "reopen": "reopening"}

__all__ = ["Discovered", "discover", "open_source", "reopen"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
