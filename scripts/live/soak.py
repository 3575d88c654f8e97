"""Whether the daemon's memory grows while nothing but its daily work happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from live.slope import by_minute, slope
from live.steady import Window


def growth(window: Window, told: Path) -> dict[str, Any]:
    """How memory, threads and descriptors grew over a measurement.

    The slope is that of the medians of each minute, see `slope.Slope`; `told` gets all that was measured, as JSON.
    """
    told.write_text(json.dumps({"seconds": window.times, "rss": window.rss}))
    grown = {}
    for name, held in window.rss.items():
        if len(held) != len(window.times):
            continue
        found = slope(*by_minute(window.times, [one / 1e6 for one in held]))
        grown[name] = (
            f"{3600 * found.middle:+.2f} MB/h (95 %: {3600 * found.low:+.2f} to {3600 * found.high:+.2f}), "
            f"{held[0] / 1e6:.1f} MB at first, {held[-1] / 1e6:.1f} at last"
        )
    return {
        "RSS, slope of the medians by minute": grown,
        **{
            f"{what}: at first, at last": [
                sum(one[what] for one in status["processes"]) for status in (window.first, window.last)
            ]
            for what in ("threads", "descriptors", "restarts")
        },
    }
