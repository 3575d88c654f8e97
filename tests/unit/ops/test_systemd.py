"""Notices to the service manager."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from huoyan.ops import systemd

from ...support.statuses import status


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket that stands for the service manager's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        path = tmp_path / "notify"
        listener.bind(str(path))
        listener.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listener


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert systemd.notify("READY=1") is False


def test_a_notice_arrives_whole(manager: socket.socket) -> None:
    assert systemd.notify("READY=1")
    assert manager.recv(4096) == b"READY=1"


def test_a_reload_carries_the_monotonic_clock(manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    assert systemd.reloading()
    first, second = manager.recv(4096).decode().splitlines()
    assert first == "RELOADING=1"
    name, _, told = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(told) <= time.monotonic_ns() // 1000


def test_the_sign_of_life_says_how_it_is(manager: socket.socket) -> None:
    assert systemd.alive(status(degraded=("nats: connection refused\nagain",)))
    watchdog, told = manager.recv(4096).decode().splitlines()
    assert watchdog == "WATCHDOG=1"
    assert told == "STATUS=1 of 2 cameras live, intervals x1.3, 5 alerts wait, nats: connection refused again"


def test_abstract_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0huoyan-test-notify")
        listener.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", "@huoyan-test-notify")
        assert systemd.notify("STOPPING=1")
        assert listener.recv(4096) == b"STOPPING=1"


def test_a_manager_that_does_not_listen_never_stops_the_daemon(manager: socket.socket) -> None:
    sent = 0
    # Its queue fills up, since nobody reads.
    while systemd.notify("WATCHDOG=1") and sent < 10_000:
        sent += 1
    assert 0 < sent < 10_000
    assert systemd.notify("WATCHDOG=1") is False


def test_a_manager_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert systemd.notify("READY=1") is False
