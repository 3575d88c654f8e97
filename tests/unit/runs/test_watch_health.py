"""Faults of cameras as stories: told once when they have lasted, ended when over, many at once as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from huoyan import dispatch
from huoyan.config import load
from huoyan.config_watch import Disk
from huoyan.incidents import Store, open_store
from huoyan.records import Alert
from huoyan.runs.prepare import Prepared, prepare
from huoyan.runs.watch.health import MEMORY_KEY, HealthDesk
from huoyan.runs.watch.judge import LiveJudge
from huoyan.runs.watch.room import Room
from huoyan.sample import CameraEvent, CameraState, Picture, Sample

from ...support.county import write_county

NOON = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
"""Noon in the county, at 120 degrees east."""
SIZE = (64, 48)
NO_MODELS = dict.fromkeys(("site", "street", "road", "change", "dust", "plates"))


def county(folder: Path, count: int, hosts: int = 1, **watch: Any) -> Prepared:
    cameras = [
        {
            "id": f"cam-{i:03}",
            "position": [120.0 + i / 100, 30.0],
            "stream": {"url": f"rtsp://10.0.0.{i % hosts}/{i}"},
        }
        for i in range(count)
    ]
    return prepare(
        load(
            write_county(
                folder, frames=0, cameras=cameras, scenes={}, models={**NO_MODELS}, watch=watch or {}
            )
        )
    )


@dataclass
class Bench:
    """A desk, a judge and a clock."""

    prepared: Prepared
    store: Store
    start: datetime = NOON
    clock: float = 1000.0
    told: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.judge = LiveJudge(self.prepared, self.store, Room(self.prepared.loaded.state, Disk()))
        self.desk = HealthDesk(self.prepared, self.judge.memory)

    @property
    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.clock - 1000.0)

    def event(self, camera: int, state: CameraState, why: str = "") -> None:
        self.desk.event(CameraEvent(f"cam-{camera:03}", self.now, self.clock, state, why))

    def sample(
        self,
        camera: int,
        *conditions: str,
        picture: Picture | None = None,
        **measures: float,
    ) -> None:
        name = f"cam-{camera:03}"
        found = frozenset(conditions)
        self.desk.sample(
            Sample(name, self.now, self.clock, SIZE, conditions=found, measures=measures, picture=picture)
        )

    def samples(self, cameras: Iterable[int], *conditions: str) -> None:
        for camera in cameras:
            self.sample(camera, *conditions)

    def run(self, seconds: float, each: Callable[[], None] = lambda: None, step: float = 2.0) -> list[Alert]:
        """Let time pass, with a report each two seconds; returns what was told."""
        new: list[Alert] = []
        end = self.clock + seconds
        while self.clock < end:
            self.clock += step
            each()
            for task in self.desk.tick(self.clock, self.now):
                self.judge.feed(task)
            while self.judge.waits:
                judged = self.judge.commit()
                assert judged is not None
                new += judged.alerts
        self.told += new
        return new


def about(alert: Alert) -> tuple[str, str]:
    told = alert.document["data"]["properties"]
    return told["stage"], told["status"]


def sources(alert: Alert) -> list[str]:
    return list(alert.document["data"]["properties"]["sources"])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    stores = []

    def make(count: int = 2, hosts: int = 1, **changes: Any) -> Bench:
        prepared = county(tmp_path, count, hosts)
        context = open_store(prepared.loaded.state)
        store = context.__enter__()
        stores.append(context)
        dispatch.ensure_tables(store.connection)
        return Bench(prepared, store, **changes)

    yield make
    for context in stores:
        context.__exit__(None, None, None)


def test_a_lost_camera_is_told_once_and_resolved_when_it_is_back(bench: Callable[..., Bench]) -> None:
    desk = bench()
    desk.event(0, "live")
    desk.sample(0)
    desk.event(0, "lost", "connection refused")
    assert not desk.run(58)
    (alert,) = desk.run(10)
    assert about(alert) == ("lost", "open")
    told = alert.document["data"]["properties"]
    assert sources(alert) == ["cam-000"] and "connection refused" in told["rule"]
    assert told["scene"]["zh"] == "摄像头故障" and told["stage"] == "lost"
    assert alert.document["data"]["geometry"]["coordinates"] == [120.0, 30.0]
    assert not desk.run(7200), "it is told once, however long it lasts"
    desk.event(0, "live")
    (end,) = desk.run(300, lambda: desk.sample(0))
    assert about(end) == ("lost", "resolved") and end.incident_id == alert.incident_id


def test_a_fault_that_another_box_told_ends_here(bench: Callable[..., Bench]) -> None:
    first = bench()
    first.desk.shared = True
    first.event(0, "live")
    first.sample(0)
    first.event(0, "lost")
    (told,) = first.run(70)
    faults = first.judge.memory.get(MEMORY_KEY + "cam-000")
    # The camera goes to another box: the one that told of it says nothing of its end.
    first.event(0, "stopped")
    first.desk.leave("cam-000")
    assert not first.run(600)
    assert first.judge.memory.get(MEMORY_KEY + "cam-000") is None
    # Here the same state stands for that of the other box, which has taken the stories over.
    second = first
    second.restart()
    second.desk.take("cam-000", faults)
    second.event(0, "lost")
    assert not second.run(600), "it was told already"
    second.event(0, "live")
    (end,) = second.run(300, lambda: second.sample(0))
    assert about(end) == ("lost", "resolved") and end.incident_id == told.incident_id


def test_many_faults_that_another_box_told_as_one_end_here_as_one(bench: Callable[..., Bench]) -> None:
    desk = bench(20, hosts=20)
    ill = range(12)
    for camera in ill:
        desk.event(camera, "lost")
    (told,) = desk.run(100)
    faults = {camera: desk.judge.memory.get(f"{MEMORY_KEY}cam-{camera:03}") for camera in ill}
    for camera in range(20):
        desk.desk.leave(f"cam-{camera:03}")
    assert not desk.run(600), "the box that has the cameras now ends it"
    desk.restart()
    for camera in ill:
        desk.desk.take(f"cam-{camera:03}", faults[camera])
        desk.event(camera, "lost")
    assert not desk.run(600), "it was told already"
    desk.event(0, "live")
    assert not desk.run(300, lambda: desk.sample(0)), "eleven are lost still"
    for camera in ill:
        desk.event(camera, "live")
    (end,) = desk.run(300, lambda: desk.samples(ill))
    assert about(end) == ("lost", "resolved") and end.incident_id == told.incident_id


@pytest.mark.parametrize(
    "known", ["rubbish", {"faults": 7}, {"faults": {"camera_lost": {}}}, {"told": {"camera_lost": ["soon"]}}]
)
def test_what_another_box_cannot_have_told_stops_nothing(
    bench: Callable[..., Bench], known: object, caplog: pytest.LogCaptureFixture
) -> None:
    desk = bench()
    desk.desk.take("cam-000", known)
    assert "cam-000: what another box told" in caplog.text
    desk.event(0, "lost")
    (told,) = desk.run(70)
    assert about(told)[0] == "lost"


def test_the_end_of_a_story_is_told_by_the_box_that_holds_its_first_camera(
    bench: Callable[..., Bench],
) -> None:
    desk = bench()
    desk.event(0, "lost")
    desk.run(100)
    desk.store.ours = lambda incident: False
    desk.event(0, "live")
    assert not desk.run(300, lambda: desk.sample(0))


def test_what_is_over_before_it_has_lasted_is_never_told(bench: Callable[..., Bench]) -> None:
    desk = bench()
    for _ in range(3):
        desk.event(0, "lost")
        assert not desk.run(40)
        desk.event(0, "live")
        assert not desk.run(100, lambda: desk.sample(0))


def test_a_camera_that_comes_and_goes_is_one_story(bench: Callable[..., Bench]) -> None:
    """Down for two minutes, up for 40 s, fifty times."""
    desk = bench()
    for _ in range(50):
        desk.event(0, "lost")
        desk.run(120)
        desk.event(0, "live")
        desk.run(40, lambda: desk.sample(0))
    assert [about(alert) for alert in desk.told] == [("lost", "open")]
    desk.run(4000, lambda: desk.sample(0))
    assert about(desk.told[-1]) == ("lost", "resolved")


def test_what_comes_back_again_and_again_is_told_a_few_times_a_day(bench: Callable[..., Bench]) -> None:
    """Down for two minutes every ten, for eight hours: each end is waited for longer."""
    desk = bench()
    for _ in range(48):
        desk.event(0, "lost")
        desk.run(120, step=10)
        desk.event(0, "live")
        desk.run(480, lambda: desk.sample(0), step=10)
    assert 1 <= len([a for a in desk.told if a.document["data"]["properties"]["status"] == "open"]) <= 4


def test_faults_of_the_picture_are_stages_with_the_picture_as_evidence(bench: Callable[..., Bench]) -> None:
    desk = bench()
    picture = Picture(bytes([128]) * (64 * 72), SIZE)
    faulty = ("camera_blurred", "camera_moved")
    alerts = desk.run(70, lambda: desk.sample(0, *faulty, picture=picture))
    assert sorted(map(about, alerts)) == [("blurred", "open"), ("moved", "open")]
    assert {e["role"] for e in alerts[0].document["data"]["properties"]["evidence"]} >= {"wide"}
    assert len({alert.incident_id for alert in alerts}) == 2
    (end,) = desk.run(100, lambda: desk.sample(0, "camera_moved"))
    assert about(end) == ("blurred", "resolved")


def test_a_wrong_clock_is_told_with_hysteresis(bench: Callable[..., Bench]) -> None:
    desk = bench()
    assert not desk.run(300, lambda: desk.sample(0, skew_s=25.0))
    (alert,) = desk.run(70, lambda: desk.sample(0, skew_s=-31.0))
    assert about(alert) == ("clock", "open")
    assert not desk.run(600, lambda: desk.sample(0, skew_s=-25.0)), "it hovers about the limit"
    (end,) = desk.run(100, lambda: desk.sample(0, skew_s=1.0))
    assert about(end) == ("clock", "resolved")


@pytest.mark.parametrize(("start", "told"), [(NOON, 1), (NOON + timedelta(hours=12), 0)])
def test_nothing_to_see_is_a_fault_by_day_only(
    bench: Callable[..., Bench], start: datetime, told: int
) -> None:
    """After dusk without a lamp the picture is dark; it must not be so at noon."""
    desk = bench(start=start)
    assert len(desk.run(200, lambda: desk.sample(0, empty=1.0))) == told


@pytest.mark.parametrize("spread_s", [0, 50])
def test_a_switch_that_fails_is_one_story_that_names_all_cameras(
    bench: Callable[..., Bench], spread_s: int
) -> None:
    desk = bench(60, hosts=60)
    for camera in range(40):
        desk.event(camera, "lost", "no route")
        if camera % 10 == 9:
            desk.run(spread_s / 4)
    desk.run(200)
    (alert,) = desk.told
    assert sources(alert) == [f"cam-{i:03}" for i in range(40)]
    position = alert.document["data"]["properties"]["position"]
    assert "40 cameras at once" in position["reason"] and "28 more" in position["reason"]
    for camera in range(39):
        desk.event(camera, "live")
    (end, rest) = desk.run(300, lambda: desk.samples(range(39)))
    assert about(end) == ("lost", "resolved") and end.incident_id == alert.incident_id
    assert about(rest) == ("lost", "open") and sources(rest) == ["cam-039"]


def test_who_is_lost_with_the_others_but_later_joins_their_story(bench: Callable[..., Bench]) -> None:
    desk = bench(30, hosts=30)
    for camera in range(10):
        desk.event(camera, "lost")
    desk.run(50)
    desk.event(10, "lost")
    desk.run(40)
    desk.event(11, "lost")
    assert len(desk.run(200)) == 0 and len(desk.told) == 1
    desk.run(600)
    desk.event(20, "lost")
    (alone,) = desk.run(100)
    assert sources(alone) == ["cam-020"], "ten minutes later it is another story"


def test_a_few_cameras_at_one_moment_are_told_one_by_one(bench: Callable[..., Bench]) -> None:
    desk = bench(60, hosts=60)
    for camera in range(5):
        desk.event(camera, "lost")
    assert len(desk.run(100)) == 5


def test_a_recorder_that_fails_is_one_story(bench: Callable[..., Bench]) -> None:
    """Four cameras of one host are too few to be many; but they are all that it has."""
    desk = bench(40, hosts=10)
    for camera in (3, 13, 23, 33):
        desk.event(camera, "lost")
    (alert,) = desk.run(100)
    assert sources(alert) == ["cam-003", "cam-013", "cam-023", "cam-033"]
    assert "4 cameras of 10.0.0.3 at once" in alert.document["data"]["properties"]["position"]["reason"]


def test_fog_over_the_county_is_one_story(bench: Callable[..., Bench]) -> None:
    """Cameras turn blurred within some minutes of each other."""
    desk = bench(30, hosts=30)

    def report(until: int) -> Callable[[], None]:
        return lambda: desk.samples(range(until), "camera_blurred")

    for upto in range(0, 21, 4):
        desk.run(14, report(upto))
    desk.run(200, report(21))
    (alert,) = desk.told
    assert len(sources(alert)) >= 12


@pytest.mark.parametrize("many", [False, True])
def test_a_restart_tells_nothing_again_and_ends_what_is_over(bench: Callable[..., Bench], many: bool) -> None:
    desk = bench(20, hosts=20)
    ill = range(12 if many else 1)
    for camera in ill:
        desk.event(camera, "lost")
    (alert,) = desk.run(100)
    desk.restart()
    for camera in ill:
        desk.event(camera, "opening")
        desk.event(camera, "lost")
    assert not desk.run(300)
    desk.restart()
    for camera in ill:
        desk.event(camera, "live")
    (end,) = desk.run(300, lambda: desk.samples(ill))
    assert about(end) == ("lost", "resolved") and end.incident_id == alert.incident_id
    desk.restart()
    assert not desk.run(300, lambda: desk.samples(ill))


def test_a_camera_that_another_box_takes_over_is_forgotten_here(bench: Callable[..., Bench]) -> None:
    desk = bench()
    desk.event(0, "lost")
    assert len(desk.run(100)) == 1
    desk.event(0, "stopped")
    (end,) = desk.run(10)
    assert about(end)[1] == "resolved"
    assert not desk.run(1000)


def test_a_camera_that_left_the_configuration_is_forgotten(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    desk = bench()
    desk.event(0, "lost")
    desk.event(1, "lost")
    assert len(desk.run(100)) == 2
    desk.desk.use(county(tmp_path / "less", 1))
    (end,) = desk.run(10)
    assert sources(end) == ["cam-001"] and about(end)[1] == "resolved"
