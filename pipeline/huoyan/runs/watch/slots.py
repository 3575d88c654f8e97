"""Pictures that wait for a model: at most one a camera, the newest; who waits longest in its own terms is next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from huoyan.sample import Look

WEIGHTS: Mapping[str, float] = {"high": 3.0, "normal": 1.0, "low": 0.3}
"""By the priority of a camera."""
_REASONS: Mapping[str, float] = {"burst": 2.0, "motion": 1.0, "first": 0.7, "due": 0.5}
_STALE_S = 60.0
"""Between cameras of one wait, the one that nobody looked at for longer goes first; beyond this all are alike."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    look: Look
    camera: str
    since: float
    """When a picture of this camera began to wait: a newer one does not lose the place in the line."""


class Slots:
    """One slot a camera. Nothing here reads a clock; times are monotonic seconds.

    Attributes:
        dropped: pictures that a newer one replaced before they were looked at, by camera.
    """

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._looked: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, camera: str, look: Look) -> None:
        """A picture to be looked at; one of the same camera that still waits is dropped, and counted."""
        before = self._waiting.get(camera)
        if before is not None:
            self.dropped[camera] = self.dropped.get(camera, 0) + 1
        self._waiting[camera] = _Waiting(look, camera, before.since if before else look.clock)

    def take(self, now: float, weights: Mapping[str, float]) -> tuple[str, Look] | None:
        """The camera and the picture that are next, or None.

        Urgency is how long it has waited, and how long nobody looked at the camera, times the weight of the camera
        and of why it passed the gate: whoever waits rises, so none starves whatever its weight.
        """
        if not self._waiting:
            return None

        def urgency(one: _Waiting) -> float:
            unseen = min(_STALE_S, now - self._looked.get(one.camera, now - _STALE_S))
            weight = weights.get(one.camera, 1.0) * _REASONS.get(one.look.reason, 1.0)
            return (now - one.since + unseen / _STALE_S + 0.1) * weight

        chosen = max(self._waiting.values(), key=urgency)
        del self._waiting[chosen.camera]
        self._looked[chosen.camera] = now
        return chosen.camera, chosen.look

    def keep(self, cameras: frozenset[str]) -> None:
        """Forget all other cameras."""
        for known in (self._waiting, self._looked, self.dropped):
            for camera in known.keys() - cameras:
                del known[camera]
