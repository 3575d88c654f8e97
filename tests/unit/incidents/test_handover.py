"""A story goes on in another state: same id, next revision, verdicts and all."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from huoyan import incidents
from huoyan.incidents import Store, handover
from huoyan.incidents.handover import Story
from huoyan.records import Placement, Revision

from .conftest import START, Put, find, ground


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with incidents.open_store(tmp_path / "other") as store:
        yield store


def handed(store: Store, *sources: str) -> list[Story]:
    """The stories of sources, as they arrive elsewhere."""
    text = json.dumps(handover.stories(store.connection, sources or ("camera-1",)))
    found: list[Story] = json.loads(text)
    return found


def take(store: Store, stories: list[Story]) -> list[bool]:
    with store.transaction():
        return [handover.take(store, story) for story in stories]


def see(store: Store, *findings: object) -> list[Revision]:
    with store.transaction():
        return incidents.associate(store, findings)  # type: ignore[arg-type]


def test_a_story_goes_on_elsewhere(put: Put, store: Store, other: Store) -> None:
    (told,) = put(find())
    assert take(other, handed(store)) == [True]
    assert other.incidents() == store.incidents()
    assert see(other, find(days=0.1)) == []
    (news,) = see(other, find(days=0.2, stage="piling"))
    assert (news.incident.incident_id, news.incident.revision, news.why) == (
        told.incident.incident_id,
        2,
        "stage",
    )


def test_the_later_version_wins(put: Put, store: Store, other: Store) -> None:
    put(find())
    old = handed(store)
    take(other, old)
    put(find(days=1))
    seen_again = handed(store)
    assert take(other, seen_again) == [True]
    assert take(other, seen_again) == [False]
    assert take(other, old) == [False]
    see(other, find(days=0.5, stage="piling"))
    assert other.incidents()[0].revision == 2
    # Told more often beats seen later.
    put(find(days=2))
    assert take(other, handed(store)) == [False]
    assert other.incidents()[0].revision == 2


def test_only_what_a_source_has_seen_is_handed_on(put: Put, store: Store) -> None:
    put(find(), find(ground(500), source="camera-2"), find(ground(1000), source="camera-2/gate"))
    assert len(handed(store, "camera-2", "camera-2/gate")) == 2
    assert len(handed(store, "camera-3")) == 0


def test_a_rejected_place_stays_silent_elsewhere(put: Put, store: Store, other: Store) -> None:
    (told,) = put(find())
    rejected = (told.incident.incident_id, "rejected", START + timedelta(hours=1))
    with store.transaction():
        first = incidents.pass_verdict(store, *rejected)  # type: ignore[arg-type]
    take(other, handed(store))
    assert see(other, find(days=1)) == []
    with other.transaction():
        assert incidents.pass_verdict(other, *rejected) == first  # type: ignore[arg-type]


def test_what_is_handed_on_is_bounded(put: Put, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "MOST", 2)
    put(*(find(ground(500 * number), days=number) for number in range(4)))
    latest = [json.loads(story["incidents"][0]["document"])[0]["last_seen"] for story in handed(store)]
    assert [text[:10] for text in latest] == ["2026-03-13", "2026-03-12"]


def test_marks_tell_what_is_worth_writing(put: Put, store: Store) -> None:
    def mark() -> int:
        return handover.marks(store.connection, START)["camera-1"]

    put(find())
    first = mark()
    put(find(days=1 / 86400))
    assert mark() == first
    put(find(days=0.02))
    seen = mark()
    assert seen != first
    put(find(days=0.02 + 1 / 86400, stage="piling"))
    assert mark() != seen
    assert handover.marks(store.connection, START + timedelta(days=1)) == {}


def test_what_is_no_story_changes_nothing(put: Put, store: Store, other: Store) -> None:
    put(find())
    (story,) = handed(store)
    row = story["incidents"][0]
    for damaged, error in (
        ({}, KeyError),
        ({**story, "incidents": []}, ValueError),
        ({**story, "incidents": [{**row, "x; DROP TABLE incidents": 1}]}, ValueError),
        ({**story, "incidents": [{**row, "colour": 1}]}, ValueError),
        ({**story, "incidents": [{**row, "finding": "{}"}]}, ValueError),
        ({**story, "mutes": [{"scene": None}]}, ValueError),
    ):
        with pytest.raises(error):
            take(other, [damaged])  # type: ignore[list-item]
    assert other.incidents() == []


def test_an_endless_error_radius_is_handed_on_too(put: Put, store: Store, other: Store) -> None:
    put(find(Placement(120.9, 29.5, math.inf, "test")))
    assert handover.marks(store.connection, START)
    assert take(other, handed(store)) == [True]
    assert take(other, handed(store)) == [False]
    assert other.incidents() == store.incidents()


def test_what_goes_on_is_handed_on_before_what_is_over(
    put: Put, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "MOST", 3)
    put(find())
    put(*(find(ground(500 + 300 * number), days=1 + number, window_s=60.0) for number in range(5)))
    with store.transaction():
        incidents.expire(store, START + timedelta(days=10))
    states = [story["incidents"][0]["status"] for story in handed(store)]
    assert states == ["open", "expired", "expired"]


def test_two_boxes_that_know_one_story_never_tell_one_revision(put: Put, store: Store, other: Store) -> None:
    # Two cameras of a box saw it; then each is another box's.
    put(find(), find(days=0.01, source="camera-2"))
    take(other, handed(store, "camera-2"))
    other.ours = lambda incident: incident.sources[0] == "camera-2"
    assert see(other, find(days=0.1, source="camera-2")) == []
    (there,) = see(other, find(days=0.2, source="camera-2", stage="piling"))
    (here,) = put(find(days=0.2, stage="piling"))
    assert (here.incident.revision, here.why) == (2, "stage")
    assert (there.incident.revision, there.why) == (1, "new")
    assert there.incident.incident_id != here.incident.incident_id
    assert see(other, find(days=0.3, source="camera-2", stage="piling")) == []
