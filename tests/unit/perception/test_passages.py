"""Painted traffic through the builder: who is one, who is two, when it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from huoyan.passage import Passage
from huoyan.perception.passage_looks import one_a_vehicle
from huoyan.perception.passages import PassageBuilder, View
from huoyan.records import Detection, FrameRef, Image, Placement, Unplaced

from ...support.traffic import HEIGHT, START, WIDTH, PaintedPlates, Vehicle, drive, frames, through

LINE = ((200.0, 300.0), (760.0, 300.0))
VIEW = View("gate", LINE)
A, B = "浙A12345", "浙B67890"
DOWN = Vehicle(drive((480, 170), (0, 60), 1.0, 7.5), A)


def told(
    vehicles: Sequence[Vehicle],
    seconds: float = 12.0,
    view: View = VIEW,
    plates: PaintedPlates | None = None,
    **options: bool,
) -> list[Passage]:
    builder = PassageBuilder(view, plates or PaintedPlates(), **options)
    found = [p for seen in frames(vehicles, seconds) for p in builder.feed(*seen)]
    return found + builder.close()


def test_one_truck_is_one_passage_with_everything_that_is_known() -> None:
    (passage,) = told([DOWN])
    assert passage.label == "dump_truck"
    assert (passage.plate.text, passage.plate.why) == (A, "")
    assert passage.plate.agreeing >= 10
    assert passage.direction == "enter"
    assert passage.crossed is not None
    # It starts at y 170 in the first second and needs 130 px to the line.
    assert (passage.crossed - START).total_seconds() == pytest.approx(1 + 130 / 60, abs=0.06)
    assert passage.first_seen == START + timedelta(seconds=1)
    assert (passage.last_seen - START).total_seconds() == pytest.approx(7.4, abs=0.01)
    assert passage.dwell_s == 0
    assert passage.cover == "unknown"
    assert passage.ended
    assert np.linalg.norm(passage.appearance) == pytest.approx(1, abs=0.01)
    roles = {sight.role: sight for sight in passage.sights}
    assert set(roles) == {"wide", "plate", "load"}
    x1, _, x2, _ = roles["plate"].box
    assert x2 - x1 == pytest.approx(40, abs=1)


def test_up_leaves_and_the_other_side_may_be_inside() -> None:
    up = Vehicle(drive((480, 520), (0, -60), 0.0, 6.0), A)
    assert [p.direction for p in told([up])] == ["leave"]
    assert [p.direction for p in told([up], view=replace(VIEW, enter="left"))] == ["enter"]
    assert [p.direction for p in told([up], view=View("gate"))] == ["unknown"]


def test_a_line_drawn_on_larger_pictures_is_scaled() -> None:
    large = View("gate", ((400, 600), (1520, 600)), size=(2 * WIDTH, 2 * HEIGHT))
    assert told([DOWN], view=large) == told([DOWN])


def test_a_stop_on_the_line_is_one_crossing() -> None:
    stops = Vehicle(through((0, 480, 170), (2, 480, 295), (12, 480, 303), (15, 480, 480)), A)
    (passage,) = told([stops], 20)
    assert passage.direction == "enter"
    assert passage.dwell_s > 8


def test_nose_to_tail_are_two() -> None:
    tail = Vehicle(drive((480, 0), (0, 60), 1.0, 9.8), B)
    first, second = told([DOWN, tail], 14)
    assert [first.plate.text, second.plate.text] == [A, B]
    assert [first.direction, second.direction] == ["enter", "enter"]


def test_two_that_meet_in_the_gate() -> None:
    other = Vehicle(drive((640, 530), (0, -60), 1.0, 8.0), B, colour=(40, 90, 200))
    found = told([Vehicle(drive((380, 170), (0, 60), 1.0, 7.0), A), other], 14)
    assert {(p.plate.text, p.direction) for p in found} == {(A, "enter"), (B, "leave")}


@pytest.mark.parametrize("hidden", [(2.0, 2.6), (2.0, 3.8), (1.8, 5.0)])
def test_hidden_for_a_while_is_still_one(hidden: tuple[float, float]) -> None:
    (passage,) = told([replace(DOWN, hidden=(hidden,))])
    assert passage.plate.text == A
    assert passage.direction == "enter"


def test_missed_frames_and_a_label_that_flickers() -> None:
    gaps = tuple((t, t + 0.2) for t in np.arange(1.4, 7, 0.8))
    wavers = replace(DOWN, hidden=gaps, flicker={i: "mixer_truck" for i in range(8, 40, 3)})
    (passage,) = told([wavers])
    assert passage.label == "dump_truck"


def test_a_parked_truck_is_told_once_whatever_drives_past() -> None:
    parked = Vehicle(
        drive((700, 500), (0, 0), 0.0, 120.0), A, hidden=((20, 26), (50, 62), (80, 81)), colour=(40, 90, 200)
    )
    passing = [Vehicle(drive((80, 480), (90, 0), t, t + 9), "", colour=(220, 220, 210)) for t in (18, 48, 78)]
    found = told([parked, *passing], 120)
    stood = [p for p in found if p.plate.text == A]
    assert len(stood) == 1
    assert len(found) == 4
    assert stood[0].dwell_s == pytest.approx(119.8, abs=1)
    assert stood[0].looks > 400


def test_a_parked_plate_is_not_read_for_ever() -> None:
    plates = PaintedPlates()
    told([Vehicle(drive((480, 400), (0, 0)), A)], 60, plates=plates)
    assert plates.read <= 8


def test_another_truck_in_the_same_place_is_another() -> None:
    first = Vehicle(through((0, 480, 400), (10, 480, 400)), A)
    second = Vehicle(through((14, 484, 402), (30, 484, 402)), B)
    found = told([first, second], 32)
    assert [p.plate.text for p in found] == [A, B]
    assert found[0].last_seen < found[1].first_seen


def test_over_the_line_and_back_is_in_and_out() -> None:
    turns = Vehicle(through((0, 480, 200), (4, 480, 480), (24, 480, 480), (28, 480, 200)), A)
    entered, left = told([turns], 32)
    assert (entered.direction, left.direction) == ("enter", "leave")
    assert entered.plate.text == left.plate.text == A
    assert entered.crossed is not None and left.crossed is not None
    assert entered.crossed < left.crossed
    assert entered.passage_id != left.passage_id


def test_cars_are_not_told_and_their_plates_not_kept() -> None:
    car = Vehicle(
        drive((480, 170), (0, 60), 1.0, 7.5), A, label="car", flicker={12: "dump_truck", 20: "dump_truck"}
    )
    assert told([car]) == []
    (passage,) = told([car], view=replace(VIEW, labels=frozenset({"car", "dump_truck"})))
    assert passage.label == "car"
    assert (passage.plate.guess, passage.plate.reads) == ("", 0)
    assert "plate" not in {sight.role for sight in passage.sights}


def test_a_truck_that_one_detector_takes_for_a_car_is_a_truck() -> None:
    """One says car, the other truck, box by box: how often each reaches its own threshold decides."""

    def both(truck: float, car: float) -> list[Passage]:
        builder, found = PassageBuilder(VIEW, PaintedPlates(labels=frozenset({"truck"}))), []
        for ref, image, seen in frames([DOWN], 14):
            twice = [
                replace(d, label=label, score=0.6, attributes={"sure": sure})
                for d in seen
                for label, sure in (("car", car), ("truck", truck))
            ]
            found += builder.feed(ref, image, twice)
        return found

    (passage,) = both(1.5, 1.1)
    assert (passage.label, passage.plate.text) == ("truck", A)
    assert both(1.1, 1.5) == []


def test_the_plate_of_a_car_before_the_truck_is_not_the_trucks() -> None:
    """The finder sees one plate in the truck's box: that of a car that stands nearer and hides it."""

    class Nearer(PaintedPlates):
        def evidence_on(self, image: Image, detections: Sequence[Detection]) -> dict[int, object]:  # type: ignore[override]
            found = super().evidence_on(image, detections)
            corners = np.array([[470, 330], [490, 330], [490, 340], [470, 340]], np.float32)
            return {i: (replace(plate, corners=corners), told) for i, (plate, told) in found.items()}

    truck = Vehicle(through((0, 480, 340), (4, 480, 360)), A)
    car = Vehicle(drive((480, 400), (0, 0)), label="car", size=(90, 80), colour=(240, 240, 240))
    builder, found = PassageBuilder(VIEW, Nearer()), []
    for seen in frames([truck, car], 4):
        found += builder.feed(*seen)
    (passage,) = found + builder.close()
    assert passage.plate.reads == 0
    assert "another vehicle's plate" in passage.plate.why
    assert builder.unread["another vehicle's plate"] >= 5


def test_an_unreadable_plate_says_why() -> None:
    (unsure,) = told([DOWN], plates=PaintedPlates(sure=0.2))
    assert unsure.plate.text == ""
    assert unsure.plate.guess == A
    assert "least sure character" in unsure.plate.why
    (bare,) = told([replace(DOWN, plate="")])
    assert bare.plate.why.startswith("no plate was read on")
    builder = PassageBuilder(VIEW, PaintedPlates())
    for seen in frames([replace(DOWN, plate="", size=(100, 90))], 12):
        builder.feed(*seen)
    assert set(builder.unread) == {"too far away"}


def test_it_is_told_within_the_limit_of_the_crossing_and_again_when_it_has_left() -> None:
    builder = PassageBuilder(VIEW, PaintedPlates(), early=True)
    found = [(ref.time, p) for ref, *rest in frames([DOWN], 14) for p in builder.feed(ref, *rest)]
    (early_at, early), (_, final) = found
    assert early.crossed is not None
    assert (early_at - early.crossed).total_seconds() <= 0.4
    assert (early.ended, final.ended) == (False, True)
    assert early.passage_id == final.passage_id
    assert early.plate.text == final.plate.text == A
    assert builder.close() == []


def test_a_plate_that_cannot_be_read_holds_the_telling_up_for_a_second_only() -> None:
    builder = PassageBuilder(VIEW, PaintedPlates(), early=True)
    found = [
        (ref.time, p)
        for ref, *rest in frames([replace(DOWN, plate="")], 14)
        for p in builder.feed(ref, *rest)
    ]
    assert found[0][1].crossed is not None
    assert 1.0 <= (found[0][0] - found[0][1].crossed).total_seconds() <= 1.5
    assert len(found) == 2


def test_a_plate_that_becomes_readable_behind_the_line_is_told_again() -> None:
    class Late(PaintedPlates):
        def evidence_on(self, image: Image, detections: Sequence[Detection]) -> dict[int, object]:  # type: ignore[override]
            return super().evidence_on(image, detections) if detections[0].box[3] > 400 else {}

    builder = PassageBuilder(VIEW, Late(), early=True)
    found = [p for seen in frames([DOWN], 14) for p in builder.feed(*seen)]
    assert [(p.plate.readable, p.ended) for p in found] == [(False, False), (True, False), (True, True)]
    assert len({p.passage_id for p in found}) == 1


def test_who_stays_without_crossing_is_told_in_time() -> None:
    builder = PassageBuilder(VIEW, PaintedPlates(), early=True)
    parked = Vehicle(drive((480, 250), (0, 0)), A)
    found = [(ref.time, p) for ref, *rest in frames([parked], 60) for p in builder.feed(ref, *rest)]
    ((moment, passage),) = found
    assert (moment - START).total_seconds() == pytest.approx(30, abs=0.3)
    assert passage.dwell_s > 29
    assert [p.ended for p in builder.close()] == [True]


def test_a_stall_of_the_stream_does_not_hold_up_what_has_crossed() -> None:
    builder = PassageBuilder(VIEW, PaintedPlates(), early=True)
    last = START
    for ref, image, seen in frames([replace(DOWN, plate="")], 3.6):
        assert builder.feed(ref, image, seen) == []
        last = ref.time
    (passage,) = builder.tick(last + timedelta(seconds=0.9))
    assert passage.direction == "enter"


def test_ids_do_not_depend_on_what_came_before() -> None:
    early = Vehicle(drive((480, 520), (0, -80), 0.0, 5.0), B)
    late = Vehicle(drive((480, 170), (0, 60), 30.0, 37.0), A)
    whole = {p.plate.text: p.passage_id for p in told([early, late], 45)}
    builder = PassageBuilder(VIEW, PaintedPlates())
    again = [p for seen in frames([early, late], 45, begin=20) for p in builder.feed(*seen)] + builder.close()
    assert [p.passage_id for p in again] == [whole[A]]
    pair = told([DOWN, Vehicle(drive((200, 170), (0, 60), 1.0, 7.5), B)])
    assert len({p.passage_id for p in pair}) == 2
    assert told([early, late], 45) == told([early, late], 45)


def test_a_flash_of_two_looks_is_nothing() -> None:
    assert told([Vehicle(drive((480, 200), (0, 10), 1.0, 1.4))]) == []


def test_weak_looks_alone_begin_nothing() -> None:
    assert told([replace(DOWN, score=0.2)]) == []


def test_places() -> None:
    def place(seen: Detection, size: tuple[int, int]) -> Placement | Unplaced:
        assert size == (WIDTH, HEIGHT)
        y = seen.box[3]
        return (
            Unplaced("above the horizon")
            if y < 240
            else Placement(120.9, 29.5 + y * 1e-6 * 5, 900 / y, "test")
        )

    (passage,) = told([DOWN], view=replace(VIEW, place=place))
    assert isinstance(passage.place, Placement)
    assert passage.place.error_m == pytest.approx(900 / 540, abs=0.05)
    steps = [b[0] - a[0] for a, b in zip(passage.track, passage.track[1:], strict=False)]
    assert len(passage.track) >= 3
    assert all(step >= timedelta(seconds=2) for step in steps)
    (nowhere,) = told([DOWN], view=replace(VIEW, place=lambda seen, size: Unplaced("no calibration")))
    assert nowhere.place == Unplaced("no calibration")
    assert told([DOWN])[0].place is None


def fed(extra: list[Detection] | None = None, behind: bool = False, **attributes: object) -> Passage:
    """DOWN with something more in each frame: a plume above (behind) or below it, or attributes."""
    builder, found = PassageBuilder(VIEW, None), []
    for ref, image, seen in frames([DOWN], 12):
        more = list(extra or [])
        for one in seen:
            x1, y1, x2, _ = one.box
            if behind:
                more.append(Detection("dust_plume", 0.6, (x1 - 20, y1 - 60, x2 + 20, y1 + 30)))
            if attributes:
                more.append(replace(one, attributes=dict(attributes)))
        found += builder.feed(ref, image, more if attributes else [*seen, *more])
    (passage,) = found
    return passage


def test_dust_behind_a_moving_truck_counts_and_dust_elsewhere_does_not() -> None:
    assert fed(behind=True).dust == pytest.approx(0.6)
    assert fed().dust == 0
    assert fed([Detection("dust_plume", 0.9, (0, 0, 80, 60))]).dust == 0
    assert fed([Detection("dust_plume", 0.9, (440, 500, 520, 540))]).dust == 0


def test_dust_behind_a_standing_truck_is_not_its_own() -> None:
    builder = PassageBuilder(VIEW, None)
    for ref, image, seen in frames([Vehicle(drive((480, 300), (0, 0)))], 10):
        builder.feed(ref, image, [*seen, Detection("dust_plume", 0.9, (400, 80, 560, 180))])
    assert builder.close()[0].dust == 0


def test_the_load_is_unknown_unless_a_model_says_so() -> None:
    assert fed().cover == "unknown"
    covered = fed(cover="uncovered", cover_score=0.8)
    assert (covered.cover, covered.cover_confidence) == ("uncovered", pytest.approx(0.8))
    builder = PassageBuilder(VIEW, None)
    for ref, image, seen in frames([DOWN], 7):
        beds = [
            Detection("covered", 0.7, (d.box[0] + 20, d.box[1], d.box[2] - 20, d.box[1] + 50)) for d in seen
        ]
        builder.feed(ref, image, [*seen, *beds])
    (passage,) = builder.close()
    assert (passage.cover, passage.cover_confidence) == ("covered", pytest.approx(0.7))


def test_two_boxes_on_one_vehicle_are_one_and_a_far_truck_behind_a_near_one_stays() -> None:
    truck = Detection("dump_truck", 0.8, (100, 100, 400, 400))
    same = Detection("mixer_truck", 0.5, (110, 90, 410, 400))
    cab = Detection("car", 0.4, (110, 220, 300, 395))
    far = Detection("dump_truck", 0.6, (300, 110, 390, 200))
    beside = Detection("dump_truck", 0.6, (330, 120, 600, 400))
    near, *others = one_a_vehicle([same, truck, cab, far, beside])
    assert near == replace(truck, attributes={"also": {"mixer_truck": pytest.approx(0.5 / 0.3)}})
    assert others == [far, beside]


def test_frames_that_cannot_be_read_again_are_stored_once_they_are_shown() -> None:
    kept: dict[str, Image] = {}

    def keep(ref: FrameRef, image: Image) -> FrameRef:
        kept[ref.frame_id] = image
        return replace(ref, path=f"{ref.frame_id}.jpg", locator={})

    builder = PassageBuilder(VIEW, PaintedPlates(), keep=keep)
    found = [p for seen in frames([DOWN], 14) for p in builder.feed(*seen)]
    (passage,) = found
    assert {sight.frame.frame_id for sight in passage.sights} == set(kept)
    assert all(sight.frame.path.endswith(".jpg") for sight in passage.sights)
    assert all(image.shape == (HEIGHT, WIDTH, 3) for image in kept.values())
