"""Where frames come from: archives of cameras, drones and satellites."""

from __future__ import annotations

from huoyan.sources.archive import Discovered, discover
from huoyan.sources.open import open_source
from huoyan.sources.reopen import reopen

__all__ = ["Discovered", "discover", "open_source", "reopen"]
