"""Numbers as DJI writes them: strings such as `+12.30`, now and then empty or `n/a`."""

from __future__ import annotations

import math
from collections.abc import Mapping


def number(fields: Mapping[str, str], *names: str) -> float | None:
    """The first of `names` that holds a finite number."""
    for name in names:
        try:
            value = float(fields[name])
        except (KeyError, ValueError):
            continue
        if math.isfinite(value):
            return value
    return None
