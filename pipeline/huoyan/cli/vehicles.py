"""`huoyan vehicles`: what trucks did, and how they stand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from huoyan.cli import exported
from huoyan.errors import ConfigError

if TYPE_CHECKING:
    from huoyan.config import LoadedConfig
    from huoyan.config_vehicles import Retention
    from huoyan.vehicles.history import History

app = typer.Typer(
    no_args_is_help=True, help="Trucks over time: passages, violations, weights and levels by plate."
)

State = Annotated[Path | None, typer.Option("--state", help="Folder with the state of a scan or a gate.")]
Config = Annotated[
    Path | None, typer.Option("--config", help="Configuration: its county.data, levels, retention, register.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
At = Annotated[
    str | None,
    typer.Option("--at", help="Levels of this moment (ISO 8601; the county's zone if none); default now."),
]


@dataclass(frozen=True, slots=True)
class _Desk:
    """The open history with what its commands need to know."""

    history: History
    folder: Path
    loaded: LoadedConfig | None
    retention: Retention
    zone: tzinfo
    now: datetime


@app.command("show")
def show(
    plate: Annotated[str, typer.Argument(help="A plate, with or without dots and blanks.")],
    state: State = None,
    config: Config = None,
    at: At = None,
    json: Json = False,
) -> None:
    """Show a vehicle in full: its level and why, its passages, violations and weights."""
    from huoyan.runs import vehicles

    with _desk(state, config) as desk:
        told = vehicles.card(desk.history, plate, _time(at, "--at", desk) or desk.now, desk.loaded)
    if json:
        sys.stdout.write(vehicles.as_json(told))
    else:
        from huoyan.cli import vehicles_view

        vehicles_view.card(told, desk.zone)


@app.command("list")
def list_vehicles(
    state: State = None,
    config: Config = None,
    level: Annotated[
        list[str] | None,
        typer.Option("--level", help="Only green, yellow or red vehicles; may be repeated."),
    ] = None,
    at: At = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """List vehicles, the worst first, then the latest."""
    from huoyan.runs import vehicles
    from huoyan.vehicles.levels import LEVELS

    wanted = [one for one in LEVELS if one in (level or ())]
    unknown = sorted({*(level or ())} - {*LEVELS})
    if unknown:
        raise ConfigError(f"no such level: {', '.join(unknown)}", hint=f"one of {', '.join(LEVELS)}")
    with _desk(state, config) as desk:
        told = vehicles.lines(desk.history, _time(at, "--at", desk) or desk.now, wanted)
    if json:
        sys.stdout.write(vehicles.as_json(told[:limit]))
    else:
        from huoyan.cli import vehicles_view

        vehicles_view.table(told, limit, desk.zone)


@app.command("export")
def export(
    format_: Annotated[Literal["csv", "json"], typer.Option("--format", help="csv or json.")] = "csv",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; default standard output.")] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Number vehicles instead of naming plates and companies.")
    ] = False,
    since: Annotated[str | None, typer.Option("--since", help="Only from this moment on (ISO 8601).")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only before this moment.")] = None,
    state: State = None,
    config: Config = None,
) -> None:
    """Export passages with their reasons and weights, a line each."""
    from huoyan.runs import vehicles

    with _desk(state, config) as desk:
        first, last = _time(since, "--since", desk), _time(until, "--until", desk)
        lines = vehicles.exported(desk.history, first, last, redact=redact)
    text = vehicles.as_csv(lines) if format_ == "csv" else vehicles.as_json(lines)
    if exported.put(text, out, csv=format_ == "csv"):
        typer.echo(f"{len(lines)} passages written to {out}", err=True)


@app.command("purge")
def purge(state: State = None, config: Config = None, json: Json = False) -> None:
    """Remove what is older than vehicles.retention allows, now. Scans and gates do it once a day by themselves."""
    from dataclasses import asdict

    from huoyan.runs import vehicles
    from huoyan.vehicles import purge as retention

    with _desk(state, config) as desk:
        gone = retention.purge(desk.history.connection, desk.folder, desk.retention, desk.now)
    if json:
        sys.stdout.write(vehicles.as_json(asdict(gone)))
    else:
        typer.echo(f"removed {', '.join(f'{count} {what}' for what, count in asdict(gone).items())}")


@contextmanager
def _desk(state: Path | None, config: Path | None) -> Iterator[_Desk]:
    """Open the history that the options name; default the folder `state` here.

    Raises:
        ConfigError: the configuration is wrong.
        StorageError: there is no state.
    """
    from zoneinfo import ZoneInfo

    from huoyan import config as configuration
    from huoyan.vehicles.history import open_history

    loaded = configuration.load(config) if config is not None else None
    settings = loaded.config if loaded is not None else configuration.Config()
    folder = state if state is not None else loaded.state if loaded is not None else Path("state")
    history = open_history(folder, settings.vehicles)
    try:
        zone = ZoneInfo(settings.county.timezone)
        yield _Desk(history, folder, loaded, settings.vehicles.retention, zone, datetime.now(UTC))
    finally:
        history.connection.close()


def _time(text: str | None, option: str, desk: _Desk) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"not a time: {text!r}", subject=option, hint="for example 2026-05-03 or 2026-05-03T09:30"
        ) from error
    return time if time.tzinfo is not None else time.replace(tzinfo=desk.zone)
