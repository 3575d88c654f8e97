"""Muck trucks: what a passage means against the register, over time and across cameras."""

from __future__ import annotations

from huoyan.config_vehicles import Limits
from huoyan.vehicles.context import Context, Sighting
from huoyan.vehicles.judge import GRAVITY, judge
from huoyan.vehicles.reasons import permit_days

__all__ = ["GRAVITY", "Context", "Limits", "Sighting", "judge", "permit_days"]
