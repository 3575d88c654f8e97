"""Reading a camera's control points: a CSV of pixels and the places they show."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

from huoyan.errors import ConfigError
from huoyan.georef import local
from huoyan.records import Point

Use = Literal["fit", "check"]
LEAST_FIT_POINTS = 4
_HINT = (
    "columns: name (optional), px_x, px_y, lon, lat or east_m, north_m, use (optional: fit, check or ignore)"
)


@dataclass(frozen=True, slots=True)
class ControlPoint:
    """A point of the ground seen at a pixel; `ground` is (lon, lat), or (east, north) in metres."""

    name: str
    row: int
    """Line of the file, counted from 1; the heading is 1."""
    pixel: Point
    ground: Point
    degrees: bool
    use: Use = "fit"


def read(path: Path) -> tuple[ControlPoint, ...]:
    """Read and check a file of control points.

    Raises:
        ConfigError: it cannot be read or holds mistakes; the message has a line for each, with its row.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", subject=str(path), hint=_HINT) from error
    try:
        lines = list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise ConfigError(f"not a CSV file: {error}", subject=str(path), hint=_HINT) from error
    if not lines:
        raise ConfigError("is empty", subject=str(path), hint=_HINT)
    names = [cell.strip().lower() for cell in lines[0]]
    degrees = _units(names, path)
    points: list[ControlPoint] = []
    mistakes: list[str] = []
    for row, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        values = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
        try:
            point = _point(values, row, degrees)
        except ValueError as error:
            mistakes.append(f"{path}:{row}: {error}")
            continue
        if point is not None:
            points.append(point)
    mistakes += _twice(points, path)
    fit = sum(point.use == "fit" for point in points)
    if not mistakes and fit < LEAST_FIT_POINTS:
        mistakes.append(f"{path}: expected at least {LEAST_FIT_POINTS} points with use = fit, got {fit}")
    if mistakes:
        raise ConfigError("\n".join(mistakes), hint=_HINT)
    return tuple(points)


def in_metres(points: Sequence[ControlPoint], origin: Point) -> list[Point]:
    """(east, north) of the points from `origin` (lon, lat); points given in metres already are."""
    return [local.to_metres(*point.ground, origin) if point.degrees else point.ground for point in points]


def middle(points: Sequence[ControlPoint]) -> Point | None:
    """Mean (lon, lat) of points in degrees; None for points in metres, which have no place of their own."""
    if not all(point.degrees for point in points):
        return None
    first = points[0].ground
    metres = in_metres(points, first)
    return local.to_degrees(
        sum(east for east, _ in metres) / len(metres), sum(north for _, north in metres) / len(metres), first
    )


def _units(names: Sequence[str], path: Path) -> bool:
    """Whether the columns give degrees (or else metres)."""
    degrees = "lon" in names and "lat" in names
    metres = "east_m" in names and "north_m" in names
    missing = [name for name in ("px_x", "px_y") if name not in names]
    if not (degrees or metres):
        missing.append("lon, lat or east_m, north_m")
    if missing:
        raise ConfigError(
            f"missing column {'; '.join(missing)}; found {', '.join(names) or 'none'}",
            subject=f"{path}:1",
            hint=_HINT,
        )
    if degrees and metres:
        raise ConfigError(
            "both lon, lat and east_m, north_m are given", subject=f"{path}:1", hint="keep one pair"
        )
    return degrees


def _point(values: Mapping[str, str], row: int, degrees: bool) -> ControlPoint | None:
    """A row as a point; None for one to ignore.

    Raises:
        ValueError: what is wrong, beginning with the column.
    """
    use = values.get("use", "").lower() or "fit"
    if use == "ignore":
        return None
    if use not in ("fit", "check"):
        raise ValueError(f"use: expected fit, check or ignore, got {use!r}")
    columns = ("lon", "lat") if degrees else ("east_m", "north_m")
    x, y, first, second = (_number(values, column) for column in ("px_x", "px_y", *columns))
    if degrees and not -180.0 <= first <= 180.0:
        raise ValueError(f"lon: expected -180 to 180, got {first}")
    if degrees and not -90.0 <= second <= 90.0:
        swapped = "; lon and lat seem to be swapped" if abs(first) <= 90.0 else ""
        raise ValueError(f"lat: expected -90 to 90, got {second}{swapped}")
    name = values.get("name", "") or f"row {row}"
    return ControlPoint(name, row, (x, y), (first, second), degrees, "check" if use == "check" else "fit")


def _number(values: Mapping[str, str], column: str) -> float:
    text = values.get(column, "")
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{column}: expected a number, got {text!r}") from None
    if not isfinite(number):
        raise ValueError(f"{column}: expected a finite number, got {text!r}")
    return number


def _twice(points: Sequence[ControlPoint], path: Path) -> list[str]:
    seen: dict[Point, int] = {}
    mistakes = []
    for point in points:
        if point.pixel in seen:
            mistakes.append(f"{path}:{point.row}: px_x, px_y: the same pixel as in row {seen[point.pixel]}")
        seen.setdefault(point.pixel, point.row)
    return mistakes
