"""A camera's connection goes through its states as it should, whatever its line does, and stops in all of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from huoyan.ingest.backoff import Backoff
from huoyan.ingest.camera import Camera
from huoyan.ingest.faults import Fault
from huoyan.ingest.logins import LoginLimits, Logins
from huoyan.ingest.rtp import Key
from huoyan.ingest.rtsp import Unsupported
from huoyan.sample import Burst, CameraPlan, Patience

PATIENCE = Patience(open_s=2.0, first_s=6.0, read_s=3.0, pause_s=1.0, longest_pause_s=8.0)


class Fake:
    """A line that does what the test says."""

    def __init__(self, plan: CameraPlan, clock: float, library: bool) -> None:
        self.plan, self.library, self.heard = plan, library, clock
        self.silent_s, self.keys_needed, self.skew_s = plan.patience.read_s, True, None
        self.opened = self.closed = False
        self.ended = True
        self.fault: Fault | None = None
        self.key: Key | None = None

    def read(self) -> Key | None:
        assert not self.closed, "a closed line is read"
        key, self.key = self.key, None
        if key is None and self.fault is not None:
            raise self.fault
        return key

    def close(self) -> None:
        self.closed = True


class World:
    """A camera, its line, and the clock."""

    def __init__(self, **plan: object) -> None:
        self.clock = 100.0
        self.lines: list[Fake] = []
        self.events: list[tuple[str, str]] = []
        self.keys: list[Key] = []
        self.logins = Logins(LoginLimits(at_once=2, per_host=1, rate=1000.0))
        self.camera = Camera(
            CameraPlan("c", "rtsp://h/1", patience=PATIENCE, **plan),  # type: ignore[arg-type]
            "h",
            self.logins,
            lambda _camera, state, _why, code, _n: self.events.append((state, code)),
            self.clock,
            begin=self._begin,
            backoff=Backoff(PATIENCE.pause_s, PATIENCE.longest_pause_s, lambda _low, _high: 1.0),
        )

    def _begin(self, plan: CameraPlan, *, library: bool) -> Fake:  # type: ignore[override]
        self.lines.append(Fake(plan, self.clock, library))
        return self.lines[-1]

    @property
    def line(self) -> Fake:
        return self.lines[-1]

    def step(self, seconds: float = 0.1) -> Key | None:
        self.clock += seconds
        key = self.camera.step(self.clock)
        if key is not None:
            self.keys.append(key)
        return key

    def picture(self, *, good: bool = True, stream_s: float | None = None) -> Key | None:
        """One comes, and is decoded if it was due."""
        self.line.heard = self.clock
        self.line.key = Key("h264", b"", self.clock, b"", stream_s)
        key = self.step(0.0)
        if key is not None:
            (self.camera.good(key) if good else self.camera.spoilt())
        return key

    def connect(self) -> None:
        self.step()
        self.line.opened = True
        self.step()


def test_it_connects_and_gives_what_is_due() -> None:
    world = World()
    world.connect()
    assert world.picture() is not None
    world.step()
    assert world.events == [("opening", ""), ("live", "")]
    assert world.logins.open == 0 and world.camera.connections == 1
    world.step(0.9)
    assert world.picture() is None
    world.step(1.0)
    assert world.picture() is not None


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [(Fault("refused", "x"), "lost", "refused"), (Fault("unauthorised", "x"), "fatal", "unauthorised")],
)
def test_a_refused_login_gives_its_seat_back_and_is_tried_again(fault: Fault, state: str, code: str) -> None:
    world = World()
    world.step()
    world.line.fault = fault
    world.step()
    assert world.events[-1] == (state, code)
    assert world.logins.open == 0 and world.line.closed
    lost_at = world.clock
    while len(world.lines) == 1:
        world.step()
    # What people must mend is tried at the longest pause, other things sooner.
    assert world.clock - lost_at == pytest.approx(8.0 if state == "fatal" else 1.0, abs=0.2)


def test_a_stream_that_was_there_and_is_not_found_comes_back_soon() -> None:
    world = World()
    world.step()
    world.line.opened = True
    world.step()
    world.picture()
    world.step()
    world.line.fault = Fault("not_found", "x")
    world.step()
    assert world.events[-1] == ("lost", "not_found")
    lost_at = world.clock
    while len(world.lines) == 1:
        world.step()
    assert world.clock - lost_at == pytest.approx(1.0, abs=0.2)


def test_a_camera_that_was_there_is_not_given_up_for_wrong_as_its_gateway_says() -> None:
    world = World()
    world.connect()
    world.picture()
    world.step()
    world.line.fault = Fault("not_found", "x")
    world.step()
    assert world.events[-1] == ("lost", "not_found")
    lost_at = world.clock
    while len(world.lines) == 1:
        world.step()
    assert world.clock - lost_at < 1.5


def test_pauses_grow_while_it_is_lost_and_not_after_it_was_live() -> None:
    world = World()
    begun = []
    for _ in range(6):
        while len(world.lines) <= len(begun):
            world.step()
        begun.append(world.clock)
        world.line.fault = Fault("refused", "x")
        world.step()
    gaps = [round(b - a) for a, b in pairwise(begun)]
    assert gaps == [1, 2, 4, 8, 8]
    while len(world.lines) == 6:
        world.step()
    world.line.opened = True
    world.step()
    world.picture()
    world.step()
    lost_at = world.clock
    world.line.fault = Fault("ended", "x")
    while len(world.lines) == 7:
        world.step()
    assert world.clock - lost_at < 1.5


@pytest.mark.parametrize(
    ("opened", "heard", "after", "code"),
    [(False, False, 13.0, "timeout"), (True, False, 3.0, "timeout"), (True, True, 6.0, "no_pictures")],
)
def test_deadlines(opened: bool, heard: bool, after: float, code: str) -> None:
    world = World()
    world.step()
    world.line.opened = opened
    began = world.clock
    while world.events[-1][0] == "opening":
        if heard:
            world.line.heard = world.clock
        world.step()
    assert world.events[-1] == ("lost", code)
    assert world.clock - began == pytest.approx(after, abs=0.5)


def test_rare_key_pictures_are_waited_for_and_told() -> None:
    world = World()
    world.connect()
    for _ in range(4):
        assert world.picture() is not None
        for _ in range(50):
            world.line.heard = world.clock
            world.step()
    assert world.events[-1][0] == "live"
    assert world.camera.measures["key_every_s"] == pytest.approx(5.0, abs=0.2)


def test_pictures_that_cannot_be_decoded_cost_the_connection() -> None:
    world = World()
    world.connect()
    for _ in range(5):
        world.picture(good=False)
        world.step(2.0)
    assert world.events[-1] == ("lost", "damaged")


def test_another_codec_is_left_to_the_library_at_once() -> None:
    world = World()
    world.step()
    world.line.fault = Unsupported("its pictures are JPEG")
    world.step()
    world.step()
    assert [line.library for line in world.lines] == [False, True]
    assert [event for event, _ in world.events] == ["opening"]


def test_what_we_take_for_no_key_pictures_is_left_to_the_library() -> None:
    world = World()
    world.connect()
    while world.events[-1][1] != "no_pictures":
        world.line.heard = world.clock
        world.step()
    while len(world.lines) == 1:
        world.step()
    assert [line.library for line in world.lines] == [False, True]


def test_lines_that_hang_do_not_pile_up() -> None:
    world = World()
    for _ in range(3000):
        world.step()
        world.line.ended = False
    assert len(world.lines) == 2
    assert world.events[-1] == ("lost", "hung")
    world.lines[0].ended = True
    for _ in range(100):
        world.step()
    assert len(world.lines) == 3


@pytest.mark.parametrize(
    ("plan", "once"),
    [
        ({"mode": "once", "every_s": 5.0}, True),
        ({"mode": "continuous", "every_s": 600.0}, False),
        ({"mode": "auto", "every_s": 60.0}, True),
        ({"mode": "auto", "every_s": 20.0}, False),
        ({"snapshot": True, "every_s": 2.0}, True),
    ],
)
def test_connect_take_one_close(plan: dict[str, object], once: bool) -> None:
    world = World(**plan)
    every = world.camera.plan.every_s
    for _ in range(3):
        lines = len(world.lines)
        while world.line.closed if world.lines else True:
            world.step()
            if len(world.lines) > lines:
                break
        world.line.opened = True
        world.step(0.5)
        while world.picture() is None:
            world.step(0.5)
        assert world.line.closed == once
    took = [key.clock for key in world.keys]
    assert took[2] - took[0] == pytest.approx(2 * every, abs=1.5)
    assert [event for event, _ in world.events] == ["opening", "live"]


def test_a_burst_hastens_a_camera_that_is_hung_up() -> None:
    world = World(mode="once", every_s=60.0)
    world.connect()
    world.picture()
    world.step()
    assert world.line.closed
    world.camera.burst(Burst("c", world.clock + 10, 1.0), world.clock)
    for _ in range(15):
        world.step()
    assert len(world.lines) == 2
    world.line.opened = True
    taken = 0
    for _ in range(50):
        taken += world.picture() is not None
        world.step()
    assert taken >= 4 and not world.line.closed


def test_drift_of_the_streams_clock() -> None:
    world = World(every_s=1.0)
    world.connect()
    for second in range(20):
        world.picture(stream_s=1000 + 1.1 * second)
        world.step(1.0)
    assert world.camera.measures["drift_s"] == pytest.approx(1.9, abs=0.2)
    world.picture(stream_s=5.0)
    assert world.camera.measures["drift_s"] == 0.0


class Life(RuleBasedStateMachine):
    """Anything may happen to a camera at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(mode="auto", every_s=2.0)
        self.stopped = False

    @rule(seconds=st.floats(0.01, 30))
    def time_passes(self, seconds: float) -> None:
        self.world.step(seconds)

    @precondition(lambda self: self.world.lines and not self.world.line.closed)
    @rule()
    def it_opens(self) -> None:
        self.world.line.opened = True

    @precondition(lambda self: self.world.lines and not self.world.line.closed)
    @rule(good=st.booleans())
    def a_picture_comes(self, good: bool) -> None:
        self.world.picture(good=good)

    @precondition(lambda self: self.world.lines and not self.world.line.closed)
    @rule(code=st.sampled_from(["refused", "unauthorised", "ended", "timeout"]), hangs=st.booleans())
    def it_breaks(self, code: str, hangs: bool) -> None:
        self.world.line.fault, self.world.line.ended = Fault(code, "x"), not hangs

    @rule(seconds=st.floats(0.1, 5), every=st.floats(0.2, 2))
    def a_burst(self, seconds: float, every: float) -> None:
        self.world.camera.burst(Burst("c", self.world.clock + seconds, every), self.world.clock)

    @rule(factor=st.floats(1, 8))
    def load(self, factor: float) -> None:
        self.world.camera.stretch = factor

    @rule()
    def stop(self) -> None:
        self.world.camera.stop()
        self.stopped = True

    @invariant()
    def seats_and_lines_are_in_order(self) -> None:
        world, camera = self.world, self.world.camera
        assert world.logins.open == (camera.state == "opening")
        open_lines = [line for line in world.lines if not line.closed]
        assert len(open_lines) == (camera.state in ("opening", "open"))
        assert not self.stopped or camera.state == "stopped"
        assert sum(not line.ended for line in world.lines) <= 2


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
