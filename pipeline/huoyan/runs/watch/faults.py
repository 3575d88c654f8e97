"""The faults of one camera: what is known of them, how the memory keeps them, and as what they are seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from huoyan.config import Camera
from huoyan.records import Detection, FrameRef, Observation, Place, frame_id
from huoyan.sample import Picture

_INDEX = 5_000_000


@dataclass
class Fault:
    """One condition of one camera."""

    since: datetime
    began: float
    said: bool = True
    quiet: float = 0.0
    """When it was last said no longer to be so."""
    episode: str = ""
    """Id of the story it was told in; empty: not told yet."""
    why: str = ""


@dataclass
class Group:
    """Cameras with one fault since one moment."""

    condition: str
    since: datetime
    latest: float
    """When the last of them began (monotonic)."""
    members: list[str]


@dataclass
class Watched:
    """One camera: its faults by condition, when each was told before, and its latest picture."""

    camera: Camera
    faults: dict[str, Fault] = field(default_factory=dict)
    told: dict[str, list[datetime]] = field(default_factory=dict)
    size: tuple[int, int] = (0, 0)
    seen: datetime | None = None
    picture: Picture | None = None
    """Kept while a fault waits to be told, as its evidence."""


def unpacked(camera: Camera, packed: Any) -> Watched:
    """A camera with the faults that were told, as `packed` wrote them; None: none were."""
    watched, value = Watched(camera), packed or {}
    for condition, fault in value.get("faults", {}).items():
        since = datetime.fromisoformat(fault["since"])
        watched.faults[condition] = Fault(since, float("-inf"), episode=str(fault["episode"]))
    for condition, times in value.get("told", {}).items():
        watched.told[condition] = [datetime.fromisoformat(time) for time in times]
    return watched


def packed(watched: Watched) -> dict[str, Any] | None:
    """What was told of a camera's faults, for the memory; None: nothing was."""
    faults = {
        condition: {"since": fault.since.isoformat(), "episode": fault.episode}
        for condition, fault in watched.faults.items()
        if fault.episode
    }
    told = {c: [time.isoformat() for time in times] for c, times in watched.told.items()}
    return {"faults": faults, "told": told} if faults or told else None


def frame(name: str, watched: Watched, since: datetime) -> FrameRef:
    """The camera's view when its fault began; nobody can open it again."""
    key = frame_id(name, since, _INDEX)
    size = watched.size if min(watched.size) > 0 else watched.camera.size or (16, 9)
    about = {"last_picture": watched.seen.isoformat()} if watched.seen else {}
    return FrameRef(key, name, "camera", since, "stream", size, "", about)


def observation(frame: FrameRef, condition: str, place: Place, episode: str, why: str) -> Observation:
    whole = (0.0, 0.0, float(frame.size[0]), float(frame.size[1]))
    about = {"episode": episode, **({"why": why} if why else {})}
    return Observation(frame, Detection(condition, 1.0, whole, attributes=about), place)


def host(camera: Camera) -> str:
    """Host of a camera's address; empty for a file."""
    url = camera.stream.url if camera.stream else ""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def centre(cameras: Iterable[Camera]) -> tuple[float, float] | None:
    places = [camera.position for camera in cameras if camera.position is not None]
    if not places:
        return None
    return sum(p[0] for p in places) / len(places), sum(p[1] for p in places) / len(places)
