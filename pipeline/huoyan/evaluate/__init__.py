"""How good the models are: detectors, change models and dust classifiers on labelled sets."""

from __future__ import annotations

from huoyan.evaluate.changes import change
from huoyan.evaluate.detection import detector
from huoyan.evaluate.dusts import dust

__all__ = ["change", "detector", "dust"]
