"""What is wrong with a live camera's picture: frozen, black, blurred, moved; and which preset it shows.

Each check judges the camera against itself; `Steady` keeps what it says from flickering. What takes hours to learn
can be written down and taken up again after a restart.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import cv2
import numpy as np

from huoyan.perception import signature as views
from huoyan.perception.pose import Pose
from huoyan.perception.sharpness import Sharpness
from huoyan.perception.stillness import Stillness
from huoyan.perception.thumbs import Luma
from huoyan.sample import PresetView

log = logging.getLogger(__name__)
_Part = TypeVar("_Part", Stillness, Sharpness, Pose)
POSE_S, SHARPNESS_S = 10.0, 30.0
"""Pose and sharpness are looked at so often."""
OTHER_S = 300.0
"""Another view altogether may be a lorry before the lens: it must be there for so long."""
PRESET_S = 60.0
"""... and the preset, unless the view has jumped."""
_STEADY_S = {
    "camera_frozen": (0.0, 30.0),
    "camera_black": (10.0, 10.0),
    "camera_blurred": (60.0, 60.0),
    "camera_moved": (60.0, 20.0),
}
"""Seconds for which a check must say so before a condition holds, and before it is over."""
_LIKE = 0.47
"""Correlation of signatures from which two pictures show one pose: same views had 0.58 and more, others 0.36."""
_JUMPED = 0.5
"""Share of the view that changes at once when a camera turns."""
_DARK, _FLAT = 28.0, 4.0
"""Luma of the brightest hundredth, and contrast, below which there is nothing to see."""
_CLEAR = 12.0
"""Contrast of a picture in which there certainly is something to see."""
_SUDDEN_S, _SLOWEST_S = 30.0, 600.0
"""A picture that loses its contrast within half a minute was covered; dusk and fog take longer. Where pictures are
further apart it is from one to the next, up to ten minutes."""


class Steady:
    """A condition that begins and ends only when it has been said for a while."""

    def __init__(self, on_s: float, off_s: float, holds: bool = False) -> None:
        self.holds = holds
        self._on_s, self._off_s = on_s, off_s
        self._since: float | None = None

    def feed(self, said: bool | None, clock: float) -> bool:
        """Take what a check says (None: it cannot tell) and return whether the condition holds."""
        if said is None:
            return self.holds
        if said == self.holds:
            self._since = None
            return self.holds
        if self._since is None:
            self._since = clock
        if clock - self._since >= (self._off_s if self.holds else self._on_s):
            self.holds, self._since = said, None
        return self.holds


class ViewHealth:
    """Of one camera; feed it every sample.

    The state is JSON values: `ViewHealth(presets, health.state())` goes on where this one stopped.
    """

    def __init__(
        self, presets: Sequence[PresetView] = (), state: Mapping[str, Any] | None = None, aim: int = 0
    ) -> None:
        """
        Args:
            presets: poses of a PTZ camera.
            state: of an earlier one of this camera; one of another `aim` is of another view, and counts for nothing.
            aim: see `sample.CameraPlan`.
        """
        state = state if state and state.get("aim", 0) == aim else {}
        self._aim = aim
        self._presets = tuple(presets)
        self._stillness = _restored(Stillness, state.get("stillness"))
        self._sharpness = _restored(Sharpness, state.get("sharpness"))
        self._pose = _restored(Pose, state.get("pose"))
        holding = frozenset(state.get("holding", ()))
        self._steady = {name: Steady(*times, name in holding) for name, times in _STEADY_S.items()}
        self._preset = str(state.get("preset", ""))
        self._pose_at = self._sharpness_at = self._named = float("-inf")
        self._other_at = float("inf")
        self._empty = _Emptiness(bool(state.get("seen", False)))

    def state(self) -> dict[str, Any]:
        """JSON values, some ten kilobytes."""
        return {
            "stillness": self._stillness.state(),
            "sharpness": self._sharpness.state(),
            "pose": self._pose.state(),
            "holding": sorted(name for name, steady in self._steady.items() if steady.holds),
            "preset": self._preset,
            "aim": self._aim,
            "seen": self._empty.seen,
        }

    def feed(
        self, y: Luma, clock: float, signature: bytes | None = None
    ) -> tuple[frozenset[str], dict[str, float], str]:
        """Take a picture.

        Args:
            y: luma, uint8 (height, width).
            clock: monotonic seconds at which it was taken.
            signature: of this picture, where it is at hand (see `perception.signature`).

        Returns:
            Conditions that hold (of `sample.CONDITIONS`); the numbers behind them: `mean`, `contrast`, `empty` (1 where
            there is nothing to see), `difference` (grey levels), `sharpness` (octaves), `shift_px`; and the id of the
            preset that the picture shows, or "".
        """
        small = np.ascontiguousarray(y[:: max(1, y.shape[0] // 90), :: max(1, y.shape[1] // 160)])
        average, deviation = cv2.meanStdDev(small)
        mean, contrast = float(average[0, 0]), float(deviation[0, 0])
        frozen = self._stillness.feed(y, clock, mean)
        covered = self._empty.feed(small, contrast, clock)
        said: dict[str, bool | None] = {"camera_frozen": frozen and not self._empty.empty}
        if not self._empty.empty:
            said |= self._look(y, clock, mean)
        said["camera_black"] = covered or self._sharpness.covered
        if self._presets:
            said["camera_moved"] = self._name(y, clock, signature)
        conditions = frozenset(name for name, s in self._steady.items() if s.feed(said.get(name), clock))
        measures = {
            "mean": round(mean, 1),
            "contrast": round(contrast, 1),
            "empty": float(self._empty.empty),
            "difference": round(self._stillness.difference, 2),
            "shift_px": round(self._pose.shift * y.shape[1], 1),
        }
        if self._sharpness.slope == self._sharpness.slope:
            measures["sharpness"] = round(self._sharpness.slope, 2)
        return conditions, measures, "" if "camera_moved" in conditions else self._preset

    def _look(self, y: Luma, clock: float, mean: float) -> dict[str, bool | None]:
        """The dearer checks, each when it is due."""
        said: dict[str, bool | None] = {}
        if clock - self._sharpness_at >= SHARPNESS_S:
            self._sharpness_at = clock
            blurred = self._sharpness.feed(y, mean)
            said["camera_blurred"] = blurred and not self._sharpness.covered
        if clock - self._pose_at >= POSE_S and not self._presets:
            self._pose_at = clock
            verdict = self._pose.feed(y, mean, learn=not self._steady["camera_blurred"].holds)
            if verdict != "other":
                self._other_at = clock
            told: dict[str, bool | None] = {"same": False, "shifted": True}
            said["camera_moved"] = True if clock - self._other_at >= OTHER_S else told.get(verdict)
        return said

    def _name(self, y: Luma, clock: float, signature: bytes | None) -> bool | None:
        """Recognise the preset: at once when the view has jumped and stands again, else once a minute."""
        if self._stillness.jump >= _JUMPED:
            self._named = float("-inf")
            return None
        if self._empty.empty or (signature is None and clock - self._named < PRESET_S):
            return None
        self._named = clock
        now = signature if signature is not None else views.signature(y)
        found = [(views.likeness(preset.signature, now).score, preset.id) for preset in self._presets]
        score, name = max(found)
        if score >= _LIKE:
            self._preset = name
            return False
        return True


def _restored(make: Callable[[Any], _Part], state: Any) -> _Part:
    """A check with what it had learned; one that learns anew where that is of another version, or damaged."""
    try:
        return make(state)
    except (AttributeError, KeyError, TypeError, ValueError, zlib.error) as error:
        log.warning("what was learned of a view cannot be used, it is learned anew: %s", error)
        return make(None)


class _Emptiness:
    """Whether there is nothing to see, and whether that is the doing of the night or of fog.

    Attributes:
        seen: whether this camera has ever shown something.
        empty: whether the last picture shows nothing, for whatever reason.
    """

    def __init__(self, seen: bool) -> None:
        self.seen = seen
        self.empty = False
        self._clear_at = self._clock = float("-inf")
        self._covered = False

    def feed(self, small: Luma, contrast: float, clock: float) -> bool:
        """Take a thinned-out luma and say whether the camera is covered, capped or without a signal.

        A camera that has shown something before must have lost it at once. One that never has is without a signal
        if its picture is of one colour; noise in the dark may be a night without lamps.
        """
        before, interval = self.empty, clock - self._clock
        self._clock = clock
        bright = int(np.count_nonzero(small >= _DARK))
        self.empty = contrast < _FLAT or bright < small.size / 100
        if not self.empty:
            self.seen, self._covered = True, False
            if contrast >= _CLEAR:
                self._clear_at = clock
            return False
        if not before:
            self._covered = clock - self._clear_at <= max(_SUDDEN_S, min(1.5 * interval, _SLOWEST_S))
        return self._covered or (not self.seen and int(small.max()) - int(small.min()) <= 2)
