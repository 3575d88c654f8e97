"""The desk: what cameras and devices say of one truck becomes one event, decided, amended, never rewritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from huoyan.gate import log
from huoyan.registry import Registry

from ...support.gates import BEGIN, passage, push, washing, weighing
from .conftest import World

GOOD, EXPIRED, STRANGER = "浙D3C916", "浙D9H137", "浙A55555"


def at(second: float) -> Any:
    return BEGIN + timedelta(seconds=second)


def codes(entry: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in entry["reasons"]]


def test_an_approved_truck_with_its_weight(world: World) -> None:
    world.say("weighing", weighing(1, at(-5), 29400))
    world.see(passage(GOOD, at(0)))
    (decided,) = world.work()
    (entry,) = world.entries()
    assert (entry["outcome"], entry["gross_kg"], entry["company"]) == ("open", 29400, "一公司")
    assert entry["time"] == "2026-03-24T10:00:00.000+08:00"
    assert entry["sources"] == ["gate-in", "scale-1"] and entry["unknown"] == []
    assert decided.revision == 1 and decided.event.net_kg is None


@pytest.mark.parametrize(
    ("plate", "kg", "outcome", "reasons"),
    [
        (GOOD, 29900, "open", []),
        (GOOD, 30600, "hold", ["M06"]),
        (EXPIRED, 29900, "hold", ["M02"]),
        (STRANGER, 29900, "hold", ["M01"]),
        ("", 60000, "review", []),
        # One likely mistake away from an approved one.
        ("浙D3C91G", 29900, "review", []),
    ],
)
def test_decisions_on_the_way_in(
    world: World, plate: str, kg: float, outcome: str, reasons: list[str]
) -> None:
    world.say("weighing", weighing(1, at(-5), kg))
    world.see(passage(plate, at(0)))
    world.work()
    (entry,) = world.entries()
    assert (entry["outcome"], codes(entry)) == (outcome, reasons)


def test_nothing_known_bars_nobody(world: World) -> None:
    """No scale, no wash, no plate: unknown, and said so."""
    world.see(passage("", at(0), "leave"))
    world.work(700)
    (entry,) = world.entries()
    assert entry["outcome"] == "review" and entry["reasons"] == [] and entry["washed"] is None
    assert "plate: unreadable" in entry["unknown"]
    assert {"scale-1: no weighing of this vehicle", "wash-1: no washing of this vehicle"} <= set(
        entry["unknown"]
    )


def test_a_late_weighing_amends_and_rewrites_nothing(world: World) -> None:
    world.know_clocks()
    world.see(passage(GOOD, at(0)))
    world.work(1)
    before = world.entries()
    world.say("weighing", weighing(1, at(3), 36900), delay=400)
    world.work(404)
    first, second = world.entries()
    assert first == before[0] and first["outcome"] == "open" and first["gross_kg"] is None
    assert (second["outcome"], codes(second), second["amends"]) == ("hold", ["M06"], 1)
    assert second["event_id"] == first["event_id"] and second["revision"] == 2
    assert world.work(500) == []


def test_what_comes_twice_counts_once(world: World) -> None:
    world.know_clocks()
    one = weighing(1, at(3), 29400)
    assert world.say("weighing", one) == "new"
    assert world.say("weighing", one, delay=60) == "repeated"
    assert world.say("weighing", {**one, "message_id": "s2"}) == "repeated"
    assert world.say("weighing", {**one, "kg": 1.0}) == "repeated", "the same id within a day"
    assert world.say("weighing", {**one, "time": at(90000).isoformat()}) == "new", "a counter that began anew"
    seen = passage(GOOD, at(0))
    world.see(seen, seen)
    world.work(5)
    world.see(seen)
    world.push(push(1, at(0), GOOD), at(6))
    world.push(push(1, at(0), GOOD), at(7))
    world.work(8)
    assert [entry["revision"] for entry in world.entries()] == [1, 2]
    assert world.last()[0]["sources"] == ["gate-in", "smart-1", "scale-1"]


def test_a_visit_weighs_loaded_less_empty(world: World) -> None:
    world.say("weighing", weighing(1, at(3), 29400))
    world.see(passage(GOOD, at(0)))
    world.work(5)
    world.say("weighing", weighing(2, at(1790), 12200))
    world.say("washing", washing(1, at(1760), 25))
    world.see(passage(GOOD, at(1800), "leave"))
    world.work(1805)
    arrival, departure = world.last()
    assert (arrival["gross_kg"], arrival["net_kg"]) == (29400, None), "net counts once"
    assert (departure["gross_kg"], departure["tare_kg"], departure["net_kg"]) == (29400, 12200, 17200)
    assert departure["outcome"] == "open" and departure["washed"] is True


def test_an_arrivals_late_weight_amends_the_departure_too(world: World) -> None:
    world.know_clocks()
    world.see(passage(GOOD, at(0)))
    world.say("weighing", weighing(2, at(1790), 12200))
    world.see(passage(GOOD, at(1800), "leave"))
    world.work(1805)
    assert world.last()[1]["net_kg"] is None
    world.say("weighing", weighing(1, at(3), 32400), delay=1900)
    world.work(1910)
    arrival, departure = world.last()
    assert arrival["gross_kg"] == 32400 and departure["net_kg"] == 20200
    assert codes(departure) == ["M06"]


@pytest.mark.parametrize(
    ("seconds", "passed", "washed", "outcome"),
    [
        (26, True, True, "open"),
        (4, True, False, "hold"),
        (26, False, False, "hold"),
        (0, True, False, "hold"),
    ],
)
def test_washing(world: World, seconds: float, passed: bool, washed: bool, outcome: str) -> None:
    world.say("washing", washing(1, at(-20), seconds, passed=passed))
    world.see(passage(GOOD, at(0), "leave"))
    world.work(1)
    (entry,) = world.entries()
    assert (entry["washed"], entry["outcome"]) == (washed, outcome)
    assert codes(entry) == ([] if washed else ["M07"])


def test_two_trucks_nose_to_tail_do_not_swap_weights(world: World) -> None:
    world.see(passage(GOOD, at(0)), passage("浙D8L206", at(12)))
    world.work(13)
    world.say("weighing", weighing(1, at(20), 29000))
    world.work(21)
    assert [entry["gross_kg"] for entry in world.last()] == [None, None], "it may be either's"
    world.say("weighing", weighing(2, at(35), 25000))
    world.work(36)
    assert [entry["gross_kg"] for entry in world.last()] == [29000, 25000]


def test_one_weighing_of_two_trucks_is_told_as_unknown(world: World) -> None:
    world.see(passage(GOOD, at(0)), passage("浙D8L206", at(12)))
    world.say("weighing", weighing(1, at(20), 36900))
    world.work(21)
    world.work(200)
    for entry in world.last():
        assert entry["gross_kg"] is None and entry["outcome"] == "open"
        assert any("could be another vehicle's" in note for note in entry["notes"])
    told = len(world.entries())
    world.work(300)
    assert len(world.entries()) == told


def test_a_truck_weighed_again_on_the_scale_counts_with_its_last_weight(world: World) -> None:
    world.see(passage(GOOD, at(0)))
    world.say("weighing", weighing(1, at(3), 12000, stable=False))
    world.say("weighing", weighing(2, at(5), 29300))
    world.say("weighing", weighing(3, at(8), 29420))
    world.work(9)
    assert world.last()[0]["gross_kg"] == 29420


def test_two_cameras_see_one_truck(world: World) -> None:
    world.see(passage("", at(0)))
    world.see(passage(GOOD, at(1.5), "unknown", camera="gate-out", dwell_s=6.0))
    world.work(3)
    (entry,) = world.last()
    assert entry["plate"] == GOOD and entry["direction"] == "enter" and len(entry["passages"]) == 2


def test_a_smart_camera_alone_opens_nothing(world: World) -> None:
    """It reads what ours cannot: a person looks, with its reading."""
    world.see(passage("", at(0)))
    world.push(push(1, at(1), GOOD), at(1.2))
    world.work(2)
    (entry,) = world.last()
    assert (entry["outcome"], entry["readings"], entry["plate"]) == ("review", [GOOD], "")
    assert GOOD in entry["why"]


def test_a_smart_camera_that_reads_an_approved_plate_saves_from_being_held(world: World) -> None:
    world.see(passage("浙D3C7I6".replace("I", "1"), at(0)))
    world.push(push(1, at(1), GOOD), at(1.2))
    world.work(2)
    (entry,) = world.last()
    assert entry["outcome"] == "review" and set(entry["readings"]) >= {GOOD}


def test_another_strangers_plate_saves_nobody(world: World) -> None:
    world.see(passage(STRANGER, at(0)))
    world.push(push(1, at(1), "浙A55S55"), at(1.2))
    world.work(2)
    assert world.last()[0]["outcome"] == "hold"


def test_only_the_smart_camera_saw_a_truck(world: World) -> None:
    world.push(push(1, at(0), GOOD), at(0.5))
    assert world.work(5) == []
    world.work(30)
    (entry,) = world.last()
    assert entry["outcome"] == "review" and "never trusted alone" in entry["why"] and entry["reasons"] == []


def test_nothing_is_kept_of_a_car(world: World) -> None:
    world.push(push(1, at(0), STRANGER, VehicleClass="K33"), at(0.5))
    world.see(replace(passage("浙B77777", at(100)), label="car"))
    world.say("weighing", weighing(1, at(0), 1800, plate="浙B88888"))
    world.say("washing", washing(1, at(0), 60, plate="浙B99999"))
    world.work(700)
    assert world.entries() == []
    stored = "".join(world.book.connection.iterdump())
    assert not any(plate in stored for plate in (STRANGER, "浙B77777", "浙B88888", "浙B99999"))


def test_a_picture_of_a_car_is_removed(world: World) -> None:
    import base64

    picture = base64.b64encode(b"\xff\xd8\xff" + bytes(99)).decode()
    images = {"SubImageInfoObject": [{"Data": picture}]}
    world.push(push(1, at(0), STRANGER, VehicleClass="K33", SubImageList=images), at(0.5))
    folder = world.book.folder / "gate" / "pictures"
    assert len(list(folder.rglob("*.jpg"))) == 1
    world.work(30)
    assert list(folder.rglob("*.jpg")) == []


def test_weighed_but_not_seen(world: World) -> None:
    world.say("weighing", weighing(1, at(0), 29400, plate=GOOD))
    assert world.work(30) == []
    world.work(70)
    (entry,) = world.last()
    assert (entry["outcome"], entry["gross_kg"], entry["plate"]) == ("review", 29400, GOOD)


def test_who_drives_by_is_no_event_and_who_stands_is(world: World) -> None:
    world.see(passage(STRANGER, at(0), "unknown", camera="gate-in"))
    world.work(1)
    assert world.entries() == [] and world.book.counts()["passages"] == 0
    world.see(passage(STRANGER, at(100), "unknown", camera="gate-in", dwell_s=20.0))
    world.work(101)
    assert [codes(entry) for entry in world.entries()] == [["M01"]]


def test_a_told_passage_that_comes_complete_amends_only_if_it_tells_more(world: World) -> None:
    early = passage(GOOD, at(0), ended=False)
    world.see(early)
    world.work(1)
    world.see(replace(early, ended=True, looks=20, dwell_s=1.5))
    assert world.work(3) == []
    world.see(early)
    assert world.work(4) == [], "an older revision changes nothing"
    world.see(replace(early, ended=True, looks=21, cover="uncovered", cover_confidence=0.95))
    world.work(5)
    assert [codes(entry) for entry in world.entries()] == [[], ["M08"]]
    assert world.last()[0]["outcome"] == "open", "an uncovered load is flagged, not held, on the way in"


def test_a_clock_that_is_ahead_is_measured_corrected_and_told(world: World) -> None:
    for number, second in enumerate((-900, -700, -500)):
        world.say("washing", washing(number, at(second + 90), 25), delay=-89.5)
    world.say("washing", washing(9, at(-20 + 90), 25), delay=-89.5)
    world.see(passage(GOOD, at(0), "leave"))
    world.work(1)
    (entry,) = world.last()
    assert entry["washed"] is True and entry["notes"] == ["wash-1: clock corrected"]


def test_a_wrong_clock_that_is_not_known_yet_is_waited_for(world: World) -> None:
    world.see(passage(GOOD, at(0)))
    world.say("weighing", weighing(1, at(3603), 29400), delay=-3600)
    world.work(200)
    assert world.last()[0]["gross_kg"] is None and len(world.last()) == 1
    world.say("weighing", weighing(2, at(3600 + 300), 20000), delay=-3600)
    world.say("weighing", weighing(3, at(3600 + 500), 20000), delay=-3600)
    world.work(210)
    assert world.last()[0]["gross_kg"] == 29400


def test_a_message_held_up_on_its_way_says_nothing_of_the_clock(world: World) -> None:
    for number, second in enumerate((-900, -700, -500)):
        world.say("weighing", weighing(number, at(second), 1000))
    world.see(passage(GOOD, at(0)))
    world.say("weighing", weighing(9, at(3), 29400), delay=40)
    world.work(44)
    assert world.last()[-1]["gross_kg"] == 29400 and world.last()[-1]["notes"] == []


def test_who_is_silent_is_told(world: World) -> None:
    world.desk.silent["scale-1"] = "no frame comes"
    world.see(passage(GOOD, at(0)))
    world.work(1)
    assert "scale-1: no frame comes" in world.last()[0]["unknown"]


def test_an_uncertain_first_decision_waits_for_a_better_look_but_not_long(world: World) -> None:
    world.desk.patience = 0.6
    world.see(passage("", at(0)))
    assert world.work(0.1) == []
    world.see(passage(GOOD, at(0.5), camera="gate-out"))
    world.push(push(1, at(0), GOOD), at(0.5))
    (decided,) = world.work(0.6)
    assert decided.event.outcome == "open" and decided.revision == 1 and decided.seconds < 0.9


def test_a_sure_decision_does_not_wait(world: World) -> None:
    world.desk.patience = 1e9
    world.see(passage(STRANGER, at(0)))
    (decided,) = world.work(0.1)
    assert decided.event.outcome == "hold" and decided.seconds < 0.5


def test_a_new_process_goes_on_and_repeats_nothing(world: World) -> None:
    world.see(passage(GOOD, at(0)))
    world.say("weighing", weighing(1, at(3), 29400))
    world.restart()
    world.work(5)
    world.restart()
    world.see(passage(GOOD, at(0)))
    assert world.say("weighing", weighing(1, at(3), 29400)) == "repeated"
    world.work(6)
    assert [entry["gross_kg"] for entry in world.entries()] == [29400]


def test_a_failure_in_the_midst_writes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.see(passage(GOOD, at(0)), passage("浙D8L206", at(200)))
    monkeypatch.setattr(log, "append", _raising)
    with pytest.raises(RuntimeError):
        world.work(201)
    monkeypatch.undo()
    assert world.book.counts()["events"] == 0
    world.work(202)
    assert len(world.entries()) == 2 and log.verify(world.book.connection, world.book.folder) == (2, [])


def _raising(*_: object) -> None:
    raise RuntimeError("killed")


def test_without_a_register_nobody_is_held(world: World) -> None:
    world.desk.registry = Registry
    world.see(passage(STRANGER, at(0)))
    world.work(1)
    (entry,) = world.last()
    assert entry["outcome"] == "review" and entry["why"].startswith("registration")


def test_events_are_told_of_until_they_are_handed_on(world: World) -> None:
    world.see(passage(GOOD, at(0)))
    world.work(1)
    (untold,) = world.book.untold()
    assert (untold.revision, untold.ended, untold.site) == (1, True, "tip")
    world.book.mark_told(untold.event.event_id, 1)
    assert world.book.untold() == []
    world.say("weighing", weighing(1, at(3), 29400))
    world.work(5)
    assert [one.revision for one in world.book.untold()] == [2]
