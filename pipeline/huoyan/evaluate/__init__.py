"""How good the models are: detectors and change models on labelled sets."""

from __future__ import annotations

from huoyan.evaluate.changes import change
from huoyan.evaluate.detection import detector

__all__ = ["change", "detector"]
