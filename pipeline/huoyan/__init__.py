"""Huoyan 火眼: from camera, drone and satellite imagery to placed, de-duplicated alerts.

Importing the package costs nothing: each public name loads its room on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Alert": "huoyan.records",
    "ChangeDetector": "huoyan.perception.change",
    "Detection": "huoyan.records",
    "Detector": "huoyan.perception.detector",
    "DustClassifier": "huoyan.perception.dust",
    "Frame": "huoyan.records",
    "HuoyanError": "huoyan.errors",
    "Landmark": "huoyan.perception.visibility",
    "Placement": "huoyan.records",
    "ScanResult": "huoyan.runs.result",
    "Skip": "huoyan.records",
    "Unplaced": "huoyan.records",
    "estimate_visibility": "huoyan.perception.visibility",
    "explain": "huoyan.runs.explain",
    "load_alerts": "huoyan.runs.saved",
    "load_config": "huoyan.config",
    "locate": "huoyan.runs.locate",
    "open_source": "huoyan.runs.locate",
    "passages": "huoyan.runs.passages",
    "scan": "huoyan.runs.scan",
    "to_supervision": "huoyan.interop",
    "veil": "huoyan.perception.veil",
    "visibility_reference": "huoyan.perception.visibility",
}
_ALIASES = {
    "load_config": "load",
    "estimate_visibility": "estimate",
    "passages": "of_video",
    "visibility_reference": "reference",
}

__all__ = [
    "Alert",
    "ChangeDetector",
    "Detection",
    "Detector",
    "DustClassifier",
    "Frame",
    "HuoyanError",
    "Landmark",
    "Placement",
    "ScanResult",
    "Skip",
    "Unplaced",
    "__version__",
    "estimate_visibility",
    "explain",
    "load_alerts",
    "load_config",
    "locate",
    "open_source",
    "passages",
    "scan",
    "to_supervision",
    "veil",
    "visibility_reference",
]

if TYPE_CHECKING:
    from huoyan.config import load as load_config
    from huoyan.errors import HuoyanError
    from huoyan.interop import to_supervision
    from huoyan.perception.change import ChangeDetector
    from huoyan.perception.detector import Detector
    from huoyan.perception.dust import DustClassifier
    from huoyan.perception.veil import veil
    from huoyan.perception.visibility import Landmark
    from huoyan.perception.visibility import estimate as estimate_visibility
    from huoyan.perception.visibility import reference as visibility_reference
    from huoyan.records import Alert, Detection, Frame, Placement, Skip, Unplaced
    from huoyan.runs.explain import explain
    from huoyan.runs.locate import locate, open_source
    from huoyan.runs.passages import of_video as passages
    from huoyan.runs.result import ScanResult
    from huoyan.runs.saved import load_alerts
    from huoyan.runs.scan import scan


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'huoyan' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), _ALIASES.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
