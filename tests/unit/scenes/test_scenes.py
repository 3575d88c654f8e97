"""Every scene that comes with Huoyan: what makes it, and what nearly does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from huoyan.records import Observations, Place, Priority
from huoyan.sample import CONDITIONS
from huoyan.scenes import Rules

from .conftest import NOON, NOWHERE, Court, Thing, change, frame, ground

IN_PLOT, OUTSIDE = ground(50, 30), ground(50, -60)
ON_HOUSE = ground(20, 20)
AROUND_HOUSE = [(8, 8), (32, 8), (32, 32), (8, 32)]
FIELD = [(60, 10), (90, 10), (90, 40), (60, 40)]


def twice(*things: Thing, minutes: float = 5.0) -> list[Observations]:
    """Two camera frames of the same."""
    return [frame(*things, kind="camera", minutes=m) for m in (0.0, minutes)]


def changed(seen_as: str, place: Place, looks: int) -> list[Observations]:
    """A lasting change that the models look at every 20 minutes."""
    return [
        frame(
            ("lasting_change", 0.6, place, {"attributes": {"days": 3, "seen_as": seen_as}}),
            kind="camera",
            minutes=20.0 * number,
        )
        for number in range(looks)
    ]


def standing(
    label: str, x: float, frames: int = 13, step_px: float = 0.0, y: float = 5.0
) -> list[Observations]:
    """A vehicle before a camera that takes a frame every 30 s; `step_px` is what it moves between frames."""
    return [
        frame(
            (label, 0.7, ground(x, y), {"box": (i * step_px, 0.0, i * step_px + 100, 80.0)}),
            kind="camera",
            minutes=i / 2,
        )
        for i in range(frames)
    ]


POSITIVE: list[tuple[str, list[Observations]]] = [
    ("perimeter_enclosure", [frame(("hoarding", 0.75, IN_PLOT))]),
    ("perimeter_enclosure", twice(("dust_net", 0.8, IN_PLOT))),
    ("roof_addition", [frame(("scaffolding", 0.75, ON_HOUSE))]),
    ("roof_addition", [frame(change("building", 400, ground(20, 20, 5, AROUND_HOUSE)), kind="satellite")]),
    ("material_stacking", [frame(("material_stack", 0.75, IN_PLOT))]),
    ("material_stacking", twice(("material_stack", 0.5, IN_PLOT), minutes=1440)),
    ("material_stacking", [frame(change("bright_heap", 60, ground(75, 25, 5, FIELD)), kind="satellite")]),
    ("material_stacking", changed("material_stack", IN_PLOT, 2)),
    ("perimeter_enclosure", changed("hoarding", IN_PLOT, 2)),
    ("roof_addition", changed("building_under_construction", ON_HOUSE, 2)),
    ("scaffolding", changed("scaffolding", IN_PLOT, 2)),
    ("earthwork", changed("earth_heap", IN_PLOT, 2)),
    ("new_structure", changed("colour_steel_shed", IN_PLOT, 2)),
    ("slow_change", changed("", IN_PLOT, 6)),
    ("material_transport", [frame(("dump_truck", 0.75, IN_PLOT))]),
    ("material_transport", twice(("mixer_truck", 0.4, IN_PLOT), minutes=1)),
    ("earthwork", [frame(("excavator", 0.75, IN_PLOT))]),
    ("earthwork", twice(("piling_rig", 0.4, IN_PLOT))),
    ("earthwork", [frame(change("bare_soil", 900, ground(75, 25, 5, FIELD)), kind="satellite")]),
    ("scaffolding", [frame(("tower_crane", 0.75, IN_PLOT))]),
    ("scaffolding", twice(("scaffolding", 0.4, IN_PLOT), minutes=1440)),
    ("new_structure", [frame(("building_under_construction", 0.75, IN_PLOT))]),
    ("new_structure", [frame(("colour_steel_shed", 0.75, IN_PLOT))]),
    ("new_structure", [frame(change("building", 200, ground(75, 25, 5, FIELD)), kind="satellite")]),
    ("dust_plume", [frame(("dust_plume", 0.75, ground(5000, 5000)))]),
    ("dust_plume", twice(("dust_plume", 0.4, NOWHERE))),
    ("venue_air", [frame(("smoke", 0.75, ground(700, 50)))]),
    ("venue_river", [frame(("floating_debris", 0.75, ground(900, 20)))]),
    ("venue_river", [frame(("floating_debris", 0.75, ground(900, 44, 6)))]),
    ("venue_sanitation", [frame(("garbage", 0.75, ground(650, 50)))]),
    ("venue_sanitation", [frame(("garbage_bin_overflow", 0.75, ground(400, 210)))]),
    ("venue_sanitation", [frame(("construction_waste", 0.75, ground(550, 50)))]),
    ("venue_traffic", standing("car", 320)),
    ("venue_traffic", standing("dump_truck", 320, y=25)),
    ("venue_street_trade", [frame(("street_vendor", 0.75, ground(620, 50)))]),
    ("venue_street_trade", [frame(("shop_goods", 0.75, ground(400, 210)))]),
    ("venue_fire", [frame(("flame", 0.4, ground(50, 50)), ("smoke", 0.4, ground(60, 50)))]),
    ("venue_fire", [frame(("flame", 0.4, NOWHERE), ("smoke", 0.4, NOWHERE), kind="camera")]),
    ("venue_fire", twice(("flame", 0.4, ground(9000, 9000)))),
    *(("camera_health", [frame((label, 1.0, NOWHERE), kind="camera")]) for label in CONDITIONS),
    ("camera_health", [frame(("camera_lost", 1.0, ground(9000, 9000)), kind="camera")]),
]
NEARLY: list[tuple[str, str, list[Observations]]] = [
    ("perimeter_enclosure", "outside the plot", [frame(("hoarding", 0.9, OUTSIDE))]),
    ("perimeter_enclosure", "seen once, not surely", [frame(("hoarding", 0.5, IN_PLOT), kind="camera")]),
    ("perimeter_enclosure", "one photo of a flight, not surely", [frame(("hoarding", 0.5, IN_PLOT))]),
    ("perimeter_enclosure", "never likely", twice(("dust_net", 0.6, IN_PLOT))),
    ("roof_addition", "beside the house", [frame(("scaffolding", 0.9, IN_PLOT))]),
    (
        "roof_addition",
        "a field",
        [frame(change("building", 900, ground(75, 25, 5, FIELD)), kind="satellite")],
    ),
    (
        "roof_addition",
        "a chimney",
        [frame(change("building", 9, ground(20, 20, 5, AROUND_HOUSE)), kind="satellite")],
    ),
    ("roof_addition", "no place", [frame(("scaffolding", 0.9, NOWHERE))]),
    ("material_stacking", "one look", [frame(("material_stack", 0.6, IN_PLOT), kind="camera")]),
    (
        "material_stacking",
        "bare soil",
        [frame(change("bare_soil", 60, ground(75, 25, 5, FIELD)), kind="satellite")],
    ),
    ("material_transport", "passing outside", [frame(("dump_truck", 0.9, OUTSIDE))]),
    ("material_transport", "a car", [frame(("car", 0.9, IN_PLOT))]),
    ("material_transport", "back after an hour", twice(("dump_truck", 0.5, IN_PLOT), minutes=60)),
    ("earthwork", "a crane", [frame(("crane", 0.9, IN_PLOT))]),
    (
        "earthwork",
        "a flower bed",
        [frame(change("bare_soil", 60, ground(75, 25, 5, FIELD)), kind="satellite")],
    ),
    ("earthwork", "a zone for dust only", [frame(("excavator", 0.9, ground(1250, 50)))]),
    ("earthwork", "the dark", [frame(("earth_heap", 0.9, IN_PLOT), night=True)]),
    ("new_structure", "changed for good into a lorry", changed("dump_truck", IN_PLOT, 6)),
    ("new_structure", "recognised once", changed("colour_steel_shed", IN_PLOT, 1)),
    ("new_structure", "changed for good into nobody knows what", changed("", IN_PLOT, 6)),
    ("slow_change", "changed for good into something known", changed("colour_steel_shed", IN_PLOT, 6)),
    ("slow_change", "seen three times", changed("", IN_PLOT, 3)),
    ("slow_change", "outside", changed("", OUTSIDE, 6)),
    ("scaffolding", "outside", [frame(("scaffolding", 0.9, OUTSIDE))]),
    (
        "new_structure",
        "on the house",
        [frame(change("building", 400, ground(20, 20, 5, AROUND_HOUSE)), kind="satellite")],
    ),
    ("new_structure", "an old shed", [frame(("colour_steel_shed", 0.9, ON_HOUSE))]),
    (
        "new_structure",
        "vegetation",
        [frame(change("vegetation", 900, ground(75, 25, 5, FIELD)), kind="satellite")],
    ),
    ("dust_plume", "headlights at night", [frame(("dust_plume", 0.9, IN_PLOT), night=True)]),
    (
        "dust_plume",
        "a sprinkler",
        [
            frame(
                ("dust_plume", 0.9, IN_PLOT, {"box": (0, 0, 90, 90)}),
                ("water_mist", 0.5, IN_PLOT, {"box": (0, 0, 90, 90)}),
            )
        ],
    ),
    ("venue_air", "far from every venue", [frame(("smoke", 0.9, ground(5000, 50)))]),
    ("venue_air", "at night", [frame(("smoke", 0.9, ground(550, 50)), night=True)]),
    ("venue_river", "on the bank", [frame(("floating_debris", 0.9, ground(900, 80)))]),
    ("venue_sanitation", "a closed bin", [frame(("garbage_bin", 0.9, ground(550, 50)))]),
    ("venue_sanitation", "far away", [frame(("garbage", 0.9, ground(5000, 50)))]),
    ("venue_traffic", "not long enough", standing("car", 320, frames=9)),
    ("venue_traffic", "a queue that moves", standing("car", 320, step_px=60.0)),
    ("venue_traffic", "between the zones", standing("car", 320, y=15)),
    ("venue_traffic", "a person", standing("person", 320)),
    ("venue_street_trade", "outside", [frame(("street_vendor", 0.9, ground(5000, 50)))]),
    ("camera_health", "a drone has faults of its own", [frame(("camera_black", 1.0, NOWHERE))]),
    ("camera_health", "another fault", [frame(("camera_wet", 1.0, NOWHERE), kind="camera")]),
    ("venue_fire", "a lamp, seen once", [frame(("flame", 0.5, IN_PLOT), kind="camera")]),
    ("venue_fire", "smoke alone", [frame(("smoke", 0.9, IN_PLOT))]),
    (
        "venue_fire",
        "smoke elsewhere",
        [frame(("flame", 0.5, ground(0, 0)), ("smoke", 0.5, ground(500, 0)), kind="camera")],
    ),
]


@pytest.mark.parametrize(("scene", "frames"), POSITIVE, ids=[f"{s}-{i}" for i, (s, _) in enumerate(POSITIVE)])
def test_a_scene_is_found(court: Callable[..., Court], scene: str, frames: list[Observations]) -> None:
    found = [f for f in court().findings(*frames) if f.scene == scene]
    assert found
    last = found[-1]
    assert 0 < last.confidence <= 1 and last.reason and last.code and last.evidence
    assert last.permit.result in ("none", "not_needed")


@pytest.mark.parametrize(("scene", "why", "frames"), NEARLY, ids=[f"{s}: {w}" for s, w, _ in NEARLY])
def test_what_nearly_is_a_scene_is_none(
    court: Callable[..., Court], scene: str, why: str, frames: list[Observations]
) -> None:
    assert scene not in court().scenes(*frames)


def test_every_scene_has_a_positive_and_a_negative(rules: Rules) -> None:
    assert {scene for scene, _ in POSITIVE} == set(rules.scenes) - {"unapproved_vehicle"}
    assert {scene for scene, _, _ in NEARLY} == set(rules.scenes) - {"unapproved_vehicle"}


def test_material_is_lawful_in_a_storage_yard(court: Callable[..., Court]) -> None:
    (found,) = court().findings(frame(("material_stack", 0.8, ground(80, 80))))
    assert (found.permit.result, found.permit.note) == ("covered", "lawful in zone yard")


def test_a_fire_is_urgent_and_dust_is_not(court: Callable[..., Court]) -> None:
    (fire,) = court().findings(frame(("flame", 0.9, IN_PLOT)))
    (dust,) = court().findings(frame(("dust_plume", 0.9, IN_PLOT)))
    assert fire.priority is Priority.URGENT and dust.priority is Priority.NORMAL


def test_things_at_one_place_are_one_finding_led_by_the_surest(court: Callable[..., Court]) -> None:
    things = [("material_stack", 0.5 + i / 100, ground(50 + i, 30)) for i in range(5)]
    (found,) = court().findings(frame(*things))
    assert [o.detection.score for o in found.evidence] == pytest.approx([0.54, 0.53, 0.52, 0.51, 0.5])
    apart = [("material_stack", 0.5, ground(20, 50)), ("material_stack", 0.5, ground(90, 50))]
    assert len(court().findings(frame(*apart))) == 2


def test_each_fault_of_a_camera_is_a_stage(court: Callable[..., Court]) -> None:
    stages = {
        label: [f.stage for f in court().findings(frame((label, 1.0, NOWHERE), kind="camera"))]
        for label in CONDITIONS
    }
    assert stages == {label: [label.removeprefix("camera_")] for label in CONDITIONS}


def test_a_fire_is_where_its_flames_are(court: Callable[..., Court]) -> None:
    seen = frame(("smoke", 0.9, ground(60, 50)), ("flame", 0.4, ground(50, 50)), kind="camera")
    (found,) = [f for f in court().findings(seen) if f.scene == "venue_fire"]
    assert [o.detection.label for o in found.evidence] == ["flame", "smoke"]
    assert found.place == ground(50, 50)


def test_the_confidence_falls_with_the_chance_to_be_inside(court: Callable[..., Court]) -> None:
    (sure,) = court().findings(frame(("excavator", 0.8, ground(50, 30, 5))))
    (edge,) = court().findings(frame(("excavator", 0.8, ground(97, 30, 5))))
    assert sure.confidence == pytest.approx(0.8)
    assert 0.4 < edge.confidence < 0.75
    assert court().findings(frame(("excavator", 0.8, ground(103, 30, 5)))) == []


def test_a_county_without_zones_watches_everywhere(court: Callable[..., Court]) -> None:
    bare = court(zones=[])
    assert bare.scenes(frame(("excavator", 0.8, ground(9000, 0)))) == {"earthwork"}
    assert bare.scenes(frame(("excavator", 0.8, NOWHERE))) == {"earthwork"}
    assert bare.scenes(*standing("car", 320)) == set(), "no line is drawn that the car could stand on"


def test_what_cannot_be_placed_counts_in_the_only_zone_its_camera_watches(
    court: Callable[..., Court],
) -> None:
    seen = frame(("excavator", 0.8, NOWHERE), kind="camera", source="cam-1")
    (found,) = court(watched={"cam-1": ("plot", "river")}).findings(seen)
    assert found.zones == ("plot",) and found.place == NOWHERE
    assert court(watched={"cam-1": ("plot", "yard")}).scenes(seen) == {"earthwork"}, (
        "a yard watches no earthwork"
    )
    assert court().scenes(seen) == set()


def test_a_camera_reports_only_from_the_zones_it_watches(court: Callable[..., Court]) -> None:
    seen = frame(("excavator", 0.8, IN_PLOT), kind="camera", source="cam-1")
    assert court(watched={"cam-1": ("river",)}).scenes(seen) == set()
    assert court(watched={"cam-1": ("plot",)}).scenes(seen) == {"earthwork"}


def test_a_zone_watches_what_it_names_and_nothing_else(court: Callable[..., Court]) -> None:
    watched = frame(("dust_plume", 0.8, ground(1250, 50)), ("excavator", 0.8, ground(1250, 50)))
    (found,) = court().findings(watched)
    assert found.scene == "dust_plume" and found.zones == ("only-dust",)


def test_areas_add_up_to_the_extent(court: Callable[..., Court]) -> None:
    parts = [change("bare_soil", 300, ground(50, 30, 5)), change("bare_soil", 200, ground(55, 30, 5))]
    (found,) = court().findings(frame(*parts, kind="satellite"))
    assert found.extent_m2 == 500


def test_only_looks_of_the_last_frames_count(court: Callable[..., Court]) -> None:
    """Two of the last four frames must have seen it."""
    thing: Thing = ("hoarding", 0.4, IN_PLOT)
    empty = [frame(kind="camera", minutes=m) for m in range(1, 5)]
    seen_again = frame(thing, kind="camera", minutes=5)
    assert court().scenes(frame(thing, kind="camera"), *empty[:2], seen_again) == {"perimeter_enclosure"}
    assert court().scenes(frame(thing, kind="camera"), *empty, seen_again) == set()


def test_a_place_that_hovers_about_a_border_is_one_place(court: Callable[..., Court]) -> None:
    """No grid: looks three metres apart count together wherever they lie."""
    for offset in range(0, 60, 7):
        frames = [
            frame(("hoarding", 0.4, ground(20 + offset + 3 * (i % 2), 40)), kind="camera", minutes=i)
            for i in range(2)
        ]
        assert court().scenes(*frames) == {"perimeter_enclosure"}


def test_looks_of_two_cameras_do_not_add_up(court: Callable[..., Court]) -> None:
    thing: Thing = ("hoarding", 0.4, IN_PLOT)
    frames = [frame(thing, kind="camera", source=f"cam-{i}", minutes=i) for i in range(2)]
    assert court().scenes(*frames) == set()


def test_glare_that_makes_boxes_dance_does_not_free_a_parked_car(court: Callable[..., Court]) -> None:
    boxes = [(0.0, 0.0, 100.0, 80.0), (12.0, 0.0, 110.0, 84.0), (-10.0, 4.0, 92.0, 78.0)]
    frames = [
        frame(("car", 0.7, ground(320, 5), {"box": boxes[i % 3]}), kind="camera", minutes=i / 2)
        for i in range(13)
    ]
    assert court().scenes(*frames) == {"venue_traffic"}


def test_a_car_that_left_and_came_back_starts_anew(court: Callable[..., Court]) -> None:
    frames = standing("car", 320, frames=25)
    away = range(8, 14)
    gapped = [frame(kind="camera", minutes=i / 2) if i in away else seen for i, seen in enumerate(frames)]
    assert court().scenes(*gapped[:22]) == set()
    assert court().scenes(*gapped) == {"venue_traffic"}


def test_looks_are_counted(court: Callable[..., Court]) -> None:
    thing: Thing = ("hoarding", 0.4, IN_PLOT)
    found = court().findings(*(frame(thing, kind="camera", minutes=m) for m in range(4)))
    assert [f.looks for f in found] == [2, 3, 4]
    assert found[0].frame.time == NOON + timedelta(minutes=1)
