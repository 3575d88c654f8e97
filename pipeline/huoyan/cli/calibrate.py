"""`huoyan calibrate`: fit a fixed camera from its control points, say how well, and show it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from huoyan.errors import ConfigError

if TYPE_CHECKING:
    from huoyan.georef.camera import Calibration, PointResult
    from huoyan.georef.points import ControlPoint

_USUAL_SIZES = ((640, 480), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160), (7680, 4320))


def calibrate(
    points_file: Annotated[
        Path,
        typer.Argument(
            metavar="POINTS.csv", help="Control points: px_x,px_y,lon,lat (or east_m,north_m),use."
        ),
    ],
    image: Annotated[
        Path | None, typer.Option("--image", help="The picture they were measured on (its size counts).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the calibration here (YAML), for `calibration:`.")
    ] = None,
    position: Annotated[
        tuple[float, float] | None, typer.Option("--position", help="LON LAT of the camera.")
    ] = None,
    size: Annotated[
        tuple[int, int] | None, typer.Option("--size", help="WIDTH HEIGHT of the picture, without --image.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Draw the check picture here (PNG): grid, horizon, errors.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """Fit a fixed camera from control points; print its errors in metres, name wrong points, draw them."""
    from huoyan.georef import camera, checkpicture, points, saved

    control = points.read(points_file)
    picture = None if image is None else checkpicture.read_image(image)
    notes: list[str] = []
    if picture is not None:
        size = (picture.shape[1], picture.shape[0])
    elif size is None:
        size = _guess_size(control)
        notes.append(f"picture taken to be {size[0]} x {size[1]} px: give --image or --size")
    _check_position(position)
    result = camera.fit(control, size, position)
    notes.extend(result.notes)
    placed = position is not None or points.middle(control) is not None
    if not placed:
        notes.append("points in metres: the camera needs a position before it can place anything on the map")
    if out is not None:
        saved.save(result.ground, out, placed=placed)
    if check is not None:
        checkpicture.write_image(checkpicture.draw(result, picture), check)
    if as_json:
        typer.echo(json.dumps(_document(result, notes, placed), ensure_ascii=False, indent=2))
    else:
        _print(result, notes)


def _guess_size(control: tuple[ControlPoint, ...]) -> tuple[int, int]:
    """The smallest usual picture that holds all points."""
    right, bottom = max(p.pixel[0] for p in control), max(p.pixel[1] for p in control)
    return next(
        (s for s in _USUAL_SIZES if right <= s[0] and bottom <= s[1]), (round(right) + 1, round(bottom) + 1)
    )


def _check_position(position: tuple[float, float] | None) -> None:
    if position is not None and not (-180.0 <= position[0] <= 180.0 and -90.0 <= position[1] <= 90.0):
        raise ConfigError(
            f"expected longitude and latitude, got {position[0]} {position[1]}",
            subject="--position",
            hint="LON LAT",
        )


def _errors(result: Calibration) -> dict[int, float]:
    """The 68 % radius that a run would state at each control point, by row."""
    from huoyan.georef import plane
    from huoyan.records import Placement

    places = (
        (r.point.row, plane.place_point(result.ground, r.point.pixel, result.ground.size))
        for r in result.points
    )
    return {row: place.error_m for row, place in places if isinstance(place, Placement)}


def _typical(errors: dict[int, float]) -> float | None:
    values = sorted(errors.values())
    return values[len(values) // 2] if values else None


def _document(result: Calibration, notes: list[str], placed: bool) -> dict[str, Any]:
    errors = _errors(result)
    ground = result.ground
    return {
        "method": ground.method,
        "size": list(ground.size),
        "origin": list(ground.origin) if placed else None,
        "fit_rms_m": _rounded(result.fit_rms_m),
        "leave_one_out_rms_m": _rounded(result.left_out_rms_m),
        "check_rms_m": _rounded(result.check_rms_m),
        "error_m": _rounded(_typical(errors)),
        "tried": {name: _rounded(error) for name, error in result.tried},
        "bad_points": [r.point.name for r in result.points if r.bad],
        "suspect_points": [r.point.name for r in result.points if r.suspect],
        "points": [_point_document(r, errors.get(r.point.row)) for r in result.points],
        "notes": notes,
    }


def _point_document(result: PointResult, error: float | None) -> dict[str, Any]:
    return {
        "name": result.point.name,
        "row": result.point.row,
        "use": result.point.use,
        "px": list(result.point.pixel),
        "residual_m": _rounded(result.residual_m),
        "leave_one_out_m": _rounded(result.left_out_m),
        "error_m": _rounded(error),
        "bad": result.bad,
        "suspect": result.suspect,
    }


def _rounded(value: float | None) -> float | None:
    """To millimetres; JSON has no infinity."""
    return None if value is None or not abs(value) < float("inf") else round(value, 3)


def _print(result: Calibration, notes: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    errors = _errors(result)
    table = Table("point", "row", "use", "pixel", "residual m", "left out m", "68 % m", "")
    for r in result.points:
        x, y = r.point.pixel
        verdict = "[red]wrong[/red]" if r.bad else "[yellow]suspect[/yellow]" if r.suspect else ""
        cells = (r.residual_m, r.left_out_m, errors.get(r.point.row))
        table.add_row(
            r.point.name,
            str(r.point.row),
            r.point.use,
            f"{x:.1f}, {y:.1f}",
            *(_shown(c) for c in cells),
            verdict,
        )
    console = Console()
    console.print(table)
    console.print(
        f"{result.ground.method}: fit {_shown(result.fit_rms_m)} m, leave-one-out {_shown(result.left_out_rms_m)} m, "
        f"check {_shown(result.check_rms_m)} m (rms); stated error {_shown(_typical(errors))} m (median of the points)"
    )
    for note in notes:
        console.print(f"[yellow]![/yellow] {note}", highlight=False)


def _shown(value: float | None) -> str:
    return "-" if _rounded(value) is None else f"{value:.2f}"
