"""`huoyan passages`: the vehicles that pass in a video, one line each."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from huoyan.errors import ConfigError

if TYPE_CHECKING:
    from huoyan.passage import Passage
    from huoyan.perception.paths import Line


def passages(
    video: Annotated[Path, typer.Argument(help="A video of a fixed camera.")],
    line: Annotated[
        str | None,
        typer.Option(help="Virtual line x1,y1,x2,y2 in pixels; who crosses it to its right enters."),
    ] = None,
    enter: Annotated[str, typer.Option(help="Side of the line that is inside: right or left.")] = "right",
    labels: Annotated[
        str, typer.Option(help="Vehicles to tell and to read the plates of, separated by commas.")
    ] = "dump_truck,mixer_truck",
    plates: Annotated[bool, typer.Option("--plates/--no-plates", help="Read their plates.")] = True,
    sampling: Annotated[str, typer.Option(help="Time between the frames that are looked at.")] = "200ms",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell every truck that passes in a video once: plate, direction, times, how long it stood.

    Nothing is stored. Plates of other vehicles are not read.
    """
    from huoyan.runs.passages import of_video

    # What a command line says is checked before models are loaded.
    if enter not in ("right", "left"):
        raise ConfigError(f"--enter: expected right or left, got {enter!r}")
    found = of_video(
        video,
        _line(line),
        enter=cast(Literal["right", "left"], enter),
        labels=[label.strip() for label in labels.split(",") if label.strip()],
        plates=plates,
        sampling_s=_seconds(sampling),
    )
    if json:
        from pydantic import TypeAdapter

        from huoyan.passage import Passage

        told = TypeAdapter(list[Passage]).dump_python(found, mode="json")
        typer.echo(jsonlib.dumps(told, ensure_ascii=False, indent=2))
    else:
        _print(found)


def _print(found: list[Passage]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("from", "s", "vehicle", "plate", "sure", "direction", "stood", "looks"):
        numeric = column in ("s", "sure", "stood", "looks")
        table.add_column(column, overflow="fold", justify="right" if numeric else "left")
    for one in found:
        table.add_row(
            one.first_seen.strftime("%H:%M:%S"),
            f"{(one.last_seen - one.first_seen).total_seconds():.1f}",
            one.label,
            f"{one.plate.text} {one.plate.colour}" if one.plate.readable else "–",
            f"{one.plate.confidence:.2f}" if one.plate.reads else "",
            one.direction,
            f"{one.dwell_s:.0f}",
            str(one.looks),
        )
    console = Console()
    if found:
        console.print(f"{found[0].first_seen:%Y-%m-%d}; times in UTC, durations in seconds", style="dim")
    console.print(table)
    for number, one in enumerate(found, 1):
        if one.plate.why:
            console.print(f"{number}: unreadable: {one.plate.why}", style="dim")


def _line(text: str | None) -> Line | None:
    if text is None:
        return None
    try:
        x1, y1, x2, y2 = (float(word) for word in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--line: expected four numbers such as 600,700,1300,700, got {text!r}") from error
    return (x1, y1), (x2, y2)


def _seconds(text: str) -> float:
    from huoyan.config import seconds

    try:
        found = seconds(text)
    except (ValueError, KeyError) as error:
        raise ConfigError(f"--sampling: expected a duration such as 200ms or 1s, got {text!r}") from error
    if found <= 0:
        raise ConfigError(f"--sampling: expected more than nothing, got {text!r}")
    return found
