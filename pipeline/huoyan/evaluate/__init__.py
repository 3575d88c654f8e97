"""How good the models are: detectors, change models, dust classifiers and plate readers on labelled sets."""

from __future__ import annotations

from huoyan.evaluate.changes import change
from huoyan.evaluate.detection import detector
from huoyan.evaluate.dusts import dust
from huoyan.evaluate.plates import plates

__all__ = ["change", "detector", "dust", "plates"]
