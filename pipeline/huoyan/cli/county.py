"""`huoyan init` and `huoyan check`: a county's configuration, begun and examined."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new county; made if missing.")],
    cameras: Annotated[
        Path | None, typer.Option("--cameras", help="CSV of cameras: id, lon, lat and, if known, archive.")
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option("--archive", help="Imagery archive; default FOLDER/archive. Its cameras are found."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the county.")] = "样例县",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing county.yaml.")] = False,
) -> None:
    """Begin a county: a configuration and tables to fill in."""
    from huoyan.runs.init import begin

    made = begin(folder, cameras=cameras, archive=archive, name=name, force=force)
    for path in made:
        typer.echo(f"wrote {path}")
    typer.echo(f"next: fill in the tables, then run: huoyan check {folder / 'county.yaml'}")


def check(
    config: Annotated[Path, typer.Argument(help="The county's configuration, or its folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine a configuration: every mistake at once."""
    from huoyan.errors import ConfigError
    from huoyan.runs.check import check as run
    from huoyan.runs.prepare import CONFIG_NAMES, config_file

    file = config_file(config)
    if file.is_dir():
        raise ConfigError(
            f"there is no {CONFIG_NAMES[0]} in this folder",
            subject=str(config),
            hint=f"name the file, or begin one with: huoyan init {config}",
        )
    mistakes, warnings, facts = run(file)
    if json:
        typer.echo(
            jsonlib.dumps(
                {"mistakes": mistakes, "warnings": warnings, "facts": facts}, ensure_ascii=False, indent=2
            )
        )
    else:
        for line in mistakes:
            typer.echo(f"mistake: {line}")
        for line in warnings:
            typer.echo(f"warning: {line}")
        typer.echo(", ".join(f"{key} {value}" for key, value in facts.items()))
        typer.echo("no mistakes" if not mistakes else f"{len(mistakes)} to mend")
    if mistakes:
        raise typer.Exit(2)
