"""What is kept of vehicles, and what is not: the door, revisions, questions."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huoyan.config_vehicles import Levels, Vehicles
from huoyan.errors import StorageError
from huoyan.passage import GateEvent, Passage, PlateReading, Reason, SmartPassage, Verdict
from huoyan.records import Placement, Unplaced
from huoyan.vehicles import entry, tables
from huoyan.vehicles.entry import Entry
from huoyan.vehicles.history import History, may_be_kept, open_history

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
A, B = "浙A12345", "浙B67890"
LATE = Reason("M03", "时段外", "outside its hours", 0.97)
BARE = Reason("M08", "未覆盖", "not covered", 0.9)


def reading(plate: str, confidence: float = 0.98) -> PlateReading:
    return PlateReading(plate, plate, "yellow", "yellow_single", confidence)


def passage(
    minute: float = 0.0, plate: str = A, label: str = "dump_truck", name: str = "", source: str = "road-1"
) -> Passage:
    first = START + timedelta(minutes=minute)
    return Passage(
        passage_id=name or f"{source}@{minute:g}",
        source_id=source,
        label=label,
        first_seen=first,
        last_seen=first + timedelta(seconds=8),
        plate=reading(plate) if plate else PlateReading(),
        place=Placement(120.9, 29.5, 4.0, "homography"),
        appearance=(0.6, 0.8),
    )


def road(one: Passage, *reasons: Reason, registered: bool = False, review: str = "") -> Entry:
    return entry.of_passage(one, Verdict(one.plate.text, registered, tuple(reasons), review))


def everything(history: History) -> str:
    """All that the database holds, as text: its dump, and the bytes of its files."""
    name = Path(history.connection.execute("PRAGMA database_list").fetchone()[2])
    files = b"".join(path.read_bytes() for path in sorted(name.parent.glob(f"{name.name}*")))
    return "\n".join(history.connection.iterdump()) + files.decode("utf-8", "ignore")


# ---------------------------------------------------------------------------------------------------- the door
@pytest.mark.parametrize(
    ("label", "registered", "reasons", "kept"),
    [
        ("car", False, (), False),
        ("excavator", False, (), False),
        ("", False, (), False),
        ("car", False, (BARE,), True),
        ("car", True, (), True),
        ("dump_truck", False, (), True),
        ("mixer_truck", False, (), True),
        ("loader", False, (), True),
        ("truck", False, (), False),
        ("truck", True, (), True),
    ],
)
def test_the_door(
    history: History, label: str, registered: bool, reasons: tuple[Reason, ...], kept: bool
) -> None:
    one = road(passage(label=label), *reasons, registered=registered)
    assert may_be_kept(one) is kept
    assert (history.record(one) is not None) is kept
    assert (A in everything(history)) is kept
    assert bool(history.passages(A)) is kept
    assert bool(history.violations()) is bool(reasons)


def test_a_revision_that_clears_a_car_takes_its_plate_out_again(history: History) -> None:
    """First it looked like a truck; the whole passage says that it is a car."""
    history.record(road(passage(), LATE))
    later = passage(label="car")
    assert history.record(road(replace(later, last_seen=later.last_seen + timedelta(seconds=9)))) is None
    assert (history.passages(), history.violations(), history.plates()) == ([], [], [])
    history.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert A not in everything(history), "not in free pages either"
    # The early one again, late: it stays out.
    assert history.record(road(passage(), LATE)) is None
    assert history.passages() == []


def test_a_reading_that_may_be_somebody_elses_counts_against_nobody(history: History) -> None:
    kept = history.record(road(passage(), LATE, review=f"{A} is one likely mistake away from {B}"))
    assert kept is not None
    assert history.violations() == []
    assert history.standing(A, START + timedelta(days=1)).level == "green"
    assert history.passages(A)[0].review.startswith(A)


def test_an_unreadable_truck_has_no_level_and_no_line(history: History) -> None:
    for minute in range(5):
        history.record(road(passage(60.0 * minute, ""), BARE))
    assert len(history.violations()) == 5
    assert history.summaries(START + timedelta(days=1)) == []
    assert history.standing("", START + timedelta(days=1)).level == "green"
    assert history.sightings("", START + timedelta(days=1), 1e6) == []


# ------------------------------------------------------------------------------------------- once, and revised
def test_what_comes_twice_is_kept_once(history: History) -> None:
    one = road(passage(), LATE, BARE)
    first, again = history.record(one), history.record(one)
    assert first == again
    assert len(history.passages()) == 1
    assert len(history.violations()) == 2
    assert history.knows(passage())
    assert not history.knows(passage(1))


def test_a_later_revision_takes_the_place_of_an_earlier_one(history: History) -> None:
    early = passage(plate="")
    whole = replace(early, plate=reading(A), last_seen=early.last_seen + timedelta(seconds=5))
    first = history.record(road(early))
    assert not history.knows(whole)
    second = history.record(road(whole, LATE))
    assert first is not None and second is not None and first.trip_id == second.trip_id
    # The early one comes late: nothing changes.
    history.record(road(early))
    assert [one.plate for one in history.passages()] == [A]
    assert [one.code for one in history.violations(A)] == ["M03"]


def test_a_passage_keeps_the_trip_that_was_told(history: History) -> None:
    """Unreadable it was taken for the truck before it; that it is another one is known too late."""
    first = history.record(road(passage(0)))
    early = passage(1, plate="", name="p")
    taken = history.record(road(early))
    assert first is not None and taken is not None and taken.trip_id == first.trip_id
    whole = replace(early, plate=reading(B), last_seen=early.last_seen + timedelta(seconds=5))
    later = history.record(road(whole))
    assert later is not None and later.trip_id == first.trip_id


def test_it_joins_the_callers_transaction(history: History) -> None:
    history.connection.execute("BEGIN IMMEDIATE")
    history.record(road(passage(), LATE))
    history.connection.execute("ROLLBACK")
    assert history.passages() == []
    history.record(road(passage(), LATE))
    assert len(history.passages()) == 1


def test_a_kept_passage_comes_back_as_it_was(history: History) -> None:
    verdict = Verdict(A, True, (LATE,), company="土方公司", permit="P-7", readings=(A, B))
    one = replace(
        entry.of_passage(passage(), verdict),
        place=Unplaced("above the horizon"),
        cover="covered",
        direction="enter",
    )
    kept = history.record(one)
    (back,) = history.passages("浙 A·12345")
    assert kept is not None
    assert (back.trip_id, back.time, back.place, back.cover) == (kept.trip_id, START, one.place, "covered")
    assert (back.company, back.permit, back.readings, back.direction) == ("土方公司", "P-7", (A, B), "enter")
    assert (back.confidence, back.colour, back.label, back.source_id) == (
        0.98,
        "yellow",
        "dump_truck",
        "road-1",
    )


# -------------------------------------------------------------------------------------------------- gate events
def test_an_event_of_a_gate(history: History) -> None:
    smart = SmartPassage("s1", "smart-1", "north", START, START, reading(A), pictures=("gate/a.jpg",))
    event = GateEvent(
        "north-1",
        "north",
        START,
        "enter",
        "hold",
        "over its load limit",
        Verdict(A, True, (Reason("M06", "超载", "over"),), company="土方公司"),
        passages=(passage(name="p"), passage(0.1, name="q")),
        smart=(smart,),
        gross_kg=49_000.0,
        tare_kg=15_000.0,
    )
    kept = history.record(entry.of_event(event, "yard"))
    assert kept is not None and kept.last_seen == START + timedelta(seconds=14)
    (seen,) = history.passages(A)
    assert (seen.where, seen.site, seen.outcome, seen.why) == ("gate", "yard", "hold", "over its load limit")
    (weighed,) = history.weights(A)
    assert (weighed.gross_kg, weighed.tare_kg, weighed.net_kg) == (49_000.0, 15_000.0, 34_000.0)
    (earlier,) = history.sightings(A, START, 60)
    assert (earlier.site, earlier.direction) == ("yard", "enter")


def test_an_event_without_a_camera_keeps_no_stranger(history: History) -> None:
    smart = SmartPassage("s1", "smart-1", "north", START, START, reading(A))
    event = GateEvent("e", "north", START, "enter", "review", "no camera", Verdict(A, False), smart=(smart,))
    assert history.record(entry.of_event(event)) is None
    assert A not in everything(history)


def test_any_truck_at_a_gate_is_kept(history: History) -> None:
    event = GateEvent(
        "e", "north", START, "enter", "review", "near", Verdict(A, False), passages=(passage(label="truck"),)
    )
    assert history.record(entry.of_event(event, "yard")) is not None


# ---------------------------------------------------------------------------------------------------- questions
def test_a_reason_counts_once_a_trip_and_not_against_itself(history: History) -> None:
    for minute, source in ((0, "road-1"), (5, "road-2"), (9, "road-3")):
        kept = history.record(road(passage(minute, source=source), LATE))
    assert kept is not None
    later = START + timedelta(hours=1)
    assert history.standing(A, later).en == "yellow: 1 in 90 days: M03"
    assert history.standing(A, later, besides=kept.trip_id).level == "green"
    assert history.standing(A, START).points == 1
    assert history.standing(A, START - timedelta(seconds=1)).level == "green"


def test_the_worst_come_first(history: History) -> None:
    for day in range(3):
        history.record(road(passage(1440.0 * day), LATE))
    history.record(road(passage(5000, "浙C00001")))
    history.record(road(passage(4900, B), BARE))
    found = history.summaries(START + timedelta(days=4))
    assert [(one.plate, one.standing.level, one.passages, one.violations) for one in found] == [
        (A, "red", 3, 3),
        (B, "yellow", 1, 1),
        ("浙C00001", "green", 1, 0),
    ]


def test_the_rule_is_the_configurations(history: History) -> None:
    strict = History(history.connection, Vehicles(levels=Levels(yellow=1, red=1)))
    strict.record(road(passage(), LATE))
    assert strict.standing(A, START).level == "red"
    assert history.standing(A, START).level == "yellow"


# ------------------------------------------------------------------------------------------------ the database
def test_a_later_version_is_refused(history: History, tmp_path: Path) -> None:
    history.connection.execute("UPDATE vehicle_state SET value = 99 WHERE key = 'version'")
    with pytest.raises(StorageError, match="version 99"):
        open_history(tmp_path)


def test_opening_makes_no_database_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no state here"):
        open_history(tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_an_old_state_gets_its_tables(tmp_path: Path) -> None:
    from huoyan.incidents import open_store

    open_store(tmp_path).close()
    opened = open_history(tmp_path)
    assert opened.passages() == []
    opened.connection.close()


# ----------------------------------------------------------------------------------------------------- property
@st.composite
def deliveries(draw: st.DrawFn) -> list[Entry]:
    """Passages of cars and trucks, each in one or two revisions, some delivered twice, in any order of revisions."""
    found: list[Entry] = []
    for number in range(draw(st.integers(1, 8))):
        one = passage(
            draw(st.floats(0, 600)),
            draw(st.sampled_from(["", A, B])),
            draw(st.sampled_from(["car", "dump_truck"])),
            name=f"p{number}",
        )
        reasons = draw(st.sampled_from([(), (LATE,), (LATE, BARE)]))
        found.append(road(one, *reasons))
        if draw(st.booleans()):
            more = replace(one, last_seen=one.last_seen + timedelta(seconds=4))
            found.append(road(more, *draw(st.sampled_from([(), (BARE,)]))))
    return found + [one for one in found if draw(st.booleans())]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(deliveries(), st.randoms())
def test_only_what_may_be_kept_is_and_once(found: list[Entry], dice: random.Random) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    history = History(connection)
    for one in found:
        history.record(one)
    last: dict[str, Entry] = {}
    for one in found:
        if one.entry_id not in last or one.last_seen >= last[one.entry_id].last_seen:
            last[one.entry_id] = one
    expected = {name: one for name, one in last.items() if may_be_kept(one)}
    assert {one.entry_id for one in history.passages()} == set(expected)
    held = {(one.entry_id, one.code) for one in history.violations()}
    assert held == {(n, r.code) for n, one in expected.items() for r in one.verdict.reasons}
    # Delivering everything again changes nothing, trips included.
    before = list(connection.iterdump())
    again = list(last.values())
    dice.shuffle(again)
    for one in again:
        history.record(one)
    assert list(connection.iterdump()) == before
    connection.close()


def test_every_table_of_plates_is_emptied_with_its_entry() -> None:
    """A new table with plates must join the door's forgetting."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    History(connection)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    with_plates = [
        name
        for name in names
        if any(column[1] == "plate" for column in connection.execute(f"PRAGMA table_info({name})"))
    ]
    assert sorted(with_plates) == sorted(tables.OF_ENTRIES)
    connection.close()
