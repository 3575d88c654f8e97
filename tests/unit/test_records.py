from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone

import pytest

from huoyan.records import Detection, Placement, Unplaced, frame_id, incident_id, utc

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))


def test_frame_ids_are_of_source_time_and_index() -> None:
    known = frame_id("cam-001", NOON, 0)
    # Written down: a change of it would tell every story of every county again.
    assert known == "15cee3f3fc6d1fcb"
    assert frame_id("cam-001", NOON.astimezone(CHINA), 0) == known
    others = {
        frame_id("cam-002", NOON, 0),
        frame_id("cam-001", NOON + timedelta(microseconds=1), 0),
        frame_id("cam-001", NOON, 1),
    }
    assert len(others | {known}) == 4
    with pytest.raises(ValueError, match="without a zone"):
        frame_id("cam-001", NOON.replace(tzinfo=None), 0)


def test_incident_ids_allow_a_metre() -> None:
    known = incident_id("earthwork", "f", Placement(120.90000, 29.50000, 3, "m"))
    assert incident_id("earthwork", "f", Placement(120.900004, 29.499996, 9, "other")) == known
    different = {
        incident_id("earthwork", "f", Placement(120.90002, 29.5, 3, "m")),
        incident_id("scaffolding", "f", Placement(120.9, 29.5, 3, "m")),
        incident_id("earthwork", "g", Placement(120.9, 29.5, 3, "m")),
        incident_id("earthwork", "f", Unplaced("above the horizon")),
    }
    assert len(different | {known}) == 5
    assert incident_id("earthwork", "f", Unplaced("a")) == incident_id("earthwork", "f", Unplaced("b"))


def test_utc() -> None:
    assert utc(datetime(2026, 3, 1, 20, 0, tzinfo=CHINA)) == NOON
    assert utc(NOON).tzinfo is UTC
    with pytest.raises(ValueError, match="without a zone"):
        utc(datetime(2026, 3, 1))


def test_records_are_values() -> None:
    seen = Detection("excavator", 0.9, (1, 2, 3, 4), polygon=((0, 0), (1, 0), (1, 1)), attributes={"a": 1})
    assert pickle.loads(pickle.dumps(seen)) == seen
    with pytest.raises((FrozenInstanceError, AttributeError)):
        seen.score = 1.0  # type: ignore[misc]
