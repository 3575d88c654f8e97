"""Verdicts, mutes, hard negatives and expiry."""

from __future__ import annotations

from datetime import timedelta

import pytest

from huoyan import incidents
from huoyan.errors import StorageError
from huoyan.incidents import Store
from huoyan.records import Revision, Unplaced

from .conftest import DAY, START, Put, find, ground

NOWHERE = Unplaced("no calibration")


def judge(store: Store, verdict: str, days: float = 1.0, **more: object) -> Revision:
    incident = store.incidents()[0]
    with store.transaction():
        return incidents.pass_verdict(
            store,
            incident.incident_id,
            verdict,  # type: ignore[arg-type]
            START + timedelta(days=days),
            **more,  # type: ignore[arg-type]
        )


@pytest.mark.parametrize("verdict", ["confirmed", "rejected", "resolved"])
def test_a_verdict_is_told(put: Put, store: Store, verdict: str) -> None:
    put(find())
    told = judge(store, verdict)
    assert (told.why, told.incident.status, told.incident.revision) == ("verdict", verdict, 2)
    assert store.incidents()[0] == told.incident
    assert [r.why for r in store.revisions(told.incident.incident_id)] == ["new", "verdict"]


def test_a_verdict_that_is_repeated_changes_nothing(put: Put, store: Store) -> None:
    put(find())
    assert judge(store, "confirmed") == judge(store, "confirmed", days=3)
    assert len(store.revisions()) == 2


def test_a_verdict_on_nothing_says_so(store: Store) -> None:
    with store.transaction(), pytest.raises(StorageError, match="x-1: there is no such incident"):
        incidents.pass_verdict(store, "x-1", "confirmed", START)


def test_of_verdicts_from_two_states_the_later_stands(put: Put, store: Store) -> None:
    (told,) = put(find())
    name = told.incident.incident_id

    def hear(verdict: str, days: float) -> bool:
        with store.transaction():
            time = START + timedelta(days=days)
            return incidents.hear_verdict(store, name, verdict, time)  # type: ignore[arg-type]

    judge(store, "confirmed", days=2)
    assert not hear("rejected", 1)
    assert not hear("confirmed", 3)
    assert hear("rejected", 3)
    assert store.incidents()[0].status == "rejected"
    assert put(find(days=4, stage="piling")) == []
    with store.transaction():
        assert not incidents.hear_verdict(store, "x-1", "rejected", START)


def test_what_was_confirmed_goes_on(put: Put, store: Store) -> None:
    put(find())
    judge(store, "confirmed")
    (told,) = put(find(days=2, stage="piling"))
    assert (told.incident.status, told.incident.revision) == ("confirmed", 3)


@pytest.mark.parametrize(
    ("later", "silent"),
    [
        ({}, True),
        ({"place": ground(12)}, True),
        ({"days": 30.9}, True),
        ({"days": 31.1}, False),
        ({"place": ground(40)}, False),
        ({"scene": "scaffolding"}, False),
        ({"label": "loader"}, False),
        ({"kind": "drone"}, False),
        ({"source": "camera-2"}, True),
    ],
)
def test_a_rejected_place_scene_and_look_stays_silent(
    put: Put, store: Store, later: dict[str, object], silent: bool
) -> None:
    put(find())
    judge(store, "rejected")
    told = put(find(**{"days": 2.0, **later}))  # type: ignore[arg-type]
    assert (told == []) is silent
    assert store.incidents()[0].looks == 1


def test_a_mute_can_be_longer_or_shorter(put: Put, store: Store) -> None:
    put(find())
    judge(store, "rejected", mute_s=DAY)
    assert put(find(days=1.9)) == []
    assert [r.why for r in put(find(days=2.1))] == ["new"]


def test_a_rejected_thing_without_a_place_is_muted_by_source_and_zone(put: Put, store: Store) -> None:
    put(find(NOWHERE))
    judge(store, "rejected")
    assert put(find(NOWHERE, days=2)) == []
    assert len(put(find(NOWHERE, days=2, source="camera-2"), find(NOWHERE, days=2, zones=("other",)))) == 2


def test_rejected_pictures_become_hard_negatives(put: Put, store: Store) -> None:
    put(find(), find(days=0.5, kind="drone"), find(ground(500)))
    judge(store, "rejected", note="a playground")
    kept = incidents.hard_negatives(store)
    assert [(f.frame.source_id, f.evidence[0].detection.label, note) for f, note in kept] == [
        ("camera-1", "excavator", "a playground"),
        ("drone-1", "excavator", "a playground"),
    ]
    assert put(find(days=2, kind="drone")) == [], "every look of the incident is muted"


def test_after_it_is_resolved_a_new_story_begins(put: Put, store: Store) -> None:
    put(find())
    judge(store, "resolved", days=2)
    assert put(find(days=1.5)) == [], "a picture from before comes late"
    (told,) = put(find(days=2.5))
    assert told.why == "new" and len(store.incidents()) == 2


def test_nobody_saw_it_for_its_window(put: Put, store: Store) -> None:
    put(find(), find(ground(500), days=10))
    for days, expired in ((14.0, 0), (14.1, 1), (14.2, 0)):
        with store.transaction():
            assert incidents.expire(store, START + timedelta(days=days)) == expired
    assert [incident.status for incident in store.incidents()] == ["expired", "open"]
    assert len(store.revisions()) == 2, "expiry is not told"
    assert [r.why for r in put(find(days=15))] == ["new"]


def test_expiry_does_not_change_which_story_a_late_picture_joins(put: Put, store: Store) -> None:
    put(find())
    with store.transaction():
        incidents.expire(store, START + timedelta(days=20))
    assert put(find(days=13)) == []
    assert store.incidents()[0].status == "open"


def test_a_confirmed_story_waits_for_its_end(put: Put, store: Store) -> None:
    put(find())
    judge(store, "confirmed")
    with store.transaction():
        assert incidents.expire(store, START + timedelta(days=400)) == 0
