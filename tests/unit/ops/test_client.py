"""Asking a daemon, and having it read its configuration again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest

from huoyan.errors import ConfigError, HuoyanError
from huoyan.ops import client, http
from huoyan.ops.reload import reload
from huoyan.status import ProcessStatus

from ...support.statuses import status


class Daemon:
    """Pages of a made-up daemon in this process, which takes a signal as the real one does."""

    def __init__(self) -> None:
        self.status = status(processes=(ProcessStatus("main", os.getpid(), True),), last_reload="")
        self.outcome = "applied 0123456789ab"
        self.server = http.serve("127.0.0.1:0", lambda: self.status)
        self.address = f"http://127.0.0.1:{self.server.address[1]}"

    def reload(self, number: int, frame: FrameType | None) -> None:
        self.status = replace(self.status, reloads=self.status.reloads + 1, last_reload=self.outcome)


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    one = Daemon()
    before = signal.signal(signal.SIGHUP, one.reload)
    # Tests run under another program's name.
    monkeypatch.setattr("huoyan.ops.reload._is_ours", lambda pid: pid == os.getpid())
    yield one
    signal.signal(signal.SIGHUP, before)
    one.server.stop()


def test_a_status_is_read(daemon: Daemon) -> None:
    for address in (daemon.address, f"{daemon.address}/", f"{daemon.address}/status"):
        assert client.status(address)["box"] == "box-1"
    assert client.pid_of(client.status(daemon.address)) == os.getpid()


def test_the_token_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(http.TOKEN, "right-token")
    server = http.serve("127.0.0.1:0", status)
    address = f"http://127.0.0.1:{server.address[1]}"
    try:
        assert client.status(address)["box"] == "box-1"
        monkeypatch.setenv(http.TOKEN, "wrong-token")
        with pytest.raises(client.NoDaemon, match=f"asks for a token.*{http.TOKEN}"):
            client.status(address)
    finally:
        server.stop()


def test_nobody_answers() -> None:
    with pytest.raises(client.NoDaemon, match="huoyan watch"):
        client.status("http://127.0.0.1:9")


def test_something_else_answers() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer() -> None:
            taken, _ = listener.accept()
            with taken:
                taken.recv(4096)
                taken.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(client.NoDaemon, match="is no daemon"):
            client.status(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join()


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8479", "http://127.0.0.1:8479"),
        ("0.0.0.0:8479", "http://127.0.0.1:8479"),
        ("[::]:80", "http://[::1]:80"),
        ("box-1:80", "http://box-1:80"),
    ],
)
def test_where_the_pages_are(listen: str, address: str) -> None:
    assert client.address_of(listen) == address


def test_a_reload_waits_for_what_comes_of_it(daemon: Daemon) -> None:
    assert reload(daemon.address) == "applied 0123456789ab"
    # The same words again are another outcome.
    assert reload(daemon.address) == "applied 0123456789ab"
    assert daemon.status.reloads == 2


def test_a_reload_that_is_refused(daemon: Daemon) -> None:
    daemon.outcome = "refused: county.yaml:3: no"
    with pytest.raises(ConfigError, match=r"refused: county\.yaml:3: no.*old configuration stays") as told:
        reload(daemon.address)
    assert told.value.exit_code == 2


def test_a_daemon_that_says_nothing(daemon: Daemon) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with pytest.raises(HuoyanError, match="said nothing within 1 s"):
        reload(daemon.address, within_s=1.0)


def test_a_process_of_somebody_else_is_left_alone(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with pytest.raises(HuoyanError, match="no daemon of ours"):
            reload(daemon.address, pid=other.pid)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_daemon_that_is_hidden_from_us_is_signalled(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()

    def hidden(folder: str) -> Path:
        return tmp_path if folder == "/proc/self" else tmp_path / folder.lstrip("/")

    monkeypatch.setattr("huoyan.ops.reload.Path", hidden)
    assert reload(daemon.address) == "applied 0123456789ab"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(HuoyanError, match="no such process"):
        reload(daemon.address, pid=gone.pid)


def test_a_process_that_there_is_not(daemon: Daemon) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(HuoyanError, match=r"no such process|no daemon of ours"):
        reload(daemon.address, pid=gone.pid)


def test_a_status_without_a_main_process() -> None:
    with pytest.raises(client.NoDaemon, match="main process"):
        client.pid_of({"processes": []})
