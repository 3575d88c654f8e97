"""What values of the configuration look like, shared by its parts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Lon = Annotated[float, Field(ge=-180, le=180)]
Lat = Annotated[float, Field(ge=-90, le=90)]
Share = Annotated[float, Field(ge=0, le=1)]
Duration = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(ms|s|m|h|d)$")]
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(duration: str) -> float:
    """`'30s'`, `'5m'`, `'2h'`, `'7d'` or `'250ms'` in seconds."""
    number = duration.rstrip("dhms")
    return float(number) * _SECONDS[duration[len(number) :]]


def _zone_name(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("expected a time zone name such as Asia/Shanghai") from error
    return value


def _written(value: object) -> object:
    # YAML makes a time of 2026-03-01T08:00:00+08:00 without quotes.
    return value.isoformat() if isinstance(value, datetime) else value


def _iso_time(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("expected an ISO 8601 time such as 2026-03-01T08:00:00+08:00") from error
    return value


TimeZone = Annotated[str, AfterValidator(_zone_name)]
IsoTime = Annotated[str, BeforeValidator(_written), AfterValidator(_iso_time)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
