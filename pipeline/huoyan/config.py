"""The county's configuration: one YAML file as checked models.

Every mistake is found at once and told with file, line, key and what was expected. Relative paths are
resolved against the folder of the file; paths of cameras, drone and satellite against `archive`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from huoyan import config_yaml
from huoyan.config_dispatch import Dispatch as Dispatch
from huoyan.config_gate import Gates, Intake
from huoyan.config_types import Duration as Duration
from huoyan.config_types import IsoTime, Lat, Lon, TimeZone
from huoyan.config_types import Strict as Strict
from huoyan.config_types import seconds as seconds
from huoyan.config_vehicles import Vehicles
from huoyan.config_watch import Stream, Watch
from huoyan.errors import ConfigError
from huoyan.redaction import redact


class County(Strict):
    name: str = "county"
    timezone: TimeZone = "Asia/Shanghai"
    data: Path = Path("state")
    """Folder of the state: database and evidence pictures."""


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
    timezone: TimeZone | None = None
    """Zone of times without an offset; default the county's."""
    start: IsoTime | None = None
    """Time of the first frame of videos that do not tell it (ISO 8601)."""
    stream: Stream | None = None
    """How `huoyan watch` gets at it live."""
    road: bool = False
    """Trucks are followed through its videos and judged once a passage; `sampling` is for everything else."""

    @model_validator(mode="after")
    def _can_be_followed(self) -> Camera:
        stream = self.stream
        if stream is None or not (stream.passages or stream.passages_url):
            return self
        if not stream.passages:
            raise ValueError("stream.passages_url is for stream.passages: true")
        if not self.road:
            raise ValueError("stream.passages needs road: true: only roads are followed")
        if stream.snapshot and stream.passages_url is None:
            raise ValueError(
                "stream.passages needs a video, and stream.snapshot: true gives pictures; "
                "give the video as stream.passages_url"
            )
        if stream.presets:
            raise ValueError(
                "stream.passages needs a camera that stays: it cannot be followed through presets"
            )
        return self


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
    corridors: Path | None = None
    venues: Path | None = None


class Scenes(Strict):
    file: Path | None = None
    """Default: the scenes that come with Huoyan."""
    codes: Path | None = None
    only: list[str] = []


class Models(Strict):
    site: str | None = "site-n"
    street: str | None = "street-n"
    road: str | None = "road-n"
    """Knows trucks of every kind at gates, beside the kinds that the site model knows; null: only those count."""
    change: str | None = "change-s"
    dust: str | None = "dust-s"
    """Confirms or doubts what the street model takes for dust; null: its word counts."""
    plates: str | None = "plate-reader"
    """Reads the plates of the vehicles that a register knows; null: plates come from captions only."""
    plate_corners: str = "plate-corners"
    second_look: bool = True
    tile: Annotated[int, Field(ge=0)] = 0
    """Side of the tiles in which large frames are looked at; 0 decides by frame size and kind."""
    folder: Path | None = None
    """Where registered models lie; default those that come with Huoyan."""
    threads: Annotated[int, Field(ge=0)] = 0
    runtime: Literal["auto", "onnxruntime", "openvino"] = "auto"
    """What runs the models; auto measures once where OpenVINO is installed."""
    precision: Literal["auto", "float32", "int8", "bfloat16"] = "auto"
    """auto takes the eight-bit copy of a model where the CPU is made for it."""


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
    vehicles: Vehicles = Vehicles()
    watch: Watch = Watch()
    gates: Gates = []
    intake: Intake = Intake()


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


def load(path: str | Path) -> LoadedConfig:
    """Read and check a configuration file.

    Raises:
        ConfigError: the file cannot be read or holds mistakes; all of them are in the message, a line each.
    """

    path = Path(path)
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

    config = Config(county=County(data=state.resolve()), archive=archive.resolve())
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    return LoadedConfig(config, archive.resolve(), None, digest)


def parse(text: str, name: str) -> Config:
    """Check the text of a configuration; `name` is what errors call it.

    Raises:
        ConfigError: see `load`.
    """
    tree, data = config_yaml.read(text, name)
    mistakes = [(line, f"{key}: this key is there twice") for line, key in config_yaml.repeated_keys(tree)]
    mistakes += _repeated_cameras(data, tree)
    config = None
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        mistakes += _described(error, tree)
    if config is not None:
        mistakes += _unknown_sources(config, tree)
    if config is None or mistakes:
        raise ConfigError("\n".join(f"{name}:{line}: {mistake}" for line, mistake in sorted(mistakes)))
    return config


def _repeated_cameras(data: dict[str, Any], tree: yaml.Node | None) -> list[tuple[int, str]]:
    """Looked for in what was written, so that other mistakes do not hide them."""
    found: list[tuple[int, str]] = []
    cameras = data.get("cameras")
    seen: set[str] = set()
    for index, camera in enumerate(cameras if isinstance(cameras, list) else []):
        name = camera.get("id") if isinstance(camera, dict) else None
        if isinstance(name, str) and name in seen:
            line = config_yaml.line_of(tree, ("cameras", index, "id"))
            found.append((line, f"cameras.{index}.id: camera id {name!r} is used twice"))
        if isinstance(name, str):
            seen.add(name)
    return found


def _unknown_sources(config: Config, tree: yaml.Node | None) -> list[tuple[int, str]]:
    """Roads between cameras that there are not: their metres would never be asked for."""
    known = {camera.id for camera in config.cameras} | {gate.id for gate in config.gates}
    known |= {camera.id for gate in config.gates for camera in gate.cameras}
    found: list[tuple[int, str]] = []
    for index, road in enumerate(config.vehicles.trips.roads):
        for place in (0, 1):
            if road[place] not in known:
                where = ("vehicles", "trips", "roads", index, place)
                text = f"there is no camera and no gate {road[place]!r}"
                found.append((config_yaml.line_of(tree, where), f"{'.'.join(map(str, where))}: {text}"))
    return found


def _described(error: ValidationError, tree: yaml.Node | None) -> list[tuple[int, str]]:
    """Line and text of every mistake."""
    found = []
    for mistake in error.errors():
        where = mistake["loc"]
        key = ".".join(str(part) for part in where) or "(top)"
        got = mistake.get("input")
        # A password that should not be here must not be shown either.
        shown = "" if isinstance(got, dict | list) else f", got {redact(repr(got))}"
        if mistake["type"] == "extra_forbidden":
            known = ", ".join(_known_keys(where[:-1]))
            text = f"unknown key; known here: {known}" if known else "unknown key"
        elif mistake["type"] == "string_type":
            text = f"expected text{shown}; put it in quotes"
        elif mistake["type"] == "string_pattern_mismatch":
            text = f"expected a duration such as 30s, 5m, 2h or 250ms{shown}"
        else:
            text = f"{mistake['msg'].removeprefix('Value error, ')}{shown}"
        found.append((config_yaml.line_of(tree, where), f"{key}: {text}"))
    return found


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
