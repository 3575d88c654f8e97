"""Findings at places in metres, and a store to put them into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from huoyan import incidents
from huoyan.incidents import Store
from huoyan.records import (
    Detection,
    Finding,
    FrameRef,
    Kind,
    Observation,
    PermitCheck,
    Place,
    Placement,
    Priority,
    Revision,
    frame_id,
)

START = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
DAY = 86400.0
PER_LON, PER_LAT = 96_900.0, 110_850.0

Put = Callable[..., list[Revision]]


def ground(east: float = 0.0, north: float = 0.0, error: float = 2.0, half: float = 0.0) -> Placement:
    """A place; with `half` the outline of a square of twice that side."""

    def at(x: float, y: float) -> tuple[float, float]:
        return 120.9 + x / PER_LON, 29.5 + y / PER_LAT

    corners = ((-half, -half), (half, -half), (half, half), (-half, half)) if half else ()
    lon, lat = at(east, north)
    return Placement(lon, lat, error, "test", tuple(at(east + x, north + y) for x, y in corners))


def find(
    place: Place | None = None,
    *,
    days: float = 0.0,
    kind: Kind = "camera",
    source: str = "",
    label: str = "excavator",
    permit: str = "none",
    **more: Any,
) -> Finding:
    """A finding, some days after the start."""
    time = START + timedelta(days=days)
    source = source or f"{kind}-1"
    where = place or ground()
    ref = FrameRef(
        frame_id(source, time, 0), source, kind, time, "exif", (1920, 1080), f"{source}/{days}.jpg"
    )
    seen = Observation(ref, Detection(label, 0.8, (0.0, 0.0, 50.0, 50.0)), where)
    values: dict[str, Any] = {
        "scene": "earthwork",
        "stage": "digging",
        "confidence": 0.8,
        "zones": ("plot",),
        "priority": Priority.NORMAL,
        "code": "0394",
        "reason": "test",
        "window_s": 14 * DAY,
    }
    check = PermitCheck(permit, None if permit == "none" else "P-1")  # type: ignore[arg-type]
    return Finding(frame=ref, evidence=(seen,), place=where, permit=check, **{**values, **more})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with incidents.open_store(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def put(store: Store) -> Put:
    """Associates findings, a transaction each, and returns what is told."""

    def associate(*findings: Finding) -> list[Revision]:
        told = []
        for finding in findings:
            with store.transaction():
                told += incidents.associate(store, [finding])
        return told

    return associate
