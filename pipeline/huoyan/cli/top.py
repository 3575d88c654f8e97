"""`huoyan top`: a running daemon on a terminal."""

from __future__ import annotations

import json as jsonlib
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from huoyan.errors import HuoyanError


def top(
    target: Annotated[
        str, typer.Argument(help="Address of the daemon's pages, or the county's configuration or folder.")
    ] = "http://127.0.0.1:8479",
    once: Annotated[
        bool, typer.Option("--once", help="Print one picture with all cameras and stop.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the status as JSON and stop.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.5, help="Seconds between pictures.")] = 2.0,
) -> None:
    """Show a running daemon: cameras (the most troubled first), processes, deliveries, alerts. Ctrl-C ends it."""
    from huoyan.ops.client import status

    address = _address(target)
    if json:
        typer.echo(jsonlib.dumps(status(address), ensure_ascii=False, indent=2))
    elif once:
        from rich.console import Console

        from huoyan.ops.top import picture

        console = Console()
        console.print(picture(console, status(address), whole=True))
    else:
        _follow(address, every)


def _follow(address: str, every: float) -> None:
    """Draw again and again, until Ctrl-C; a daemon that is away for a while is waited for."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from huoyan.ops.client import NoDaemon, status
    from huoyan.ops.top import picture

    latest: dict[str, Any] = status(address)
    before: dict[str, Any] | None = None
    console = Console()
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as screen:
        while True:
            drawn = picture(console, latest, before)
            away = ""
            try:
                found = status(address)
                if found["time"] != latest["time"]:
                    before, latest = latest, found
            except NoDaemon as error:
                away = str(error)
            screen.update(Group(Text(away, "bold red"), drawn) if away else drawn, refresh=True)
            try:
                time.sleep(every)
            except KeyboardInterrupt:
                return


def _address(target: str) -> str:
    """Where the pages are that a TARGET means.

    Raises:
        ConfigError: it is a configuration with mistakes, or nothing.
    """
    if target.startswith(("http://", "https://")):
        return target
    from huoyan.ops.client import address_of
    from huoyan.runs.prepare import locate_config

    loaded = locate_config(Path(target))
    if loaded.path is None:
        raise HuoyanError("expected the address of a daemon, or its configuration", subject=target)
    return address_of(loaded.config.watch.listen)
