"""The county's configuration: one YAML file as checked models.

Every mistake is found at once and told with file, line, key and what was expected. Relative paths are
resolved against the folder of the file; paths of cameras, drone and satellite against `archive`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from huoyan.errors import ConfigError

Lon = Annotated[float, Field(ge=-180, le=180)]
Lat = Annotated[float, Field(ge=-90, le=90)]
Duration = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(ms|s|m|h|d)$")]
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(duration: str) -> float:
    """`'30s'`, `'5m'`, `'2h'`, `'7d'` or `'250ms'` in seconds."""
    number = duration.rstrip("dhms")
    return float(number) * _SECONDS[duration[len(number) :]]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class County(Strict):
    name: str = "county"
    timezone: str = "Asia/Shanghai"
    data: Path = Path("state")
    """Folder of the state: database and evidence pictures."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"not a time zone name such as Asia/Shanghai: {value!r}") from error
        return value


class Pose(Strict):
    """A fixed camera's pose where no control points were measured."""

    height_m: Annotated[float, Field(gt=0)]
    yaw_deg: float
    pitch_deg: Annotated[float, Field(ge=-90, le=90)]
    roll_deg: float = 0.0
    hfov_deg: Annotated[float, Field(gt=0, lt=180)]


class Camera(Strict):
    id: Annotated[str, Field(min_length=1)]
    archive: Path | None = None
    """Video file or folder of stills and videos, relative to `archive`; default `camera/<id>`."""
    position: tuple[Lon, Lat] | None = None
    calibration: Path | None = None
    """Control points (CSV: px_x,px_y, lon,lat or east_m,north_m, use)."""
    pose: Pose | None = None
    size: tuple[int, int] | None = None
    """(width, height) of the pictures that the control points were measured on, where they differ."""
    zones: list[str] = []
    """Zones this camera watches; empty means all it can see."""
    sampling: Duration = "30s"
    """Time between frames taken from a video."""
    pattern: str | None = None
    """strptime pattern of the file names, for example `%Y%m%dT%H%M%S%z`."""
    timezone: str | None = None
    """Zone of times without an offset; default the county's."""
    start: str | None = None
    """Time of the first frame of videos that do not tell it (ISO 8601)."""


class Drone(Strict):
    archive: Path = Path("drone")
    sampling: Duration = "2s"
    ground_m: float | None = None
    """Height of the ground above sea level where it differs from the take-off point's."""
    dem: Path | None = None


class Satellite(Strict):
    archive: Path = Path("satellite")
    gsd_hint: Annotated[float, Field(gt=0)] | None = None
    error_m: Annotated[float, Field(gt=0)] = 5.0
    window: Annotated[int, Field(ge=256, le=4096)] = 1024
    overlap: Annotated[int, Field(ge=0, le=512)] = 64
    pairs: list[tuple[str, str]] = []
    """Dates (folder names) to compare; default each with the one before."""


class Registry(Strict):
    zones: Path | None = None
    permits: Path | None = None
    footprints: Path | None = None
    vehicles: Path | None = None
    venues: Path | None = None


class Scenes(Strict):
    file: Path | None = None
    """Default: the scenes that come with Huoyan."""
    codes: Path | None = None
    only: list[str] = []


class Models(Strict):
    site: str | None = "site-n"
    street: str | None = "street-n"
    change: str | None = "change-s"
    second_look: bool = True
    tile: Annotated[int, Field(ge=0)] = 0
    """Side of the tiles in which large frames are looked at; 0 decides by frame size and kind."""
    folder: Path | None = None
    """Where registered models lie; default those that come with Huoyan."""
    threads: Annotated[int, Field(ge=0)] = 0


class Dispatch(Strict):
    to: Literal["sqlite"] = "sqlite"
    lease: Duration = "10m"
    max_attempts: Annotated[int, Field(ge=1)] = 5


class Evidence(Strict):
    quality: Annotated[int, Field(ge=30, le=100)] = 85
    long_side: Annotated[int, Field(ge=256)] = 1280
    blur_faces: bool = True
    blur_plates: bool = True


class Config(Strict):
    county: County = County()
    archive: Path = Path("archive")
    cameras: list[Camera] = []
    drone: Drone = Drone()
    satellite: Satellite = Satellite()
    registry: Registry = Registry()
    scenes: Scenes = Scenes()
    models: Models = Models()
    dispatch: Dispatch = Dispatch()
    evidence: Evidence = Evidence()

    @field_validator("cameras")
    @classmethod
    def _unique_ids(cls, cameras: list[Camera]) -> list[Camera]:
        seen: set[str] = set()
        for camera in cameras:
            if camera.id in seen:
                raise ValueError(f"camera id {camera.id!r} is used twice")
            seen.add(camera.id)
        return cameras


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration with the folder its relative paths start from and the digest it is known by."""

    config: Config
    base: Path
    path: Path | None
    sha256: str

    def resolve(self, path: Path) -> Path:
        """`path` as the run must open it."""
        return path if path.is_absolute() else self.base / path

    @property
    def archive(self) -> Path:
        return self.resolve(self.config.archive)

    @property
    def state(self) -> Path:
        return self.resolve(self.config.county.data)


def load(path: Path) -> LoadedConfig:
    """Read and check a configuration file.

    Raises:
        ConfigError: the file cannot be read or holds mistakes; all of them are in the message, a line each.
    """
    import hashlib

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot be read: {error}", subject=str(path), hint="give a YAML file in UTF-8"
        ) from error
    config = parse(text, str(path))
    return LoadedConfig(config, path.resolve().parent, path, hashlib.sha256(text.encode()).hexdigest())


def default(archive: Path, state: Path) -> LoadedConfig:
    """The configuration of an archive that is described by its folders alone."""
    import hashlib

    config = Config(county=County(data=state.resolve()), archive=archive.resolve())
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    return LoadedConfig(config, archive.resolve(), None, digest)


def parse(text: str, name: str) -> Config:
    """Check the text of a configuration; `name` is what errors call it.

    Raises:
        ConfigError: see `load`.
    """
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError(
            f"not valid YAML: {getattr(error, 'problem', error)}", subject=where, hint="mend the line"
        ) from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"expected keys such as county and cameras, got {type(data).__name__}", subject=name
        )
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(error, tree, name)), code="config") from error


def _describe(error: ValidationError, tree: yaml.Node | None, name: str) -> list[str]:
    lines = []
    for mistake in error.errors():
        where = tuple(part for part in mistake["loc"])
        line = _line_of(tree, where)
        key = ".".join(str(part) for part in where) or "(top)"
        if mistake["type"] == "extra_forbidden":
            known = ", ".join(_known_keys(where[:-1]))
            text = f"unknown key; known here: {known}" if known else "unknown key"
        else:
            got = mistake.get("input")
            shown = "" if isinstance(got, dict | list) else f", got {got!r}"
            text = f"{mistake['msg']}{shown}"
        lines.append(f"{name}:{line}: {key}: {text}")
    return lines


def _line_of(node: yaml.Node | None, where: tuple[Any, ...]) -> int:
    """1-based line of the deepest node of the path that exists."""
    line = 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _known_keys(where: tuple[Any, ...]) -> list[str]:
    """Field names of the model at a path of the configuration."""
    model: Any = Config
    for part in where:
        if isinstance(part, int):
            continue
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return []
        annotation = field.annotation
        arguments = getattr(annotation, "__args__", ())
        candidates = [annotation, *arguments]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)
