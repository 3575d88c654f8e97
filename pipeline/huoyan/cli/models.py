"""`huoyan models`: which models there are, whether they are what their cards say, how fast they are, and new ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from huoyan.perception.bench import Row
    from huoyan.perception.models import Verification

app = typer.Typer(no_args_is_help=True, help="List, verify, measure and add models.")

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


@app.command("add")
def add_command(
    file: Annotated[Path, typer.Argument(help="ONNX file.")],
    card: Annotated[Path | None, typer.Option(help="Its card; default the one beside it.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a model of the same name.")] = False,
    models: Annotated[
        Path | None, typer.Option("--models", help="Folder to add it to; default your own models folder.")
    ] = None,
) -> None:
    """Check a model (contract, operators, classes, digest, runs on pictures) and register it. Exit code 4 if not."""
    from huoyan.perception import adding

    added = adding.add(file, card, models, replace=replace)
    typer.echo(f"{added.name} {added.card.version} ({added.card.task}) registered as {added.path}")


@app.command("bench")
def bench_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Registered names or paths; default all registered.")
    ] = None,
    json: Json = False,
    models: Folder = None,
    rounds: Annotated[int, typer.Option(min=1, help="Runs measured for each figure.")] = 15,
) -> None:
    """How fast the models are on this machine, in every runtime and precision it has; * marks what is used."""
    from huoyan.perception import bench

    rows = bench.bench(names or (), models, rounds)
    _print_bench(list(rows), json)


def _print_bench(rows: list[Row], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps([_bench_document(row) for row in rows], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("model", "runtime", "precision", "MB", "ms, one thread", "ms, all threads", ""):
        text = column in ("model", "runtime", "precision")
        table.add_column(column, overflow="fold", justify="left" if text else "right")
    for row in rows:
        figures = (row.size_mb, row.one_thread.wall_ms, row.all_threads.wall_ms)
        cells = [row.model, row.way.runtime, row.way.precision, *(f"{figure:.1f}" for figure in figures)]
        table.add_row(*cells, "*" if row.chosen else "")
    Console().print(table)


def _bench_document(row: Row) -> dict[str, Any]:
    return {
        "model": row.model,
        "runtime": row.way.runtime,
        "precision": row.way.precision,
        "file": str(row.way.path),
        "size_mb": round(row.size_mb, 2),
        "ms": {
            "one_thread": round(row.one_thread.wall_ms, 2),
            "all_threads": round(row.all_threads.wall_ms, 2),
        },
        "cpu_ms_one_thread": round(row.one_thread.cpu_ms, 2),
        "chosen": row.chosen,
    }


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
