"""The life of one camera's connection: waiting, opening, live, lost, and again, until it is stopped.

It is a state machine that somebody steps a few times a second; it never waits, and may be stopped in every state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from huoyan.ingest.backoff import Backoff
from huoyan.ingest.faults import Fault
from huoyan.ingest.lines import GRACE_S, Line, line_for
from huoyan.ingest.logins import Logins
from huoyan.ingest.rhythm import Rhythm
from huoyan.ingest.rtp import Key
from huoyan.ingest.rtsp import Unsupported
from huoyan.sample import Burst, CameraPlan, CameraState

State = Literal["waiting", "opening", "open", "stopped"]
Tell = Callable[[str, CameraState, str, str, int], None]
"""Takes (camera, state, why, code, connections)."""
_HUNG = 2
"""Lines of one camera that may hang, each with its thread, before no further one is opened."""
_SPOILT = 5
"""Pictures in a row that cannot be decoded before the connection is given up."""
_DRIFT_OVER_S, _JUMP_S = 3600.0, 60.0
"""Clocks are compared over so long; a stream's time that jumps is another time."""
_ONCE_FROM_S, _ONCE_TIMES = 30.0, 5.0
"""With `auto` a camera is hung up between pictures from this interval on, if it gives the first one in a fifth of it.
Below, a login costs camera and us more than reading on does."""


class Camera:
    """One camera.

    Attributes:
        plan: of it.
        state: where it is.
        taken: samples that were made of its pictures.
        connections: logins that worked.
        night: whether it is dark there. Set by who looks at the pictures.
        stretch: load makes intervals so many times as long.
    """

    def __init__(
        self,
        plan: CameraPlan,
        host: str,
        logins: Logins,
        tell: Tell,
        clock: float,
        *,
        begin: Callable[..., Line] = line_for,
        backoff: Backoff | None = None,
    ) -> None:
        """
        Args:
            plan: of it.
            host: whose seats its logins take; empty: a file.
            logins: seats.
            tell: takes what changes.
            clock: monotonic seconds.
            begin: begins a line.
            backoff: pauses.
        """
        self.plan = plan
        self.state: State = "waiting"
        self.taken = self.connections = 0
        self.night = False
        self.stretch = 1.0
        self._host, self._logins, self._tell, self._begin = host, logins, tell, begin
        self._backoff = backoff or Backoff(plan.patience.pause_s, plan.patience.longest_pause_s)
        self._rhythm = Rhythm(clock)
        self._burst: Burst | None = None
        self._line: Line | None = None
        self._hung: list[Line] = []
        self._library = self._live = self._announced = False
        self._again_at = self._since = self._opened_at = clock
        self._good_at = self._lost_at = float("-inf")
        self._key_at = self._key_every = self._lead_s = 0.0
        self._skew_s: float | None = None
        self._drift_s: float | None = None
        self._marks = 0.0, 0.0
        self._spoilt = 0

    # ------------------------------------------------------------------------------------------ what is asked
    @property
    def due(self) -> int:
        return self._rhythm.due

    @property
    def turn(self) -> float:
        """Who has waited longest for a login has the smallest."""
        return self._again_at if self.state == "waiting" else float("inf")

    @property
    def measures(self) -> dict[str, float]:
        """`key_every_s`: seconds between key pictures, where they are rarer than the interval; `skew_s`: by which the
        camera's clock is ahead of ours, if it tells; `drift_s`: by which the stream's own time has run ahead of ours
        within the hour (behind: it is buffered somewhere, and grows old)."""
        found = {}
        if self._key_every > 1.1 * self.every(self._key_at):
            found["key_every_s"] = round(self._key_every, 1)
        if self._skew_s is not None:
            found["skew_s"] = round(self._skew_s, 2)
        if self._drift_s is not None:
            found["drift_s"] = round(self._drift_s, 2)
        return found

    def every(self, clock: float) -> float:
        """Seconds between samples now."""
        plan = self.plan
        usual = plan.night_every_s if self.night and plan.night_every_s else plan.every_s
        usual *= self.stretch
        return min(usual, self._burst.every_s) if self.bursts(clock) and self._burst else usual

    def bursts(self, clock: float) -> bool:
        """Whether something wants confirmation."""
        return self._burst is not None and clock < self._burst.until_clock

    def burst_s(self, clock: float) -> float | None:
        """Seconds between the looks that are asked for while something wants confirmation; None: nothing does."""
        return self._burst.every_s if self.bursts(clock) and self._burst else None

    def burst(self, burst: Burst, clock: float) -> None:
        """Look closely for a while."""
        self._burst = burst
        self._rhythm.hasten(clock, self.every(clock))
        if self.state == "waiting" and self._live:
            self._again_at = min(self._again_at, self._rhythm.at - self._lead_s)

    # -------------------------------------------------------------------------------- what happened elsewhere
    def good(self, key: Key) -> None:
        """A picture was decoded. From any thread."""
        self._good_at, self._spoilt = key.clock, 0

    def spoilt(self) -> None:
        """A picture could not be decoded. From any thread."""
        self._spoilt += 1

    # -------------------------------------------------------------------------------------------- what it does
    def step(self, clock: float) -> Key | None:
        """Go on; the picture that is due, if it has come."""
        if self.state == "stopped":
            return None
        every = self.every(clock)
        self._rhythm.count(clock, every)
        if not self._live and self._good_at > self._lost_at:
            self._live = True
            self._backoff.reset()
            self._say("live")
        try:
            if self.state == "waiting":
                self._open(clock)
                return None
            return self._go_on(clock, every)
        except Fault as fault:
            self._lose(fault, clock)
            return None

    def stop(self) -> None:
        """End it; legal in every state."""
        if self.state != "stopped":
            self._hang_up()
            self.state = "stopped"

    def _open(self, clock: float) -> None:
        if clock < self._again_at:
            return
        self._hung = [line for line in self._hung if not line.ended]
        if len(self._hung) >= _HUNG:
            raise Fault("hung", "earlier connections hang and do not end")
        if not self._logins.enter(self._host, clock):
            return
        if not self._announced:
            self._announced = True
            self._say("opening")
        self.state, self._since, self._key_at = "opening", clock, 0.0
        self._line = self._begin(self.plan, library=self._library)

    def _go_on(self, clock: float, every: float) -> Key | None:
        line = self._line
        assert line is not None, "a line belongs to these states"
        # In this order: what has come is taken only from a line that stands.
        opened = line.opened
        key = self._read(line)
        if self.state == "opening":
            if not opened and key is None:
                self._check_login(clock)
                return None
            self._logins.leave(self._host)
            self.state, self.connections = "open", self.connections + 1
            self._opened_at = clock
        if self._spoilt >= _SPOILT:
            self._spoilt = 0
            raise Fault("damaged", "its pictures cannot be decoded")
        if key is None:
            self._check(line, clock)
            return None
        return self._came(key, clock, every)

    def _read(self, line: Line) -> Key | None:
        try:
            return line.read()
        except Unsupported as fault:
            # FFmpeg may know what we do not; at once, for nothing is wrong with the camera.
            self._library = True
            raise _Otherwise(fault.code, fault.why) from fault

    def _came(self, key: Key, clock: float, every: float) -> Key | None:
        """A key picture has come: is it the one that is due?"""
        if self._key_at:
            self._key_every = key.clock - self._key_at
        else:
            # The first picture of a connection tells what connecting costs.
            self._lead_s = key.clock - self._since
            self._marks = key.clock, key.stream_s or 0.0
        self._key_at = key.clock
        self._compare(key)
        once = self._once(clock, every)
        if not once and not self._rhythm.wants(key.clock, every):
            return None
        self._rhythm.taken(key.clock, every)
        if once:
            self._hang_up()
            self.state, self._again_at = "waiting", max(clock, self._rhythm.at - self._lead_s)
        return key

    def _compare(self, key: Key) -> None:
        """The stream's clock with ours."""
        self._skew_s = self._line.skew_s if self._line is not None else None
        if key.stream_s is None:
            return
        ours, theirs = key.clock - self._marks[0], key.stream_s - self._marks[1]
        self._drift_s = theirs - ours if abs(theirs - ours) < _JUMP_S else 0.0
        if ours > _DRIFT_OVER_S or abs(theirs - ours) >= _JUMP_S:
            self._marks = key.clock, key.stream_s

    def _once(self, clock: float, every: float) -> bool:
        """Whether to hang up after each picture."""
        if self.plan.snapshot:
            return True
        if self.plan.mode == "continuous" or not self._host or self.bursts(clock):
            return False
        return self.plan.mode == "once" or every >= max(_ONCE_FROM_S, _ONCE_TIMES * self._lead_s)

    def _check_login(self, clock: float) -> None:
        """
        Raises:
            Fault: it takes too long, though it has deadlines itself.
        """
        patience = self.plan.patience
        limit = patience.open_s + (patience.read_s if self.plan.snapshot else patience.first_s)
        if clock - self._since > limit + GRACE_S:
            raise Fault("timeout", "the login hangs")

    def _check(self, line: Line, clock: float) -> None:
        """
        Raises:
            Fault: it has been silent for too long.
        """
        silence = clock - line.heard
        if silence > line.silent_s:
            raise Fault("timeout", f"nothing came for {silence:.0f} s")
        first_s = self.plan.patience.first_s
        if not line.keys_needed:
            return
        waited = clock - (self._key_at or self._opened_at)
        if waited > max(first_s, 3 * self._key_every if self._key_at else 0.0):
            # There may be some that our own reader does not take for one (a recovery point instead of an IDR picture).
            self._library = self._library or not self.taken
            raise Fault(
                "no_pictures",
                f"no key picture came for {waited:.0f} s (if it sends them less often: `first`)",
            )

    def _lose(self, fault: Fault, clock: float) -> None:
        self._hang_up()
        self.state = "waiting"
        if isinstance(fault, _Otherwise):
            self._again_at = clock
            return
        # A gateway answers "not found" while a camera of its is away: only one that has never been there is hopeless.
        fatal = fault.fatal and not (fault.code == "not_found" and self.connections)
        pause = self._backoff.pause(fatal)
        self._again_at, self._lost_at, self._live = clock + pause, clock, False
        self._say("fatal" if fatal else "lost", f"{fault.why}; trying again in {pause:.0f} s", fault.code)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            if not self._line.ended:
                self._hung.append(self._line)
            self._line = None
        if self.state == "opening":
            self._logins.leave(self._host)

    def _say(self, state: CameraState, why: str = "", code: str = "") -> None:
        self._tell(self.plan.id, state, why, code, self.connections)


class _Otherwise(Fault):
    """It is to be tried in another way."""
