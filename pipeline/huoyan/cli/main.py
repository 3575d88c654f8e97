"""The `huoyan` command: one module a command group, each with no logic of its own.

Exit codes: 0 done; 1 an error without a code of its own; 2 wrong configuration, registry or arguments;
3 no input that can be used (or, with --strict, some that was skipped); 4 a model; 5 storage (full disk,
damaged state); 6 the queue; 7 a missing extra; 130 interrupted, what was found is kept.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from huoyan import __version__
from huoyan.cli import (
    calibrate,
    county,
    doctor,
    evaluate,
    gate,
    models,
    passages,
    queue_delivery,
    scan,
    top,
    vehicles,
    watch,
)
from huoyan.errors import HuoyanError

app = typer.Typer(
    name="huoyan",
    help="Huoyan 火眼: imagery in, geo-tagged alerts with evidence on the dispatch queue out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # Plain help: rich's panels would cost `huoyan --help` more than half of its time.
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"huoyan {__version__}")
        raise typer.Exit


app.command("scan")(scan.scan)
app.command("demo")(scan.demo)
app.command("explain")(scan.explain)
app.command("init")(county.init)
app.command("check")(county.check)
app.command("doctor")(doctor.doctor)
app.command("top")(top.top)
app.command("calibrate")(calibrate.calibrate)
app.command("passages")(passages.passages)
app.add_typer(models.app, name="models")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(queue_delivery.app, name="queue")
app.add_typer(gate.app, name="gate")
app.add_typer(vehicles.app, name="vehicles")
app.add_typer(watch.app, name="watch")


def main() -> None:
    """Run the command line; errors that a user can mend are told in a line or two, without a traceback."""
    try:
        app()
    except HuoyanError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted; what was found so far is kept", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # `huoyan queue list | head`: not an error; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
