"""Telling an incident: the alert document, its evidence pictures, and what is hidden in them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huoyan.alerts.document import alert_id, build
    from huoyan.alerts.evidence import EvidenceResult, Opened, render
    from huoyan.alerts.schema import ModelRef

_PUBLIC = {
    "EvidenceResult": "huoyan.alerts.evidence",
    "Opened": "huoyan.alerts.evidence",
    "ModelRef": "huoyan.alerts.schema",
    "alert_id": "huoyan.alerts.document",
    "build": "huoyan.alerts.document",
    "render": "huoyan.alerts.evidence",
}
__all__ = ["EvidenceResult", "ModelRef", "Opened", "alert_id", "build", "render"]


def __getattr__(name: str) -> Any:
    # Lazy: the queue's commands need the words of an alert, not the pixels of its evidence.
    if name not in _PUBLIC:
        raise AttributeError(f"module 'huoyan.alerts' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
