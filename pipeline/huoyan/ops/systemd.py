"""Telling the service manager how we are: readiness, signs of life, reloads (sd_notify(3), without a library).

Outside systemd, where `NOTIFY_SOCKET` is not set, nothing happens. A service manager that does not listen never
stops the daemon: a message that cannot be sent at once is dropped, and the next sign of life comes in a second.
"""

from __future__ import annotations

import logging
import os
import socket
import time

from huoyan.status import Status

log = logging.getLogger("huoyan.systemd")


def notify(state: str) -> bool:
    """Send lines such as `READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=...`.

    Returns:
        Whether they were handed to a service manager.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return False
    # A leading @ stands for the zero byte of Linux's abstract names.
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            channel.connect(name)
            channel.sendall(state.encode())
    except OSError as error:
        log.debug("the service manager cannot be told %s: %s", state.split("=")[0], error)
        return False
    return True


def reloading() -> bool:
    """Say that the configuration is being read again; `READY=1` ends it."""
    return notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def alive(status: Status) -> bool:
    """The sign of life for the watchdog, with a line for `systemctl status`."""
    return notify(f"WATCHDOG=1\nSTATUS={line(status)}")


def line(status: Status) -> str:
    """A daemon in one line: how many cameras deliver, and what is not as it should be."""
    live = sum(camera.state == "live" for camera in status.cameras)
    ours = sum(camera.state != "elsewhere" for camera in status.cameras)
    words = [f"{live} of {ours} cameras live"]
    if not status.ready:
        words.insert(0, "starting")
    if status.stretch > 1.005:
        words.append(f"intervals x{status.stretch:.1f}")
    waiting = sum(one.waiting for one in status.outbox.values())
    if waiting:
        words.append(f"{waiting} alerts wait")
    words += status.degraded
    return ", ".join(words).replace("\n", " ")
