"""How `huoyan queue` shows alerts in a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from huoyan.dispatch.items import Event, Item

_PRIORITIES = {
    1: ("urgent", "bold red"),
    2: ("high", "dark_orange"),
    3: ("normal", "yellow"),
    4: ("record", "blue"),
}
NARROW = 110
"""Columns of a terminal below which a table shows only what identifies an alert."""
_STATES = {"ready": "green", "leased": "cyan", "acked": "dim", "dead": "red"}


def table(found: Sequence[Item], totals: Mapping[str, int], zone: tzinfo) -> None:
    """Print alerts as a table, a line each, and the number in each state; what is too wide is left out."""
    console = _console()
    narrow = console.width < NARROW
    if found:
        view = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("id", "priority", "scene", "place", "time", "state") + (() if narrow else ("zones",)):
            view.add_column(name, no_wrap=name != "zones")
        for item in found:
            view.add_row(*_cells(item, zone, narrow))
        console.print(view)
        console.print()
    console.print("   ".join(f"{count} {state}" for state, count in totals.items()), highlight=False)


def full(item: Item, events: Sequence[Event], folder: Path, zone: tzinfo) -> None:
    """Print all that an alert says, where its evidence lies, and what happened to it on the queue."""
    facts = item.document["data"]["properties"]
    console = _console()
    name, colour = _PRIORITIES[int(item.priority)]
    scene = facts["scene"]
    console.print(f"[bold]{escape(scene['zh'])} · {escape(scene['en'])}[/]   [{colour}]{name}[/]")
    console.print(escape(facts["explanation"]["zh"]))
    console.print(escape(facts["explanation"]["en"]))
    console.print()
    view = Table.grid(padding=(0, 2))
    view.add_column(style="dim", no_wrap=True)
    view.add_column(overflow="fold")
    for label, value in _facts(item, zone):
        if value:
            view.add_row(label, escape(value))
    for picture in facts["evidence"]:
        path = folder / picture["href"]
        view.add_row(picture["role"], escape(str(path)) + ("" if path.is_file() else "  [red](missing)[/]"))
    console.print(view)
    if events:
        console.print()
    for event in events:
        note = f": {event.note}" if event.note else ""
        console.print(
            f"[dim]{_clock(event.time, zone)}[/]  {escape(f'{event.action} by {event.actor}{note}')}"
        )


def short_id(item: Item) -> str:
    """The beginning of the incident's id with the revision: `queue show` understands it."""
    return f"{item.incident_id[:8]}.{item.revision}"


def _console() -> Console:
    # Into a pipe nobody asked for lines of 80 characters.
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, width=200 if piped else None)


def _cells(item: Item, zone: tzinfo, narrow: bool) -> list[str]:
    facts = item.document["data"]["properties"]
    name, colour = _PRIORITIES[int(item.priority)]
    tries = f" ({item.attempts} failed)" if item.attempts and item.state != "acked" else ""
    holder = f" {item.owner}" if item.state == "leased" and item.owner else ""
    verdict = f" {item.verdict}" if item.verdict else ""
    clock = _clock(item.time, zone)
    cells = [
        escape(short_id(item)),
        f"[{colour}]{name}[/]",
        escape(facts["scene"]["zh"] if narrow else f"{facts['scene']['zh']} {facts['scene']['en']}"),
        escape(_place(item).partition(" ±")[0] if narrow else _place(item)),
        clock[5:] if narrow else clock,
        f"[{_STATES[item.state]}]{item.state}[/]{escape(holder + verdict + tries)}",
    ]
    return cells if narrow else [*cells, escape(", ".join(facts["zones"]))]


def _facts(item: Item, zone: tzinfo) -> list[tuple[str, str]]:
    facts = item.document["data"]["properties"]
    permit, vehicle = facts["permit"], facts["vehicle"]
    looks = "once" if facts["looks"] == 1 else f"{facts['looks']} times"
    first, last = (datetime.fromisoformat(facts[key]) for key in ("first_seen", "last_seen"))
    return [
        ("alert", item.alert_id),
        ("state", f"{item.state}{f', {item.verdict}' if item.verdict else ''}"),
        ("note", item.note),
        ("incident", facts["status"]),
        ("event code", facts["code"]),
        ("place", _place(item)),
        ("zones", ", ".join(facts["zones"])),
        ("seen", f"{_clock(first, zone)} to {_clock(last, zone)}, {looks}"),
        ("by", f"{', '.join(facts['sensors'])} ({', '.join(facts['sources'])})"),
        ("confidence", f"{facts['confidence']:.2f}"),
        ("rule", facts["rule"]),
        ("permit", " ".join(str(part) for part in (permit["result"], permit["id"], permit["note"]) if part)),
        (
            "vehicle",
            f"{vehicle['plate']}: {', '.join(r['en'] for r in vehicle['reasons'])}" if vehicle else "",
        ),
    ]


def _place(item: Item) -> str:
    feature = item.document["data"]
    position = feature["properties"]["position"]
    if feature["geometry"] is None:
        return f"unknown: {position['reason']}"
    lon, lat = feature["geometry"]["coordinates"]
    return f"{lon:.5f}, {lat:.5f} ± {position['error_m']:.0f} m"


def _clock(time: datetime, zone: tzinfo) -> str:
    return time.astimezone(zone).strftime("%Y-%m-%d %H:%M")
