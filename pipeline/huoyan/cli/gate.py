"""`huoyan gate`: run the gates of a county; read, check and export their log."""

from __future__ import annotations

import json as jsonlib
import logging
import signal
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from huoyan.cli.groups import RunByDefault
from huoyan.errors import ConfigError

if TYPE_CHECKING:
    from huoyan.gate.desk import Decided


app = typer.Typer(
    cls=RunByDefault,
    help="Run the gates of a county (huoyan gate CONFIG); check and export their log.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
logs = typer.Typer(help="The gates' log: verify, export.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(logs, name="log")

Config = Annotated[Path, typer.Argument(help="The county's configuration, or its folder.")]
State = Annotated[Path | None, typer.Option("--state", help="Folder of the state; default county.data.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, a line each.")]


@app.command("run")
def run(
    config: Config,
    state: State = None,
    once: Annotated[
        bool, typer.Option("--once", help="End with the camera files, though messages could still come.")
    ] = False,
    json: Json = False,
) -> None:
    """Run the gates until they are told to stop (Ctrl-C, SIGTERM), or, with files only, until these are over.

    Each line is an entry of the log. Run again after a kill it goes on with what had come.
    """
    from huoyan.runs.gate import run as gate
    from huoyan.runs.prepare import locate_config

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("huoyan").setLevel(logging.INFO)
    loaded = locate_config(config, state)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def told(decided: Decided) -> None:
        zone = ZoneInfo(loaded.config.county.timezone)
        typer.echo(_as_json(decided, zone) if json else _as_line(decided, zone))

    def ready(addresses: dict[str, Any]) -> None:
        typer.echo(f"ready {jsonlib.dumps(addresses)}", err=True)

    result = gate(loaded, once=once, stop=stop, told=told, ready=ready)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.outcomes.items()))
    typer.echo(
        f"{result.events} events ({outcomes or 'none'}), {result.decided} log entries, {result.alerts} alerts;"
        f" slowest decision {result.slowest_s:.2f} s",
        err=True,
    )


@logs.command("verify")
def verify(config: Config, state: State = None) -> None:
    """Check the chain of the log, entry by entry, and its end; exits with 5 if anything is wrong."""
    from huoyan.gate import log
    from huoyan.gate.book import open_book
    from huoyan.runs.prepare import locate_config

    folder = locate_config(config, state).state
    with open_book(folder, read_only=True) as book:
        count, problems = log.verify(book.connection, folder)
        last = log.head(book.connection)
    for problem in problems:
        typer.echo(f"wrong: {problem}")
    typer.echo(f"{count} entries, {len(problems)} wrong; last hash {last.hash}")
    if problems:
        raise typer.Exit(5)


@logs.command("export")
def export(
    config: Config,
    day: Annotated[str, typer.Option("--day", help="Local day, such as 2026-03-24.")],
    out: Annotated[Path, typer.Option("--out", help="File to write; its ending tells the format.")],
    state: State = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Numbers for plates; no permits, no texts that could name them.")
    ] = False,
) -> None:
    """Export a day with totals by vehicle, company and site: in files beside CSV and Parquet, within JSON."""
    from huoyan.runs.gate_export import export as write

    for path in write(config, _day(day), out, state=state, redact=redact):
        typer.echo(f"wrote {path}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"--day: expected a day such as 2026-03-24, got {text!r}") from error


def _as_line(decided: Decided, zone: ZoneInfo) -> str:
    event = decided.event
    weight = f" {event.gross_kg:.0f} kg" if event.gross_kg is not None else ""
    amended = f" (amended, {decided.revision})" if decided.revision > 1 else ""
    return (
        f"{event.time.astimezone(zone):%Y-%m-%d %H:%M:%S} {event.gate_id} {event.direction}"
        f" {event.verdict.plate or 'unreadable'}{weight}: {event.outcome}, {event.why}{amended}"
    )


def _as_json(decided: Decided, zone: ZoneInfo) -> str:
    from huoyan.gate.desk import entry

    event = decided.event
    values = {"event_id": event.event_id, "revision": decided.revision, **entry(event, zone)}
    return jsonlib.dumps(values, ensure_ascii=False)
