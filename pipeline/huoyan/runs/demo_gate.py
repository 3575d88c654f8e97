"""The gates' part of the demonstration: their videos and messages replayed, and each event as it was decided."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from huoyan.alerts import files
from huoyan.config import LoadedConfig
from huoyan.errors import SourceError
from huoyan.gate.book import DATABASE
from huoyan.gate.log import HEAD
from huoyan.passage import GateEvent, Role, Sight
from huoyan.records import Image
from huoyan.runs import gate, gate_watch
from huoyan.sources.reopening import reopen

STATE_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", HEAD)
"""What a gate leaves in the state folder."""
_WIDE_PX, _PLATE_PX = 560, 240
_RIM = {"wide": 0.04, "plate": 0.25}
_QUALITY = 80
_SHOWN: tuple[Role, ...] = ("wide", "plate")


def replay(loaded: LoadedConfig) -> list[GateEvent]:
    """Run the gates of a county whose cameras are all files, as `huoyan gate` does.

    Returns:
        The last revision of each event, in time order; nothing where there is no gate, or one with a live camera.

    Raises:
        ConfigError, ModelError, StorageError: as `runs.gate.run`.
    """
    if not loaded.config.gates or not gate_watch.is_replay(loaded):
        return []
    last: dict[str, GateEvent] = {}
    gate.run(loaded, once=True, told=lambda decided: last.update({decided.event.event_id: decided.event}))
    return sorted(last.values(), key=lambda event: (event.time, event.event_id))


def cards(events: Sequence[GateEvent], loaded: LoadedConfig) -> list[dict[str, Any]]:
    """What the page shows of each event."""
    zone = ZoneInfo(loaded.config.county.timezone)
    names = {one.id: one.name or one.id for one in loaded.config.gates}
    return [_card(event, names[event.gate_id], zone) for event in events]


def _card(event: GateEvent, name: str, zone: ZoneInfo) -> dict[str, Any]:
    verdict = event.verdict
    return {
        "gate": name,
        "time": f"{event.time.astimezone(zone):%Y-%m-%d %H:%M:%S}",
        "direction": event.direction,
        "outcome": event.outcome,
        "why": event.why,
        "plate": verdict.plate,
        "readings": list(verdict.readings),
        "company": verdict.company,
        "permit": verdict.permit,
        "reasons": [[reason.code, reason.zh] for reason in verdict.reasons],
        "unknown": list(verdict.unknown),
        "notes": list(event.notes),
        "kg": [event.gross_kg, event.tare_kg, event.net_kg],
        "washed": event.washed,
        "shots": list(_shots(event, zone)),
    }


def _shots(event: GateEvent, zone: ZoneInfo) -> Iterator[dict[str, str]]:
    """The best look at the vehicle and the best at its plate."""
    sights = [sight for passage in event.passages for sight in passage.sights]
    for role in _SHOWN:
        best = max((s for s in sights if s.role == role), key=lambda s: s.score, default=None)
        if best is None:
            continue
        try:
            picture = _cut(best)
        except SourceError:
            continue
        data = base64.b64encode(files.jpeg(picture, _QUALITY)).decode()
        time = f"{best.frame.time.astimezone(zone):%H:%M:%S}"
        yield {"role": role, "src": f"data:image/jpeg;base64,{data}", "time": time}


def _cut(sight: Sight) -> Image:
    """The part of the frame that it is about, at the size of the page."""
    image = reopen(sight.frame)
    x1, y1, x2, y2 = sight.box
    rim = _RIM[sight.role] * (x2 - x1)
    left, top = max(0, int(x1 - rim)), max(0, int(y1 - rim))
    part = image[top : int(y2 + rim) + 1, left : int(x2 + rim) + 1]
    wide = _PLATE_PX if sight.role == "plate" else _WIDE_PX
    size = (wide, max(1, round(part.shape[0] * wide / part.shape[1])))
    way = cv2.INTER_CUBIC if wide > part.shape[1] else cv2.INTER_AREA
    return np.asarray(cv2.resize(part, size, interpolation=way), np.uint8)
