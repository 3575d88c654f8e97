"""`huoyan models`: which models there are, and whether they are what their cards say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from huoyan.perception.models import Verification

app = typer.Typer(no_args_is_help=True, help="List and verify models.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Folder = Annotated[Path | None, typer.Option("--models", help="Folder of registered models.")]


@app.command("list")
def list_command(json: Json = False, models: Folder = None) -> None:
    """Every registered model with its card."""
    from huoyan.perception import models as registered

    _print(registered.list_models(models), json)


@app.command("verify")
def verify_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Registered names or paths; default all registered.")
    ] = None,
    json: Json = False,
    models: Folder = None,
) -> None:
    """Check digest, inputs, outputs and classes by a dry run. Exit code 4 if a model has a problem."""
    from huoyan.errors import ModelError
    from huoyan.perception import models as registered

    wanted = names or [found.name for found in registered.list_models(models)]
    results = [registered.verify(name, models) for name in wanted]
    _print(results, json)
    bad = [result.name for result in results if result.problems]
    if bad:
        raise ModelError("not what their cards say", subject=", ".join(bad), code="verify")


def _print(found: list[Verification], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps([_document(one) for one in found], ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("model", "version", "task", "classes", "licence", "sha256", "state"):
        table.add_column(column, overflow="fold", justify="right" if column == "classes" else "left")
    for one in found:
        card = one.card
        cells = ["–"] * 5
        if card is not None:
            classes = str(len(card.classes) or "–")
            cells = [card.version, card.task, classes, card.licence, card.sha256[:12]]
        table.add_row(one.name, *cells, "; ".join(one.problems) or "ok")
    Console().print(table)


def _document(one: Verification) -> dict[str, Any]:
    card = None if one.card is None else one.card.model_dump(mode="json")
    return {
        "name": one.name,
        "path": str(one.path),
        "ok": not one.problems,
        "problems": list(one.problems),
        "seconds": round(one.seconds, 4),
        "card": card,
    }
