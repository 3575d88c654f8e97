"""What trucks did before a camera goes on in another state: trips, levels, and nothing of other cameras."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from huoyan.records import Placement
from huoyan.vehicles import handover
from huoyan.vehicles.handover import Past
from huoyan.vehicles.history import History

from .test_history import LATE, START, A, passage, road

NOW = START + timedelta(hours=2)


@pytest.fixture
def other() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def handed(history: History, source: str = "road-1") -> Past:
    """As it arrives elsewhere."""
    past: Past = json.loads(json.dumps(handover.past(history.connection, source, NOW)))
    return past


def test_a_trip_goes_on_elsewhere(history: History, other: sqlite3.Connection) -> None:
    first = history.record(road(passage(), LATE))
    assert first is not None
    handover.take(other, handed(history))
    there = History(other)
    assert there.passages() == history.passages()
    assert there.violations() == history.violations()
    second = there.record(road(passage(10.0), LATE))
    assert second is not None
    assert second.trip_id == first.trip_id
    assert (
        there.standing(A, NOW)
        == history.standing(A, NOW)
        != History(history.connection).standing("浙B1", NOW)
    )
    # What comes again changes nothing.
    before = there.passages()
    handover.take(other, handed(history))
    assert there.passages() == before


def test_only_the_camera_s_own_and_only_lately(history: History) -> None:
    history.record(road(passage(source="road-1"), LATE))
    history.record(road(passage(source="road-10"), LATE))
    history.record(road(passage(source='路"1'), LATE))
    history.record(road(passage(-60 * 30.0), LATE))
    assert [row["entry_id"] for row in handed(history)["vehicle_passages"]] == ["road-1@0"]
    # Of the older one its violation stays: levels ask for it.
    assert len(handed(history)["vehicle_violations"]) == 2
    assert [row["entry_id"] for row in handed(history, '路"1')["vehicle_passages"]] == ['路"1@0']
    assert handed(history, "road-2") == {"vehicle_passages": [], "vehicle_violations": []}


def test_what_is_handed_on_is_bounded(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "MOST_PASSAGES", 4)
    monkeypatch.setattr(handover, "MOST_VIOLATIONS", 2)
    for minute in range(6):
        history.record(road(passage(float(minute)), LATE))
    past = handed(history)
    assert [row["entry_id"] for row in past["vehicle_passages"]] == [f"road-1@{n}" for n in (5, 4, 3, 2)]
    assert [row["entry_id"] for row in past["vehicle_violations"]] == ["road-1@5", "road-1@4"]
    assert [len(rows) for rows in handover.halved(past).values()] == [2, 1]


def test_an_endless_error_radius_is_handed_on_too(history: History, other: sqlite3.Connection) -> None:
    history.record(road(replace(passage(), place=Placement(120.9, 29.5, math.inf, "test")), LATE))
    handover.take(other, handed(history))
    assert History(other).passages() == history.passages()


def test_a_state_without_trucks_hands_nothing_on(other: sqlite3.Connection) -> None:
    assert handover.past(other, "road-1", NOW) == {}
    handover.take(other, {})
    assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_what_is_no_past_changes_nothing(history: History, other: sqlite3.Connection) -> None:
    history.record(road(passage(), LATE))
    past = handed(history)
    (row,), (held,) = past.values()
    for damaged, error in (
        ({"vehicle_passages": [row]}, KeyError),
        ({**past, "vehicle_passages": [{**row, "appearance": "no"}]}, ValueError),
        ({**past, "vehicle_passages": [{**row, "appearance": None}]}, TypeError),
        ({**past, "vehicle_passages": [{**row, "plate": None}]}, ValueError),
        ({**past, "vehicle_passages": [{**row, "time_ms": 2**63}]}, ValueError),
        ({**past, "vehicle_passages": [{**row, "plate": "\ud800"}]}, ValueError),
        ({**past, "vehicle_violations": [{**held, "code": ["M01"]}]}, ValueError),
        ({**past, "vehicle_violations": [{**held, "code = 1; --": 1}]}, ValueError),
        ({**past, "vehicle_violations": [7]}, TypeError),
    ):
        with pytest.raises(error):
            handover.take(other, damaged)  # type: ignore[arg-type]
    assert History(other).passages() == []
