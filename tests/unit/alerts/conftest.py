"""A revision of an incident to tell, with any part changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from huoyan.records import (
    Detection,
    Finding,
    FrameRef,
    Image,
    Incident,
    Observation,
    PermitCheck,
    Placement,
    Priority,
    Revision,
    frame_id,
)

TIME = datetime(2026, 5, 3, 1, 12, 33, 456000, tzinfo=UTC)
PLACE = Placement(120.89961262, 29.49972792, 11.7, "homography")
MakeRevision = Callable[..., Revision]


@pytest.fixture
def make_revision() -> MakeRevision:
    """`make_revision(why=…, kind=…, detection=…, size=…, **fields of the incident)`."""

    def make(
        why: str = "new",
        kind: str = "camera",
        detection: Detection | None = None,
        size: tuple[int, int] = (640, 480),
        **fields: Any,
    ) -> Revision:
        source = "cam-001" if kind == "camera" else kind
        ref = FrameRef(frame_id(source, TIME, 0), source, kind, TIME, "exif", size, f"{source}/a.jpg")  # type: ignore[arg-type]
        seen = detection or Detection("excavator", 0.83, (200.0, 150.0, 380.0, 330.0))
        place = fields.get("place", PLACE)
        finding = Finding(
            "earthwork",
            "digging",
            ref,
            (Observation(ref, seen, place),),
            place,
            0.83,
            ("riverside",),
            PermitCheck("none"),
            Priority.HIGH,
            "0501",
            "an excavator stood inside riverside in 3 of 3 frames",
        )
        incident = Incident(
            "5f0c9c1e-7f7e-5d0e-9a55-3f8f6d1c2b4a",
            "earthwork",
            "digging",
            "open",
            1,
            Priority.HIGH,
            "0501",
            0.8349,
            place,
            TIME - timedelta(hours=3),
            TIME,
            3,
            (kind,),
            (source,),
            ("digging",),
            ("riverside",),
            PermitCheck("none"),
            ref.frame_id,
        )
        return Revision(replace(incident, **fields), finding, why)  # type: ignore[arg-type]

    return make


@pytest.fixture
def picture() -> Image:
    """A busy picture of 640 x 480: noise shows every pixel that is touched."""
    return np.random.default_rng(7).integers(0, 256, (480, 640, 3), dtype=np.uint8)
