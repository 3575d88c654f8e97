"""A calibration as a YAML file: `huoyan calibrate --out` writes it, a run reads it instead of fitting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from huoyan.errors import ConfigError, StorageError
from huoyan.georef.plane import CalibratedPlane
from huoyan.records import Point

_HINT = "make it again with: huoyan calibrate POINTS.csv --out FILE"
Matrix = Annotated[tuple[float, ...], Field(min_length=9, max_length=9)]
Positive = Annotated[float, Field(gt=0)]


class _File(BaseModel):
    """Field by field the `CalibratedPlane`; `origin` is null where the points had metres but no place."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    huoyan_calibration: int = Field(ge=1, le=1)
    method: str
    size: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    origin: tuple[float, float] | None
    matrix: Matrix
    ground_error_m: Annotated[float, Field(ge=0)]
    pixel_error_px: Annotated[float, Field(ge=0)]
    horizon_guard_m: Positive
    intrinsics: tuple[float, ...] = ()
    distortion: tuple[float, ...] = ()
    covariance: tuple[float, ...] = ()
    area: tuple[tuple[float, float], ...] = ()


def save(plane: CalibratedPlane, path: Path, *, placed: bool = True) -> None:
    """Write a calibration; `placed` is False where its origin is no place on the map.

    Raises:
        StorageError: the file cannot be written.
    """
    content = {
        "huoyan_calibration": 1,
        "method": plane.method,
        "size": list(plane.size),
        "origin": list(plane.origin) if placed else None,
        "matrix": list(plane.matrix),
        "ground_error_m": plane.ground_error_m,
        "pixel_error_px": plane.pixel_error_px,
        "horizon_guard_m": plane.horizon_guard_m,
        "intrinsics": list(plane.intrinsics),
        "distortion": list(plane.distortion),
        "covariance": list(plane.covariance),
        "area": [list(corner) for corner in plane.area],
    }
    try:
        path.write_text(
            yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110), encoding="utf-8"
        )
    except OSError as error:
        raise StorageError(f"cannot be written: {error}", subject=str(path)) from error


def load(path: Path, position: Point | None = None) -> CalibratedPlane:
    """Read a calibration.

    Args:
        path: the file.
        position: (lon, lat) of the camera, used where the calibration has no origin of its own.

    Raises:
        ConfigError: it cannot be read, is no calibration, or has no origin and no position is given.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = _File.model_validate(data)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", subject=str(path), hint=_HINT) from error
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", error)
        raise ConfigError(f"not valid YAML: {problem}", subject=str(path), hint=_HINT) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top)"
        raise ConfigError(f"{key}: {first['msg']}", subject=str(path), hint=_HINT) from error
    mistake = _mistake(file)
    origin = file.origin or position
    if mistake or origin is None:
        raise ConfigError(
            mistake or "the calibration has no place on the map",
            subject=str(path),
            hint=_HINT if mistake else "give the camera a position",
        )
    return CalibratedPlane(
        matrix=file.matrix,
        origin=origin,
        size=file.size,
        ground_error_m=file.ground_error_m,
        pixel_error_px=file.pixel_error_px,
        horizon_guard_m=file.horizon_guard_m,
        intrinsics=file.intrinsics,
        distortion=file.distortion,
        method=file.method,
        covariance=file.covariance,
        area=file.area,
    )


def _mistake(file: _File) -> str:
    if len(file.covariance) not in (0, 81):
        return f"covariance: expected 81 numbers, got {len(file.covariance)}"
    if len(file.intrinsics) not in (0, 4):
        return f"intrinsics: expected 4 numbers, got {len(file.intrinsics)}"
    if len(file.distortion) > 5:
        return f"distortion: expected at most 5 numbers, got {len(file.distortion)}"
    return ""
