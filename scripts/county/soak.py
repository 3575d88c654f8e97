"""Whether the daemon's memory grows while nothing but its daily work happens."""

from __future__ import annotations

import os
import time
from typing import Any

from county.box import Daemon, Meter, family
from county.slope import by_minute, slope

_STEP_S = 2.0


def soak(daemon: Daemon, minutes: float) -> dict[str, Any]:
    """Watch its memory for so long; call this when it is warm.

    The slope is that of the medians of each minute, see `slope.Slope`.
    """
    began = time.monotonic()
    meter = Meter()
    times: list[float] = []
    rss: dict[str, list[float]] = {}
    while time.monotonic() - began < 60 * minutes:
        seen = meter.look(family(daemon.pid))
        times.append(time.monotonic() - began)
        for name, value in (("all", sum(one.rss for one in seen)), *((one.name, one.rss) for one in seen)):
            rss.setdefault(name, []).append(value / 1e6)
        time.sleep(_STEP_S)
    grown = {}
    for name, values in rss.items():
        if len(values) != len(times):
            continue
        found = slope(*by_minute(times, values))
        grown[name] = (
            f"{3600 * found.middle:+.2f} MB/h (95 %: {3600 * found.low:+.2f} to {3600 * found.high:+.2f}), "
            f"{values[0]:.1f} MB at first, {values[-1]:.1f} at last"
        )
    status = daemon.status()
    return {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "RSS, slope of the medians by minute": grown,
        "cores used": round(sum(meter.cpu_s.values()) / (time.monotonic() - began), 2),
        "threads, descriptors at last": [
            sum(one["threads"] for one in status["processes"]),
            sum(one["descriptors"] for one in status["processes"]),
        ],
        "restarts of processes": sum(one["restarts"] for one in status["processes"]),
        "load of the machine": round(os.getloadavg()[0], 1),
    }
