"""`huoyan queue init`, `outbox` and `resend`: the places that alerts are delivered to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from huoyan.cli.queue import Config, Json, State, opened
from huoyan.cli.queue import app as app
from huoyan.errors import DispatchError


@app.command("init")
def init_places(
    config: Annotated[Path, typer.Argument(help="The county's configuration.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Also change what is there and not as configured.")
    ] = False,
    json: Json = False,
) -> None:
    """Create streams and consumers, and check that every place alerts go to can be reached.

    May be run again and again. Exit code 6: something failed, or differs from the configuration.
    """
    from dataclasses import asdict

    from huoyan import config as configuration
    from huoyan.dispatch import export, reach

    checks = reach.init(configuration.load(config).config.dispatch, apply=apply)
    if json:
        sys.stdout.write(export.dumped([asdict(one) for one in checks]))
    else:
        for one in checks:
            typer.echo(f"{one.subject}: {one.state}{f': {one.text}' if one.text else ''}")
    if any(one.state == "differs" for one in checks):
        typer.echo("run it again with --apply to change what differs", err=True)
    if not reach.is_well(checks):
        raise typer.Exit(DispatchError.exit_code)


@app.command("outbox")
def show_outbox(state: State = None, config: Config = None, json: Json = False) -> None:
    """Show what waits for each place that alerts go to, and what its receiver refused for good."""
    from huoyan.dispatch import delivery_view, ensure_tables, export, ledger

    with opened(state, config) as desk:
        # A state of an earlier version lacks some.
        ensure_tables(desk.connection)
        names = ledger.backends(desk.connection, desk.places)
        backlogs = {name: ledger.backlog(desk.connection, name) for name in names}
        letters = ledger.dead_letters(desk.connection)
    if json:
        sys.stdout.write(export.dumped(delivery_view.as_values(backlogs, letters)))
        return
    for line in delivery_view.lines(backlogs, letters, desk.zone):
        typer.echo(line)


@app.command("resend")
def resend_alerts(
    to: Annotated[str, typer.Option("--to", help="The place that refused them: nats, mqtt or http.")],
    alerts: Annotated[
        list[str] | None, typer.Argument(help="Ids of refused alerts, or as much of each as is unique.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that it refused.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Give them up instead.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also after later revisions of the same incident.")
    ] = False,
    state: State = None,
    config: Config = None,
) -> None:
    """Have alerts that a receiver refused for good sent once more, or give them up.

    Whoever delivers for this state (the daemon, the gate, the next scan) sends them before everything else.
    """
    from huoyan.dispatch import ensure_tables, ledger

    if bool(alerts) == all_:
        raise DispatchError("nothing to send again", hint="give ids of refused alerts, or --all")
    with opened(state, config) as desk:
        ensure_tables(desk.connection)
        chosen = None if all_ else [ledger.refused(desk.connection, to, one) for one in alerts or ()]
        if drop:
            done = ledger.forget(desk.connection, to, chosen)
        else:
            done = ledger.resend(desk.connection, to, chosen, force=force)
    for alert_id in done:
        typer.echo(f"{alert_id}: {'given up' if drop else 'will be sent again'}")
