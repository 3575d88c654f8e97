"""`huoyan queue`: the alerts that wait for somebody, and what becomes of them."""

from __future__ import annotations

import getpass
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from huoyan.cli import exported
from huoyan.errors import ConfigError, DispatchError

if TYPE_CHECKING:
    from huoyan.dispatch.items import Item

app = typer.Typer(
    no_args_is_help=True,
    help="Alerts on the dispatch queue: list, show, export, ack, nack, retry; and the places they are delivered to.",
)

State = Annotated[
    Path | None, typer.Option("--state", help="Folder with a scan's state (database and evidence).")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="Configuration whose county.data is the state folder.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Scene = Annotated[list[str] | None, typer.Option("--scene", help="Only this scene; may be repeated.")]
PriorityOption = Annotated[
    list[int] | None,
    typer.Option(
        "--priority", min=1, max=4, help="Only this priority, 1 urgent to 4 record; may be repeated."
    ),
]
Status = Annotated[
    list[str] | None, typer.Option("--status", help="Only ready, leased, acked or dead; may be repeated.")
]
Since = Annotated[
    str | None,
    typer.Option("--since", help="Only alerts at or after this time (ISO 8601; the county's zone if none)."),
]
Until = Annotated[str | None, typer.Option("--until", help="Only alerts before this time.")]
Alerts = Annotated[list[str], typer.Argument(help="Ids of alerts, or as much of each as is unique.")]
By = Annotated[str | None, typer.Option("--by", help="Who says so; default the user of this session.")]
Force = Annotated[bool, typer.Option("--force", help="Even if somebody else works on it.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """The open queue with what its commands need to know."""

    connection: sqlite3.Connection
    folder: Path
    zone: tzinfo
    now: datetime
    max_attempts: int
    places: Sequence[str]
    """Where alerts go, as configured."""


@app.command("list")
def list_alerts(
    state: State = None,
    config: Config = None,
    scene: Scene = None,
    priority: PriorityOption = None,
    status: Status = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """List alerts, most urgent first."""
    from huoyan.dispatch import export, items

    with opened(state, config) as desk:
        found = _selected(desk, scene, priority, status, since, until, limit)
        totals = items.counts(desk.connection)
    if json:
        sys.stdout.write(export.dumped([export.as_values(item) for item in found]))
    else:
        from huoyan.cli import queue_view

        queue_view.table(found, totals, desk.zone)


@app.command("show")
def show_alert(
    alert: Annotated[str, typer.Argument(help="Id of an alert, or as much of it as is unique.")],
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show an alert in full: what, where, why, its evidence and what happened to it."""
    from huoyan.dispatch import export, items

    with opened(state, config) as desk:
        item = items.get(desk.connection, items.resolve(desk.connection, alert))
        events = items.history(desk.connection, item.alert_id)
    if json:
        history = [
            {"time": e.time.isoformat(), "action": e.action, "actor": e.actor, "note": e.note} for e in events
        ]
        sys.stdout.write(export.dumped(export.as_values(item) | {"history": history}))
    else:
        from huoyan.cli import queue_view

        queue_view.full(item, events, desk.folder, desk.zone)


@app.command("export")
def export_alerts(
    format_: Annotated[
        Literal["geojson", "csv", "json"],
        typer.Option("--format", help="geojson, csv or json (CloudEvents)."),
    ] = "geojson",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; default standard output.")] = None,
    state: State = None,
    config: Config = None,
    scene: Scene = None,
    priority: PriorityOption = None,
    status: Status = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Export alerts for a map, a spreadsheet or another program."""
    from huoyan.dispatch import export

    with opened(state, config) as desk:
        found = _selected(desk, scene, priority, status, since, until, None)
    text = {"geojson": export.to_geojson, "csv": export.to_csv, "json": export.to_json}[format_](found)
    if exported.put(text, out, csv=format_ == "csv"):
        typer.echo(f"{len(found)} alerts written to {out}", err=True)


@app.command("ack")
def ack_alerts(
    alerts: Alerts,
    state: State = None,
    config: Config = None,
    by: By = None,
    note: Annotated[str, typer.Option("--note", help="What was found, in words.")] = "",
    verdict: Annotated[
        Literal["confirmed", "rejected"] | None, typer.Option("--verdict", help="What the crew found.")
    ] = None,
    force: Force = False,
) -> None:
    """Acknowledge alerts: they are dealt with. All of them or none. A verdict also goes to the incident."""
    from huoyan.dispatch import queue
    from huoyan.runs.verdicts import recorder

    with opened(state, config) as desk:
        done = queue.ack(
            desk.connection,
            _ids(desk, alerts),
            _who(by),
            desk.now,
            verdict=verdict,
            note=note,
            force=force,
            on_verdict=recorder(desk.connection, desk.folder, desk.now),
        )
    _tell(done)


@app.command("nack")
def nack_alerts(
    alerts: Alerts,
    reason: Annotated[str, typer.Option("--reason", "--note", help="Why it cannot be dealt with now.")],
    state: State = None,
    config: Config = None,
    by: By = None,
    force: Force = False,
) -> None:
    """Give alerts back: they come again later, or are dead when they were given back too often."""
    from huoyan.dispatch import queue

    with opened(state, config) as desk:
        policy = queue.RetryPolicy(max_attempts=desk.max_attempts)
        done = queue.nack(
            desk.connection, _ids(desk, alerts), _who(by), desk.now, reason=reason, policy=policy, force=force
        )
    _tell(done)


@app.command("retry")
def retry_alerts(
    alerts: Annotated[
        list[str] | None, typer.Argument(help="Ids; default with --dead: all dead ones.")
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that are dead.")] = False,
    state: State = None,
    config: Config = None,
    by: By = None,
) -> None:
    """Make dead alerts ready again, and waiting ones at once."""
    from huoyan.dispatch import queue

    if bool(alerts) == dead:
        raise DispatchError(
            "nothing to try again", hint="give ids of alerts, or --dead for all that are dead"
        )
    with opened(state, config) as desk:
        chosen = None if dead else _ids(desk, alerts or [])
        done = queue.retry(desk.connection, desk.now, chosen, _who(by))
    _tell(done)


@contextmanager
def opened(state: Path | None, config: Path | None) -> Iterator[Desk]:
    """Open the queue that the options name; default the folder `state` here.

    Raises:
        ConfigError: both options are given, or the configuration is wrong.
        DispatchError: there is no queue.
    """
    from zoneinfo import ZoneInfo

    from huoyan import config as configuration
    from huoyan import dispatch

    if state is not None and config is not None:
        raise ConfigError("give --state or --config, not both")
    loaded = configuration.load(config) if config is not None else None
    settings = loaded.config if loaded is not None else configuration.Config()
    folder = state if state is not None else loaded.state if loaded is not None else Path("state")
    connection = dispatch.open_queue(folder)
    try:
        yield Desk(
            connection,
            folder,
            ZoneInfo(settings.county.timezone),
            datetime.now(UTC),
            settings.dispatch.max_attempts,
            settings.dispatch.to,
        )
    finally:
        connection.close()


def _selected(
    desk: Desk,
    scene: Sequence[str] | None,
    priority: Sequence[int] | None,
    status: Sequence[str] | None,
    since: str | None,
    until: str | None,
    limit: int | None,
) -> list[Item]:
    from huoyan.dispatch import items

    unknown = [s for s in status or () if s not in items.STATES]
    if unknown:
        raise DispatchError(f"no such status: {', '.join(unknown)}", hint=f"one of {', '.join(items.STATES)}")
    return items.select(
        desk.connection,
        scenes=scene or (),
        priorities=priority or (),
        states=status or (),
        since=_time(since, "--since", desk.zone),
        until=_time(until, "--until", desk.zone),
        limit=limit,
    )


def _time(text: str | None, option: str, zone: tzinfo) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise DispatchError(
            f"not a time: {text!r}", subject=option, hint="for example 2026-05-03 or 2026-05-03T09:30"
        ) from error
    return time if time.tzinfo is not None else time.replace(tzinfo=zone)


def _ids(desk: Desk, given: Sequence[str]) -> list[str]:
    from huoyan.dispatch import items

    # Each once, in the order given: the same alert twice is not a mistake worth stopping for.
    return list(dict.fromkeys(items.resolve(desk.connection, prefix) for prefix in given))


def _who(by: str | None) -> str:
    if by is not None:
        if not by.strip():
            raise DispatchError("--by is empty", hint="give a name")
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        # A container's user may have no name.
        raise DispatchError("this session's user has no name", hint="say who you are with --by") from error


def _tell(done: Sequence[Item]) -> None:
    for item in done:
        verdict = f", {item.verdict}" if item.verdict else ""
        typer.echo(f"{item.alert_id}: {item.state}{verdict}")
