"""`huoyan evaluate`: how good a model is, on a labelled set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Measure a model on a labelled set.")

Model = Annotated[
    str, typer.Argument(help="Registered name, or path of an ONNX file with its card beside it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Folder = Annotated[Path | None, typer.Option("--models", help="Folder of registered models.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads inside one run; 0 takes all cores.")]


@app.command("detector")
def detector_command(
    model: Model,
    folder: Annotated[Path, typer.Argument(help="images/ labels/ classes.txt, optionally labelled.csv")],
    json: Json = False,
    long_side: Annotated[
        int | None, typer.Option(min=32, help="Pixels that the longer side is brought to.")
    ] = None,
    tile: Annotated[int, typer.Option(min=0, help="Side of tiles for large pictures; 0: none.")] = 0,
    models: Folder = None,
    threads: Threads = 1,
) -> None:
    """Average precision, precision and recall of a detector, by class."""
    from huoyan import evaluate

    with _progress(json) as show:
        result = evaluate.detector(
            model,
            folder,
            long_side=long_side,
            tile=tile,
            models_folder=models,
            threads=threads,
            progress=show,
        )
    _print(result, json, _detector_table)


@app.command("change")
def change_command(
    model: Model,
    folder: Annotated[Path, typer.Argument(help="A/ before, B/ after, label/: files of one stem each.")],
    gsd: Annotated[
        float | None, typer.Option(min=0.01, help="Metres a pixel, where DIR/index.csv does not say it.")
    ] = None,
    json: Json = False,
    models: Folder = None,
    threads: Threads = 1,
) -> None:
    """F1 and intersection over union of a change model, by pixel."""
    from huoyan import evaluate

    with _progress(json) as show:
        result = evaluate.change(
            model, folder, gsd_m=gsd, models_folder=models, threads=threads, progress=show
        )
    _print(result, json, _change_table)


@app.command("dust")
def dust_command(
    folder: Annotated[Path, typer.Argument(help="labels.csv (file,dust) and its pictures.")],
    model: Annotated[str, typer.Option(help="Registered name, or path of an ONNX file.")] = "dust-s",
    json: Json = False,
    models: Folder = None,
    threads: Threads = 1,
) -> None:
    """F1, precision, recall and false alarms of a dust classifier, by picture."""
    from huoyan import evaluate

    with _progress(json) as show:
        result = evaluate.dust(folder, model, models_folder=models, threads=threads, progress=show)
    _print(result, json, _dust_table)


@app.command("plates")
def plates_command(
    folder: Annotated[Path, typer.Argument(help="crops/ and labels.csv (file,text,colour,type).")],
    model: Annotated[str, typer.Option(help="Registered name, or path of an ONNX file.")] = "plate-reader",
    json: Json = False,
    models: Folder = None,
    threads: Threads = 1,
) -> None:
    """Plates read exactly, by colour and type, and the time a crop takes."""
    from huoyan import evaluate

    with _progress(json) as show:
        result = evaluate.plates(folder, model=model, models_folder=models, threads=threads, progress=show)
    _print(result, json, _plates_table)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on the error stream, for people only."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Pictures", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(result: dict[str, Any], as_json: bool, table: Callable[[dict[str, Any]], Table]) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(result, ensure_ascii=False, allow_nan=False, indent=2))
        return
    from rich.console import Console

    console = Console()
    console.print(table(result))
    for skip in result.get("skipped", ()):
        console.print(f"skipped {skip['path']}: {skip['reason']}", markup=False, highlight=False)
    if result.get("unknown_classes"):
        names = ", ".join(result["unknown_classes"])
        console.print(f"The model does not know: {names}", markup=False, highlight=False)


def _detector_table(result: dict[str, Any]) -> Table:
    from rich.table import Table

    means = f"mAP50 {_shown(result['map50'])}   mAP50-95 {_shown(result['map50_95'])}"
    table = Table(title=f"{means}   {result['images']} pictures")
    table.add_column("class", no_wrap=True)
    columns = {
        "ap50": "AP50",
        "boxes": "boxes",
        "images": "pict.",
        "precision": "prec.",
        "recall": "recall",
        "image_precision": "prec. pict.",
        "image_recall": "recall pict.",
    }
    for title in columns.values():
        table.add_column(title, justify="right")
    for name, row in result["classes"].items():
        table.add_row(name, *(_shown(row[key]) for key in columns))
    return table


def _change_table(result: dict[str, Any]) -> Table:
    return _row(result, ("f1_pooled", "f1_mean", "iou", "n", "quiet", "quiet_marked"))


def _plates_table(result: dict[str, Any]) -> Table:
    from rich.table import Table

    told = (
        f"exact {_shown(result['exact'])} of {result['n']}   characters {_shown(result['characters'])}   "
        f"readable {_shown(result['readable'])}, of those exact {_shown(result['exact_readable'])}   "
        f"{result['ms_per_crop']} ms a crop"
    )
    table = Table(title=told)
    table.add_column("plates", no_wrap=True)
    for title in ("exact", "n"):
        table.add_column(title, justify="right")
    for group in ("by_colour", "by_type"):
        for name, row in result[group].items():
            table.add_row(name, _shown(row["exact"]), _shown(row["n"]))
        table.add_section()
    return table


def _dust_table(result: dict[str, Any]) -> Table:
    return _row(result, ("f1", "precision", "recall", "false_alarm_rate", "n"))


def _row(result: dict[str, Any], columns: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    table.add_row(*(_shown(result[column]) for column in columns))
    return table


def _shown(value: float | int | None) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
