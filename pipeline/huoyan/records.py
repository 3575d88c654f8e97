"""The nouns of the pipeline: frozen, slotted, typed values that travel between its rooms.

Conventions everywhere: pixel coordinates are (x, y) with the origin at the top left corner of the
top left pixel; geographic coordinates are (longitude, latitude) in degrees, WGS 84; times are aware UTC
datetimes; lengths are metres; angles are degrees; images are uint8 arrays of shape (height, width, 3), RGB.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
Kind = Literal["camera", "drone", "satellite", "report"]
TimeFrom = Literal["exif", "name", "xmp", "srt", "stream", "tag", "folder", "config", "mtime"]
Box = tuple[float, float, float, float]
"""(x_min, y_min, x_max, y_max) in pixels."""
Point = tuple[float, float]
Ring = tuple[Point, ...]
"""A simple polygon without the repeated last point."""

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "huoyan.alert")


# --------------------------------------------------------------------------- where a pixel is on the ground
@dataclass(frozen=True, slots=True)
class Placement:
    """A place on the map. `error_m` is the 68 % radius; `method` says how it was found."""

    lon: float
    lat: float
    error_m: float
    method: str
    outline: Ring = ()
    """Ground outline as (lon, lat), where an area was placed (satellite change); empty for a point."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Why there is no place ("above the horizon", "no gimbal angles", "no calibration")."""

    reason: str


Place = Placement | Unplaced


@dataclass(frozen=True, slots=True)
class GroundPlane:
    """A fixed camera's view of flat ground.

    `matrix` (row-major 3x3) maps an undistorted pixel (x, y, 1) to metres (east, north, w) from `origin`.
    `pixel_error_px` and `ground_error_m` feed the error radius; `distortion` is Brown's (k1, k2, p1, p2, k3)
    with `intrinsics` (fx, fy, cx, cy) in pixels, empty where the lens was not calibrated.
    `size` is the (width, height) of the pictures it was fitted on.
    """

    matrix: tuple[float, ...]
    origin: Point
    size: tuple[int, int]
    ground_error_m: float
    pixel_error_px: float = 2.0
    horizon_guard_m: float = 500.0
    intrinsics: tuple[float, ...] = ()
    distortion: tuple[float, ...] = ()
    method: str = "homography"


@dataclass(frozen=True, slots=True)
class DronePose:
    """Where a drone's camera was and how it looked. Yaw is clockwise from true north, pitch -90 is straight down.

    `height_m` is above the take-off point, `altitude_m` above sea level. They are different things: neither
    stands in for the other. `focal_px` is for a picture of `size`. Fields a file does not give are None.
    """

    lon: float | None
    lat: float | None
    height_m: float | None
    altitude_m: float | None
    yaw_deg: float | None
    pitch_deg: float | None
    roll_deg: float | None
    focal_px: float | None
    size: tuple[int, int]
    centre: Point | None = None
    distortion: tuple[float, ...] = ()
    position_error_m: float = 3.0
    height_error_m: float = 3.0
    angle_error_deg: float = 1.5
    model: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RasterGrid:
    """Affine transform (a, b, c, d, e, f): x = a*col + b*row + c, y = d*col + e*row + f, in `crs` (WKT or EPSG:n)."""

    affine: tuple[float, float, float, float, float, float]
    crs: str
    size: tuple[int, int]
    error_m: float = 5.0
    gsd_m: float | None = None


Ground = GroundPlane | DronePose | RasterGrid | Unplaced


# --------------------------------------------------------------------------------------- frames and detections
@dataclass(frozen=True, slots=True)
class FrameRef:
    """A frame without its pixels: what the judge, the store and the alerts know of it."""

    frame_id: str
    source_id: str
    kind: Kind
    time: datetime
    time_from: TimeFrom
    size: tuple[int, int]
    """(width, height) in pixels."""
    path: str
    locator: Mapping[str, Any] = field(default_factory=dict)
    """What `sources.reopen` needs beside `path` to read the pixels again (pts, window, before, ...); JSON values."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What a person or another system already says about a box (for example a plate)."""

    label: str
    box: Box
    text: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, its pixels read only when asked for. Picklable."""

    ref: FrameRef
    load: Callable[[], Image]
    load_before: Callable[[], Image] | None = None
    """The same place at the earlier date, on the same grid (satellite pairs only)."""
    ground: Ground = Unplaced("no calibration")
    sequence: str | None = None
    """Frames of one video share it (they can be tracked); None for stills."""
    captions: tuple[Caption, ...] = ()
    core: Box | None = None
    """Of windows that overlap, the part that this one answers for: what has its centre outside is a neighbour's."""
    notes: tuple[str, ...] = ()
    """What a user should know of this frame (time only from mtime, pair shifted by 1.4 px, ...)."""

    def image(self) -> Image:
        """Read the pixels.

        Raises:
            SourceError: the picture is damaged, gone or too large.
        """
        return self.load()


@dataclass(frozen=True, slots=True)
class Skip:
    """A file, or a part of one, that could not be used: reported with its path and counted by `code`."""

    source_id: str
    path: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Detection:
    """Something seen, in pixels of its frame."""

    label: str
    score: float
    box: Box
    polygon: Ring = ()
    track_id: int | None = None
    text: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """`model`, `first_score` (before a second look), `area_m2` (changes), `text_from` (plates), ..."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A detection with its frame and its place."""

    frame: FrameRef
    detection: Detection
    place: Place


@dataclass(frozen=True, slots=True)
class Observations:
    """All that *look* says about one frame."""

    frame: FrameRef
    items: tuple[Observation, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    """CPU seconds by step (decode, infer, ...)."""
    night: bool = False
    notes: tuple[str, ...] = ()


# -------------------------------------------------------------------------------------------------- judgements
class Priority(IntEnum):
    URGENT = 1
    HIGH = 2
    NORMAL = 3
    RECORD = 4


@dataclass(frozen=True, slots=True)
class PermitCheck:
    """`none`: no permit covers it. `covered`: one does, it is lawful. `lapsed`: one did. `not_needed`: no check."""

    result: Literal["none", "covered", "lapsed", "not_needed"]
    permit_id: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class VehicleFinding:
    plate: str
    """Empty: unreadable, or too doubtful to name."""
    colour: str
    confidence: float
    reasons: tuple[str, ...]
    level: str = ""
    """green, yellow or red by what it did before (`vehicles.levels`); empty: not known."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A scene's rule holding at one moment at one place."""

    scene: str
    stage: str
    frame: FrameRef
    evidence: tuple[Observation, ...]
    """The observations that made the rule hold; the first is the one to show."""
    place: Place
    confidence: float
    zones: tuple[str, ...]
    permit: PermitCheck
    priority: Priority
    code: str
    reason: str
    """The condition that held, in the words of the rule."""
    looks: int = 1
    """In how many frames it was seen before it counted (persistence)."""
    extent_m2: float | None = None
    footprint: str | None = None
    vehicle: VehicleFinding | None = None
    window_s: float = 7 * 86400.0
    """How long after the last look another finding at this place is still the same story."""
    reach_m: float = 0.0
    """How far apart the parts of one such thing may lie (the sides of a fence), beyond their errors."""
    trip: str = ""
    """Trip of a truck, or episode of a camera's fault: its findings are one incident wherever they are made. Empty:
    places tell."""


Status = Literal["open", "updated", "confirmed", "rejected", "resolved", "expired"]


@dataclass(frozen=True, slots=True)
class Incident:
    """One story at one place through time."""

    incident_id: str
    scene: str
    stage: str
    status: Status
    revision: int
    priority: Priority
    code: str
    confidence: float
    place: Place
    first_seen: datetime
    last_seen: datetime
    looks: int
    sensors: tuple[str, ...]
    sources: tuple[str, ...]
    stages: tuple[str, ...]
    zones: tuple[str, ...]
    permit: PermitCheck
    first_frame: str
    extent_m2: float | None = None
    footprint: str | None = None
    vehicle: VehicleFinding | None = None
    window_s: float = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Revision:
    """An incident that has something new to tell, with the finding that made it so."""

    incident: Incident
    finding: Finding
    why: Literal["new", "stage", "sensor", "extent", "permit_lapsed", "vehicle", "verdict"]


@dataclass(frozen=True, slots=True)
class Evidence:
    role: Literal["wide", "close", "before", "after", "plate", "load"]
    href: str
    """Relative to the state folder, with forward slashes."""
    sha256: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """One revision of an incident, told. `document` is the CloudEvents envelope as JSON values."""

    alert_id: str
    incident_id: str
    revision: int
    scene: str
    priority: Priority
    time: datetime
    document: Mapping[str, Any]


class Unit(Protocol):
    """A piece of work for *look*: one still, one video, one window of a raster. Picklable, cheap to make."""

    @property
    def unit_id(self) -> str:
        """Stable across runs and machines."""

    @property
    def source_id(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def start(self) -> datetime: ...

    @property
    def path(self) -> str: ...

    @property
    def expected(self) -> int:
        """About how many frames it gives, for progress."""

    def frames(self, skip: frozenset[str] = frozenset()) -> Iterator[Frame | Skip]:
        """The frames in time order; frames whose id is in `skip` are not decoded. Never raises SourceError."""


def frame_id(source_id: str, time: datetime, index: int) -> str:
    """Stable id of a frame: 16 hex digits over source, time and index, never over a path."""
    key = f"{source_id}\n{utc(time).isoformat(timespec='microseconds')}\n{index}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def incident_id(scene: str, first_frame: str, place: Place) -> str:
    """UUIDv5 of scene, first frame and place (to 1e-5 degrees, about a metre): a replay gives the same id."""
    where = f"{place.lon:.5f},{place.lat:.5f}" if isinstance(place, Placement) else "unplaced"
    return str(uuid.uuid5(NAMESPACE, f"{scene}|{first_frame}|{where}"))


def utc(time: datetime) -> datetime:
    """`time` in UTC.

    Raises:
        ValueError: `time` is naive.
    """
    if time.tzinfo is None:
        raise ValueError("a time without a zone cannot be used; attach one first")
    return time.astimezone(UTC)
