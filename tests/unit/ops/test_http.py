"""The pages for machines, over real connections."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from huoyan.errors import ConfigError
from huoyan.ops import http as pages
from huoyan.status import ProcessStatus, Status

from ...support.statuses import LOST, NOW, status


class Box:
    """A daemon's newest status, to be changed by a test."""

    def __init__(self) -> None:
        self.status = status()

    def __call__(self) -> Status:
        return self.status


@contextlib.contextmanager
def served(
    current: Callable[[], Status], listen: str = "127.0.0.1:0", **options: Any
) -> Iterator[pages.Server]:
    server = pages.serve(listen, current, **options)
    try:
        yield server
    finally:
        server.stop()


def ask(
    server: pages.Server, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection(*server.address, timeout=30)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    finally:
        connection.close()


def until(holds: Callable[[], bool], deadline_s: float = 30.0) -> None:
    end = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.05)


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if "http" in one.name or "process_request" in one.name]


def test_the_pages_say_what_is() -> None:
    box = Box()
    with served(box) as server:
        code, body, headers = ask(server, "/status")
        assert (code, json.loads(body)) == (200, json.loads(json.dumps(box.status.as_json())))
        assert headers["Content-Type"].startswith("application/json")
        code, body, headers = ask(server, "/metrics?x=1")
        assert code == 200
        assert 'huoyan_camera_samples_total{camera="cam-1"} 998.0' in body
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert ask(server, "/healthz")[0] == 200
        code, body, _ = ask(server, "/readyz")
        assert (code, json.loads(body)) == (200, {"ready": True, "missing": []})
        code, body, headers = ask(server, "/readyz", "HEAD")
        assert (code, body) == (200, "")
        assert int(headers["Content-Length"]) > 0


def test_what_is_not_there_and_what_is_not_read_is_refused() -> None:
    with served(Box()) as server:
        assert ask(server, "/secret")[0] == 404
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            code, _, headers = ask(server, "/status", method)
            assert (code, headers["Allow"]) == (405, "GET, HEAD")
        assert ask(server, "/status", "BREW")[0] == 501


def test_a_loop_that_hangs_is_not_well_and_is_again_when_it_goes_on() -> None:
    box = Box()
    with served(box, stale_s=0.3) as server:
        until(lambda: ask(server, "/healthz")[0] == 503)
        assert json.loads(ask(server, "/healthz")[1])["alive"] is False
        stop = threading.Event()

        def go_on() -> None:
            while not stop.wait(0.02):
                # A clock that is set back is no reason to be ill.
                box.status = replace(box.status, time=box.status.time - timedelta(seconds=1))

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            until(lambda: ask(server, "/healthz")[0] == 200)
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"ready": False}, "models are being loaded"),
        ({"stopping": True}, "it is stopping"),
        ({"processes": (ProcessStatus("ingest-0", 7, False),)}, "process ingest-0 does not run"),
        ({"cameras": (replace(LOST, state="waiting"),)}, "no camera has been opened yet"),
        (
            {"unwritten": "huoyan.db: the disk is full"},
            "the state cannot be written: huoyan.db: the disk is full",
        ),
    ],
)
def test_readiness_says_what_is_missing(changes: dict[str, Any], missing: str) -> None:
    box = Box()
    box.status = status(**changes)
    with served(box) as server:
        code, body, _ = ask(server, "/readyz")
    assert (code, json.loads(body)) == (503, {"ready": False, "missing": [missing]})


def test_cameras_that_are_away_do_not_make_the_daemon_unready() -> None:
    box = Box()
    box.status = status(cameras=(LOST,))
    with served(box) as server:
        assert ask(server, "/readyz")[0] == 200


def test_passwords_in_reasons_never_leave() -> None:
    box = Box()
    box.status = status(cameras=(replace(LOST, why="rtsp://admin:Hun/ter@2@10.0.0.9/1 refused"),))
    with served(box) as server:
        body = ask(server, "/status")[1]
    assert "rtsp://***@10.0.0.9/1 refused" in body
    assert "ter@2" not in body


def test_the_token_opens_status_and_metrics_and_health_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pages.TOKEN, "s3cret-token")
    with served(Box()) as server:
        for path in ("/status", "/metrics"):
            code, body, headers = ask(server, path)
            assert code == 401
            assert "cam-1" not in body
            assert headers["WWW-Authenticate"].startswith("Bearer")
            assert ask(server, path, headers={"Authorization": "Bearer wrong"})[0] == 401
            assert ask(server, path, headers={"Authorization": "Basic s3cret-token"})[0] == 401
            assert ask(server, path, headers={"Authorization": "Bearer s3cret-token"})[0] == 200
        assert ask(server, "/healthz")[0] == 200
        assert ask(server, "/readyz")[0] == 200


def test_an_address_in_use_is_told_with_its_key() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"watch\.listen 127\.0\.0\.1:{port}: cannot listen: .*in use"
        ) as told:
            pages.serve(f"127.0.0.1:{port}", Box())
    assert told.value.exit_code == 2


def test_a_port_that_there_is_not_is_told() -> None:
    with pytest.raises(ConfigError, match=r"watch\.listen 127\.0\.0\.1:99999"):
        pages.serve("127.0.0.1:99999", Box())


def test_it_stops_with_its_threads_and_gives_the_port_back() -> None:
    before = threads()
    with served(Box()) as server:
        address = server.address
        for _ in range(40):
            assert ask(server, "/healthz")[0] == 200
        until(lambda: len(threads()) <= len(before) + 1)
    assert threads() == before
    server.stop()
    with served(Box(), f"127.0.0.1:{address[1]}") as again:
        assert ask(again, "/healthz")[0] == 200


def test_clients_that_say_nothing_cost_no_more_than_their_deadline() -> None:
    before = threads()
    with served(Box(), deadline_s=0.5) as server, contextlib.ExitStack() as stack:
        # More than there is room for: those beyond are refused at once.
        idle = [
            stack.enter_context(socket.create_connection(server.address, timeout=30))
            for _ in range(pages.CONNECTIONS + 4)
        ]
        for number, one in enumerate(idle):
            with contextlib.suppress(OSError):
                one.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: " + b"a" * number)
        for one in idle:
            with contextlib.suppress(ConnectionError):
                # Cut off, without an answer.
                assert b"200" not in one.recv(1000)
        until(lambda: len(threads()) == len(before) + 1)
        assert ask(server, "/healthz")[0] == 200


def test_a_client_that_drips_is_cut_off_though_it_never_pauses() -> None:
    with served(Box(), deadline_s=0.5) as server, socket.create_connection(server.address, timeout=30) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nX-Drip: ")
        end = time.monotonic() + 30
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                one.sendall(b"a")
                time.sleep(0.05)
        assert time.monotonic() < end


def test_stopping_ends_open_connections() -> None:
    before = threads()
    server = pages.serve("127.0.0.1:0", Box(), deadline_s=3600)
    with socket.create_connection(server.address, timeout=30) as one:
        one.sendall(b"GET /he")
        until(lambda: any("process_request" in name for name in threads()))
        server.stop()
        assert one.recv(10) == b""
    assert threads() == before


def test_the_time_of_a_status_is_no_age() -> None:
    """A status is as old as it has been there, whatever the clock said when it was made."""
    box = Box()
    box.status = status(time=NOW - timedelta(days=400))
    with served(box) as server:
        assert ask(server, "/healthz")[0] == 200
