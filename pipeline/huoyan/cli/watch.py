"""`huoyan watch`: the stream daemon."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from huoyan.cli.groups import RunByDefault

if TYPE_CHECKING:
    from huoyan.status import Status

app = typer.Typer(
    cls=RunByDefault,
    help="Watch the live cameras of a county (huoyan watch CONFIG); have a running daemon read its files again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Config = Annotated[Path, typer.Argument(help="The county's configuration, or its folder.")]
State = Annotated[Path | None, typer.Option("--state", help="Folder of the state; default county.data.")]


@app.command("run")
def run(
    config: Config,
    state: State = None,
    json: Annotated[bool, typer.Option("--json", help="Log JSON, a line each.")] = False,
) -> None:
    """Watch until told to stop (Ctrl-C, SIGTERM): what was seen is judged and told first.

    SIGHUP, or `huoyan watch reload`, has the configuration read again.
    """
    from huoyan import heap
    from huoyan.ops import logs
    from huoyan.runs.prepare import locate_config
    from huoyan.runs.watch.loop import watch

    heap.give_back()
    loaded = locate_config(config, state)
    logs.configure(json=json)
    stop, reload = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: reload.set())

    def say(line: str) -> None:
        if json:
            logging.getLogger("huoyan.watch").info("%s", line)
        else:
            typer.echo(line, err=True)

    def ready(status: Status) -> None:
        listen = loaded.config.watch.listen
        say(f"ready: {len(status.cameras)} cameras, process {os.getpid()}, http://{listen}/status")

    result = watch(loaded, stop=stop, reload=reload, ready=ready)
    lost = f", {result.lost} could not be written" if result.lost else ""
    say(f"{result.looks} looks, {result.alerts} alerts{lost}")


@app.command("reload")
def reload(
    config: Config,
    pid: Annotated[
        int | None, typer.Option("--pid", help="The daemon's main process; default as its status tells.")
    ] = None,
    within: Annotated[float, typer.Option("--within", help="Seconds that it may take.")] = 60.0,
) -> None:
    """Have a running daemon read its configuration again; exits with 2 if it refuses, and the old one stays.

    The files are checked here first: with mistakes the daemon is not even asked.
    """
    from huoyan.errors import ConfigError
    from huoyan.ops.client import address_of
    from huoyan.ops.reload import reload as ask
    from huoyan.runs.check import check
    from huoyan.runs.prepare import locate_config

    loaded = locate_config(config)
    if loaded.path is None:
        raise ConfigError("there is no county.yaml here", subject=str(config))
    mistakes, _, _ = check(loaded.path, live=True)
    if mistakes:
        raise ConfigError("\n".join(mistakes), hint="the daemon was not asked")
    typer.echo(ask(address_of(loaded.config.watch.listen), pid, within))
