"""Huoyan 火眼: from camera, drone and satellite imagery to placed, de-duplicated alerts.

Importing the package costs nothing: each public name loads its room on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "scan": "huoyan.runs.scan",
    "ScanResult": "huoyan.runs.result",
    "explain": "huoyan.runs.explain",
    "locate": "huoyan.runs.locate",
    "open_source": "huoyan.sources",
    "Detector": "huoyan.perception.detector",
    "ChangeDetector": "huoyan.perception.change",
    "to_supervision": "huoyan.interop",
    "load_config": "huoyan.config",
    "HuoyanError": "huoyan.errors",
}
_ALIASES = {"load_config": "load"}

__all__ = [
    "ChangeDetector",
    "Detector",
    "HuoyanError",
    "ScanResult",
    "__version__",
    "explain",
    "load_config",
    "locate",
    "open_source",
    "scan",
    "to_supervision",
]

if TYPE_CHECKING:
    from huoyan.config import load as load_config
    from huoyan.errors import HuoyanError
    from huoyan.interop import to_supervision
    from huoyan.perception.change import ChangeDetector
    from huoyan.perception.detector import Detector
    from huoyan.runs.explain import explain
    from huoyan.runs.locate import locate
    from huoyan.runs.result import ScanResult
    from huoyan.runs.scan import scan
    from huoyan.sources import open_source


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'huoyan' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), _ALIASES.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
