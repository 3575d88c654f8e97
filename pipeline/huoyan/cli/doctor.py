"""`huoyan doctor`."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from huoyan.ops.doctor.finding import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    config: Annotated[Path, typer.Argument(help="The county's configuration, or its folder.")],
    state: Annotated[
        Path | None, typer.Option("--state", help="Folder of the state; default county.data.")
    ] = None,
    cameras: Annotated[
        bool, typer.Option("--cameras/--no-cameras", help="Log in to every camera once.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, a line a finding.")] = False,
) -> None:
    """Examine what `huoyan watch` needs: configuration, models, disk, clock, state, cameras, brokers.

    Changes nothing. Exits with 2 if the configuration is wrong, with 1 if anything else fails; warnings do not count.
    """
    from rich.console import Console

    from huoyan.runs.doctor import examine

    found: list[Finding] = []
    with Console(stderr=True).status("examining") as shown:
        for finding in examine(config, state, with_cameras=cameras):
            found.append(finding)
            shown.update(f"{finding.about}: {finding.verdict}")
            if json:
                typer.echo(jsonlib.dumps(finding.as_json(), ensure_ascii=False))
    failed = [finding for finding in found if finding.verdict == "fail"]
    if not json:
        Console().print(_table(found))
        warned = sum(finding.verdict == "warn" for finding in found)
        typer.echo(f"{len(found)} checks, {warned} warnings, {len(failed)} failed")
    if failed:
        raise typer.Exit(2 if any(finding.about == "config" for finding in failed) else 1)


def _table(found: list[Finding]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "what", "found", "what to do"):
        table.add_column(name, overflow="fold")
    for one in found:
        colour = _COLOURS[one.verdict]
        table.add_row(Text(one.verdict, colour), Text(one.about), Text(one.told), Text(one.todo, colour))
    return table
