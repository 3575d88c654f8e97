"""Cameras that freeze, die and come back, alone and whole hosts at once: is each back soon, does nothing grow?"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from live.box import Daemon, family, used
from live.farm import Farm, Server
from live.slope import slope

_STEP_S = 0.5
_HOLD_S = 25.0
"""How long a fault lasts: beyond the patience of the reader."""
_PATIENCE_S = 180.0


@dataclass(frozen=True)
class Fault:
    """What happens to cameras of one server: at which second it begins; it ends `_HOLD_S` later."""

    at: float
    kind: str
    server: Server
    names: tuple[str, ...]


@dataclass
class Back:
    """Waits for cameras to be back: since when their server serves again."""

    since: dict[str, float] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=dict)
    """Seconds, by the kind of fault."""
    kinds: dict[str, str] = field(default_factory=dict)

    def look(self, status: dict[str, Any], now: float) -> None:
        for camera in status["cameras"]:
            name = camera["id"]
            began = self.since.get(name)
            # A picture that was taken since the server is back.
            if began is not None and camera["age_s"] is not None and now - camera["age_s"] > began:
                self.took.setdefault(self.kinds.pop(name), []).append(now - began)
                del self.since[name]


def storm(daemon: Daemon, farm: Farm, seconds: float, rate: float) -> dict[str, Any]:
    """All streams frozen, cut off, and whole servers killed, in turn over so many seconds.

    Args:
        daemon: runs, and all cameras are live.
        farm: its servers.
        seconds: of the storm, without the wait for the last ones.
        rate: logins a second to one host that are allowed.
    """
    plan = sorted(_plan(farm, seconds), key=lambda one: one.at)
    back, running = Back(), []
    logins: list[tuple[float, int]] = []
    began = time.monotonic()
    while plan or running or back.since:
        now = time.monotonic()
        if now - began > seconds + _PATIENCE_S:
            break
        while plan and now - began >= plan[0].at:
            fault = plan.pop(0)
            _begin(fault, back)
            running.append(fault)
        for fault in [one for one in running if now - began >= one.at + _HOLD_S]:
            running.remove(fault)
            _end(fault)
            for name in fault.names:
                back.since[name], back.kinds[name] = time.monotonic(), fault.kind
        status = daemon.status()
        back.look(status, time.monotonic())
        # By the moment of the status, which is up to a second ago.
        at = datetime.fromisoformat(status["time"]).timestamp()
        logins.append((at, sum(one["connections"] for one in status["cameras"])))
        time.sleep(_STEP_S)
    took = [value for values in back.took.values() for value in values]
    return {
        "cameras": len(farm.addresses),
        "faults": {kind: len(values) for kind, values in back.took.items()},
        "back after its server, s: median, 99 %, most": {
            kind: [round(float(v), 1) for v in (*np.percentile(values, [50, 99]), max(values))]
            for kind, values in back.took.items()
        },
        "back within 60 s": f"{sum(value <= 60 for value in took)} of {len(took) + len(back.since)}",
        "never back": sorted(back.since),
        f"most logins in a minute (allowed: {60 * rate:.0f} a host)": _most(logins, 60.0),
        "restarts of processes": sum(one["restarts"] for one in daemon.status()["processes"]),
        "load of the machine": round(os.getloadavg()[0], 1),
    }


def _plan(farm: Farm, seconds: float) -> Iterator[Fault]:
    streams = [(server, name) for server in farm.servers for name in server.names]
    part = 0.35 * seconds
    for begin, kind in ((0.0, "frozen"), (part, "cut off")):
        for number, (server, name) in enumerate(streams):
            yield Fault(begin + (part - _HOLD_S) * number / len(streams), kind, server, (name,))
    for number, server in enumerate(farm.servers):
        at = 2 * part + (seconds - 2 * part) * number / len(farm.servers)
        yield Fault(at, "server killed", server, tuple(server.names))


def _begin(fault: Fault, back: Back) -> None:
    for name in fault.names:
        back.since.pop(name, None)
    if fault.kind == "server killed":
        fault.server.kill()
        return
    fault.server.order(f"{'freeze' if fault.kind == 'frozen' else 'kill'} {fault.names[0]}")


def _end(fault: Fault) -> None:
    if fault.kind == "server killed":
        fault.server.start()
    else:
        fault.server.order(f"restore {fault.names[0]}")


def _most(counts: list[tuple[float, int]], window_s: float) -> int:
    """Most connections within a window."""
    most = first = 0
    for now, count in counts:
        while counts[first][0] < now - window_s:
            first += 1
        most = max(most, count - counts[first][1])
    return most


def reconnects(daemon: Daemon, farm: Farm, times: int) -> dict[str, Any]:
    """Cut every stream so many times, as soon as all are back; slopes of what the readers hold, by reconnection.

    The first tenth is not counted: it warms up.
    """
    rows: dict[str, list[float]] = {}
    began = time.monotonic()
    for turn in range(times):
        before = {one["id"]: one["connections"] for one in daemon.status()["cameras"]}
        for server in farm.servers:
            server.order("kill *")
            server.order("restore *")
        end = time.monotonic() + _PATIENCE_S
        while not _all_again(daemon, before):
            if time.monotonic() > end:
                raise RuntimeError(f"not all cameras came back after cut {turn + 1}; see {daemon.log}")
            time.sleep(0.05)
        held = [used(one) for one in family(daemon.pid)]
        known = [one for one in held if one is not None]
        for name, value in (
            ("threads", sum(one.threads for one in known)),
            ("descriptors", sum(one.descriptors for one in known)),
            ("RSS in all, MB", sum(one.rss for one in known) / 1e6),
            *((f"of it {one.name}", one.rss / 1e6) for one in known),
        ):
            rows.setdefault(name, []).append(value)
    result: dict[str, Any] = {"cameras": len(farm.addresses), "reconnections of each": times}
    for name, values in rows.items():
        kept = values[len(values) // 10 :]
        found = slope(range(len(kept)), kept)
        result[f"{name}: at first, at last, slope in {times} reconnections (95 %)"] = (
            f"{kept[0]:.1f}, {kept[-1]:.1f}, {times * found.middle:+.2f} "
            f"({times * found.low:+.2f} to {times * found.high:+.2f})"
        )
    result["seconds"] = round(time.monotonic() - began)
    result["load of the machine"] = round(os.getloadavg()[0], 1)
    return result


def _all_again(daemon: Daemon, before: dict[str, int]) -> bool:
    return all(
        one["state"] == "live" and one["connections"] > before[one["id"]] and one["age_s"] is not None
        for one in daemon.status()["cameras"]
    )
