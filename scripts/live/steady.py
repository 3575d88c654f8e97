"""Measures a daemon that watches a county as every day: cores, samples taken, latency, memory."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from live.box import Daemon, Meter, family

_STEP_S = 2.0
_PATIENCE_S = 300.0


@dataclass(frozen=True)
class Window:
    """What a daemon told at the beginning and at the end of a measurement, and what was used in between."""

    first: dict[str, Any]
    last: dict[str, Any]
    seconds: float
    cpu_s: dict[str, float]
    servers_s: float
    times: list[float]
    """Of the looks, in seconds from the beginning."""
    rss: dict[str, list[int]]
    """By the name of the process, and `all`, at each look."""
    pss: list[int]
    stretches: list[float]
    load: float


def wait_for_cameras(daemon: Daemon, count: int, patience_s: float = _PATIENCE_S) -> float:
    """Seconds until so many cameras are live and have sent a picture.

    Raises:
        RuntimeError: not within the patience.
    """
    began = time.monotonic()
    live = 0
    while time.monotonic() - began < patience_s:
        live = sum(one["state"] == "live" and one["age_s"] is not None for one in daemon.status()["cameras"])
        if live >= count:
            return time.monotonic() - began
        time.sleep(_STEP_S)
    raise RuntimeError(f"only {live} of {count} cameras are live after {patience_s:.0f} s; see {daemon.log}")


def measure(daemon: Daemon, servers: list[int], seconds: float) -> Window:
    """Measure for so long, from one count of due samples to another: readers tell theirs every few seconds."""
    ours, theirs = Meter({daemon.pid: "main"}), Meter()
    first = _told_anew(daemon)
    began = time.monotonic()
    rss: dict[str, list[int]] = {}
    times, pss, stretches = [], [], []
    while True:
        theirs.look(servers)
        seen = ours.look(family(daemon.pid))
        times.append(time.monotonic() - began)
        for name, held in (("all", sum(one.rss for one in seen)), *((one.name, one.rss) for one in seen)):
            rss.setdefault(name, []).append(held)
        pss.append(sum(one.pss for one in seen))
        stretches.append(daemon.status()["stretch"])
        if time.monotonic() - began >= seconds:
            break
        time.sleep(_STEP_S)
    last = _told_anew(daemon)
    ours.look(family(daemon.pid))
    theirs.look(servers)
    took = time.monotonic() - began
    return Window(
        first,
        last,
        took,
        ours.cpu_s,
        sum(theirs.cpu_s.values()),
        times,
        rss,
        pss,
        stretches,
        os.getloadavg()[0],
    )


def row(window: Window) -> dict[str, Any]:
    """The figures of a measurement."""
    first, last = window.first, window.last

    def grown(key: str) -> float:
        return sum(one[key] for one in last["cameras"]) - sum(one[key] for one in first["cameras"])

    counts = [b - a for a, b in zip(first["latency"]["counts"], last["latency"]["counts"], strict=True)]
    due, taken, passed, looked = grown("due"), grown("taken"), grown("passed"), grown("looked")
    cores = {name: round(cpu / window.seconds, 3) for name, cpu in sorted(window.cpu_s.items())}
    return {
        "cameras": len(last["cameras"]),
        "seconds": round(window.seconds, 1),
        "cores used": round(sum(window.cpu_s.values()) / window.seconds, 2),
        "of them": cores,
        "servers, cores": round(window.servers_s / window.seconds, 2),
        "samples due": int(due),
        "taken, of those due": round(taken / max(1, due), 4),
        "passed the gate, of those taken": round(passed / max(1, taken), 4),
        "looked at": int(looked),
        "dropped": int(grown("dropped")),
        "passed, neither looked at nor dropped nor waiting": int(
            passed - looked - grown("dropped") - (_under_way(last) - _under_way(first))
        ),
        "picture to finding, s: median": _quantile(counts, 0.5),
        "99 %": _quantile(counts, 0.99),
        "decoding and gate, CPU ms a sample": round(1000 * grown("decode_s") / max(1, taken), 2),
        "models, s a look": round(grown("infer_s") / max(1, looked), 4),
        "stretch: mean, most": [
            round(sum(window.stretches) / len(window.stretches), 2),
            max(window.stretches),
        ],
        "RSS in all, MB: mean, most": _megabytes(window.rss["all"]),
        "of it not shared twice (PSS), MB": _megabytes(window.pss),
        "alerts": sum(last["alerts"].values()) - sum(first["alerts"].values()),
        "load of the machine": round(window.load, 1),
    }


def _told_anew(daemon: Daemon, patience_s: float = 30.0) -> dict[str, Any]:
    """The status just after a reader has told its counts."""
    before, end = daemon.status(), time.monotonic() + patience_s
    while time.monotonic() < end:
        now = daemon.status()
        if sum(one["due"] for one in now["cameras"]) != sum(one["due"] for one in before["cameras"]):
            return now
        time.sleep(0.1)
    raise RuntimeError(f"no sample was due for {patience_s:.0f} s; see {daemon.log}")


def _under_way(status: dict[str, Any]) -> int:
    return int(status["waiting"] + status["in_flight"])


def _quantile(counts: list[int], share: float) -> float | None:
    """Of a histogram, straight within a bucket; None: nothing was counted, infinity: beyond the last bound."""
    from huoyan.status import BOUNDS_S

    wanted, below = share * sum(counts), 0.0
    if not wanted:
        return None
    for number, count in enumerate(counts[:-1]):
        low = BOUNDS_S[number - 1] if number else 0.0
        if below + count >= wanted:
            return round(low + (BOUNDS_S[number] - low) * (wanted - below) / count, 2)
        below += count
    return float("inf")


def _megabytes(values: list[int]) -> list[float]:
    return [round(sum(values) / len(values) / 1e6, 1), round(max(values) / 1e6, 1)]
