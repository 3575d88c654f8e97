"""The nouns of muck trucks: a passage, what a gate's devices say, why a vehicle is flagged, what a gate decides.

The conventions of `records` hold: aware UTC times, (longitude, latitude) in degrees, metres; weights are kilograms.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from huoyan.records import Box, FrameRef, Place, utc

Cover = Literal["covered", "uncovered", "empty", "unknown"]
Direction = Literal["enter", "leave", "unknown"]
Role = Literal["wide", "plate", "load"]
Code = Literal["M01", "M02", "M03", "M04", "M05", "M06", "M07", "M08", "M09", "M10", "M11"]
Outcome = Literal["open", "hold", "review"]


@dataclass(frozen=True, slots=True)
class PlateReading:
    """What many looks at one plate came to, or what another system says about it."""

    text: str = ""
    """Empty: unreadable. Never accuse on `guess`."""
    guess: str = ""
    colour: str = ""
    """Of `registry.entries.PLATE_COLOURS`; empty: not known."""
    kind: str = ""
    """Of `plate_grammar.NAMES`; empty: not known."""
    confidence: float = 0.0
    """Of the least sure character."""
    characters: tuple[float, ...] = ()
    """Of each character of `guess`."""
    colour_confidence: float = 0.0
    reads: int = 0
    """Frames on which it was looked at."""
    agreeing: int = 0
    """Of them, those that say the same by themselves."""
    why: str = ""
    """Why it is unreadable; empty if it is readable, or somebody else's reading."""

    @property
    def readable(self) -> bool:
        return bool(self.text)


@dataclass(frozen=True, slots=True)
class Sight:
    """One frame that shows something of a passage: the whole view, the plate, the load."""

    role: Role
    frame: FrameRef
    box: Box
    """Of the vehicle or of the plate, xyxy px of the frame."""
    score: float
    """How well it shows it; the best of each role are kept."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One vehicle through one view, from its first frame to its last."""

    passage_id: str
    source_id: str
    label: str
    """Vehicle class: dump_truck, mixer_truck, truck (of which no detector says what kind it is), loader, car."""
    first_seen: datetime
    last_seen: datetime
    plate: PlateReading = PlateReading()
    direction: Direction = "unknown"
    """Over the view's virtual line."""
    crossed: datetime | None = None
    """When the line was crossed."""
    dwell_s: float = 0.0
    """Longest time that it stood still."""
    cover: Cover = "unknown"
    cover_confidence: float = 0.0
    dust: float = 0.0
    """Confidence that dust goes up behind it."""
    spill: float = 0.0
    """Confidence that load falls off it."""
    tipping: float = 0.0
    """Confidence that its body is raised."""
    place: Place | None = None
    """Where it was seen best; None: the view has no place."""
    track: tuple[tuple[datetime, Place], ...] = ()
    """Where it was, a point every few seconds."""
    appearance: tuple[float, ...] = ()
    """Unit vector that is alike for looks at one vehicle; empty: none was made."""
    sights: tuple[Sight, ...] = ()
    looks: int = 1
    ended: bool = True
    """False: told while it was still in view. It comes again under the same id, complete, when it has left."""

    @property
    def time(self) -> datetime:
        """The moment that rules ask about: the crossing, else the first look."""
        return self.crossed or self.first_seen


# -------------------------------------------------------------------------------------- what devices at a gate say
@dataclass(frozen=True, slots=True)
class Weighing:
    """A message of a weighbridge. `message_id` is the sender's: a message that comes twice counts once."""

    message_id: str
    device_id: str
    gate_id: str
    time: datetime
    """By the device's clock."""
    received: datetime
    """By ours."""
    kg: float
    plate: str = ""
    stable: bool = True


@dataclass(frozen=True, slots=True)
class Washing:
    """A message of a wash station: from when to when it ran for a vehicle."""

    message_id: str
    device_id: str
    gate_id: str
    time: datetime
    received: datetime
    seconds: float
    plate: str = ""
    passed: bool = True
    """What the station itself says of the result."""


@dataclass(frozen=True, slots=True)
class SmartPassage:
    """What a gate's own smart camera recognised (a GA/T 1400 MotorVehicle object): a second reading, never trusted
    alone."""

    message_id: str
    device_id: str
    gate_id: str
    time: datetime
    received: datetime
    plate: PlateReading
    direction: Direction = "unknown"
    pictures: tuple[str, ...] = ()
    """Stored pictures, relative to the state folder."""
    vehicle_class: str = ""
    """By GA/T 16.4, such as H11 (heavy lorry) or K33 (car); empty: not told."""


# ------------------------------------------------------------------------------------------------------- judgement
@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that a vehicle breaks, with what shows it."""

    code: Code
    zh: str
    en: str
    """One sentence each, with the figures."""
    confidence: float = 1.0
    roles: tuple[Role, ...] = ("wide", "plate")
    """Which sights are its evidence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the register and the rules say about a passage.

    `unknown` lists what could not be asked, and why ("weight: the scale is silent"): unknown is never guilty.
    """

    plate: str
    """As registered where it is, else as read; empty: unreadable."""
    registered: bool
    reasons: tuple[Reason, ...] = ()
    review: str = ""
    """Why a person has to look: a reading one likely confusion away from an approved vehicle, and the like."""
    readings: tuple[str, ...] = ()
    """The readings that a reviewer compares, ours first."""
    unknown: tuple[str, ...] = ()
    company: str = ""
    permit: str = ""


@dataclass(frozen=True, slots=True)
class GateEvent:
    """One vehicle through one gate: all that camera, scale, wash and register say about it."""

    event_id: str
    gate_id: str
    time: datetime
    direction: Direction
    outcome: Outcome
    why: str
    verdict: Verdict
    passages: tuple[Passage, ...] = ()
    smart: tuple[SmartPassage, ...] = ()
    gross_kg: float | None = None
    tare_kg: float | None = None
    washed: bool | None = None
    """None: unknown (no wash station, or it was silent)."""
    notes: tuple[str, ...] = ()
    decided: datetime | None = None
    sources: tuple[str, ...] = field(default=())
    """Devices that contributed."""

    @property
    def net_kg(self) -> float | None:
        if self.gross_kg is None or self.tare_kg is None:
            return None
        return self.gross_kg - self.tare_kg


def passage_id(source_id: str, first_seen: datetime, index: int) -> str:
    """Stable id of a passage: 16 hex digits over source, first time and the track's number in its view."""
    key = f"passage\n{source_id}\n{utc(first_seen).isoformat(timespec='microseconds')}\n{index}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]
