"""Stories that go from box to box through a real NATS server: learned before anything is written, never overwritten."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from huoyan import incidents
from huoyan.config_dispatch import Nats
from huoyan.dispatch import stories as module
from huoyan.dispatch.rulings import Ruling
from huoyan.dispatch.stories import Handed, Stories
from huoyan.incidents import handover
from huoyan.records import (
    Detection,
    Finding,
    FrameRef,
    Observation,
    PermitCheck,
    Placement,
    Priority,
    frame_id,
)
from huoyan.sqlite import from_ms, to_ms

from ..support.gates import free_port, wait_for
from ..support.receivers import NatsServer

CAMERA = "相机 1"
WAIT_S = 60
START = datetime.now(UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats", free_port()) as server:
        yield server


class Box:
    """A state, and what hands its stories on."""

    def __init__(self, folder: Path, url: str) -> None:
        self.store = incidents.open_store(folder)
        self.given: queue.Queue[Handed] = queue.Queue()
        self.rulings: queue.Queue[Ruling] = queue.Queue()
        settings = Nats(servers=[url], leases={"ttl": "4s"}, timeout="2s")  # type: ignore[arg-type]
        self.stories = Stories(settings, folder, self.give, memory_key="#health|")
        self.stories.start()

    def give(self, message: Handed | Ruling) -> None:
        if isinstance(message, Handed):
            self.given.put(message)
        else:
            self.rulings.put(message)

    def own(self) -> Handed:
        """Get the camera, and take what is known of it."""
        self.stories.own([CAMERA])
        return self.learn()

    def learn(self) -> Handed:
        handed = self.given.get(timeout=WAIT_S)
        with self.store.transaction():
            for story in handed.stories:
                handover.take(self.store, story)
        self.stories.taken(CAMERA)
        return handed

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something, and learn meanwhile what is given, as the daemon does."""

        def learned() -> object:
            while not self.given.empty():
                self.learn()
            return condition()

        wait_for(learned, WAIT_S)

    def hear(self) -> Ruling:
        """Take the next verdict that was passed at another box."""
        ruling = self.rulings.get(timeout=WAIT_S)
        with self.store.transaction():
            incidents.hear_verdict(
                self.store, ruling.incident_id, ruling.verdict, ruling.time, note=ruling.note
            )
        return ruling

    def rule(self, verdict: Literal["confirmed", "rejected"], second: int) -> None:
        """A crew says here what it found of the one incident."""
        with self.store.transaction():
            incidents.pass_verdict(
                self.store, self.store.incidents()[0].incident_id, verdict, moment(second), note="雨"
            )
        self.stories.wake()

    def see(self, stage: str, second: int) -> str:
        """Something is seen, and told if it is news; its incident."""
        time = moment(second)
        ref = FrameRef(frame_id(CAMERA, time, second), CAMERA, "camera", time, "exif", (640, 360), "")
        place = Placement(120.9, 29.5, 5.0, "test")
        seen = Observation(ref, Detection("excavator", 0.8, (0.0, 0.0, 50.0, 50.0)), place)
        finding = Finding(
            scene="earthwork",
            stage=stage,
            place=place,
            confidence=0.8,
            zones=(),
            priority=Priority.NORMAL,
            code="0394",
            frame=ref,
            evidence=(seen,),
            looks=3,
            permit=PermitCheck("none"),
            reason="seen thrice",
            window_s=86400.0,
            reach_m=10.0,
        )
        with self.store.transaction():
            incidents.associate(self.store, [finding])
        self.stories.wake()
        return self.store.incidents()[0].incident_id

    def close(self) -> None:
        self.stories.stop()
        self.store.close()


def moment(second: int) -> datetime:
    return START + timedelta(seconds=second)


@pytest.fixture
def boxes(server: NatsServer, tmp_path: Path) -> Iterator[list[Box]]:
    made = [Box(tmp_path / name, server.url) for name in ("a", "b")]
    yield made
    for box in made:
        box.close()


def handed(server: NatsServer) -> Handed:
    """What the camera's entry says now."""

    async def entry(js: Any) -> bytes:
        from nats.js.errors import NotFoundError

        try:
            last = await js.get_last_msg("KV_huoyan-leases-stories", f"$KV.huoyan-leases-stories.{key}")
        except NotFoundError:
            return b""
        return last.data or b""

    key = module.jetstream.key(CAMERA)
    return module.unpacked(CAMERA, server.ask(entry))


def revision(server: NatsServer) -> int:
    """Of the one story that is handed on; 0: there is none yet."""
    stories = handed(server).stories
    found = [json.loads(story["incidents"][0]["document"])[0]["revision"] for story in stories]
    return found[0] if found else 0


def test_a_story_goes_with_its_camera(server: NatsServer, boxes: list[Box]) -> None:
    first, second = boxes
    assert first.own() == Handed(CAMERA)
    told = first.see("digging", 1)
    with first.store.transaction() as connection:
        connection.execute("INSERT INTO memory VALUES (?, ?)", (f"#health|{CAMERA}", '{"faults": {}}'))
    # All of the first's last word, or that would come between the second's reading and its writing.
    first.stories.wake()
    wait_for(lambda: handed(server).faults == {"faults": {}} and revision(server) == 1, WAIT_S)
    assert second.own().faults == {"faults": {}}
    assert second.see("digging", 2) == told
    assert len(second.store.incidents()) == 1
    second.see("piling", 3)
    second.until(lambda: revision(server) == 2)


def test_a_box_with_an_old_state_learns_and_does_not_overwrite(server: NatsServer, boxes: list[Box]) -> None:
    first, second = boxes
    first.own()
    first.see("digging", 1)
    wait_for(lambda: revision(server) == 1, WAIT_S)
    second.own()
    second.see("piling", 2)
    second.see("pouring", 3)
    second.until(lambda: revision(server) == 3)
    # The first was held up, knows nothing of that, and still takes the camera for its own.
    first.see("piling", 4)
    assert first.learn().stories
    assert first.store.incidents()[0].revision == 3
    first.stories.wake()
    assert revision(server) == 3


def test_what_is_judged_just_after_a_camera_has_left_is_handed_on(
    server: NatsServer, boxes: list[Box]
) -> None:
    first, second = boxes
    first.own()
    first.stories.own([])
    told = first.see("digging", 1)
    wait_for(lambda: revision(server) == 1, WAIT_S)
    second.own()
    assert second.see("digging", 2) == told
    # From then on it is the second's word that counts.
    second.see("piling", 3)
    second.until(lambda: revision(server) == 2)
    first.see("pouring", 4)
    first.stories.own([CAMERA])
    assert first.learn().stories
    assert revision(server) == 2


def test_an_entry_that_cannot_be_used_is_none(server: NatsServer, boxes: list[Box]) -> None:
    first, second = boxes
    first.own()
    first.see("digging", 1)
    wait_for(lambda: revision(server) == 1, WAIT_S)
    key = module.jetstream.key(CAMERA)
    server.ask(lambda js: js.publish(f"$KV.huoyan-leases-stories.{key}", b"rubbish"))
    assert second.own() == Handed(CAMERA)


def test_without_nats_a_camera_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.5)
    pytest.importorskip("nats", reason="nats-py is not installed: pip install 'huoyan[nats]'")
    box = Box(tmp_path / "alone", f"nats://127.0.0.1:{free_port()}")
    try:
        assert not box.stories.awaits(CAMERA)
        box.stories.own([CAMERA])
        assert box.stories.awaits(CAMERA)
        wait_for(lambda: not box.stories.awaits(CAMERA), WAIT_S)
        wait_for(lambda: box.stories.why, WAIT_S)
        assert box.given.empty()
    finally:
        box.close()


def test_a_verdict_is_heard_where_the_camera_is_now(
    server: NatsServer, boxes: list[Box], tmp_path: Path
) -> None:
    first, second = boxes
    first.own()
    first.see("digging", 1)
    first.stories.own([])
    wait_for(lambda: revision(server) == 1, WAIT_S)
    second.own()
    second.see("piling", 2)
    first.rule("rejected", 3)
    heard = second.hear()
    assert (heard.verdict, heard.time, heard.note) == ("rejected", from_ms(to_ms(moment(3))), "雨")
    assert [one.status for one in second.store.incidents()] == ["rejected"]
    assert [note for _, note in incidents.hard_negatives(second.store)] == ["雨"]
    # The place is silent there too.
    second.see("pouring", 4)
    assert [one.status for one in second.store.incidents()] == ["rejected"]
    # Of two verdicts the later stands, everywhere: what comes late from elsewhere changes nothing.
    second.rule("confirmed", 5)
    assert first.hear().verdict == "confirmed"
    assert [one.status for one in first.store.incidents()] == ["confirmed"]
    first.close()
    # All of the second's last word, or that would come between the other's reading and its writing.
    second.until(lambda: handed(server).stories[0]["incidents"][0]["status"] == "confirmed")
    # A box that comes back has nothing to hear that it knows, and says nothing that is older.
    again = Box(tmp_path / "a", server.url)
    try:
        again.own()
        before = revision(server)
        again.see("finishing", 6)
        # It exchanges verdicts before it writes.
        again.until(lambda: revision(server) == before + 1)
        assert again.rulings.empty()
        assert [one.status for one in second.store.incidents()] == ["confirmed"]
    finally:
        again.close()


def test_a_verdict_that_cannot_be_used_is_none(
    server: NatsServer, boxes: list[Box], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = boxes
    first.own()
    for name, data in (
        ("1", b"rubbish"),
        ("2", b'{"incident": "x", "verdict": "x", "time_ms": 1, "note": ""}'),
        ("3", b'{"incident": "x", "verdict": "rejected", "time_ms": 4102444800000, "note": ""}'),
    ):
        subject = f"$KV.huoyan-leases-stories.=verdict.{name}"
        server.ask(lambda js, subject=subject, data=data: js.publish(subject, data))
    first.see("digging", 1)
    wait_for(lambda: revision(server) == 1, WAIT_S)
    second.own()
    first.rule("confirmed", 2)
    assert second.hear().verdict == "confirmed"
    assert caplog.text.count("a verdict of another box cannot be used") >= 3
    assert "check the clocks" in caplog.text
