"""When a camera's next sample is due: a grid of instants that jitter does not shift and that lag does not pile up."""

from __future__ import annotations

_SLACK, _SLACK_S = 0.25, 1.0
"""Share of the interval, and most seconds, by which a picture may come early and still be the one that was due."""


class Rhythm:
    """Of one camera.

    Attributes:
        due: samples that were due so far.
        at: monotonic seconds at which the next one is.
    """

    def __init__(self, clock: float) -> None:
        self.due = 0
        self.at = clock
        self._counted = clock
        self._every_s = 0.0
        self._begun = False

    def wants(self, clock: float, every_s: float) -> bool:
        """Whether a picture of this moment is the one that is due."""
        return clock >= self.at - min(_SLACK * every_s, _SLACK_S)

    def taken(self, clock: float, every_s: float) -> None:
        """It has been taken."""
        # From grid to grid while none is missed, late as key pictures may let it be (2 s apart, one due every 2.2);
        # anew from here at first, after a gap, or where pictures are rare.
        late = clock - self.at
        self.at = self.at + every_s if self._begun and late < every_s else clock + every_s
        self._begun = True

    def count(self, clock: float, every_s: float) -> None:
        """Count what has become due, taken or not; call it at least once an interval, before anything else.

        When the interval changes, what is left of the old one grows or shrinks with it. So cameras that came one after
        the other still do: with the rest left as it is, a county whose intervals grow under load would come in one
        rush, once an interval, and never look like less load.
        """
        if every_s != self._every_s:
            if self._every_s:
                self.at = self._scaled(self.at, clock, every_s)
                self._counted = self._scaled(self._counted, clock, every_s)
            self._every_s = every_s
        while self._counted <= clock:
            self.due += 1
            self._counted += every_s

    def _scaled(self, at: float, clock: float, every_s: float) -> float:
        return clock + (at - clock) * every_s / self._every_s if at > clock else at

    def hasten(self, clock: float, every_s: float) -> None:
        """The interval has become shorter: what is due must not wait for the old one."""
        self.at = min(self.at, clock + every_s)
