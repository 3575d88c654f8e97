"""Alerts to dispatch and an open queue."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from huoyan import alerts, dispatch
from huoyan.dispatch import outbox
from huoyan.records import (
    Alert,
    Finding,
    FrameRef,
    Incident,
    PermitCheck,
    Place,
    Placement,
    Priority,
    Revision,
)

T0 = datetime(2026, 5, 3, 1, 0, tzinfo=UTC)
MakeAlert = Callable[..., Alert]


@pytest.fixture
def now() -> datetime:
    return T0


@pytest.fixture
def make_alert() -> MakeAlert:
    """`make_alert("a", revision=1, priority=2, minutes=0, scene=…, place=…, **fields of the incident)`."""

    def make(
        name: str = "a",
        revision: int = 1,
        priority: int = 2,
        minutes: float = 0,
        scene: str = "earthwork",
        place: Place = Placement(120.9, 29.5, 12.0, "homography"),
        **fields: Any,
    ) -> Alert:
        time = T0 + timedelta(minutes=minutes)
        ref = FrameRef(f"frame-{name}", "cam-001", "camera", time, "exif", (640, 480), "a.jpg")
        permit = fields.pop("permit", PermitCheck("none"))
        level = Priority(priority)
        finding = Finding(
            scene,
            "",
            ref,
            (),
            place,
            0.8,
            ("riverside",),
            permit,
            level,
            "0501",
            fields.pop("reason", "seen"),
        )
        known = {
            "incident_id": f"incident-{name}",
            "scene": scene,
            "stage": "",
            "status": "open",
            "revision": revision,
            "priority": level,
            "code": "0501",
            "confidence": 0.8,
            "place": place,
            "first_seen": time,
            "last_seen": time,
            "looks": 1,
            "sensors": ("camera",),
            "sources": ("cam-001",),
            "stages": (),
            "zones": ("riverside",),
            "permit": permit,
            "first_frame": ref.frame_id,
        }
        return alerts.build(
            Revision(Incident(**(known | fields)), finding, "new"),
            scene_names={"earthwork": ("开挖平整", "Earthwork"), "fire": ("消防", "Fire")},
            models=(),
            config_sha256="c" * 64,
            source="urn:huoyan:sample",
        )

    return make


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with an empty queue."""
    folder = tmp_path / "state"
    folder.mkdir()
    connection = sqlite3.connect(folder / "huoyan.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    dispatch.ensure_tables(connection)
    connection.close()
    return folder


@pytest.fixture
def connection(state: Path) -> Iterator[sqlite3.Connection]:
    opened = dispatch.open_queue(state)
    yield opened
    opened.close()


@pytest.fixture
def fill(connection: sqlite3.Connection) -> Callable[..., None]:
    """Put alerts into the outbox and deliver them at T0."""

    def put(*alerts_: Alert) -> None:
        for alert in alerts_:
            outbox.put(connection, alert)
        dispatch.drain(connection, T0)

    return put
