"""Readers at a real RTSP server that is killed, frozen, locked and slow; and their process, killed and hung."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.cameras import Heard, film, reading, until
from tests.support.rtsp import Server

from huoyan.config_watch import Logins
from huoyan.ingest.handle import Ingest
from huoyan.sample import Burst, CameraPlan, Cameras, Patience, Stretch

QUICK = Patience(open_s=5.0, first_s=8.0, read_s=2.0, pause_s=0.2, longest_pause_s=1.0)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("films")
    return [film(folder / "street.mp4"), film(folder / "yard.mp4", codec="libx265", size=(128, 96))]


@pytest.fixture(scope="module")
def server(films: list[Path]) -> Iterator[Server]:
    with Server(films) as server:
        yield server


def plan(address: str, camera: str = "c", every_s: float = 0.5, **more: object) -> CameraPlan:
    return CameraPlan(camera, address, every_s, patience=QUICK, **more)  # type: ignore[arg-type]


def at(server: Server, name: str, account: str = "") -> str:
    return f"rtsp://{account}127.0.0.1:{server.port}/{name}"


@pytest.mark.parametrize(
    ("name", "more", "size"),
    [
        ("street", {}, (160, 96)),
        ("yard", {}, (128, 96)),
        ("street", {"transport": "udp"}, (160, 96)),
        ("street", {"mode": "once"}, (160, 96)),
    ],
    ids=["h264", "h265", "udp", "once"],
)
def test_samples_come_at_their_interval(
    server: Server, name: str, more: dict[str, object], size: tuple[int, int]
) -> None:
    with reading([plan(at(server, name), **more)]) as (_reader, heard):
        until(lambda: heard.count("c") >= 6)
    samples = heard.samples["c"]
    first = samples[0]
    assert first.passed == "first" and first.picture is not None and first.signature is not None
    assert first.size == first.picture.size == size
    assert len(first.picture.i420) == size[0] * size[1] * 3 // 2
    clocks = [sample.clock for sample in samples]
    assert clocks == sorted(clocks) and clocks[-1] - clocks[0] > 5 * 0.25
    assert all(sample.picture is None for sample in samples if not sample.passed)
    assert heard.events["c"][0].state == "opening" and heard.events["c"][1].state == "live"
    if more.get("transport") != "udp":
        assert abs(samples[-1].measures.get("skew_s", 0.0)) < 30


def test_a_server_that_dies_is_found_again_and_times_go_on(films: list[Path]) -> None:
    with Server(films) as server, reading([plan(at(server, "street"))]) as (_reader, heard):
        until(lambda: heard.count("c") >= 2)
        server.kill()
        until(lambda: heard.state("c")[0] == "lost")
        until(lambda: heard.state("c") == ("lost", "refused"))
        before = heard.count("c")
        server.start()
        until(lambda: heard.count("c") >= before + 2)
        assert heard.state("c") == ("live", "")
    clocks = [sample.clock for sample in heard.samples["c"]]
    assert clocks == sorted(clocks)


def test_a_stream_that_freezes_is_given_up_others_go_on(films: list[Path]) -> None:
    plans = [plan("", camera) for camera in ("cam000", "cam002")]
    with Server(films, "--copies", "4", "--shared") as server:
        plans = [replace(one, address=at(server, one.id)) for one in plans]
        with reading(plans) as (_reader, heard):
            until(lambda: heard.count("cam000") and heard.count("cam002"))
            assert server.order("freeze cam000") == "done freeze cam000"
            until(lambda: heard.state("cam000") == ("lost", "timeout"))
            assert heard.state("cam002") == ("live", "")
            # It can be logged in to, and still no picture comes.
            until(lambda: len([e for e in heard.events["cam000"] if e.state == "lost"]) >= 2)
            server.order("restore cam000")
            until(lambda: heard.state("cam000") == ("live", ""))
            server.order("kill cam000")
            until(lambda: heard.state("cam000") == ("lost", "not_found"))
            server.order("restore cam000")
            until(lambda: heard.state("cam000") == ("live", ""))
            assert heard.state("cam002") == ("live", "")


def test_a_wrong_password_is_told_without_it_and_a_mended_one_needs_no_restart(films: list[Path]) -> None:
    with Server(films, "--user", "viewer", "--password", "p@ss/w") as server:
        wrong = plan(at(server, "street", "viewer:hush-9@"))
        with reading([wrong, plan(at(server, "street"), "nobody")]) as (reader, heard):
            until(lambda: heard.state("c") == ("fatal", "unauthorised"))
            until(lambda: heard.state("nobody") == ("fatal", "unauthorised"))
            assert all("hush-9" not in event.why for event in heard.events["c"])
            tries = len(heard.events["c"])
            until(lambda: len(heard.events["c"]) > tries)
            right = at(server, "street", "viewer:p%40ss%2Fw@")
            reader.tell(Cameras((replace(wrong, address=right),)))
            until(lambda: heard.count("c"))
            assert heard.state("nobody")[0] == "stopped"


def test_a_slow_first_picture_is_waited_for(films: list[Path]) -> None:
    with Server(films) as server:
        server.order("freeze street")
        patient = replace(plan(at(server, "street")), patience=replace(QUICK, first_s=60.0, read_s=60.0))
        with reading([patient]) as (_reader, heard):
            until(lambda: heard.tally is not None and heard.tally.due.get("c", 0) > 4)
            assert heard.state("c") == ("opening", "")
            server.order("restore street")
            until(lambda: heard.state("c") == ("live", ""))
            assert [event.state for event in heard.events["c"]] == ["opening", "live"]


@contextmanager
def impostor(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Something that listens where a camera should be."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.1)
    stopping = threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            with suppress(OSError):
                client, _ = listening.accept()
                with client, suppress(OSError):
                    client.settimeout(20)
                    talk(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"rtsp://user:hush-9@127.0.0.1:{listening.getsockname()[1]}/1"
    finally:
        stopping.set()
        thread.join(30)
        listening.close()


def _garbage(client: socket.socket) -> None:
    client.recv(1000)
    client.sendall(os.urandom(300_000))


def _half(client: socket.socket) -> None:
    client.recv(1000)
    client.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 1000\r\n\r\nv=0")


def _silent(client: socket.socket) -> None:
    while client.recv(1000):
        pass


def _another_host(client: socket.socket) -> None:
    """Sends whoever comes to an address where nothing listens; whoever tells the account there has lost it."""
    for _ in range(2):
        request = client.recv(4000).decode()
        number = request.split("CSeq: ")[1].split("\r\n")[0]
        status = "302 Found\r\nLocation: rtsp://127.0.0.2:9/1" if request.startswith("DESCRIBE") else "200 OK"
        client.sendall(f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("talk", "codes"),
    [
        (_garbage, {"damaged", "ended", "failed"}),
        (_half, {"ended"}),
        (_silent, {"timeout"}),
        (_another_host, {"refused"}),
    ],
)
def test_what_only_looks_like_a_camera(talk: Callable[[socket.socket], None], codes: set[str]) -> None:
    hasty = Patience(open_s=1.0, first_s=2.0, read_s=1.0, pause_s=0.1, longest_pause_s=0.2)
    with impostor(talk) as address, reading([replace(plan(address), patience=hasty)]) as (_reader, heard):
        until(lambda: len([event for event in heard.events.get("c", []) if event.state == "lost"]) >= 3)
    assert {event.code for event in heard.events["c"] if event.state == "lost"} <= codes
    assert all("hush-9" not in event.why for event in heard.events["c"])


def test_a_camera_that_comes_back_during_the_login(films: list[Path]) -> None:
    """It accepts connections before it can answer, as one that boots; then it is there."""
    with Server(films) as server:
        port = server.port
        server.kill()
        booting = socket.create_server(("127.0.0.1", port), backlog=8)
        with booting, reading([plan(f"rtsp://127.0.0.1:{port}/street")]) as (_reader, heard):
            booting.settimeout(30)
            client, _ = booting.accept()
            assert client.recv(1000).startswith(b"OPTIONS")
            client.close()
            booting.close()
            server.start()
            until(lambda: heard.count("c"))


def test_orders(server: Server) -> None:
    both = [plan(at(server, "street"), "a", 1.0), plan(at(server, "yard"), "b", 1.0)]
    with reading(both) as (reader, heard):
        until(lambda: heard.count("a") and heard.count("b"))
        reader.tell(Burst("a", time.monotonic() + 60, 0.5))
        until(lambda: [s.passed for s in heard.samples["a"]].count("burst") >= 3)
        assert "burst" not in [s.passed for s in heard.samples["b"]]
        connections = heard.events["b"][-1].connections
        # What was learned in the meantime is no reason to start anew.
        reader.tell(Cameras((replace(both[1], view_state="{}"),)))
        until(lambda: heard.state("a") == ("stopped", ""))
        until(lambda: "a" in heard.states)
        count = heard.count("b")
        until(lambda: heard.count("b") > count)
        assert heard.events["b"][-1].connections == connections
        reader.tell(Stretch(100.0))
        until(lambda: heard.tally is not None and "a" not in heard.tally.due)
    assert "b" in heard.states


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_process_that_is_lost_is_replaced(server: Server, how: signal.Signals) -> None:
    heard = Heard()
    ingest = Ingest("ingest-0", Logins(), heard.take, restart_after_s=3.0)
    ingest.tell(Cameras((plan(at(server, "street")),)))
    ingest.start()
    try:
        until(lambda: heard.count("c") >= 1)
        first = ingest.pid
        os.kill(first, how)
        until(ingest.check, what="the loss")
        before = heard.count("c")

        def back() -> bool:
            ingest.check()
            return heard.count("c") > before and ingest.pid not in (0, first)

        until(back)
        assert ingest.restarts == 1
    finally:
        ingest.stop(10.0)
    assert not ingest.alive
    # What it had learned came before its end.
    assert "c" in heard.states


def figures() -> tuple[int, int]:
    """(threads, descriptors) of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


def test_reconnects_leave_nothing_behind(films: list[Path]) -> None:
    hasty = replace(QUICK, read_s=5.0, pause_s=0.02, longest_pause_s=0.05)
    with Server(films, "--copies", "10", "--shared") as server:
        names = [f"cam{number:03}" for number in range(10)]
        plans = [replace(plan(at(server, name), name), patience=hasty) for name in names]
        with reading(plans) as (_reader, heard):

            def round_() -> None:
                server.order("kill *")
                until(lambda: all(heard.state(name)[0] in ("fatal", "lost") for name in names))
                server.order("restore *")
                until(lambda: all(heard.state(name)[0] == "live" for name in names))

            until(lambda: all(heard.state(name)[0] == "live" for name in names))
            round_()
            before = figures()
            for _ in range(5):
                round_()
            until(lambda: figures() <= before, what="the end of what the logins needed")
            # More logins than these were refused in between.
            assert sum(heard.events[name][-1].connections for name in names) >= 70
