"""Telling a person in a terminal how a run goes and what it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from huoyan.runs.result import ScanResult

Tick = Callable[[int, int, str], None]
"""Called with frames done, frames expected and what is being looked at."""
SHOWN_SKIPS = 12


@contextmanager
def progress(quiet: bool) -> Iterator[Tick]:
    """A progress bar on standard error; `quiet` gives a silent one."""
    if quiet:
        yield lambda done, total, what: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("looking"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking", total=None, what="")

        def tick(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=max(total, done), what=escape(what[-48:]))

        yield tick


def summary(result: ScanResult) -> None:
    """Print what a scan did: frames, skipped and why, findings, permitted, alerts by scene, speed."""
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    speed = f", {result.frames / result.seconds:.1f} frames/s" if result.seconds and result.frames else ""
    done = f" ({result.already_done} more were done before)" if result.already_done else ""
    table.add_row("frames", f"{result.frames}{done}")
    if result.passages:
        table.add_row("trucks on roads", f"{result.passages} passages")
    table.add_row("skipped", _counted(result.skipped) or "0")
    table.add_row("detections", f"{result.detections}, {result.placed} placed")
    table.add_row("findings", f"{result.findings}, of them permitted {result.permitted}")
    table.add_row("alerts", str(len(result.alerts)))
    for scene, count in result.by_scene.items():
        table.add_row("", f"{count:3d} {scene}")
    table.add_row("time", f"{result.seconds:.1f} s{speed}")
    table.add_row("state", escape(str(result.state)))
    console.print(table)
    # Empty windows at the edge of a satellite picture are counted above, but nothing to look into.
    telling = [skip for skip in result.skips if skip.code != "nodata"]
    for skip in telling[:SHOWN_SKIPS]:
        console.print(f"[yellow]skipped[/] {escape(_line(skip.reason))}")
    more = sum(result.skipped.values()) - result.skipped["nodata"] - min(len(telling), SHOWN_SKIPS)
    if more > 0:
        console.print(f"[yellow]skipped[/] … and {more} more: see --json")
    for note in result.notes[:SHOWN_SKIPS]:
        console.print(f"[dim]note[/] {escape(_line(note))}")
    if len(result.notes) > SHOWN_SKIPS:
        console.print(f"[dim]note[/] … and {len(result.notes) - SHOWN_SKIPS} more: see --json")
    if result.interrupted:
        console.print("interrupted: run the same command again to go on")


def stories(found: list[dict[str, Any]]) -> None:
    """Print what `huoyan explain` found, frame by frame."""
    console = Console()
    for story in found:
        console.rule(escape(f"{story['source']} {story['time']}"), align="left")
        console.print(
            escape(
                f"{Path(story['path']).name}  {story['size'][0]}x{story['size'][1]} px, "
                f"time from {story['time_from']}{', night' if story['night'] else ''}"
            )
        )
        for note in story["notes"]:
            console.print(f"  [dim]{escape(note)}[/]")
        if not story["detections"]:
            console.print("  nothing seen")
        for seen in story["detections"]:
            console.print(
                f"  [bold]{escape(seen['label'])}[/] {seen['score']:.2f} at {[round(v) for v in seen['box']]}: "
                f"{escape(seen['place_text'])}{escape(seen['looked_again'])}"
            )
        for line in story["trace"]:
            console.print(f"  [cyan]{escape(line)}[/]")
        for line in story["outcome"]:
            console.print(f"  [green]{escape(line)}[/]")


def _counted(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    parts = ", ".join(f"{code} {count}" for code, count in sorted(counts.items(), key=lambda item: -item[1]))
    return f"{total} ({parts})" if total else ""


def _line(text: str) -> str:
    """File names may hold line breaks; a report stays one line each."""
    return text.replace("\n", "\\n").replace("\r", "\\r")
