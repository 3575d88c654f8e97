"""`huoyan scan`, `huoyan demo` and `huoyan explain`."""

from __future__ import annotations

import json as jsonlib
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from huoyan.errors import ConfigError

Target = Annotated[
    Path, typer.Argument(help="A configuration (YAML), a county's folder, an archive, or a single file.")
]
State = Annotated[
    Path | None, typer.Option("--state", help="Folder for database and evidence; default county.data.")
]
ScenesOption = Annotated[
    list[str] | None,
    typer.Option("--scenes", help="Only these scene ids; may be repeated, or separated by commas."),
]
Workers = Annotated[
    int, typer.Option("--workers", "-w", min=0, help="Processes that look; 0 takes all cores.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def scan(
    target: Target,
    state: State = None,
    since: Annotated[str | None, typer.Option(help="Only frames at or after this time (ISO 8601).")] = None,
    until: Annotated[str | None, typer.Option(help="Only frames before this time (ISO 8601).")] = None,
    scenes: ScenesOption = None,
    workers: Workers = 1,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if any file was skipped.")] = False,
    json: Json = False,
) -> None:
    """Scan an imagery archive and put alerts on the queue.

    Run again after an interruption it goes on where it stopped; frames that are done are not done twice.
    """
    from huoyan.runs import report
    from huoyan.runs.scan import scan as run

    with report.progress(quiet=json or not sys.stderr.isatty()) as tick:
        result = run(
            target,
            state=state,
            since=_time(since, "--since"),
            until=_time(until, "--until"),
            scenes=_words(scenes),
            workers=workers,
            progress=tick,
        )
    if json:
        typer.echo(jsonlib.dumps(result.to_dict(), ensure_ascii=False, indent=2))
    else:
        report.summary(result)
    if result.interrupted:
        raise typer.Exit(130)
    if (strict and result.skipped) or (result.skipped and not result.frames and not result.already_done):
        raise typer.Exit(3)


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the page and the state.")] = Path("demo"),
    samples: Annotated[
        Path, typer.Option("--samples", help="The sample county; default data_samples here.")
    ] = Path("data_samples"),
    workers: Workers = 1,
) -> None:
    """Scan the sample county and write one page of the result.

    The page holds everything: the map, the alerts with their evidence, and what was permitted.
    """
    from huoyan.runs import report
    from huoyan.runs.demo import demo as run

    with report.progress(quiet=not sys.stderr.isatty()) as tick:
        result, page = run(samples, out, workers=workers, progress=tick)
    report.summary(result)
    typer.echo(f"open {page}")


def explain(
    frames: Annotated[list[Path], typer.Argument(help="Pictures (or videos, rasters) of the archive.")],
    config: Annotated[Path, typer.Option("--config", help="The county's configuration.")],
    json: Json = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Write the annotated picture of the (first) frame here.")
    ] = None,
    state: State = None,
) -> None:
    """Tell the way that a frame takes to an alert, or not.

    What was seen, where it was placed, which rules held or failed at which condition, which permit silenced
    it, which incident it would join. Nothing is written.
    """
    from huoyan.runs import report
    from huoyan.runs.explain import explain as run

    stories = run(frames, config, state=state, picture=picture)
    if json:
        typer.echo(jsonlib.dumps(stories, ensure_ascii=False, indent=2))
    else:
        report.stories(stories)
    if picture is not None:
        typer.echo(f"picture: {picture}", err=True)


def _time(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{option}: expected a date or time such as 2026-03-01 or 2026-03-01T08:00+08:00, got {text!r}"
        ) from error


def _words(given: list[str] | None) -> tuple[str, ...]:
    return tuple(word for text in given or () for word in text.replace(",", " ").split())
