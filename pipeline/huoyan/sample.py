"""The nouns of a live camera: what the daemon asks of its reader, and what the reader says.

They travel between processes, so all of them are picklable and small; only a picture that passed the gate carries
pixels. `clock` is the machine's monotonic clock (seconds, the same in every process of one machine): ages and
latencies are taken from it, never from a camera's own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from huoyan.records import FrameRef, Ring

Transport = Literal["tcp", "udp"]
Mode = Literal["auto", "continuous", "once"]
Reason = Literal["first", "motion", "burst", "due", ""]
CameraState = Literal["waiting", "opening", "live", "lost", "fatal", "stopped"]
CONDITIONS = (
    "camera_lost",
    "camera_frozen",
    "camera_black",
    "camera_blurred",
    "camera_moved",
    "camera_clock",
)
"""Labels of what can be wrong with a camera, as observations carry them."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: what is waited for, how long, and the pauses between attempts."""

    open_s: float = 10.0
    first_s: float = 20.0
    read_s: float = 10.0
    pause_s: float = 1.0
    longest_pause_s: float = 45.0


@dataclass(frozen=True, slots=True)
class PresetView:
    """A pose that a PTZ camera takes: recognised by the signature of its reference picture."""

    id: str
    signature: bytes
    """See `perception.signature`."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """All that the reader of one camera must know. Its address may hold a password: never print it."""

    id: str
    address: str = field(repr=False)
    every_s: float = 2.0
    night_every_s: float | None = None
    """Interval in the dark; None: the same."""
    snapshot: bool = False
    """The address gives a single JPEG: it is fetched once an interval."""
    transport: Transport = "tcp"
    mode: Mode = "auto"
    """`once` connects for each picture; `auto` does so where the interval is long enough to be cheaper."""
    patience: Patience = Patience()
    masks: tuple[Ring, ...] = ()
    """Privacy masks, in shares of width and height (0 to 1): blackened before anything leaves the reader."""
    ignore: tuple[Ring, ...] = ()
    """Where motion opens no gate (the camera's clock, a flag, a road), in shares of width and height."""
    look_every_s: float = 300.0
    """A picture passes the gate at least so often, moved or not."""
    signature_every_s: float = 600.0
    """How often the reader takes a signature for the memory of slow change."""
    presets: tuple[PresetView, ...] = ()
    sensitivity: float = 1.0
    """Of the gate: above 1 lets more through."""
    aim: int = 0
    """Another number: the camera was turned on purpose, and its view is learned anew."""
    passages: str = field(default="", repr=False)
    """Address of the stream on which trucks are followed, by another process; empty: they are not."""
    view_state: str = field(default="", repr=False)
    """What `perception.view_health` had learned of the view when it was last saved, as JSON; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels of a sample: planes of I420 (Y, then U, then V at half size), rows without padding."""

    i420: bytes = field(repr=False)
    size: tuple[int, int]
    """(width, height), both even."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture that was due, with or without its pixels.

    Attributes:
        camera: whose.
        time: when it was taken, by our clock (UTC).
        clock: monotonic seconds at which it had been received.
        size: (width, height) of the picture.
        passed: why it passed the gate; empty: it did not, and `picture` is None.
        motion: share of the view that moved, 0 to 1.
        conditions: what is wrong with the picture, of `CONDITIONS` (`camera_lost` comes as a `CameraEvent`).
        measures: numbers behind the conditions (mean, contrast, sharpness, shift_px, skew_s, ...).
        preset: the pose that the picture shows; empty: not known, or the camera has none.
        signature: of the view, when it is due (see `perception.signature`).
        decode_s: processor seconds that this sample took.
    """

    camera: str
    time: datetime
    clock: float
    size: tuple[int, int]
    passed: Reason = ""
    motion: float = 0.0
    conditions: frozenset[str] = frozenset()
    measures: Mapping[str, float] = field(default_factory=dict)
    preset: str = ""
    signature: bytes | None = field(default=None, repr=False)
    picture: Picture | None = None
    decode_s: float = 0.0
    night: bool = False


@dataclass(frozen=True, slots=True)
class CameraEvent:
    """A camera's connection changed. `why` is in words, without passwords."""

    camera: str
    time: datetime
    clock: float
    state: CameraState
    why: str = ""
    code: str = ""
    """Machine-readable: `refused`, `unauthorised`, `timeout`, `ended`, `no_pictures`, `damaged`, `busy`, ..."""
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """A reader process's own figures, sent every few seconds: for metrics, and as a sign of life."""

    clock: float
    due: Mapping[str, int]
    """Samples that were due, by camera, since the process started."""
    taken: Mapping[str, int]
    cpu_s: float
    threads: int
    logins: int = 0
    """Connections that are being opened now."""
    dropped: int = 0
    """Samples since the process started that a newer one of the same camera replaced before they were sent."""


@dataclass(frozen=True, slots=True)
class ViewState:
    """What a reader has learned of a view, as JSON: sent now and then and at the end, for `CameraPlan.view_state`."""

    camera: str
    state: str = field(repr=False)


Report = Sample | CameraEvent | Tally | ViewState


@dataclass(frozen=True, slots=True)
class Stretch:
    """Intervals of all cameras are to be this many times as long (load)."""

    factor: float


@dataclass(frozen=True, slots=True)
class Burst:
    """Every sample of a camera passes the gate, at `every_s`, until `until_clock`: something wants confirmation."""

    camera: str
    until_clock: float
    every_s: float


@dataclass(frozen=True, slots=True)
class Cameras:
    """From now on exactly these cameras: unknown ones are started, others stopped, changed ones started anew."""

    plans: tuple[CameraPlan, ...]


Order = Stretch | Burst | Cameras


@dataclass(frozen=True, slots=True)
class ViewChange:
    """A part of a view that looks another way for good.

    Attributes:
        polygon: outline in shares of width and height, 0 to 1.
        share: of the view, 0 to 1.
        strength: mean distance of its cells from what they were, 0 to 1.
        days: through which it has lasted.
        hours: of the day that agree.
        grown: it adds to one that was told before; the polygon is of both.
    """

    polygon: Ring
    share: float
    strength: float
    days: int
    hours: int
    grown: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x_min, y_min, x_max, y_max) in shares."""
        across, down = zip(*self.polygon, strict=True)
        return min(across), min(down), max(across), max(down)


@dataclass(frozen=True, slots=True)
class Look:
    """A sample on its way to the models."""

    frame: FrameRef
    picture: Picture
    clock: float
    reason: Reason
    placed: bool = True
    """False: the camera has moved, so its pixels say nothing of places."""
    changes: tuple[ViewChange, ...] = ()
    """What has changed for good in this view and is to be looked at more closely, see `scenes.lasting`."""
