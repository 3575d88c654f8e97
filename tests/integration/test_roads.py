"""Road cameras in a scan: a truck is judged once a passage, and one trip over several cameras is one incident."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from huoyan import incidents
from huoyan.dispatch import ensure_tables
from huoyan.passage import Passage, PlateReading, Sight
from huoyan.records import Alert, Detection, FrameRef, Place, Placement, Unplaced, frame_id
from huoyan.runs.judge import Judge
from huoyan.runs.prepare import locate_config, prepare
from huoyan.runs.result import ScanResult
from huoyan.runs.road import Passed
from huoyan.runs.scan import scan
from huoyan.vehicles.history import History, open_history

from ..support.county import write_still
from ..support.roads import METRES_PER_LON, PLATE, TRUCK, Video, after, road_scene, write_road_county

START = datetime(2026, 5, 1, 2, tzinfo=UTC)
TRIP = [
    Video("road-1", START),
    Video("road-2", after(START, minutes=6)),
    Video("road-3", after(START, minutes=14)),
]


def facts(alert: Alert) -> dict[str, Any]:
    found: dict[str, Any] = alert.document["data"]["properties"]
    return found


def codes(alert: Alert) -> list[str]:
    return [reason["id"] for reason in facts(alert)["vehicle"]["reasons"]]


def history_of(state: Path) -> History:
    return open_history(state)


# --------------------------------------------------------------------------------- from videos, all the way
def test_one_truck_over_three_cameras_is_one_alert(tmp_path: Path) -> None:
    result = scan(write_road_county(tmp_path, TRIP))
    assert (result.passages, len(result.alerts)) == (3, 1)
    told = facts(result.alerts[0])
    assert told["scene"]["id"] == "unapproved_vehicle"
    vehicle = told["vehicle"]
    assert (vehicle["plate"], vehicle["colour"], vehicle["level"]) == (PLATE, "yellow", "green")
    assert vehicle["confidence"] > 0.7
    assert codes(result.alerts[0]) == ["M01"]
    assert [model["name"] for model in told["models"]] == ["reader", "trucks"]
    assert {picture["role"] for picture in told["evidence"]} == {"wide", "close", "plate"}
    for picture in told["evidence"]:
        assert (
            hashlib.sha256((tmp_path / "state" / picture["href"]).read_bytes()).hexdigest()
            == picture["sha256"]
        )
    with incidents.open_store(tmp_path / "state") as store:
        (incident,) = store.incidents()
        assert incident.sources == ("road-1", "road-2", "road-3")
    history = history_of(tmp_path / "state")
    assert [one.source_id for one in history.passages(PLATE)] == ["road-1", "road-2", "road-3"]
    assert len({one.trip_id for one in history.passages(PLATE)}) == 1
    history.connection.close()


def test_a_second_scan_finds_everything_done(tmp_path: Path) -> None:
    config = write_road_county(tmp_path, TRIP)
    scan(config)
    before = list(history_of(tmp_path / "state").connection.iterdump())
    again = scan(config)
    assert (again.passages, again.alerts, again.frames) == (0, [], 0)
    assert list(history_of(tmp_path / "state").connection.iterdump()) == before


def test_an_archive_that_grew_is_judged_on(tmp_path: Path) -> None:
    """Scanned camera by camera or at once: the same incident, the same history."""
    whole = scan(write_road_county(tmp_path / "whole", TRIP))
    ids = []
    for count in (1, 2, 3):
        config = write_road_county(
            tmp_path / "growing", TRIP[:count], cameras={f"road-{n}": 5000.0 * n for n in (1, 2, 3)}
        )
        ids += [alert.alert_id for alert in scan(config).alerts]
    assert ids == [alert.alert_id for alert in whole.alerts]
    one, other = (history_of(tmp_path / name / "state") for name in ("whole", "growing"))
    assert [p.trip_id for p in one.passages()] == [p.trip_id for p in other.passages()]


@pytest.mark.parametrize("workers", [2])
def test_the_number_of_workers_changes_nothing(tmp_path: Path, workers: int) -> None:
    config = write_road_county(tmp_path, [*TRIP, Video("road-2", after(START, days=1))])
    one = scan(config, state=tmp_path / "one")
    more = scan(config, state=tmp_path / "more", workers=workers)
    assert [alert.document for alert in one.alerts] == [alert.document for alert in more.alerts]


def test_an_approved_truck_is_written_down_and_not_told(tmp_path: Path) -> None:
    result = scan(write_road_county(tmp_path, TRIP, f"plate,company\n{PLATE},土方公司\n"))
    assert (result.passages, result.alerts) == (3, [])
    history = history_of(tmp_path / "state")
    assert [one.company for one in history.passages(PLATE)] == ["土方公司"] * 3
    assert history.violations() == []


def test_the_level_raises_the_priority(tmp_path: Path) -> None:
    """Off hours day by day: normal at first, high the second time, urgent from the fourth on."""
    week = [Video("road-1", after(START, days=day)) for day in range(5)]
    config = write_road_county(tmp_path, week, f"plate,hours\n{PLATE},12:00-13:00\n")
    scenes = road_scene(reasons={"M03": "normal"})
    (tmp_path / "scenes.yaml").write_text(yaml.safe_dump(scenes, allow_unicode=True), encoding="utf-8")
    result = scan(config)
    assert [codes(alert) for alert in result.alerts] == [["M03"]] * 5
    assert [facts(alert)["priority"] for alert in result.alerts] == [3, 2, 2, 1, 1]
    assert [facts(alert)["vehicle"]["level"] for alert in result.alerts] == [
        "green",
        "yellow",
        "yellow",
        "red",
        "red",
    ]
    assert "before this trip red: 3 in 90 days: M03 ×3" in facts(result.alerts[3])["rule"]


def test_nothing_of_a_car_is_left_anywhere(tmp_path: Path) -> None:
    config = write_road_county(tmp_path, TRIP, label="car")
    result = scan(config)
    assert (result.passages, result.alerts) == (0, [])
    for path in (tmp_path / "state").rglob("*"):
        assert not path.is_file() or PLATE.encode() not in path.read_bytes(), path


def test_a_camera_that_is_no_road_is_judged_frame_by_frame(tmp_path: Path) -> None:
    result = scan(write_road_county(tmp_path, TRIP[:1], roads=False))
    assert result.passages == 0
    assert len(result.alerts) == 1 and codes(result.alerts[0]) == ["M01"]


def test_stills_of_a_road_camera_are_judged_picture_by_picture(tmp_path: Path) -> None:
    config = write_road_county(tmp_path, TRIP[:1])
    for hour in (5, 6):
        time = after(START, hours=hour)
        still = tmp_path / "archive" / "camera" / "road-1" / f"{time:%Y%m%dT%H%M%S}Z.jpg"
        write_still(still, [(TRUCK, (40, 20, 280, 230)), ((255, 0, 0), (100, 190, 170, 210))])
    result = scan(config)
    assert result.passages == 1
    assert result.findings == 3
    # They show the same plate at the same camera within the day: the trip's story goes on, and is not told again.
    assert len(result.alerts) == 1
    with incidents.open_store(tmp_path / "state") as store:
        (incident,) = store.incidents()
    assert incident.last_seen == after(START, hours=6)
    assert incident.vehicle is not None
    assert (incident.vehicle.reasons, incident.vehicle.level) == (("M01",), "green")


def test_an_unreadable_truck_is_nobodys_fault(tmp_path: Path) -> None:
    result = scan(write_road_county(tmp_path, [Video("road-1", START, readable=False)]))
    assert (result.passages, result.alerts) == (1, [])
    history = history_of(tmp_path / "state")
    (one,) = history.passages()
    assert one.plate == ""


def test_what_is_old_goes_when_a_scan_begins(tmp_path: Path) -> None:
    config = write_road_county(tmp_path, TRIP[:1])
    now = datetime.now(UTC)
    scan(config)
    history = history_of(tmp_path / "state")
    history.connection.execute(
        "UPDATE vehicle_passages SET time_ms = ?", (int(now.timestamp() * 1000) - 181 * 86_400_000,)
    )
    history.connection.execute("UPDATE vehicle_state SET value = value - 90000000 WHERE key = 'purged_ms'")
    scan(config)
    assert history.passages() == []
    assert len(history.violations()) == 1, "they are kept for two years"


# ------------------------------------------------------------------------------ from passages, reason by reason
ZONES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"id": "yard", "name": "消纳场", "kind": "disposal_site"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    [[120.85, 29.45], [120.851, 29.45], [120.851, 29.451], [120.85, 29.451], [120.85, 29.45]]
                ],
            },
        }
    ],
}


class Road:
    """A judge that is fed passages."""

    def __init__(self, folder: Path, register: str) -> None:
        (folder / "zones.geojson").parent.mkdir(parents=True, exist_ok=True)
        (folder / "zones.geojson").write_text(json.dumps(ZONES), encoding="utf-8")
        registry = {"vehicles": "vehicles.csv", "zones": "zones.geojson"}
        config = write_road_county(
            folder,
            [],
            register,
            cameras={"road-1": 0.0, "road-2": 5000.0, "road-3": 12_000.0},
            registry=registry,
        )
        self.prepared = prepare(locate_config(config))
        self.state = folder / "state"

    def judge(self, passages: Sequence[Passage]) -> list[Alert]:
        with incidents.open_store(self.state) as store:
            ensure_tables(store.connection)
            judge = Judge(self.prepared, store, ScanResult(self.state))
            for passage in passages:
                judge.feed(Passed(passage))
            judge.close()
            return judge.result.alerts


def passage(minute: float, source: str = "road-1", plate: str = PLATE, **more: Any) -> Passage:
    first = START + timedelta(minutes=minute)
    ref = FrameRef(
        frame_id(source, first, 0), source, "camera", first, "name", (640, 480), f"{source}.mp4", {}
    )
    metres = {"road-1": 0.0, "road-2": 5000.0, "road-3": 12_000.0}[source]
    place: Place = Placement(120.9 + metres / METRES_PER_LON, 29.5, 5.0, "homography")
    values: Mapping[str, Any] = {
        "plate": PlateReading(plate, plate, "yellow", "yellow_single", 0.97, (0.97,) * len(plate), 0.97)
        if plate
        else PlateReading(),
        "place": place,
        "appearance": (0.6, 0.8),
        "sights": (Sight("wide", ref, (100.0, 100.0, 300.0, 300.0), 0.8),),
        "looks": 12,
        "label": "dump_truck",
    }
    return Passage(
        f"{source}@{minute:g}",
        source,
        first_seen=first,
        last_seen=first + timedelta(seconds=9),
        **{**values, **more},
    )


def test_all_reasons_are_listed_the_gravest_first(tmp_path: Path) -> None:
    road = Road(tmp_path, f"plate,hours\n{PLATE},12:00-13:00\n")
    (alert,) = road.judge(
        [passage(0, cover="uncovered", cover_confidence=0.9, spill=0.9, dust=0.9, tipping=0.95)]
    )
    assert codes(alert) == ["M11", "M10", "M03", "M08"]
    assert "M11" in facts(alert)["rule"] and "M03" in facts(alert)["rule"]


def test_a_further_reason_is_news_of_the_same_incident(tmp_path: Path) -> None:
    road = Road(tmp_path, "plate\n粤X99999\n")
    alerts = road.judge(
        [
            passage(0),
            passage(6, "road-2"),
            passage(15, "road-3", cover="uncovered", cover_confidence=0.9),
        ]
    )
    assert [(a.revision, codes(a)) for a in alerts] == [(1, ["M01"]), (2, ["M01", "M08"])]
    assert len({a.incident_id for a in alerts}) == 1
    assert facts(alerts[1])["why"] == "vehicle"
    assert facts(alerts[1])["sources"] == ["road-1", "road-2", "road-3"]
    lon = alerts[1].document["data"]["geometry"]["coordinates"][0]
    assert lon == pytest.approx(120.9 + 12_000 / METRES_PER_LON, abs=1e-6), "where it was last"


def test_a_plate_that_becomes_readable_is_news(tmp_path: Path) -> None:
    road = Road(tmp_path, "plate\n粤X99999\n")
    alerts = road.judge([passage(0, plate="", spill=0.9), passage(6, "road-2")])
    assert [facts(a)["vehicle"]["plate"] for a in alerts] == ["", PLATE]
    assert [codes(a) for a in alerts] == [["M10"], ["M10", "M01"]]
    assert "plate not certain" in facts(alerts[0])["explanation"]["en"]
    assert len({a.incident_id for a in alerts}) == 1


def test_a_truck_of_no_certain_kind_needs_no_approval(tmp_path: Path) -> None:
    """A delivery lorry on the road: unregistered is no fault of it, and it is not kept; a registered one is judged."""
    road = Road(tmp_path, "plate,hours\n浙B67890,12:00-13:00\n")
    assert road.judge([passage(0, label="truck")]) == []
    assert history_of(road.state).passages() == []
    (late,) = road.judge([passage(10, label="truck", plate="浙B67890")])
    assert codes(late) == ["M03"]
    (spilling,) = road.judge([passage(20, "road-2", label="truck", plate="浙C11111", spill=0.9)])
    assert codes(spilling) == ["M10"]


def test_two_copies_of_a_plate_are_two_incidents(tmp_path: Path) -> None:
    road = Road(tmp_path, f"plate\n{PLATE}\n")
    alerts = road.judge([passage(0), passage(1, "road-3")])
    assert [codes(a) for a in alerts] == [["M09"]]
    history = history_of(road.state)
    assert len({one.trip_id for one in history.passages(PLATE)}) == 2


def test_a_reading_near_an_approved_one_is_for_a_person(tmp_path: Path) -> None:
    """浙A12345 is approved, 浙A1234S was read: no plate is told, but what the camera saw of the truck is."""
    road = Road(tmp_path, f"plate,hours\n{PLATE},12:00-13:00\n")
    assert road.judge([passage(0, plate="浙A1234S")]) == []
    history = history_of(road.state)
    assert "浙A1234S" in history.passages()[0].review
    (alert,) = road.judge([passage(600, plate="浙A1234S", spill=0.9)])
    assert (facts(alert)["vehicle"]["plate"], codes(alert)) == ("", ["M10"])
    assert "to be reviewed" in facts(alert)["rule"]
    assert history.violations() == []


def test_a_rejected_trip_stays_silent(tmp_path: Path) -> None:
    road = Road(tmp_path, "plate\n粤X99999\n")
    (alert,) = road.judge([passage(0)])
    with incidents.open_store(road.state) as store, store.transaction():
        incidents.pass_verdict(store, alert.incident_id, "rejected", START + timedelta(minutes=3))
    assert road.judge([passage(6, "road-2", spill=0.9)]) == []
    # The next day it is another trip.
    assert len(road.judge([passage(1440, "road-2")])) == 1


def test_a_place_that_is_not_known_is_said(tmp_path: Path) -> None:
    road = Road(tmp_path, "plate\n粤X99999\n")
    alerts = road.judge([passage(0, place=Unplaced("above the horizon")), passage(6, "road-2", place=None)])
    assert len(alerts) == 1, "the cameras' own places join the trip"
    assert facts(alerts[0])["position"] == {"reason": "above the horizon"}


def test_judging_passages_in_any_batches_gives_the_same(tmp_path: Path) -> None:
    way = [
        passage(float(minute), f"road-{1 + minute % 3}", plate=plate)
        for minute in range(0, 400, 9)
        for plate in (PLATE, "浙B67890", "")
    ]
    one, other = Road(tmp_path / "one", "plate\n粤X99999\n"), Road(tmp_path / "other", "plate\n粤X99999\n")
    at_once = one.judge(way)
    one_by_one = [alert for passage in way for alert in other.judge([passage])]
    assert at_once and [a.alert_id for a in at_once] == [a.alert_id for a in one_by_one]
    dumps = [
        [line for line in sqlite3.connect(road.state / "huoyan.db").iterdump() if "vehicle_" in line]
        for road in (one, other)
    ]
    assert dumps[0] == dumps[1]
    # What was judged is passed over when it comes again.
    assert one.judge(way) == []


def test_people_and_other_vehicles_of_the_frame_are_given_to_redaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huoyan.runs import telling

    road = Road(tmp_path, "plate\n粤X99999\n")
    one = passage(0)
    car = Detection("car", 0.9, (400.0, 100.0, 600.0, 300.0))
    shown: list[Sequence[Detection]] = []
    render = telling.alerts.render

    def spy(*args: Any, **named: Any) -> Any:
        shown.append(named["others"])
        return render(*args, **named)

    monkeypatch.setattr(telling.alerts, "render", spy)
    with incidents.open_store(road.state) as store:
        ensure_tables(store.connection)
        judge = Judge(road.prepared, store, ScanResult(road.state))
        judge.feed(Passed(one, {one.sights[0].frame.frame_id: (car,)}))
        judge.close()
    assert [list(others) for others in shown] == [[car]]
