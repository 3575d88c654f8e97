"""The daemon on a terminal: one picture of a status, worst cameras first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from huoyan.redaction import redact

_TROUBLE = {"fatal": 5, "lost": 4, "opening": 2, "waiting": 1, "live": 0, "stopped": 0, "elsewhere": -1}
_COLOUR = {"live": "green", "fatal": "bold red", "lost": "red", "opening": "yellow", "waiting": "yellow"}
_BELOW = 3
"""Lines of the cameras' table beside its rows, and one to spare."""
_SILENT_S = 10.0
_WIDTH = 100
_WIDE = ("decode", "infer", "conn")
"""Columns that terminals of less than `_WIDTH` columns do without."""
Json = Mapping[str, Any]


def picture(
    console: Console, status: Json, before: Json | None = None, *, whole: bool = False
) -> RenderableType:
    """A picture of a daemon that fits on a terminal.

    Args:
        console: the terminal.
        status: as /status gives it.
        before: an earlier one; then rates are of the time between, else since the start.
        whole: show all cameras, though they do not fit.
    """
    upper = Group(
        _head(status),
        *(Text(f"! {redact(words)}", "bold red") for words in status["degraded"]),
        Columns([_processes(status, before), _delivery(status), _alerts(status)], padding=(0, 3, 0, 0)),
        Text(),
    )
    wide = console.width >= _WIDTH
    if whole:
        return Group(upper, _cameras(status, before, None, wide))
    used = len(console.render_lines(upper, pad=False))
    return Group(upper, _cameras(status, before, max(3, console.height - used - _BELOW), wide))


def trouble(camera: Json) -> tuple[float, ...]:
    """Sorts cameras: the larger, the more is wrong."""
    age_s, interval_s = camera["age_s"], max(camera["interval_s"], 0.1)
    late = 0.0 if age_s is None or camera["state"] == "elsewhere" else age_s / interval_s
    dropped = camera["dropped"] / max(1, camera["passed"])
    return (_TROUBLE.get(camera["state"], 3), len(camera["conditions"]), float(late > 3) * late, dropped)


def _head(status: Json) -> Text:
    cameras = [camera for camera in status["cameras"] if camera["state"] != "elsewhere"]
    live = sum(camera["state"] == "live" for camera in cameras)
    elsewhere = len(status["cameras"]) - len(cameras)
    up = datetime.fromisoformat(status["time"]) - datetime.fromisoformat(status["started"])
    head = Text(no_wrap=True, overflow="ellipsis")
    head.append("huoyan watch ", "bold").append(f"{status['box']} {status['version']}  ")
    if status["stopping"]:
        head.append("stopping  ", "bold yellow")
    elif not status["ready"]:
        head.append("starting  ", "bold yellow")
    head.append(f"up {_span(up)}  ")
    head.append(f"{live}/{len(cameras)} live", "green" if live == len(cameras) else "yellow")
    head.append(f" (+{elsewhere} elsewhere)" if elsewhere else "")
    head.append(f"  waiting {status['waiting']} in flight {status['in_flight']}")
    head.append(f"  intervals x{status['stretch']:.1f}", "yellow" if status["stretch"] > 1.05 else "")
    latency = _quantiles(status["latency"])
    head.append(f"  finding {latency}" if latency else "")
    head.append(f"  disk {status['disk_used']:.0%}", "red" if status["disk_used"] > 0.9 else "")
    return head


def _processes(status: Json, before: Json | None) -> Table:
    table = _table("process", "pid", "cpu", "MiB", "thr", "fds", "again")
    old = {one["name"]: one for one in before["processes"]} if before else {}
    since = _seconds(status, before)
    for one in status["processes"]:
        then = old.get(one["name"], {"cpu_s": 0.0})
        # A process that was started again counts anew.
        used = one["cpu_s"] - then["cpu_s"] if one["cpu_s"] >= then["cpu_s"] else one["cpu_s"]
        silent = f" silent {one['silent_s']:.0f} s" if one["silent_s"] > _SILENT_S else ""
        table.add_row(
            Text(one["name"] + silent, "" if one["alive"] and not silent else "bold red"),
            str(one["pid"]) if one["alive"] else Text("dead", "bold red"),
            f"{used / since:.0%}" if since else "",
            f"{one['rss_bytes'] / 2**20:.0f}",
            str(one["threads"]),
            str(one["descriptors"]),
            Text(str(one["restarts"] or ""), "yellow"),
        )
    return table


def _delivery(status: Json) -> RenderableType:
    table = _table("to", "waiting", "oldest", "told", "dead", "link")
    for name, one in sorted(status["outbox"].items()):
        table.add_row(
            redact(name),
            Text(str(one["waiting"]), "yellow" if one["waiting"] else ""),
            _span(timedelta(seconds=one["oldest_s"])) if one["waiting"] else "",
            str(one["delivered"]),
            Text(str(one["dead"] or ""), "red"),
            Text("ok", "green") if one["connected"] else Text("away", "red"),
        )
    counts = ", ".join(f"{count} {state}" for state, count in sorted(status["queue"].items()))
    return Group(table, Text(f"queue: {counts}", "dim")) if counts else table


def _alerts(status: Json) -> Table:
    table = _table("alerts", "told", "yes", "no")
    names = sorted({*status["alerts"], *status["verdicts"]}, key=lambda name: -status["alerts"].get(name, 0))
    for name in names:
        verdicts = status["verdicts"].get(name, {})
        told = str(status["alerts"].get(name, 0))
        table.add_row(name, told, str(verdicts.get("confirmed", "")), str(verdicts.get("rejected", "")))
    return table


def _cameras(status: Json, before: Json | None, rows: int | None, wide: bool) -> RenderableType:
    columns = ["camera", "state", "age", "every", "taken", "pass", "drop", *_WIDE, "what is wrong"]
    table = _table(*(name for name in columns if wide or name not in _WIDE))
    old = {one["id"]: one for one in before["cameras"]} if before else {}
    worst = sorted(status["cameras"], key=lambda camera: camera["id"])
    worst.sort(key=trouble, reverse=True)
    shown: Sequence[Json] = worst[:rows]
    for one in shown:
        cells = zip(columns, _camera(one, old.get(one["id"])), strict=True)
        table.add_row(*(cell for name, cell in cells if wide or name not in _WIDE))
    left = len(worst) - len(shown)
    if not left:
        return table
    return Group(table, Text(f"and {left} more, less troubled", "dim"))


def _camera(one: Json, old: Json | None) -> list[RenderableType]:
    def since(key: str) -> float:
        value = float(one[key])
        return value - float(old[key]) if old is not None and value >= float(old[key]) else value

    age_s, every_s = one["age_s"], one["interval_s"]
    late = age_s is not None and age_s > 3 * max(every_s, 0.1)
    due, taken, passed, looked, dropped = map(since, ("due", "taken", "passed", "looked", "dropped"))
    wrong = [name.removeprefix("camera_") for name in one["conditions"]]
    if one["state"] in wrong:
        wrong.remove(one["state"])
    if one["why"]:
        wrong.append(redact(one["why"]))
    marks = "".join((" ☾" if one["night"] else "", f" @{one['preset']}" if one["preset"] else ""))
    return [
        Text(one["id"] + marks),
        Text(one["state"], _COLOUR.get(one["state"], "dim")),
        Text("" if age_s is None else _span(timedelta(seconds=age_s)), "red" if late else ""),
        f"{every_s:.1f} s",
        f"{taken / due:.0%}" if due else "",
        f"{passed / taken:.0%}" if taken else "",
        Text(f"{dropped:.0f}" if dropped else "", "yellow"),
        f"{since('decode_s') / taken * 1000:.1f} ms" if taken else "",
        f"{since('infer_s') / looked * 1000:.0f} ms" if looked else "",
        str(one["connections"]),
        Text(", ".join(wrong), "yellow"),
    ]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline cyan")
    for place, name in enumerate(columns):
        number = place > 0 and name not in ("state", "what is wrong", "link")
        table.add_column(name, justify="right" if number else "left", no_wrap=name != "what is wrong")
    return table


def _quantiles(latency: Json) -> str:
    """`p50 <= 0.5 s, p99 <= 4 s`, of the buckets; empty before the first."""
    from huoyan.status import BOUNDS_S

    counts = latency["counts"]
    total = sum(counts)
    if not total:
        return ""
    found = []
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        seen, bound = 0, f"> {BOUNDS_S[-1]:g} s"
        for count, upper in zip(counts, BOUNDS_S, strict=False):
            seen += count
            if seen >= share * total:
                bound = f"<= {upper:g} s"
                break
        found.append(f"{name} {bound}")
    return ", ".join(found)


def _seconds(status: Json, before: Json | None) -> float:
    start = before["time"] if before else status["started"]
    return (datetime.fromisoformat(status["time"]) - datetime.fromisoformat(start)).total_seconds()


def _span(span: timedelta) -> str:
    """`3.2 s`, `5 m`, `7.5 h` or `12 d`."""
    seconds = span.total_seconds()
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} m"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"
