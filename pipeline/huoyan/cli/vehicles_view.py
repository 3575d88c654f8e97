"""How `huoyan vehicles` shows trucks in a terminal."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

Values = Mapping[str, Any]
_COLOURS = {"green": "green", "yellow": "yellow", "red": "bold red"}
SHOWN = 30
"""The latest lines of a table of one vehicle; --json gives all."""


def card(told: Values, zone: tzinfo) -> None:
    """Print all that is known of a vehicle, the latest first."""
    console = _console()
    level = told["level"]
    console.print(f"[bold]{escape(told['plate'])}[/]   [{_COLOURS[level['level']]}]{escape(level['en'])}[/]")
    console.print(escape(level["zh"]))
    papers = "   ".join(part for part in (told["company"], told["permit"]) if part)
    if papers:
        console.print(escape(papers))
    if not told["passages"] and not told["violations"]:
        console.print("registered, never seen")
        return
    held = Counter(one["passage"] for one in told["violations"])
    codes = {name: " ".join(v["code"] for v in told["violations"] if v["passage"] == name) for name in held}
    _table(
        console,
        f"{len(told['passages'])} passages on {told['trips']} trips",
        ("time", "at", "direction", "plate read", "load", "decision", "reasons"),
        [
            (
                _clock(one["time"], zone),
                " ".join(part for part in (one["source"], one["site"]) if part),
                one["direction"] if one["direction"] != "unknown" else "",
                f"{one['confidence']:.2f}",
                one["cover"] if one["cover"] != "unknown" else "",
                one["outcome"],
                codes.get(one["id"], "") or ("to be reviewed" if one["review"] else ""),
            )
            for one in told["passages"]
        ],
    )
    _table(
        console,
        f"{len(told['violations'])} violations",
        ("time", "at", "reason", "", "confidence"),
        [
            (_clock(one["time"], zone), one["source"], one["code"], one["en"], f"{one['confidence']:.2f}")
            for one in told["violations"]
        ],
    )
    _table(
        console,
        f"{len(told['weights'])} weighings",
        ("time", "at", "gross kg", "tare kg", "net kg"),
        [
            (
                _clock(one["time"], zone),
                one["source"],
                *(_kg(one[k]) for k in ("gross_kg", "tare_kg", "net_kg")),
            )
            for one in told["weights"]
        ],
    )


def table(told: Sequence[Values], limit: int, zone: tzinfo) -> None:
    """Print vehicles as a table, a line each, and the number of each level."""
    console = _console()
    if told:
        view = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("plate", "level", "passages", "violations", "last seen", "why"):
            view.add_column(name, no_wrap=name != "why", justify="right" if name.endswith("s") else "left")
        for one in told[:limit]:
            level = one["level"]
            view.add_row(
                escape(one["plate"]),
                f"[{_COLOURS[level['level']]}]{level['level']}[/]",
                str(one["passages"]),
                str(one["violations"]),
                _clock(one["last_seen"], zone),
                escape(level["en"].partition(": ")[2]),
            )
        console.print(view)
        console.print()
    counts = Counter(one["level"]["level"] for one in told)
    more = f"   ({len(told) - limit} not shown)" if len(told) > limit else ""
    console.print("   ".join(f"{counts[level]} {level}" for level in reversed(_COLOURS)) + more)


def _table(console: Console, title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    more = f", the latest {SHOWN}" if len(rows) > SHOWN else ""
    console.print(f"\n[dim]{title}{more}[/]")
    view = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        view.add_column(name, justify="right" if name.endswith("kg") else "left")
    for row in reversed(rows[-SHOWN:]):
        view.add_row(*(escape(cell) for cell in row))
    console.print(view)


def _kg(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _clock(text: str, zone: tzinfo) -> str:
    return datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _console() -> Console:
    # Into a pipe nobody asked for lines of 80 characters.
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, width=200 if piped else None)
