"""Which findings are one story, and what of it is news."""

from __future__ import annotations

from itertools import permutations

import pytest

from huoyan import incidents
from huoyan.incidents import Store
from huoyan.records import Finding, Priority, Unplaced, VehicleFinding, incident_id

from .conftest import Put, find, ground

NOWHERE = Unplaced("above the horizon")


def truck(plate: str) -> dict[str, object]:
    return {"scene": "unapproved_vehicle", "vehicle": VehicleFinding(plate, "yellow", 1.0, ("M01",))}


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        (find(), find(days=1), True),
        (find(), find(ground(14), days=1), True),
        (find(), find(ground(17), days=1), False),
        (find(ground(error=10)), find(ground(25, error=10), days=1), True),
        (find(ground(error=10)), find(ground(30, error=10), days=1), False),
        (find(ground(error=400)), find(ground(290, error=400), days=1), True),
        (find(ground(error=400)), find(ground(310, error=400), days=1), False),
        (find(), find(days=13.9), True),
        (find(), find(days=14.1), False),
        (find(), find(days=-13.9), True),
        (find(), find(days=1, scene="scaffolding"), False),
        (find(), find(days=1, stage="piling"), True),
        (find(), find(days=1, kind="satellite", place=ground(60, half=50)), True),
        (find(), find(days=1, kind="satellite", place=ground(80, half=50)), False),
        (find(footprint="b-1"), find(ground(40), days=1, footprint="b-1"), True),
        (find(footprint="b-1"), find(ground(40), days=1, footprint="b-2"), False),
        (find(**truck("浙D1")), find(days=0.1, **truck("浙D·1")), True),
        (find(**truck("浙D1")), find(days=0.1, **truck("浙D2")), False),
        (find(NOWHERE), find(NOWHERE, days=1), True),
        (find(NOWHERE), find(NOWHERE, days=1, source="camera-2"), False),
        (find(NOWHERE), find(NOWHERE, days=1, zones=("other",)), False),
        (find(), find(NOWHERE, days=1), True),
        (find(NOWHERE), find(days=1), False),
    ],
)
def test_what_is_one_story(put: Put, store: Store, first: Finding, second: Finding, one: bool) -> None:
    put(first, second)
    assert len(store.incidents()) == (1 if one else 2)


def test_an_incident_keeps_what_its_looks_tell(put: Put, store: Store) -> None:
    (told,) = put(find(ground(error=8), confidence=0.6, looks=3))
    assert told.why == "new" and told.incident.revision == 1 and told.incident.status == "open"
    put(find(ground(3, error=4), days=1, confidence=0.9), find(days=-1, confidence=0.5, source="camera-2"))
    (kept,) = store.incidents()
    assert kept.incident_id == incident_id("earthwork", told.finding.frame.frame_id, told.finding.place)
    assert (kept.looks, kept.confidence, kept.sources) == (5, 0.9, ("camera-1", "camera-2"))
    assert kept.place == ground(error=2), "the best known place"
    assert (kept.last_seen - kept.first_seen).days == 2
    assert kept.revision == 1


def test_a_static_thing_told_once_stays_silent(put: Put) -> None:
    told = put(*(find(ground(i % 3), days=i / 24) for i in range(200)))
    assert [revision.why for revision in told] == ["new"]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"stage": "piling"}, "stage"),
        ({"kind": "drone"}, "sensor"),
        ({"extent_m2": 150.0}, "extent"),
        ({"extent_m2": 149.0}, None),
        ({"source": "camera-2"}, None),
        ({"confidence": 0.99}, None),
        ({"zones": ("plot", "road")}, None),
        ({"permit": "lapsed"}, None),
    ],
)
def test_what_is_news(put: Put, second: dict[str, object], why: str | None) -> None:
    put(find(extent_m2=100.0))
    told = put(find(days=1, **second))  # type: ignore[arg-type]
    assert [revision.why for revision in told] == ([why] if why else [])
    if told:
        assert told[0].incident.revision == 2 and told[0].incident.status == "updated"
    assert put(find(days=2, **second)) == [], "told once"  # type: ignore[arg-type]


def test_an_extent_that_hovers_is_told_once_for_every_half_more(put: Put) -> None:
    extents = [100, 149, 151, 149, 151, 150, 160, 151, 226, 228, 151]
    told = put(*(find(days=i, extent_m2=float(m2)) for i, m2 in enumerate(extents)))
    assert [r.finding.extent_m2 for r in told] == [100, 151, 228]


@pytest.mark.parametrize(
    ("second", "days", "priority"),
    [
        ({"kind": "drone"}, 6.9, Priority.HIGH),
        ({"kind": "drone"}, 7.1, Priority.NORMAL),
        ({"stage": "piling"}, 3.0, Priority.HIGH),
        ({"source": "camera-2"}, 1.0, Priority.NORMAL),
    ],
)
def test_a_second_sensor_or_stage_within_a_week_raises_the_priority(
    put: Put, store: Store, second: dict[str, object], days: float, priority: Priority
) -> None:
    put(find(), find(days=days, **second))  # type: ignore[arg-type]
    assert store.incidents()[0].priority is priority


def test_the_priority_is_raised_by_one_step_in_all(put: Put, store: Store) -> None:
    put(find(), find(days=1, kind="drone"), find(days=2, stage="piling"), find(days=3, kind="satellite"))
    assert store.incidents()[0].priority is Priority.HIGH
    put(
        find(ground(500), priority=Priority.URGENT),
        find(ground(500), days=1, kind="drone", priority=Priority.URGENT),
    )
    assert store.incidents()[1].priority is Priority.URGENT


def test_two_sensors_are_surer_than_one(put: Put, store: Store) -> None:
    put(find(confidence=0.8), find(days=1, kind="drone", confidence=0.5))
    assert store.incidents()[0].confidence == pytest.approx(0.9)


def test_a_permit_that_lapses_is_told(put: Put, store: Store) -> None:
    put(find())
    assert put(find(days=5, permit="covered"), find(days=16, permit="covered")) == []
    assert store.incidents()[0].permit.result == "covered"
    (told,) = put(find(days=20, permit="lapsed"))
    assert told.why == "permit_lapsed" and told.incident.revision == 2
    assert put(find(days=21, permit="lapsed")) == []


def test_what_was_always_lawful_is_new_when_its_permit_lapses(put: Put) -> None:
    assert put(find(permit="covered"), find(days=5, permit="covered")) == []
    (told,) = put(find(days=6, permit="lapsed"))
    assert told.why == "new" and told.incident.permit.result == "lapsed"


def test_lawful_things_are_kept_with_their_permit(put: Put, store: Store) -> None:
    put(
        find(permit="covered"),
        find(ground(5), days=1, permit="covered"),
        find(ground(90), days=2, permit="covered"),
    )
    kept = store.permitted()
    assert [(finding.permit.permit_id, looks) for finding, looks in kept] == [("P-1", 2), ("P-1", 1)]
    assert store.incidents() == []


def test_one_frame_tells_one_revision_of_a_story(store: Store) -> None:
    with store.transaction():
        told = incidents.associate(store, [find(), find(stage="piling"), find(ground(200))])
    assert [(r.why, r.incident.stages) for r in told] == [
        ("new", ("digging", "piling")),
        ("new", ("digging",)),
    ]
    assert store.incidents()[0].looks == 1
    with store.transaction():
        (told_again,) = incidents.associate(
            store, [find(days=1, stage="boring"), find(days=1, extent_m2=9.0)]
        )
    assert told_again.why == "stage" and told_again.incident.revision == 2


def test_two_trucks_in_one_picture_without_a_place_are_two_stories(store: Store) -> None:
    with store.transaction():
        told = incidents.associate(store, [find(NOWHERE, **truck("浙D1")), find(NOWHERE, **truck("浙D2"))])
    assert len({revision.incident.incident_id for revision in told}) == 2


def test_the_nearest_of_several_stories_takes_it_in(put: Put, store: Store) -> None:
    put(find(ground(0)), find(ground(20), days=1))
    put(find(ground(12), days=2))
    assert [incident.looks for incident in store.incidents()] == [1, 2]


def test_sources_may_come_in_any_order(
    put: Put, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Slightly out of order between sources: the same stories, whatever came first."""
    looks = [find(source=f"camera-{i}", days=i / 1440) for i in range(4)] + [find(ground(100), days=0.5)]
    seen = set()
    for number, order in enumerate(permutations(looks[:4])):
        with incidents.open_store(tmp_path_factory.mktemp(f"order{number}")) as other:
            with other.transaction():
                incidents.associate(other, [*order, looks[4]])
            found = other.incidents()
            seen.add(tuple((i.looks, i.first_seen, i.last_seen, i.revision) for i in found))
    assert len(seen) == 1


def test_a_finding_is_matched_without_reading_the_whole_table(put: Put, store: Store) -> None:
    put(find())
    statements: list[str] = []
    store.connection.set_trace_callback(statements.append)
    put(find(days=1), find(NOWHERE, days=1), find(days=1, permit="covered"))
    store.connection.set_trace_callback(None)
    for statement in statements:
        if statement.startswith(("SELECT", "UPDATE")):
            plan = [row[3] for row in store.connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            assert not [step for step in plan if step.startswith("SCAN")], (statement, plan)


@pytest.mark.parametrize(("reach", "stories"), [(0.0, 2), (40.0, 1)])
def test_the_sides_of_a_fence_are_one_story(put: Put, store: Store, reach: float, stories: int) -> None:
    put(find(ground(0, 0), reach_m=reach), find(ground(30, 0), days=1, reach_m=reach))
    assert len(store.incidents()) == stories
