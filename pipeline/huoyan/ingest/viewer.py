"""What a decoded picture of a camera shows: has anything moved, is the view sound, and is it worth a look?"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import numpy as np

from huoyan.ingest.decoding import Planes
from huoyan.perception.masks import blacken
from huoyan.perception.motion import Gate
from huoyan.perception.signature import signature
from huoyan.perception.view_health import ViewHealth
from huoyan.sample import CameraPlan, Picture, Reason, Sample

_DARK, _LIGHT = 45.0, 60.0
"""Mean luma below which night begins, and above which it ends."""
_GREY, _COLOURED = 2.0, 4.0
"""Mean distance of the colours from grey: infra-red lamps make a night light, but never coloured."""
_EARLY_S = 1.0
_NIGHT_S = 10.0
"""It is looked at so often."""


class Viewer:
    """Of one camera. Feed it every picture that was due.

    Attributes:
        plan: of the camera.
        night: whether it is dark.
    """

    def __init__(self, plan: CameraPlan, state: str = "") -> None:
        """
        Args:
            plan: of the camera.
            state: what another viewer of this view had learned (`state`).
        """
        self.plan, self.night = plan, False
        self._gate = Gate(plan.ignore, plan.sensitivity)
        self._health = ViewHealth(plan.presets, json.loads(state) if state else None, plan.aim)
        self._passed_at: float | None = None
        self._signature_at = self._night_at = float("-inf")
        self._coloured = False

    def state(self) -> str:
        """What it has learned, as JSON."""
        return json.dumps(self._health.state(), separators=(",", ":"))

    def look(self, planes: Planes, clock: float, burst_s: float | None, measures: dict[str, float]) -> Sample:
        """Look at a picture.

        Args:
            planes: of it; masks are painted into them.
            clock: monotonic seconds at which it had been received.
            burst_s: it passes if the last that did is so long ago; None: nothing wants confirmation.
            measures: what is known beside.
        """
        plan = self.plan
        if plan.masks:
            blacken((planes.y, planes.u, planes.v), plan.masks)
        motion = self._gate.feed(planes.y, clock)
        due = clock - self._signature_at >= plan.signature_every_s
        view = signature(planes.y) if due else None
        if due:
            self._signature_at = clock
        conditions, told, preset = self._health.feed(planes.y, clock, view)
        if clock - self._night_at >= _NIGHT_S:
            self._night_at = clock
            self.night = self._is_night(planes, told["mean"])
        passed = self._passes(clock, burst_s)
        if passed:
            self._passed_at = clock
        return Sample(
            plan.id,
            datetime.now(UTC) - timedelta(seconds=time.monotonic() - clock),
            clock,
            planes.size,
            passed,
            motion,
            conditions,
            {**told, **measures},
            preset,
            view,
            Picture(planes.i420(), planes.size) if passed else None,
            night=self.night,
        )

    def _passes(self, clock: float, burst_s: float | None) -> Reason:
        if self._passed_at is None:
            return "first"
        # Key frames do not come by our clock: one a moment early is meant.
        if burst_s is not None and clock - self._passed_at >= burst_s - _EARLY_S:
            return "burst"
        if self._gate.open:
            return "motion"
        return "due" if clock - self._passed_at >= self.plan.look_every_s else ""

    def _is_night(self, planes: Planes, mean: float) -> bool:
        """Dark, or grey where it has been coloured: then infra-red lamps are on."""
        u, v = planes.u[::4, ::4], planes.v[::4, ::4]
        colour = float(np.abs(u.astype(np.int16) - 128).mean() + np.abs(v.astype(np.int16) - 128).mean())
        self._coloured = self._coloured or colour > _COLOURED
        grey = self._coloured and colour < (_COLOURED if self.night else _GREY)
        return grey or mean < (_LIGHT if self.night else _DARK)
