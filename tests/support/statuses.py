"""A made-up status of a daemon, with something of everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from huoyan.status import CameraStatus, Histogram, OutboxStatus, ProcessStatus, Status

NOW = datetime(2026, 5, 3, 9, 30, tzinfo=UTC)
LIVE = CameraStatus(
    "cam-1",
    "live",
    "",
    0.8,
    2.0,
    3,
    1000,
    998,
    90,
    88,
    2,
    4.5,
    12.25,
    ("camera_blurred",),
    "north",
    True,
    passages=6,
    road_looked=4800,
    road_dropped=70,
    road_age_s=0.3,
    road_behind_s=0.4,
)
LOST = CameraStatus("cam-2", "lost", "connection refused", None, 4.0, 17, 40, 0, conditions=("camera_lost",))
AWAY = CameraStatus("cam-3", "elsewhere")


def status(**changes: Any) -> Status:
    """The made-up status, with changes."""
    made = Status(
        NOW,
        NOW - timedelta(hours=2),
        "0.1.0",
        "ab" * 32,
        "box-1",
        ready=True,
        stretch=1.3,
        waiting=3,
        in_flight=1,
        cameras=(LIVE, LOST, AWAY),
        processes=(
            ProcessStatus("main", 4242, True, 200_000_000, 80.5, 14, 61, 0, 0.0),
            ProcessStatus("inference-0", 4243, True, 500_000_000, 900.0, 6, 30, 2, 0.4),
        ),
        outbox={
            "sqlite": OutboxStatus(delivered=12),
            "nats": OutboxStatus(5, 5400.0, False, "connection refused", 7, 1),
        },
        queue={"ready": 4, "acked": 8},
        alerts={"illegal_dumping": 3, "camera_health": 9},
        verdicts={"illegal_dumping": {"confirmed": 2, "rejected": 1}},
        latency=Histogram((1, 2, 0, 4, 0, 0, 0, 0, 0, 1), 45.5),
        disk_used=0.71,
        evidence_bytes=12_000_000,
        degraded=("nats: connection refused",),
        last_reload="applied abababababab",
    )
    return replace(made, **changes)
