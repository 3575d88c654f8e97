"""Having a running daemon read its configuration again, and waiting for what comes of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huoyan.errors import ConfigError, HuoyanError
from huoyan.ops import client

_ASK_S = 0.3


def reload(address: str, pid: int | None = None, within_s: float = 60.0) -> str:
    """Send SIGHUP to a daemon and wait until its status tells what came of it.

    Args:
        address: of its pages.
        pid: its main process; default as its status tells.
        within_s: seconds that it may take.

    Returns:
        What came of it, in the daemon's words.

    Raises:
        NoDaemon: nobody answers at the address.
        ConfigError: the daemon refuses the new configuration; the old one stays in force.
        HuoyanError: it cannot be signalled, or says nothing in time.
    """
    before = client.status(address)
    _signal(pid or client.pid_of(before))
    after = _wait(lambda: client.status(address), int(before["reloads"]), within_s)
    told = str(after["last_reload"])
    if told.startswith("refused"):
        raise ConfigError(told, subject=address, hint="the old configuration stays in force")
    return told


def _signal(pid: int) -> None:
    """
    Raises:
        HuoyanError: there is no such daemon here, or it is another user's.
    """
    subject = f"process {pid}"
    try:
        if not _is_ours(pid):
            raise HuoyanError(
                "this is no daemon of ours", subject=subject, hint="give its process with --pid"
            )
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError as error:
        hint = "does it run on another machine or in a container? Send it SIGHUP there"
        raise HuoyanError("there is no such process here", subject=subject, hint=hint) from error
    except PermissionError as error:
        hint = "use the daemon's user, or systemctl reload"
        raise HuoyanError("it is another user's", subject=subject, hint=hint) from error


def _is_ours(pid: int) -> bool:
    """Whether a process is Huoyan's: one in a container names a process that here is somebody else.

    Raises:
        ProcessLookupError: there is no such process.
        PermissionError: it is another user's.
    """
    if not Path("/proc/self").exists():
        return True
    try:
        return b"huoyan" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        # Not there, or hidden: under systemd's PrivateUsers= and ProtectProc= a command of the unit, as is
        # `systemctl reload`, does not see the daemon, yet may signal it.
        os.kill(pid, 0)
        return True


def _wait(ask: Callable[[], dict[str, Any]], reloads: int, within_s: float) -> dict[str, Any]:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        time.sleep(_ASK_S)
        found = ask()
        if int(found["reloads"]) > reloads:
            return found
    raise HuoyanError(f"the daemon said nothing within {within_s:.0f} s", hint="see its log")
